/* SPDX-License-Identifier: PostgreSQL
 *
 * check.h - what is wrong with partitioned tables, or will be.
 *
 * The catalog's model (model.h) and facts from src/lib/inspect/sql/partition_*.sql become findings with SQL
 * that cures them. Nothing is changed here.
 */
#ifndef DBOPS_PARTITION_CHECK_H
#define DBOPS_PARTITION_CHECK_H

#include "answer.h"
#include "inspector.h"
#include "model.h"

struct check_options {
	struct range warning, critical; /* of headroom, seconds */
	enum epoch_unit epoch;          /* what integer keys count; EPOCH_NONE: they are no times */
};

/* One partitioned table and how far it reaches. */
struct headroom {
	const struct partition *table; /* borrowed from the model */
	bool known;                    /* the key is a time and the last bound is finite */
	int64_t until;                 /* key space: upper bound of the last partition */
	double seconds;                /* from now to then */
};

struct check_clock {
	int64_t instant; /* the server's clock, microseconds since 1970 UTC */
	int64_t local;   /* the same in the session's time zone, as if it were UTC: for date and timestamp keys */
};

/* What a run of `partitions check` looks at. */
struct check {
	struct partition_model model; /* all of the database, or the trees asked for one after the other */
	const struct partition **by_oid; /* sorted */
	struct check_clock now;
	int version;                     /* of the server, 150020 */
	char *zone;                      /* TimeZone of this role and database */
	bool whole_database;             /* no table was named */
	struct check_options options;
	VEC(struct headroom) headroom; /* of each table whose end matters */
};

void check_release(struct check *c);
#define _cleanup_check_ _cleanup_(check_release)

/* Loads the model of the named tables, of all when there are none, and judges everything. Errors as
 * partition_resolve_parent(), partition_model_load(). */
bool check_run(struct inspector *in, const struct strvec *tables, struct check *c, struct answer *a, struct error *err);

/* The parts, each adds findings to a. */
/* Bounds: headroom, gaps, partitions off the grid, pending detaches. Asks nobody. */
void check_bounds(struct check *c, struct answer *a);
/* Rows in DEFAULT partitions: one short read of each. What cannot be read is a gap. */
bool check_default_rows(struct inspector *in, const struct check *c, struct answer *a, struct error *err);

/* Others that look after partitions: failing jobs of pg_cron, sets of pg_partman; tables that are partitioned by other means. */
bool check_jobs(struct inspector *in, const struct check *c, struct answer *a, struct error *err);

/* One statement in a transaction of its own, with the settings of partition_begin(); timeout in milliseconds. all_rows: rows that policies
 * hide are an error, not an absence. NULL on failure. */
PGresult *check_ask(struct inspector *in, const char *sql, int64_t timeout, bool all_rows, struct error *err);
/* By OID; NULL = not looked at. */
const struct partition *check_find(const struct check *c, uint32_t oid);
/* The name for people, in a finding's object. Caller frees. */
char *check_name(const struct partition *p);
/* Adds a finding about p; message is taken over, and evidence, fix and undo are the caller's to set before the next. */
struct finding *check_finding(struct answer *a, const char *id, enum severity severity, const struct partition *p, char *message);
/* Whether the first key column of parent is a time, and its value now. */
bool check_key_now(const struct check *c, const struct partition *parent, int64_t *ret);
/* A bound of range partitions as people read it: a time of parent's kind. */
void check_add_time(struct strbuf *out, const struct partition *parent, enum epoch_unit epoch, int64_t us);
/* "1 month", "7 days", "1 hour", of integers "1000": what most partitions of parent span; NULL = nothing. In buf. */
const char *check_interval(const struct check *c, const struct partition *parent, char buf[32]);
/* Adds "dbops partitions create …" that makes ahead partitions and fills gaps; nothing when parent has no usual interval. */
void check_add_create(const struct check *c, const struct partition *parent, int64_t ahead, const char *more, struct strbuf *out);

#endif
