/* SPDX-License-Identifier: PostgreSQL
 *
 * slow_queries.h - what the files of `dbops slow-queries` share: options, and its three kinds of rows (entries of
 * pg_stat_statements; what runs now; the plan of an entry).
 */
#ifndef DBOPS_CMD_SLOW_QUERIES_H
#define DBOPS_CMD_SLOW_QUERIES_H

#include "activity.h"
#include "generic_plan.h"
#include "inspect.h"
#include "pgss.h"

struct slow_args {
	int64_t limit, min_mean, min_calls, min_duration, slow;
	const char *order, *group, *explain;
	const char *warning, *critical, *warning_rate, *critical_rate, *warning_age, *critical_age;
	struct strvec roles;
	bool all_databases, nested, live;
};

enum slow_kind { SLOW_STATEMENTS, SLOW_ACTIVITY, SLOW_PLAN };

#define SLOW_COLUMNS 32
struct slow_rows {
	enum slow_kind kind;
	bool io_timing;      /* track_io_timing */
	bool in_recovery;
	int64_t block_size;
	struct pgss pgss;
	struct statements statements;
	enum statement_group by;
	size_t found;        /* statements before --limit */
	struct activities activities;
	struct generic_plan plan; /* of statements[0] */
	struct column columns[SLOW_COLUMNS]; /* of statements: what is in the table depends on the question */
};

extern const struct column slow_statement_columns[], slow_activity_columns[], slow_plan_columns[];

/* The columns of statements with those in the table that answer args. */
void slow_choose_columns(struct slow_rows *rows, const struct slow_args *args);
void slow_print(const void *rows, const struct answer *a, struct report *r);

/* Asks for what runs now, and judges its age. */
bool slow_collect_live(struct look *look, struct slow_rows *rows, struct error *err);
/* Judges statements that are in order, before --limit is applied. */
void slow_judge(struct look *look, const struct slow_rows *rows);
/* The plan of the entry that --explain names. */
bool slow_collect_plan(struct look *look, struct slow_rows *rows, struct error *err);

#endif
