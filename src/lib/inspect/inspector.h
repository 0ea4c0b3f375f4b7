/* SPDX-License-Identifier: PostgreSQL
 *
 * inspector.h - a session that looks and does no harm.
 *
 * Every question is one round trip: BEGIN READ ONLY (READ COMMITTED, whatever the default is: a serializable one
 * could wait for its snapshot, and fails on a standby), time limits and an empty search_path for this
 * transaction only, the statements, COMMIT. So nothing lasts in the session (any pooler will do), and
 * nothing waits long: lock_timeout ends what would hang behind an ACCESS EXCLUSIVE lock.
 * JIT compilation is off: the planner's estimates for catalogs and functions make it compile for seconds what runs in a millisecond.
 * What the server and this role can do is asked once (struct probe), not guessed from the version.
 */
#ifndef DBOPS_INSPECTOR_H
#define DBOPS_INSPECTOR_H

#include "pg.h"
#include "sql.h"

struct extension {
	char *name, *schema, *version;
};

struct probe {
	int version;              /* 150020 */
	bool in_recovery;
	bool is_superuser;
	bool reads_stats;         /* sees other roles' sessions and statements: pg_read_all_stats, pg_monitor */
	bool reads_data;          /* sees pg_stats of every table: pg_read_all_data, superuser */
	bool signals;             /* may cancel and terminate others: pg_signal_backend */
	bool track_io_timing, track_activities;
	int64_t query_size;       /* bytes of a query that pg_stat_activity shows */
	char *compute_query_id;   /* "auto", "on", "off", …; NULL before 14 */
	int64_t block_size;
	int64_t started_at;       /* of the postmaster, microseconds since 1970 */
	int64_t stats_reset_at;   /* of this database's counters; 0 = never, or lost in a crash */
	int64_t now;              /* the server's clock at the probe, see inspector_now() */
	double asked;             /* our monotonic clock then */
	char *session_user, *current_user;
	VEC(struct extension) extensions; /* of this database */
};

struct inspector {
	struct pg_conn *conn;     /* NULL before inspector_open() and after a lost connection */
	struct probe probe;
	int64_t statement_timeout, lock_timeout; /* milliseconds */
};

#define INSPECTOR_STATEMENT_TIMEOUT 30000
#define INSPECTOR_LOCK_TIMEOUT      200

/* Connects and probes; what is asked and answered is UTF-8, unless the database is SQL_ASCII. Errors as pg_connect(). */
bool inspector_open(struct inspector *in, const struct pg_params *p, struct log *log, struct error *err);
void inspector_close(struct inspector *in);

/* Runs sql (n statements that return rows, separated by ';', version lines as in sql.h) in one read-only
 * transaction and one round trip. On failure ret holds NULLs; the transaction is rolled back. A statement
 * that ran into a time limit fails with sqlstate 57014 (statement) or 55P03 (lock). */
bool inspector_batch(struct inspector *in, const char *sql, PGresult **ret, size_t n, struct error *err);
/* The same with sql that has no version lines: it may hold names that come from outside. */
bool inspector_batch_as_is(struct inspector *in, const char *sql, PGresult **ret, size_t n, struct error *err);
/* One statement; NULL on failure. */
PGresult *inspector_query(struct inspector *in, const char *sql, struct error *err);

/* The server's clock now, without asking it again. */
int64_t inspector_now(const struct inspector *in);

/* The extension called name in this database; NULL = not created here. */
const struct extension *probe_extension(const struct probe *p, const char *name);

#endif
