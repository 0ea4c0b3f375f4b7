/* SPDX-License-Identifier: PostgreSQL
 *
 * model.h - the partitioned tables of a database as the catalog has them, and nothing else: no extension, no
 * table of ours, no superuser, no guess from names.
 *
 *	_cleanup_model_ struct partition_model model = { 0 };
 *	const struct partition_load load = { .table = oid, .sizes = true };
 *
 *	if (!partition_begin(conn, err) || !partition_model_load(conn, &load, &model, err) || !partition_end(conn, err))
 *
 * Everything is one array in the order of a tree walk: a table comes before its partitions, siblings in the
 * order of their bounds, DEFAULT last. Partitions that are pending detach (PostgreSQL 14 and newer) are in it;
 * pg_partition_tree() would leave them out.
 */
#ifndef DBOPS_PARTITION_MODEL_H
#define DBOPS_PARTITION_MODEL_H

#include "bound.h"
#include "instant.h"
#include "pg.h"

enum partition_strategy { STRATEGY_NONE, STRATEGY_RANGE, STRATEGY_LIST, STRATEGY_HASH };

struct key_column {
	char *name; /* NULL = an expression */
	char *type; /* "timestamp with time zone", as format_type() says; of an expression the operator class's type */
	enum key_kind kind;
};

struct partition_key {
	enum partition_strategy strategy; /* STRATEGY_NONE: not a partitioned table */
	char *definition;                 /* "RANGE (executed_at)"; NULL = not a partitioned table */
	VEC(struct key_column) columns;
};

#define PARTITION_NO_PARENT SIZE_MAX
#define PARTITION_UNKNOWN   INT64_C(-1)

struct partition {
	uint32_t oid;
	char *schema, *name, *owner;
	char kind;         /* pg_class.relkind: 'p' partitioned table, 'r' table, 'f' foreign table */
	size_t parent;     /* index of the parent, PARTITION_NO_PARENT for a root (a sub-partitioned table that was asked
	                    * for is a root, too, and has its own bound) */
	uint32_t parent_oid; /* of the catalog; 0 = not a partition */
	unsigned level;    /* 0 = root */
	size_t end;        /* index after the last one of its subtree */
	struct bound bound;
	bool detach_pending;
	struct partition_key key; /* how it is partitioned itself */
	/* Estimates of the planner's statistics, sums for a partitioned table. PARTITION_UNKNOWN: never analyzed (with .sizes
	 * only if there are pages). */
	int64_t rows;
	/* With .sizes, else PARTITION_UNKNOWN. Table, indexes and TOAST; sums for a partitioned table. PARTITION_UNKNOWN: an
	 * ACCESS EXCLUSIVE lock was held, and measuring would have waited for it. */
	int64_t bytes;
	int64_t writes;     /* rows inserted, updated, deleted since the statistics began */
	int64_t last_write; /* microseconds since 1970 UTC: when the server last wrote to its files, so the last write is
	                     * not later (a vacuum counts, too); PARTITION_UNKNOWN: no privilege to call pg_stat_file() */
};

struct partition_model {
	struct partition *items;
	size_t len, alloc;
};
void partition_model_release(struct partition_model *m);
#define _cleanup_model_ _cleanup_(partition_model_release)

struct partition_load {
	uint32_t table; /* the partitioned table whose tree is wanted; 0 = all of the database */
	bool sizes;     /* bytes, writes, last_write */
};

/* A short transaction, REPEATABLE READ READ ONLY, under the settings that make bounds and definitions readable:
 * search_path empty, TimeZone UTC, DateStyle ISO, statement_timeout 30 s, lock_timeout 1 s, all SET LOCAL. Ended by
 * partition_end(); after a failure in between partition_end() rolls back as well. */
bool partition_begin(struct pg_conn *c, struct error *err);
bool partition_end(struct pg_conn *c, struct error *err);

/* The table that name means under the session's own search_path, so call it before partition_begin(): "trades",
 * "archive.trades", "\"Trades\"". *ret_kind is pg_class.relkind; views and the like are not tables. EXIT_NOT_FOUND, with
 * the way to quote it when there is a table of that name in another case. */
bool partition_resolve(struct pg_conn *c, const char *name, uint32_t *ret_oid, char *ret_kind, struct error *err);
/* As partition_resolve(), for a command that needs a partitioned table: anything else is EXIT_NOT_FOUND, and the parent of
 * a partition is named. */
bool partition_resolve_parent(struct pg_conn *c, const char *name, uint32_t *ret_oid, struct error *err);

/* Reads the catalog inside partition_begin() … partition_end(). A table that is not a partitioned one gives an empty
 * model. *ret zeroed before. EXIT_BUSY when a lock made it wait too long. */
bool partition_model_load(struct pg_conn *c, const struct partition_load *o, struct partition_model *ret, struct error *err);

/* By OID; NULL = not in the model. */
const struct partition *partition_by_oid(const struct partition_model *m, uint32_t oid);
/* The next direct partition of parent after p; p NULL gives the first, NULL is the end:
 * for (p = partition_next(m, parent, NULL); p; p = partition_next(m, parent, p)) */
const struct partition *partition_next(const struct partition_model *m, const struct partition *parent,
	const struct partition *p);
/* NULL for a root. */
const struct partition *partition_parent(const struct partition_model *m, const struct partition *p);
/* The DEFAULT partition of parent, or NULL. */
const struct partition *partition_default(const struct partition_model *m, const struct partition *parent);

/* The kind of parent's first key column: KEY_OTHER when it has none. */
enum key_kind partition_key_kind(const struct partition *parent);
/* The time span of range partition p, by the first key column of parent: from <= t < to. False when it is not a range
 * partition or the key is no time. */
bool partition_span(const struct partition *parent, const struct partition *p, enum epoch_unit unit, int64_t *ret_from,
	int64_t *ret_to);

#endif
