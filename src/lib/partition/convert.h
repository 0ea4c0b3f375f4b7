/* SPDX-License-Identifier: PostgreSQL
 *
 * convert.h - the plan that makes a partitioned table of an ordinary one while it is in use.
 *
 * The table itself becomes the first partition, from MINVALUE to a bound that lies ahead; no row is copied. A CHECK that
 * says so is added NOT VALID (a moment) and validated (a scan beside readers and writers), so that ATTACH
 * PARTITION need not scan. Keys that lack the partition key get it by an index built CONCURRENTLY. Then one
 * transaction swaps the names, which takes ACCESS EXCLUSIVE for the time of some catalog changes.
 *
 * Each step leaves its mark in the catalog, so the plan made after an interruption is the rest: the CHECK is there or validated, its
 * comment keeps the bound, the index is there, the table is partitioned.
 */
#ifndef DBOPS_PARTITION_CONVERT_H
#define DBOPS_PARTITION_CONVERT_H

#include "instant.h"
#include "partition_plan.h"
#include "pg.h"

/* Of the CHECK, on the table while it is being converted. */
#define CONVERT_CONSTRAINT "dbops_convert"

struct convert_request {
	const char *table_text; /* as the user named it: for messages */
	const char *key;        /* column */
	const char *interval;   /* of the partitions to come; says where the first one may end */
	const char *timezone;
	enum epoch_unit unit;
	const char *until;      /* upper bound of the first partition, as the key's type is written; NULL = chosen */
	const char *partition;  /* name of the first partition; NULL = <table>_old */
	bool extend_keys;       /* add the partition key to primary keys and unique constraints that lack it */
};

/* Adds the steps; none when the table is partitioned already. Inside partition_begin() … partition_end().
 * EXIT_USAGE: the request does not fit the table. EXIT_REFUSED: something is in the way, detail has all of it, a line each. */
bool partition_plan_convert(struct pg_conn *c, uint32_t table, const struct convert_request *r, struct partition_plan *plan,
	struct error *err);

/* --- its parts ------------------------------------------------------------------------------------------------ */

struct convert {
	struct pg_conn *conn;
	const struct convert_request *request;
	uint32_t oid;
	char *oid_text;
	char *schema, *name, *partition;  /* as they are and will be called */
	char *table_sql, *partition_sql, *key_sql; /* quoted */
	char *display;
	char *key_type;                   /* "timestamp with time zone" */
	int16_t key_number;
	bool key_not_null;
	enum key_kind kind;
	char *bound;                      /* text of the upper bound */
	bool checked, validated;          /* the CHECK is there */
};

/* What stands in the way, a line each; empty = nothing. */
bool convert_find_blockers(const struct convert *v, struct strbuf *out, struct error *err);
/* Steps before the swap, and their part of the swap, for unique keys that lack the partition key. */
bool convert_add_indexes(const struct convert *v, struct partition_plan *plan, struct error *err);
/* The transaction that ends it. */
bool convert_add_swap(const struct convert *v, struct partition_plan *plan, struct error *err);
/* Within the swap, before the names change: extended keys take the place of the old ones. */
bool convert_swap_keys(const struct convert *v, struct plan_step *step, struct error *err);
/* A query about the table: $1 is its OID. Lines marked as in sql.h. NULL on failure. */
PGresult *convert_query(const struct convert *v, const char *sql, struct error *err);

#endif
