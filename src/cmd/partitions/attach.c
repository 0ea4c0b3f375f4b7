/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions attach - makes a table a partition, or one again. */
#include "attach.h"

#include "change.h"

#define COMMAND "dbops partitions attach"

struct attach_args {
	struct change_args change;
	const char *parent, *bounds;
	bool allow_scan;
	int64_t max_scan;
};

static const struct option options[] = {
	OPT_STRING(struct attach_args, parent, .long_name = "parent", .metavar = "TABLE", .complete = COMPLETE_TABLE,
		.help = "the partitioned table; without it the one that the last detach recorded"),
	OPT_STRING(struct attach_args, bounds, .long_name = "bounds", .metavar = "BOUNDS",
		.help = "as list shows them: FROM ('2025-01-01') TO ('2025-02-01'), IN ('a'), DEFAULT; times are in UTC; without it those recorded"),
	OPT_FLAG(struct attach_args, allow_scan, .long_name = "allow-scan",
		.help = "let the server read the table while nobody else can, if nothing proves its rows"),
	OPT_DURATION(struct attach_args, max_scan, .long_name = "max-scan", .metavar = "TIME", .fallback = "10s", .min = 1, .max = 86400000,
		.help = "longest time that reading a DEFAULT partition may keep its readers waiting"),
	CHANGE_OPTIONS(struct attach_args),
	OPT_END,
};

static const struct operand operands[] = {
	{ "TABLE", "the table to attach, as SQL names it", 1, 1, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions attach -d app public.trades_2023_01 --yes", "take back what 'dbops partitions detach' took out" },
	{ "dbops partitions attach -d app staging.trades_2023_01 --parent public.trades --bounds \"FROM ('2023-01-01') TO ('2023-02-01')\" --dry-run",
		"what it takes to attach another table" },
	{ NULL, NULL },
};

static bool find_parent(struct pg_conn *c, const struct attach_args *a, const struct detach_record *record, const char *table, uint32_t *ret,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	if (a->parent)
		return partition_resolve_parent(c, a->parent, ret, err);
	if (!record->bounds) {
		error_set(err, EXIT_USAGE, "no parent is given for '%s', and none is recorded in its comment", table);
		return error_hint(err, "Give --parent and --bounds.");
	}
	pg_add_qualified(&name, record->parent_schema, record->parent_name);
	return partition_resolve_parent(c, name.buf, ret, err);
}

/* A table that is attached already: its parent, so that doing it twice is doing nothing. */
static bool find_present_parent(struct pg_conn *c, uint32_t table, uint32_t *ret, struct error *err)
{
	autofree char *oid = xasprintf("%u", table);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'"
		" WHERE i.inhrelid = $1::oid",
		1, (const char *[]){ oid });

	if (r && PQntuples(r))
		*ret = (uint32_t)pg_int(r, 0, 0);
	return r != NULL;
}

static bool make_plan(struct pg_conn *c, const struct attach_request *r, const struct detach_record *record, uint32_t parent,
	struct partition_plan *plan, struct error *err)
{
	const struct partition_load load = { .table = parent };
	_cleanup_model_ struct partition_model m = { 0 };

	if (!partition_begin(c, err) || !partition_model_load(c, &load, &m, err))
		return false;
	if (!m.len)
		return error_set(err, EXIT_NOT_FOUND, "'%s' was dropped in the meantime", plan->table_name);
	return partition_plan_attach(c, &m, r, record, plan, err) && partition_end(c, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct attach_args *a = data;
	_cleanup_target_ struct change_target t = { 0 };
	_cleanup_plan_ struct partition_plan plan = { 0 };
	_cleanup_record_ struct detach_record record = { 0 };
	_cleanup_conn_ struct pg_conn *c = change_begin(app, COMMAND, &a->change, err);
	struct attach_request r = { .bounds = a->bounds, .allow_scan = a->allow_scan, .scan_ms = a->max_scan };
	const char *table = app->operands.items[0];
	uint32_t parent = 0;
	char kind;

	if (!c || !partition_resolve(c, table, &r.table, &kind, err) || !detach_record_load(c, r.table, &record, err) ||
		!find_present_parent(c, r.table, &parent, err))
		return false;
	if (parent && !a->parent && !a->bounds) {
		log_info(&app->log, "partitions.nothing", "'%s' is a partition already", table);
		return true;
	}
	if (!find_parent(c, a, &record, table, &parent, err) || !change_lock(app, c, &a->change, parent, &t, err))
		return false;
	change_plan(&plan, COMMAND, &a->change, &t);
	return make_plan(c, &r, &record, parent, &plan, err) && change_finish(app, c, &plan, &a->change, err);
}

const struct command partitions_attach_command = {
	.name = "attach",
	.summary = "make a table a partition",
	.detail = "Attaches a table. A CHECK that says what the bounds say is added and validated first, while the table can be read and written; then "
		  "ATTACH needs no look at the rows, and the run insists that the server says so. Afterwards the CHECK goes.\n\n"
		  "A table that 'dbops partitions detach' took out has its parent and bounds recorded in its comment: its name is enough.",
	.options = options,
	.operands = operands,
	.columns = change_columns,
	.examples = examples,
	.args_size = sizeof(struct attach_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = run,
};
