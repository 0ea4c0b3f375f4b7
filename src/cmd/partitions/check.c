/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions check - what is wrong with partitioned tables, or will be. */
#include "partitions.h"

#include "check.h"
#include "clock.h"
#include "inspect.h"

struct check_args {
	const char *warning, *critical, *epoch;
};

static const struct option options[] = {
	OPT_STRING(struct check_args, warning, .long_name = "warning", .metavar = "RANGE",
		.config_key = "partitions.warning", .fallback = "7d:", .check = range_check_seconds,
		.help = "WARNING outside this range of headroom: \"7d:\" is less than seven days until the last partition ends"),
	OPT_STRING(struct check_args, critical, .long_name = "critical", .metavar = "RANGE",
		.config_key = "partitions.critical", .fallback = "1d:", .check = range_check_seconds,
		.help = "CRITICAL outside this range of headroom"),
	OPT_ENUM(struct check_args, epoch, .long_name = "epoch", .metavar = "UNIT", .fallback = "none", .choices = partitions_epochs,
		.help = "integer keys count time since 1970 UTC in this unit; none: they are just numbers"),
	OPT_END,
};

static const struct operand operands[] = {
	{ "TABLE", "a partitioned table as SQL names it; without one all of the database", 0, 0, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions check -d app", "what needs attention in all partitioned tables" },
	{ "dbops partitions check -d app public.trades --format expanded", "one table, with the SQL that cures each finding" },
	{ "dbops partitions check -d app --check --warning 30d: --critical 7d:", "for cron: status 1 or 2 when partitions run out" },
	{ NULL, NULL },
};

static void release(void *rows)
{
	check_release(rows);
	free(rows);
}

static void *collect(struct look *look, struct error *err)
{
	const struct check_args *args = look->args;
	struct check *c = xcalloc(1, sizeof(*c));

	range_parse(args->warning, UNIT_SECONDS, &c->options.warning, NULL);
	range_parse(args->critical, UNIT_SECONDS, &c->options.critical, NULL);
	c->options.epoch = partitions_unit(args->epoch);
	if (check_run(look->inspector, &look->app->operands, c, look->answer, err))
		return c;
	release(c);
	return NULL;
}

/* As many as fit a screen; --format json has the metric of each. */
#define NOTES_MAX 20

static void note_headroom(const struct check *c, struct report *report)
{
	for (size_t i = 0; i < c->headroom.len && i < NOTES_MAX; i++) {
		const struct headroom *h = &c->headroom.items[i];
		_cleanup_strbuf_ struct strbuf until = STRBUF_INIT, left = STRBUF_INIT;
		autofree char *name = check_name(h->table);

		check_add_time(&until, h->table, c->options.epoch, h->until);
		duration_format(h->seconds > 0 ? h->seconds : 0, &left);
		if (h->known)
			report_note(report, TONE_FAINT, "%s: headroom %s, until %s", name, left.buf, until.buf);
	}
}

static void print(const void *rows, const struct answer *a, struct report *report)
{
	const struct check *c = rows;

	for (size_t i = 0; i < a->findings.len; i++) {
		struct cell cells[FINDING_CELLS];

		finding_cells(&a->findings.items[i], cells);
		report_row(report, cells);
	}
	if (!c->model.len)
		report_note(report, TONE_PLAIN, "there is no partitioned table");
	note_headroom(c, report);
}

static const struct inspection partitions_check = {
	.name = "partitions",
	.columns = finding_columns,
	.rows_are_findings = true,
	.collect = collect,
	.print = print,
	.release = release,
};

static bool run(struct app *app, const void *args, struct error *err)
{
	return inspect(app, &partitions_check, args, err);
}

const struct command partitions_check_command = {
	.name = "check",
	.summary = "check partitioned tables: headroom, gaps, rows in DEFAULT, parity",
	.detail = "Looks at partitioned tables and says what is wrong with them or will be: partitions that end soon, gaps between them, "
		  "rows in DEFAULT partitions, detaches that have not ended, partitions that are not like their parent (owner, grants, row-level security, "
		  "replica identity, statistics, indexes, triggers, publications …), and jobs of pg_cron and pg_partman that are scheduled and fail.\n\n"
		  "Headroom is the time until the upper bound of the last partition, for keys that are a date, a timestamp or a version 7 UUID, "
		  "and with --epoch for integers. Keys of type date and timestamp are compared with the clock of the session's time zone.\n\n"
		  "Nothing is changed. A finding's fix is SQL, or a command of dbops.",
	.options = options,
	.operands = operands,
	.columns = finding_columns,
	.examples = examples,
	.args_size = sizeof(struct check_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT,
	.run = run,
};
