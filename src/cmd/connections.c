/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops connections - who is connected, and how much room is left.
 */
#include "commands.h"
#include "inspect.h"

struct connections_args {
	const char *warning, *critical;
};

static const struct option connections_options[] = {
	OPT_STRING(struct connections_args, warning, .long_name = "warning", .metavar = "RANGE",
		.config_key = "connections.warning", .fallback = "75%", .check = range_check_number,
		.help = "with more sessions the check is WARNING; per cent of max_connections, or a number"),
	OPT_STRING(struct connections_args, critical, .long_name = "critical", .metavar = "RANGE",
		.config_key = "connections.critical", .fallback = "85%", .check = range_check_number,
		.help = "with more sessions the check is CRITICAL"),
	OPT_END,
};

static const struct column connections_columns[] = {
	{ "pid", "PID", CELL_INT, 0, "process id of the backend" },
	{ "database", "DATABASE", CELL_TEXT, 0, "database it is connected to" },
	{ "user", "USER", CELL_TEXT, 0, "role that is logged in" },
	{ "application", "APPLICATION", CELL_TEXT, COLUMN_WIDE, "application_name of the session" },
	{ "client", "CLIENT", CELL_TEXT, 0, "address of the client; empty on a socket" },
	{ "state", "STATE", CELL_TEXT, 0, "what the session is doing" },
	COLUMN_END,
};

static const struct example connections_examples[] = {
	{ "dbops connections -d app", "who is connected" },
	{ "dbops connections -d app --check", "a check for cron: status 1 or 2 when connections run out" },
	{ NULL, NULL },
};

static void *collect(struct look *look, struct error *err)
{
	const struct connections_args *a = look->args;
	PGresult *r = inspector_query(look->inspector, sql_connections, err);
	struct metric used = {
		.name = "connections_used",
		.help = "Client sessions.",
		.value = r ? PQntuples(r) : 0,
		.perfdata = "used",
		.finding = "connections.capacity",
		.maximum = 100,
	};

	if (!r)
		return NULL;
	range_parse(a->warning, UNIT_NUMBER, &used.warning, NULL);
	range_parse(a->critical, UNIT_NUMBER, &used.critical, NULL);
	answer_metric(look->answer, &used);
	gap_stats(look->answer, &look->inspector->probe, "states of sessions");
	return r;
}

static void print(const void *rows, const struct answer *answer, struct report *report)
{
	const PGresult *r = rows;

	(void)answer;
	for (int i = 0; i < PQntuples(r); i++) {
		const struct cell cells[] = {
			CELL_OF_INT(pg_int(r, i, 0)),
			CELL_OF_TEXT(pg_text(r, i, 1)),
			CELL_OF_TEXT(pg_text(r, i, 2)),
			CELL_OF_TEXT(pg_text(r, i, 3)),
			CELL_OF_TEXT(pg_text(r, i, 4)),
			CELL_OF_TEXT(pg_text(r, i, 5)),
		};

		report_row(report, cells);
	}
}

static void release(void *rows)
{
	PQclear(rows);
}

static const struct inspection connections_inspection = {
	.name = "connections",
	.columns = connections_columns,
	.collect = collect,
	.print = print,
	.release = release,
};

static bool connections_run(struct app *app, const void *args, struct error *err)
{
	return inspect(app, &connections_inspection, args, err);
}

const struct command connections_command = {
	.name = "connections",
	.summary = "show who is connected, and how much room is left",
	.detail = "Lists the client sessions of the server.",
	.options = connections_options,
	.columns = connections_columns,
	.examples = connections_examples,
	.args_size = sizeof(struct connections_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT,
	.run = connections_run,
};
