/* SPDX-License-Identifier: PostgreSQL
 *
 * statements.h - what pg_stat_statements has counted: reading, differences, groups, order. No server here.
 *
 * Columns are bound by the names in the result, because they follow the version of the extension, which may lag behind
 * the server's. An entry is (userid, dbid, toplevel, queryid). PostgreSQL documentation, "pg_stat_statements".
 */
#ifndef DBOPS_STATEMENTS_H
#define DBOPS_STATEMENTS_H

#include <libpq-fe.h>
#include <stdint.h>
#include "sample.h"
#include "strbuf.h"
#include "vec.h"

/* Cumulative counters of an entry: times in seconds, sizes in blocks and bytes. NAN = this version does not count it. */
enum statement_counter {
	STATEMENT_CALLS,
	STATEMENT_EXECUTION, /* time of execution, waits included */
	STATEMENT_PLANNING,  /* 0 unless pg_stat_statements.track_planning */
	STATEMENT_SQUARES,   /* sum of squared execution times, which gives the deviation of any window */
	STATEMENT_ROWS,
	STATEMENT_HIT,       /* shared blocks found in the buffer cache */
	STATEMENT_READ,      /* shared and local blocks read */
	STATEMENT_WRITTEN,   /* shared and local blocks written by the statement's own backend */
	STATEMENT_TEMP,      /* temporary blocks read and written */
	STATEMENT_IO,        /* time of reading and writing; 0 unless track_io_timing */
	STATEMENT_WAL,       /* bytes */
	STATEMENT_EVICTED,   /* of the whole view: entries lost for want of room (pg_stat_statements_info.dealloc) */
	STATEMENT_RESET,     /* of the whole view: time of the last reset, microseconds since 1970 */
	STATEMENT_COUNTERS,
};
/* Their names in a sample; NULL-terminated. */
extern const char *const statement_counters[];

enum statement_change {
	STATEMENT_CUMULATIVE, /* no earlier sample: counted since the entry was made */
	STATEMENT_COMPARED,
	STATEMENT_NEW,        /* was not in the earlier sample */
	STATEMENT_RESTARTED,  /* was reset or evicted in between: the difference is what it has counted since, a lower bound */
};

/* A role's part of a group. */
struct statement_part {
	char *role;
	double calls, time;
};

struct statement {
	int64_t userid, dbid, query_id;
	char *role, *database;
	bool here;      /* of the database we are connected to */
	bool nested;    /* ran inside another statement (a function): its time is in that one's, too */
	bool hidden;    /* this role must not see which statement it is */
	double v[STATEMENT_COUNTERS];
	double min, max;     /* seconds; NAN = not known (of a window, never) */
	int64_t since;       /* when counting began; 0 = not known (before 1.11) */
	enum statement_change change;
	char *text;          /* NULL = not asked for, or lost */
	uint64_t fingerprint; /* of text */
	size_t entries;      /* how many it stands for */
	VEC(struct statement_part) parts; /* by role, largest first; only of groups */
	double share;        /* per cent of the time of all */
};

struct statements {
	VEC(struct statement) items;
	bool compared;       /* the counters are a difference */
	double seconds;      /* of the window; 0 when cumulative */
	double evicted;      /* entries lost since the reset or in the window; NAN = not known */
	int64_t reset_at;    /* 0 = not known */
	bool was_reset;      /* since the earlier sample */
	double calls, time;  /* of all top-level statements in view, those below a limit included */
};

void statements_release(struct statements *s);
#define _cleanup_statements_ _cleanup_(statements_release)

/* Reads the rows of pg_stat_statements_sql() and of pg_stat_statements_info (dealloc, reset in microseconds; may be
 * empty). Entries that this role must not see become one a role and database. */
void statements_read(struct statements *ret, const PGresult *rows, const PGresult *info);

/* Puts everything that was read into a sample. */
void statements_keep(const struct statements *s, struct sample *now);
/* Why counters cannot be compared with an earlier sample: none in it, or taken by a role that sees other statements; NULL = they
 * can. A constant. */
const char *statements_incomparable(const struct statements *s, struct sample *before);
/* Turns counters into differences to before, never negative. What is gone is left out. */
void statements_compare(struct statements *s, struct sample *before, double seconds);

struct statement_filter {
	bool all_databases, nested;
	const struct strvec *roles; /* empty = all */
};
/* Leaves out what the filter does not want, and what was not called; fills calls, time and shares. */
void statements_filter(struct statements *s, const struct statement_filter *f);

enum statement_group { STATEMENT_BY_ENTRY, STATEMENT_BY_TEXT, STATEMENT_BY_ROLE };
/* Adds up what belongs together. By text: same database and fingerprint (which the caller has set). */
void statements_group(struct statements *s, enum statement_group group);

enum statement_order {
	STATEMENT_ORDER_TOTAL,
	STATEMENT_ORDER_MEAN,
	STATEMENT_ORDER_CALLS,
	STATEMENT_ORDER_ROWS,
	STATEMENT_ORDER_IO,   /* time, or blocks where no time is measured */
	STATEMENT_ORDER_TEMP,
	STATEMENT_ORDER_WAL,
	STATEMENT_ORDER_JITTER,
};
/* Leaves out what is below the minima (mean in seconds), and sorts, largest first. */
void statements_order(struct statements *s, enum statement_order order, double min_mean, double min_calls);
void statements_limit(struct statements *s, size_t limit);

/* Execution and planning, seconds. */
double statement_time(const struct statement *s);
double statement_mean(const struct statement *s);
/* Standard deviation of the execution time, seconds. */
double statement_jitter(const struct statement *s);
/* Per cent of shared blocks found in the cache; NAN = none were wanted. */
double statement_hit_ratio(const struct statement *s);

#endif
