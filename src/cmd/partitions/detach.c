/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions detach - takes partitions out of their table, by name or by age. */
#include "detach.h"

#include "change.h"

#define COMMAND "dbops partitions detach"

struct detach_args {
	struct change_args change;
	const char *older_than, *before, *timezone, *epoch, *now;
	bool allow_plain;
};

static const struct option options[] = {
	OPT_GROUP("Which partitions of TABLE, instead of names"),
	OPT_STRING(struct detach_args, older_than, .long_name = "older-than", .metavar = "INTERVAL",
		.help = "those that ended at least so long ago: '12 months', '90 days'"),
	OPT_STRING(struct detach_args, before, .long_name = "before", .metavar = "TIME",
		.help = "those that ended at or before this date or time; a number for integer keys"),
	OPT_STRING(struct detach_args, timezone, .long_name = "timezone", .metavar = "TZ", .config_key = "partitions.timezone", .fallback = "UTC",
		.help = "in which --before is meant and months are counted"),
	OPT_ENUM(struct detach_args, epoch, .long_name = "epoch", .metavar = "UNIT", .fallback = "none", .choices = partitions_epochs,
		.help = "the integer key counts time since 1970 in this unit"),
	OPT_STRING(struct detach_args, now, .long_name = "now", .metavar = "TIMESTAMP", .flags = OPTION_HIDDEN, .help = "take this for the present"),
	CHANGE_OPTIONS(struct detach_args),
	OPT_DURATION(struct detach_args, change.blocker_age, .long_name = "blocker-age", .metavar = "TIME", .fallback = "5s", .min = 1, .max = 86400000,
		.help = "do not begin while a transaction older than this uses the table"),
	OPT_FLAG(struct detach_args, allow_plain, .long_name = "allow-plain",
		.help = "where CONCURRENTLY is impossible (a DEFAULT partition), detach under ACCESS EXCLUSIVE"),
	OPT_END,
};

static const struct operand operands[] = {
	{ "TABLE", "a partition, or with --older-than or --before the partitioned table", 1, 0, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions detach -d app public.trades_2023_01 --dry-run", "what it takes to detach one" },
	{ "dbops partitions detach -d app public.trades --older-than '12 months' --yes", "all that ended more than a year ago" },
	{ "dbops partitions detach -d app public.trades --before 2024-01-01 --timezone Europe/Berlin --sql", "the script for what ended by then" },
	{ NULL, NULL },
};

struct job {
	struct app *app;
	struct pg_conn *c;
	const struct detach_args *a;
	struct partition_plan *plan;
	struct partition_model model; /* of the topmost table */
	struct partition_refs chosen;
};

static void job_release(struct job *j)
{
	partition_model_release(&j->model);
	vec_release(&j->chosen);
}

static bool choose_by_age(struct job *j, uint32_t table, struct error *err)
{
	const struct cutoff_request r = {
		.older_than = j->a->older_than,
		.before = j->a->before,
		.timezone = j->a->timezone,
		.now = j->a->now,
		.unit = partitions_unit(j->a->epoch),
	};
	const struct partition *parent = partition_by_oid(&j->model, table);

	return (parent || error_set(err, EXIT_NOT_FOUND, "'%s' was dropped in the meantime", j->app->operands.items[0])) &&
	       partition_find_older(j->c, &j->model, parent, &r, &j->chosen, err);
}

static bool choose_by_name(struct job *j, const uint32_t *tables, struct error *err)
{
	for (size_t i = 0; i < j->app->operands.len; i++) {
		const struct partition *p = partition_by_oid(&j->model, tables[i]);

		if (!p || !partition_parent(&j->model, p)) {
			error_set(err, EXIT_NOT_FOUND, "'%s' is not a partition of '%s'", j->app->operands.items[i], j->plan->table_name);
			return error_hint(err, i ? "Partitions of one table can be detached together." :
						   "Give --older-than or --before to detach partitions of a table by age.");
		}
		*vec_push(&j->chosen) = p;
	}
	return true;
}

static bool plan_all(struct job *j, struct error *err)
{
	const struct detach_request r = { .allow_plain = j->a->allow_plain, .wait_ms = j->a->change.max_wait };

	for (size_t i = 0; i < j->chosen.len; i++)
		if (!partition_plan_detach(j->c, &j->model, j->chosen.items[i], &r, j->plan, err))
			return false;
	return true;
}

static bool make_plan(struct job *j, const struct change_target *t, const uint32_t *tables, struct error *err)
{
	const struct partition_load load = { .table = t->root };

	if (!partition_begin(j->c, err) || !partition_model_load(j->c, &load, &j->model, err))
		return false;
	if (j->a->older_than || j->a->before ? !choose_by_age(j, tables[0], err) : !choose_by_name(j, tables, err))
		return false;
	return plan_all(j, err) && partition_end(j->c, err);
}

static bool check_arguments(struct app *app, const struct detach_args *a, struct error *err)
{
	if (a->older_than && a->before)
		return error_set(err, EXIT_USAGE, "--older-than and --before exclude each other");
	if ((a->older_than || a->before) && app->operands.len > 1)
		return error_set(err, EXIT_USAGE, "--older-than and --before are for one partitioned table");
	return true;
}

static bool resolve(struct app *app, struct pg_conn *c, const struct detach_args *a, uint32_t *tables, struct error *err)
{
	char kind = 0;

	if (a->older_than || a->before)
		return partition_resolve_parent(c, app->operands.items[0], &tables[0], err);
	for (size_t i = 0; i < app->operands.len; i++)
		if (!partition_resolve(c, app->operands.items[i], &tables[i], &kind, err))
			return false;
	return true;
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct detach_args *a = data;
	_cleanup_target_ struct change_target t = { 0 };
	_cleanup_plan_ struct partition_plan plan = { 0 };
	_cleanup_conn_ struct pg_conn *c = check_arguments(app, a, err) ? change_begin(app, COMMAND, &a->change, err) : NULL;
	autofree uint32_t *tables = xcalloc(app->operands.len + 1, sizeof(*tables));

	if (!c || !resolve(app, c, a, tables, err) || !change_lock(app, c, &a->change, tables[0], &t, err))
		return false;
	change_plan(&plan, COMMAND, &a->change, &t);

	struct job j = { .app = app, .c = c, .a = a, .plan = &plan };
	bool ok = make_plan(&j, &t, tables, err);

	job_release(&j);
	return ok && change_finish(app, c, &plan, &a->change, err);
}

const struct command partitions_detach_command = {
	.name = "detach",
	.summary = "take partitions out of their table",
	.detail = "Detaches partitions with DETACH PARTITION CONCURRENTLY: the table's readers and writers go on. The tables stay, with their rows, "
		  "under their names. Bounds and parent, which the catalog forgets, are recorded in the table's comment first, so that "
		  "'dbops partitions attach TABLE' takes it back.\n\n"
		  "CONCURRENTLY waits for all transactions that have used the parent, with the partition already out of sight; so nothing is begun while one "
		  "older than --blocker-age is open, and such sessions are named. A detach that was interrupted stays pending; the same command "
		  "ends it.\n\n"
		  "While there is a DEFAULT partition the server refuses CONCURRENTLY. --allow-plain then detaches under ACCESS EXCLUSIVE, "
		  "waiting for the lock --lock-timeout at a time.",
	.options = options,
	.operands = operands,
	.columns = change_columns,
	.examples = examples,
	.args_size = sizeof(struct detach_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = run,
};
