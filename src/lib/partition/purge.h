/* SPDX-License-Identifier: PostgreSQL
 *
 * purge.h - deletes old rows of a table that is not partitioned, in small transactions that nobody notices.
 *
 * Each batch is a transaction of its own, with a lock_timeout, and passes over rows that somebody has locked. With an index on the
 * column batches follow it; without one they follow the heap, page range by page range, so that the table is read once and
 * not once a batch. Between batches standbys are looked at: who deletes faster than they replay makes them useless.
 */
#ifndef DBOPS_PARTITION_PURGE_H
#define DBOPS_PARTITION_PURGE_H

#include "cancel.h"
#include "log.h"
#include "pg.h"

struct purge {
	uint32_t oid;
	char *sql, *shown;      /* quoted; for people */
	char *column;           /* quoted */
	char *cutoff;           /* "2026-08-29 00:00:00+00": rows before it go */
	bool by_index;          /* batches follow an index on the column */
	int64_t pages;          /* of the heap */
	double rows_per_page;
	char *condition;        /* of the rows that go, without WHERE */
	struct strvec notes;
};
void purge_release(struct purge *p);
#define _cleanup_purge_ _cleanup_(purge_release)

struct purge_request {
	uint32_t oid;
	const char *column;               /* as SQL names it */
	const char *older_than;           /* interval; counted from the beginning of this day (UTC) */
	const char *before;               /* or a point in time; one of the two */
	const struct strvec *held;        /* SQL conditions of rows that stay */
	bool allow_cascade;               /* delete although that deletes or changes rows of other tables */
};
/* Looks at table and column. EXIT_REFUSED for what cannot be purged: partitioned tables, columns without a time, foreign keys that would
 * delete or change rows of other tables, a cutoff that is not in the past. EXIT_NOT_FOUND: no such column. */
bool purge_prepare(struct pg_conn *c, const struct purge_request *r, struct purge *ret, struct error *err);
/* How many rows would go now; a whole scan without an index. */
bool purge_count(struct pg_conn *c, const struct purge *p, int64_t *ret, struct error *err);

struct purge_options {
	int64_t batch;           /* rows of one transaction */
	int64_t lock_timeout_ms, max_wait_ms;
	int64_t max_lag;         /* bytes a standby may be behind; 0 = do not look */
	int64_t pause_ms;        /* between batches */
	struct log *log;
	const struct cancel *cancel;
};
struct purge_result {
	int64_t rows, batches, lag_waits, lock_waits;
	bool remaining;          /* rows are left that were locked, or that a trigger kept */
	bool lag_unknown;        /* this role does not see how far standbys are */
	double seconds;
};
/* What was deleted before a failure stays deleted and is in *ret. EXIT_BUSY when a lock or a lagging standby did not let go in
 * max_wait. */
bool purge_run(struct pg_conn *c, const struct purge *p, const struct purge_options *o, struct purge_result *ret, struct error *err);

#endif
