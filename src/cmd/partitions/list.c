/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions list - partitioned tables as trees, with bounds and sizes. */
#include "partitions.h"

static const struct operand operands[] = {
	{ "TABLE", "a partitioned table as SQL names it; without it all of the database", 0, 1, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct column columns[] = {
	{ "name", "NAME", CELL_TEXT, 0, "the table; in the table format indented below its parent" },
	{ "schema", "SCHEMA", CELL_TEXT, 0, "its schema" },
	{ "parent", NULL, CELL_TEXT, COLUMN_EXTRA, "the table it is a partition of, schema-qualified and quoted as SQL needs it" },
	{ "level", NULL, CELL_INT, COLUMN_EXTRA, "depth in the tree shown, 0 at its root" },
	{ "kind", NULL, CELL_TEXT, COLUMN_EXTRA, "partitioned (has partitions itself), table or foreign" },
	{ "key", "KEY", CELL_TEXT, COLUMN_WIDE, "how it is partitioned itself" },
	{ "bounds", "BOUNDS", CELL_TEXT, COLUMN_WIDE, "its bounds; points in time are in UTC" },
	{ "bound", NULL, CELL_JSON, COLUMN_EXTRA,
		"the bounds for programs: strategy, then from and to, values, or modulus and remainder; null stands for NULL, "
		"{\"unbounded\": true} for MINVALUE and MAXVALUE" },
	{ "rows", "ROWS", CELL_INT, 0, "rows, estimated by the last ANALYZE or VACUUM; empty = never" },
	{ "bytes", "SIZE", CELL_SIZE, 0, "bytes with indexes and TOAST; empty = locked by somebody" },
	{ "last_write", "LAST WRITE", CELL_TIME, 0,
		"when the server last wrote to its files; the last change is not later. Empty without EXECUTE on pg_stat_file()" },
	{ "writes", NULL, CELL_INT, COLUMN_EXTRA, "rows inserted, updated and deleted since the statistics began" },
	{ "state", "STATE", CELL_TEXT, 0, "'detach pending' when a DETACH CONCURRENTLY was interrupted or still waits" },
	{ "owner", NULL, CELL_TEXT, COLUMN_EXTRA, "its owner" },
	COLUMN_END,
};

static const struct example examples[] = {
	{ "dbops partitions list -d app", "all partitioned tables of the database" },
	{ "dbops partitions list -d app public.trades --format json", "one table, for a program" },
	{ NULL, NULL },
};

static void add_value(struct json *j, const struct bound_value *v)
{
	if (v->kind == BOUND_VALUE) {
		jsonw_string(j, NULL, v->text);
	} else if (v->kind == BOUND_NULL) {
		jsonw_null(j, NULL);
	} else {
		jsonw_object_begin(j, NULL);
		jsonw_bool(j, "unbounded", true);
		jsonw_object_end(j);
	}
}

static void add_values(struct json *j, const char *key, const struct bound_values *v)
{
	jsonw_array_begin(j, key);
	for (size_t i = 0; i < v->len; i++)
		add_value(j, &v->items[i]);
	jsonw_array_end(j);
}

static char *bound_json(const struct bound *b)
{
	static const char *const names[] = { [BOUND_UNKNOWN] = "unknown", [BOUND_DEFAULT] = "default", [BOUND_RANGE] = "range",
		[BOUND_LIST] = "list", [BOUND_HASH] = "hash" };
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	if (b->kind == BOUND_NONE)
		return NULL;
	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "strategy", names[b->kind]);
	if (b->kind == BOUND_RANGE) {
		add_values(&j, "from", &b->from);
		add_values(&j, "to", &b->to);
	} else if (b->kind == BOUND_LIST) {
		add_values(&j, "values", &b->list);
	} else if (b->kind == BOUND_HASH) {
		jsonw_int(&j, "modulus", b->modulus);
		jsonw_int(&j, "remainder", b->remainder);
	}
	jsonw_object_end(&j);
	return strbuf_detach(&sb);
}

static char *parent_name(const struct partition_model *m, const struct partition *p)
{
	const struct partition *parent = partition_parent(m, p);
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (!parent)
		return NULL;
	pg_add_display_name(&sb, parent->schema, parent->name);
	return strbuf_detach(&sb);
}

static struct cell number_or_null(int64_t n)
{
	return n == PARTITION_UNKNOWN ? CELL_NULL() : CELL_OF_INT(n);
}

static void print_row(struct app *app, struct report *r, const struct partition_model *m, const struct partition *p)
{
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT;
	autofree char *name = xasprintf("%*s%s", app->report.format == FORMAT_TABLE ? (int)p->level * 2 : 0, "", p->name);
	autofree char *parent = parent_name(m, p);
	autofree char *bound = bound_json(&p->bound);

	bound_add_display(&bounds, &p->bound);

	const struct cell cells[] = {
		CELL_OF_TEXT(name),
		CELL_OF_TEXT(p->schema),
		CELL_OF_TEXT(parent),
		CELL_OF_INT(p->level),
		CELL_OF_TEXT(p->kind == 'p' ? "partitioned" : p->kind == 'f' ? "foreign" : "table"),
		CELL_OF_TEXT(p->key.definition),
		CELL_OF_TEXT(p->bound.kind == BOUND_NONE ? NULL : bounds.buf),
		CELL_OF_TEXT(bound),
		number_or_null(p->rows),
		number_or_null(p->kind == 'f' ? PARTITION_UNKNOWN : p->bytes),
		number_or_null(p->last_write),
		number_or_null(p->writes),
		CELL_OF_TEXT(p->detach_pending ? "detach pending" : NULL),
		CELL_OF_TEXT(p->owner),
	};

	report_row(r, cells);
}

static bool print_model(struct app *app, const struct partition_model *m, struct error *err)
{
	struct report *r = report_begin(&app->report, "partitions", columns);

	for (size_t i = 0; i < m->len; i++)
		print_row(app, r, m, &m->items[i]);
	return report_end(r, err);
}

static bool run(struct app *app, const void *args, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = partitions_connect(app, "dbops partitions list", err);
	_cleanup_model_ struct partition_model m = { 0 };
	struct partition_load load = { .sizes = true };

	(void)args;
	if (!c || (app->operands.len && !partition_resolve_parent(c, app->operands.items[0], &load.table, err)))
		return false;
	if (!partition_begin(c, err) || !partition_model_load(c, &load, &m, err) || !partition_end(c, err))
		return false;
	if (!m.len)
		log_info(&app->log, "partitions.none", "there is no partitioned table in database '%s'", c->database);
	return print_model(app, &m, err);
}

const struct command partitions_list_command = {
	.name = "list",
	.summary = "list partitioned tables with their partitions",
	.detail = "Shows each partitioned table as a tree: partitions in the order of their bounds, DEFAULT last, sub-partitions below. "
		  "Partitions whose detach is pending are shown, too; the table's queries no longer see them.\n\n"
		  "Rows are the planner's estimates. Nothing is locked beyond ACCESS SHARE, and a table that somebody holds exclusively "
		  "is shown without its size instead of being waited for.",
	.operands = operands,
	.columns = columns,
	.examples = examples,
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS,
	.run = run,
};
