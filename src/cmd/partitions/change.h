/* SPDX-License-Identifier: PostgreSQL
 *
 * change.h - what every command has in common that changes partitions: options, the lock against other runs, and one
 * way from a plan to --sql, --dry-run, a question, or the deed.
 *
 *	_cleanup_conn_ struct pg_conn *c = change_begin(app, "dbops partitions create", &a->change, err);
 *	… find the table …
 *	change_lock(app, c, &a->change, oid, &target, err)
 *	… make the plan between partition_begin() and partition_end() …
 *	return change_finish(app, c, &plan, &a->change, err);
 */
#ifndef DBOPS_CMD_PARTITIONS_CHANGE_H
#define DBOPS_CMD_PARTITIONS_CHANGE_H

#include "partition_plan.h"
#include "partitions.h"

struct change_args {
	bool sql;
	const char *apply;
	int64_t lock_timeout, max_wait;
	int64_t blocker_age; /* of detach; 0 = 5 s */
};

/* Alone for commands without a plan to print. */
#define OPT_LOCKS(args, timeout, wait)                                                                                                  \
	OPT_DURATION(args, timeout, .long_name = "lock-timeout", .metavar = "TIME", .config_key = "partitions.lock_timeout",            \
		.fallback = "1s", .min = 1, .max = 600000, .help = "longest wait for one lock; others queue behind it that long"),      \
	OPT_DURATION(args, wait, .long_name = "max-wait", .metavar = "TIME", .config_key = "partitions.max_wait", .fallback = "1min",   \
		.max = 86400000, .help = "go on trying for that long, with growing pauses, when a lock cannot be had")

#define CHANGE_OPTIONS(args)                                                                                                            \
	OPT_GROUP("How it is done"),                                                                                                    \
	OPT_FLAG(args, change.sql, .long_name = "sql", .help = "print the SQL that would run, with its locks as comments, and do nothing"), \
	OPT_STRING(args, change.apply, .long_name = "apply", .metavar = "DIGEST",                                                       \
		.help = "carry the plan out if it is the very one with this digest (of --dry-run or --sql)"),                           \
	OPT_LOCKS(args, change.lock_timeout, change.max_wait)

extern const struct column change_columns[]; /* of the report that change_finish() prints */

struct change_target {
	uint32_t table;
	uint32_t root;   /* the topmost partitioned table above it, or itself */
	char *root_name; /* for people; caller frees */
};
static inline void change_target_release(struct change_target *t)
{
	free(t->root_name);
}
#define _cleanup_target_ _cleanup_(change_target_release)

/* Connects, refuses a standby and, if something may be done, a transaction pooler. NULL + err. */
struct pg_conn *change_begin(struct app *app, const char *command, const struct change_args *a, struct error *err);
/* Finds the root of table and, if something may be done, keeps other runs away from it; *ret zeroed before. */
bool change_lock(struct app *app, struct pg_conn *c, const struct change_args *a, uint32_t table, struct change_target *ret,
	struct error *err);
/* Fills in what all plans have: command, table, lock_timeout. */
void change_plan(struct partition_plan *p, const char *command, const struct change_args *a, const struct change_target *t);
/* Prints, asks, does and reports. */
bool change_finish(struct app *app, struct pg_conn *c, struct partition_plan *p, const struct change_args *a, struct error *err);

#endif
