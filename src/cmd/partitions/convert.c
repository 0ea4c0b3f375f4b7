/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions convert - an ordinary table becomes a partitioned one while it is in use. */
#include "change.h"
#include "convert.h"

#define COMMAND "dbops partitions convert"

struct convert_args {
	struct change_args change;
	const char *key, *interval, *timezone, *epoch, *until, *partition;
	bool extend_keys;
};

static const struct option options[] = {
	OPT_STRING(struct convert_args, key, .long_name = "key", .metavar = "COLUMN", .flags = OPTION_REQUIRED,
		.help = "the column to partition by range: a date, a timestamp, an integer, a version 7 UUID"),
	OPT_STRING(struct convert_args, interval, .long_name = "interval", .metavar = "INTERVAL", .flags = OPTION_REQUIRED,
		.help = "width of the partitions to come: '1 month', '7 days'; a number for integer keys"),
	OPT_STRING(struct convert_args, timezone, .long_name = "timezone", .metavar = "TZ", .config_key = "partitions.timezone", .fallback = "UTC",
		.help = "where days and months begin"),
	OPT_ENUM(struct convert_args, epoch, .long_name = "epoch", .metavar = "UNIT", .fallback = "none", .choices = partitions_epochs,
		.help = "the integer key counts time since 1970 in this unit"),
	OPT_STRING(struct convert_args, until, .long_name = "until", .metavar = "VALUE",
		.help = "upper bound of the first partition; without it the end of the next interval"),
	OPT_STRING(struct convert_args, partition, .long_name = "partition", .metavar = "NAME",
		.help = "name of the first partition, which the table becomes; without it TABLE_old"),
	OPT_FLAG(struct convert_args, extend_keys, .long_name = "extend-keys",
		.help = "add the partition key to the primary key and to unique constraints that lack it"),
	CHANGE_OPTIONS(struct convert_args),
	OPT_END,
};

static const struct operand operands[] = {
	{ "TABLE", "an ordinary table, as SQL names it", 1, 1, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions convert -d app public.trades --key executed_at --interval '1 month' --dry-run", "what is in the way, and how it would be done" },
	{ "dbops partitions convert -d app public.trades --key executed_at --interval '1 month' --extend-keys --yes", "do it; the same again goes on after an interruption" },
	{ NULL, NULL },
};

static bool make_plan(struct app *app, struct pg_conn *c, const struct convert_args *a, const struct change_target *t, struct partition_plan *plan,
	struct error *err)
{
	const struct convert_request r = {
		.table_text = app->operands.items[0],
		.key = a->key,
		.interval = a->interval,
		.timezone = a->timezone,
		.unit = partitions_unit(a->epoch),
		.until = a->until,
		.partition = a->partition,
		.extend_keys = a->extend_keys,
	};

	return partition_begin(c, err) && partition_plan_convert(c, t->table, &r, plan, err) && partition_end(c, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct convert_args *a = data;
	_cleanup_target_ struct change_target t = { 0 };
	_cleanup_plan_ struct partition_plan plan = { 0 };
	_cleanup_conn_ struct pg_conn *c = change_begin(app, COMMAND, &a->change, err);
	uint32_t table;
	char kind;

	if (!c || !partition_resolve(c, app->operands.items[0], &table, &kind, err) || !change_lock(app, c, &a->change, table, &t, err))
		return false;
	change_plan(&plan, COMMAND, &a->change, &t);
	return make_plan(app, c, a, &t, &plan, err) && change_finish(app, c, &plan, &a->change, err);
}

const struct command partitions_convert_command = {
	.name = "convert",
	.summary = "make a partitioned table of an ordinary one while it is in use",
	.detail = "The table becomes the first partition of a new one, which takes over its name and all that belongs to it; no row is copied. "
		  "First a CHECK constraint says that all rows lie before a bound that is still ahead: a moment, and then one read of the table beside "
		  "readers and writers. It proves to the server what ATTACH PARTITION would else scan the table for. Then one transaction swaps the two, "
		  "which takes ACCESS EXCLUSIVE for the time of some catalog changes.\n\n"
		  "What a conversion cannot carry over is told before anything is done: foreign keys that refer to the table, unique keys without the "
		  "partition key, materialized views, exclusion constraints and the like. Owner, privileges, policies, identity, sequences, triggers, foreign "
		  "keys, publications, views and the names of indexes go over to the partitioned table.\n\n"
		  "After an interruption the same command goes on where it was. The first partition ends with the next interval; until then "
		  "'dbops partitions create' has to make further ones.",
	.options = options,
	.operands = operands,
	.columns = change_columns,
	.examples = examples,
	.args_size = sizeof(struct convert_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = run,
};
