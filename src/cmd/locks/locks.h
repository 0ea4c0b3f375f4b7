/* SPDX-License-Identifier: PostgreSQL
 *
 * locks.h - what the files of dbops locks share.
 */
#ifndef DBOPS_CMD_LOCKS_H
#define DBOPS_CMD_LOCKS_H

#include "commands.h"
#include "inspect.h"
#include "lock_graph.h"

/* What stands around the waits: sql_locks_context. */
struct locks_context {
	int64_t lock_timeout, deadlock_timeout; /* milliseconds; 0 = none */
	bool log_lock_waits;
	int64_t lock_capacity;                  /* objects that the shared lock table has room for, by the documented formula */
	int64_t deadlocks, conflicts;           /* of all databases, since the statistics began */
};
extern const char *const locks_counters[];
void locks_read_context(struct locks_context *ret, const PGresult *r);
/* Metrics and findings of the context; deadlocks since look->before. Fills look->now. */
void locks_judge_context(const struct locks_context *c, int64_t lock_objects, struct look *look);
/* JSON's "settings"; when somebody waits, a line below the table, too. Before the first row. */
void locks_print_context(const struct locks_context *c, bool waits, struct report *r);

/* What print() gets. */
struct locks_rows {
	struct lock_facts facts;
	struct lock_graph graph;
	struct locks_context context;
	bool has_context; /* a recording has none */
	bool plan; /* --release-plan: blockers with what their end frees, instead of the tree */
};

/* The columns of the tree and of the release plan: the same keys, other headings. */
extern const struct column locks_columns[], locks_plan_columns[];
void locks_print(const void *rows, const struct answer *a, struct report *r);

/* "3 sessions blocked, …", findings, metrics; judged by the thresholds. */
struct locks_limits {
	const char *warning, *critical, *blocked_warning, *blocked_critical;
};
void locks_judge(const struct lock_graph *g, const struct locks_limits *limits, struct answer *a);

/* --replay: the instant of path at `at` (NULL = the last one), `step` lines further; neither given = all of them. */
struct locks_replay {
	const char *path, *at;
	int64_t step;
	double min_wait; /* seconds */
	bool plan;
	struct locks_limits limits;
};
bool locks_replay(struct app *app, const struct inspection *inspection, const struct locks_replay *args, struct error *err);
/* struct option.check of --at */
bool locks_check_at(const char *text, struct error *err);

/* Notes that other roles' sessions cannot be seen; decisive when the verdict hangs on them. */
void locks_note_gap(struct answer *a, const struct probe *p, bool decisive);

extern const struct command locks_cancel_command;
extern const struct command locks_forecast_command;
extern const struct command locks_terminate_command;

/* "pid 4711", "prepared transaction 'x'": the object of findings. Caller frees. */
char *locks_node_name(const struct lock_node *n);

#endif
