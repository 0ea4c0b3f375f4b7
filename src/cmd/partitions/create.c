/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions create - the partitions that are missing, without stopping anybody. */
#include "create.h"

#include "change.h"

#define COMMAND "dbops partitions create"

struct create_args {
	struct change_args change;
	const char *interval, *timezone, *epoch, *start, *now, *name, *schema;
	struct strvec values;
	int64_t ahead, modulus, max_scan;
	bool move_default, no_template;
};

static const struct option options[] = {
	OPT_GROUP("Range partitions"),
	OPT_STRING(struct create_args, interval, .long_name = "interval", .metavar = "INTERVAL",
		.help = "width of a partition: '1 month', '7 days', '6 hours'; a number for integer keys"),
	OPT_INT(struct create_args, ahead, .long_name = "ahead", .metavar = "N", .fallback = "3", .max = 10000,
		.help = "have N partitions after the one that holds now (for integer keys: the highest value)"),
	OPT_STRING(struct create_args, timezone, .long_name = "timezone", .metavar = "TZ", .config_key = "partitions.timezone", .fallback = "UTC",
		.help = "where days and months begin"),
	OPT_ENUM(struct create_args, epoch, .long_name = "epoch", .metavar = "UNIT", .fallback = "none", .choices = partitions_epochs,
		.help = "the integer key counts time since 1970 in this unit"),
	OPT_STRING(struct create_args, start, .long_name = "start", .metavar = "TIME",
		.help = "where the first partition of an empty table begins, else the interval of now"),
	OPT_STRING(struct create_args, now, .long_name = "now", .metavar = "TIMESTAMP", .flags = OPTION_HIDDEN,
		.help = "take this for the present"),
	OPT_GROUP("List and hash partitions"),
	OPT_LIST(struct create_args, values, .long_name = "values", .metavar = "V,V",
		.help = "a partition for these values, as in CSV; a bare NULL is the null value"),
	OPT_INT(struct create_args, modulus, .long_name = "modulus", .metavar = "N", .min = 1, .max = 10000,
		.help = "all partitions of this modulus that are missing"),
	OPT_GROUP("New partitions"),
	OPT_STRING(struct create_args, name, .long_name = "name", .metavar = "PATTERN",
		.help = "names: {table}, %Y %m %d %H %M %G %V %q or {from} {to}, {values}, {modulus} {remainder}"),
	OPT_STRING(struct create_args, schema, .long_name = "in-schema", .metavar = "NAME", .help = "their schema; without it that of the newest partition"),
	OPT_FLAG(struct create_args, no_template, .long_name = "no-template", .help = "without the sub-partitions that the newest partition has"),
	OPT_FLAG(struct create_args, move_default, .long_name = "move-default", .help = "move rows that belong to them out of the DEFAULT partition"),
	OPT_DURATION(struct create_args, max_scan, .long_name = "max-scan", .metavar = "TIME", .fallback = "10s", .min = 1, .max = 86400000,
		.help = "longest time that reading a DEFAULT partition may keep its readers waiting"),
	CHANGE_OPTIONS(struct create_args),
	OPT_END,
};

static const struct operand operands[] = {
	{ "TABLE", "the partitioned table, as SQL names it", 1, 1, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions create -d app public.trades --interval '1 month' --ahead 3 --dry-run", "what is missing, and how it would be made" },
	{ "dbops partitions create -d app public.trades --interval '1 month' --ahead 3 --yes", "make it; a cron line, for it does nothing twice" },
	{ "dbops partitions create -d app audit_logs --values login,logout --values purchase --yes", "two list partitions" },
	{ "dbops partitions create -d app user_data --modulus 4 --sql", "the script for four hash partitions" },
	{ NULL, NULL },
};

static bool make_plan(struct app *app, struct pg_conn *c, const struct create_args *a, const struct change_target *t,
	struct partition_plan *plan, struct error *err)
{
	const struct create_request r = {
		.table_text = app->operands.items[0],
		.interval = a->interval,
		.ahead = a->ahead,
		.timezone = a->timezone,
		.unit = partitions_unit(a->epoch),
		.start = a->start,
		.now = a->now,
		.values = &a->values,
		.modulus = a->modulus,
		.pattern = a->name,
		.schema = a->schema,
		.move_default = a->move_default,
		.no_template = a->no_template,
		.scan_ms = a->max_scan,
	};
	const struct partition_load load = { .table = t->table };
	_cleanup_model_ struct partition_model m = { 0 };

	if (!partition_begin(c, err) || !partition_model_load(c, &load, &m, err))
		return false;
	if (!m.len)
		return error_set(err, EXIT_NOT_FOUND, "'%s' was dropped in the meantime", r.table_text);
	return partition_plan_create(c, &m, &r, plan, err) && partition_end(c, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct create_args *a = data;
	_cleanup_target_ struct change_target t = { 0 };
	_cleanup_plan_ struct partition_plan plan = { 0 };
	_cleanup_conn_ struct pg_conn *c = change_begin(app, COMMAND, &a->change, err);
	uint32_t table;

	if (!c || !partition_resolve_parent(c, app->operands.items[0], &table, err) || !change_lock(app, c, &a->change, table, &t, err))
		return false;
	change_plan(&plan, COMMAND, &a->change, &t);
	return make_plan(app, c, a, &t, &plan, err) && change_finish(app, c, &plan, &a->change, err);
}

const struct command partitions_create_command = {
	.name = "create",
	.summary = "create missing partitions",
	.detail = "Creates what is missing, and nothing twice: for ranges the gaps between existing partitions and --ahead more after the "
		  "present one, going on from the highest existing bound; for lists and hashes what --values and --modulus say.\n\n"
		  "Each partition is made by CREATE TABLE … (LIKE …) and ATTACH PARTITION in one transaction, which needs no more than SHARE UPDATE "
		  "EXCLUSIVE on the table: reads and writes go on. A DEFAULT partition is the exception, because the server reads it at "
		  "ATTACH while its readers wait; --max-scan bounds that.\n\n"
		  "New partitions get the owner, grants, row-level security and policies, replica identity and statistics targets of their parent, and the "
		  "storage options, tablespace and sub-partitions of the newest partition.\n\n"
		  "Bounds are half-open and computed in --timezone. Intervals below a day are counted in UTC, because a local hour can come twice.",
	.options = options,
	.operands = operands,
	.columns = change_columns,
	.examples = examples,
	.args_size = sizeof(struct create_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = run,
};
