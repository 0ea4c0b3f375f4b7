/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions ledger - what was removed, and whether the ledger is as it was written. */
#include "ledger.h"

#include "clock.h"
#include "destination.h"
#include "partitions.h"

struct ledger_args {
	const char *ledger, *table;
	bool all;
};

static const struct option options[] = {
	OPT_LEDGER(struct ledger_args),
	OPT_STRING(struct ledger_args, table, .long_name = "of", .metavar = "TABLE", .help = "only this table or partition, with its schema, or the partitions of this table"),
	OPT_FLAG(struct ledger_args, all, .long_name = "all", .help = "also the lines that say what was about to be removed"),
	OPT_END,
};

static const struct column columns[] = {
	{ "at", "TIME", CELL_TIME, 0, "when" },
	{ "phase", "PHASE", CELL_TEXT, 0, "done; kept, stopped or unknown with the reason; intent = about to" },
	{ "action", "ACTION", CELL_TEXT, 0, "drop or purge" },
	{ "database", "DATABASE", CELL_TEXT, 0, "in which database" },
	{ "table", "TABLE", CELL_TEXT, 0, "the table" },
	{ "parent", NULL, CELL_TEXT, COLUMN_EXTRA, "what it was a partition of" },
	{ "bounds", NULL, CELL_TEXT, COLUMN_EXTRA, "its bounds" },
	{ "condition", NULL, CELL_TEXT, COLUMN_EXTRA, "purge: which rows" },
	{ "rows", "ROWS", CELL_INT, 0, "rows that went; empty = not counted" },
	{ "archive", "ARCHIVE", CELL_TEXT, COLUMN_WIDE, "where they are; empty = nowhere" },
	{ "manifest_sha256", NULL, CELL_TEXT, COLUMN_EXTRA, "SHA-256 of the archive's manifest" },
	{ "policy", NULL, CELL_TEXT, COLUMN_EXTRA, "policy that asked for it" },
	{ "server", NULL, CELL_TEXT, COLUMN_EXTRA, "on which server" },
	{ "role", "ROLE", CELL_TEXT, 0, "as which role" },
	{ "system_user", NULL, CELL_TEXT, COLUMN_EXTRA, "by which user of the machine" },
	{ "detail", NULL, CELL_TEXT, COLUMN_EXTRA, "why it was kept or stopped" },
	COLUMN_END,
};

static const struct example examples[] = {
	{ "dbops partitions ledger", "what was removed" },
	{ "dbops partitions ledger --of public.trades --format json", "the partitions of one table, with the hashes of their archives" },
	{ NULL, NULL },
};

static bool is_wanted(const struct ledger_args *a, const char *line)
{
	autofree char *phase = ledger_member(line, "phase"), *table = ledger_member(line, "table"), *parent = ledger_member(line, "parent");

	if (!a->all && phase && strcmp(phase, "intent") == 0)
		return false;
	return !a->table || (table && strcmp(table, a->table) == 0) || (parent && strcmp(parent, a->table) == 0);
}

static void print_line(struct report *r, const char *line)
{
	struct cell cells[sizeof(columns) / sizeof(columns[0]) - 1];
	_cleanup_strvec_ struct strvec values = { 0 };

	for (size_t i = 0; columns[i].type != CELL_END; i++) {
		char *text = ledger_member(line, columns[i].key);
		int64_t number = 0;

		if (text && columns[i].type == CELL_TIME)
			clock_parse_utc(text, &number);
		else if (text && columns[i].type == CELL_INT)
			number = strtoll(text, NULL, 10);
		cells[i] = !text ? CELL_NULL() : columns[i].type == CELL_TEXT ? CELL_OF_TEXT(text) : CELL_OF_INT(number);
		if (text)
			strvec_push_take(&values, text);
	}
	report_row(r, cells);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct ledger_args *a = data;
	autofree char *path = ledger_path(a->ledger);
	_cleanup_strvec_ struct strvec lines = { 0 };
	struct report *r;
	struct json *header;
	size_t broken;

	if (!ledger_read(path, &lines, &broken, err))
		return false;
	r = report_begin(&app->report, "lines", columns);
	if ((header = report_header(r))) {
		jsonw_string(header, "ledger", path);
		jsonw_bool(header, "unbroken", !broken);
	}
	for (size_t i = 0; i < lines.len; i++)
		if (is_wanted(a, lines.items[i]))
			print_line(r, lines.items[i]);
	if (!report_end(r, err))
		return false;
	if (!broken)
		return true;
	error_set(err, EXIT_DAMAGED, "ledger '%s' is not as it was written", path);
	error_detail(err, "Line %zu does not follow the line before it.", broken);
	return error_hint(err, "Lines were changed, taken out or added by something else than dbops.");
}

const struct command partitions_ledger_command = {
	.name = "ledger",
	.summary = "show what was removed, and whether the ledger is whole",
	.detail = "Reads the ledger that archive, drop, purge and maintain keep, and checks that each line follows the one before it. A ledger that was "
		  "changed later ends with status 65. Needs no server.",
	.options = options,
	.columns = columns,
	.examples = examples,
	.args_size = sizeof(struct ledger_args),
	.flags = COMMAND_ROWS,
	.run = run,
};
