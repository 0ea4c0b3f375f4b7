/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops slow-queries - where the server's time goes, by pg_stat_statements; what runs long now; the plan of a statement.
 */
#include "slow_queries.h"

#include "commands.h"
#include "sql_text.h"

static const char *const orders[] = { "total", "mean", "calls", "rows", "io", "temp", "wal", "jitter", NULL };
static const char *const groups[] = { "entry", "text", "role", NULL };

static bool check_query_id(const char *text, struct error *err)
{
	char *end;

	strtoll(text, &end, 10);
	return (*text && !*end) || error_set(err, EXIT_USAGE, "'%s' is not the id of a statement", text);
}

static const struct option slow_queries_options[] = {
	OPT_INT(struct slow_args, limit, .short_name = 'n', .long_name = "limit", .metavar = "N", .config_key = "slow_queries.limit",
		.fallback = "20", .min = 1, .max = 10000, .help = "show at most N rows"),
	OPT_ENUM(struct slow_args, order, .long_name = "order", .metavar = "WHAT", .choices = orders, .fallback = "total",
		.config_key = "slow_queries.order",
		.help = "largest first of: time in total, mean time, calls, rows, I/O time, temporary blocks, WAL, "
			"standard deviation of the time"),
	OPT_ENUM(struct slow_args, group, .long_name = "group", .metavar = "HOW", .choices = groups, .fallback = "entry",
		.help = "one row for each entry of pg_stat_statements, for each text (whatever its ids and roles), or for each role"),
	OPT_DURATION(struct slow_args, min_mean, .long_name = "min-mean", .metavar = "TIME", .fallback = "0",
		.config_key = "slow_queries.min_mean", .help = "leave out statements with a shorter mean time"),
	OPT_INT(struct slow_args, min_calls, .long_name = "min-calls", .metavar = "N", .fallback = "1", .min = 1,
		.config_key = "slow_queries.min_calls", .help = "leave out statements that were called less often"),
	OPT_LIST(struct slow_args, roles, .long_name = "role", .metavar = "NAME", .help = "only statements of this role"),
	OPT_FLAG(struct slow_args, all_databases, .long_name = "all-databases", .help = "also statements of other databases"),
	OPT_FLAG(struct slow_args, nested, .long_name = "nested",
		.help = "also statements inside functions, whose time is in the calling statement's, too (pg_stat_statements.track = all)"),
	OPT_GROUP("What runs now"),
	OPT_FLAG(struct slow_args, live, .long_name = "live",
		.help = "show statements and transactions that run now, oldest first, instead of counted ones"),
	OPT_DURATION(struct slow_args, min_duration, .long_name = "min-duration", .metavar = "TIME", .fallback = "0",
		.help = "with --live: leave out what runs for a shorter time"),
	OPT_GROUP("Plan"),
	OPT_STRING(struct slow_args, explain, .long_name = "explain", .metavar = "ID", .check = check_query_id,
		.help = "print the generic plan of the statement with this query id, which is not executed; refused where planning could run "
			"functions of other roles with this session's rights"),
	OPT_GROUP("Thresholds"),
	OPT_DURATION(struct slow_args, slow, .long_name = "slow", .metavar = "TIME", .fallback = "1s", .config_key = "slow_queries.slow",
		.help = "calls of statements with such a mean time count as slow calls"),
	OPT_STRING(struct slow_args, warning, .long_name = "warning", .metavar = "RANGE", .fallback = "1s",
		.config_key = "slow_queries.warning", .check = range_check_seconds,
		.help = "mean time of a statement for which the check is WARNING"),
	OPT_STRING(struct slow_args, critical, .long_name = "critical", .metavar = "RANGE", .fallback = "",
		.config_key = "slow_queries.critical", .check = range_check_seconds,
		.help = "mean time of a statement for which the check is CRITICAL"),
	OPT_STRING(struct slow_args, warning_rate, .long_name = "warning-rate", .metavar = "RANGE", .fallback = "5",
		.config_key = "slow_queries.warning_rate", .check = range_check_number,
		.help = "slow calls an hour for which the check is WARNING; needs --interval or --since"),
	OPT_STRING(struct slow_args, critical_rate, .long_name = "critical-rate", .metavar = "RANGE", .fallback = "",
		.config_key = "slow_queries.critical_rate", .check = range_check_number,
		.help = "slow calls an hour for which the check is CRITICAL"),
	OPT_STRING(struct slow_args, warning_age, .long_name = "warning-age", .metavar = "RANGE", .fallback = "5min",
		.config_key = "slow_queries.warning_age", .check = range_check_seconds,
		.help = "with --live: age of a statement or transaction for which the check is WARNING"),
	OPT_STRING(struct slow_args, critical_age, .long_name = "critical-age", .metavar = "RANGE", .fallback = "30min",
		.config_key = "slow_queries.critical_age", .check = range_check_seconds,
		.help = "with --live: age of a statement or transaction for which the check is CRITICAL"),
	OPT_END,
};

static const struct column_set slow_more_columns[] = {
	{ "with --live, and without pg_stat_statements", slow_activity_columns },
	{ "with --explain", slow_plan_columns },
	{ NULL, NULL },
};

static const struct example slow_queries_examples[] = {
	{ "dbops slow-queries -d app", "the 20 statements that took most time, with their share of it" },
	{ "dbops slow-queries -d app --order mean --min-mean 1000ms", "statements that take a second and more" },
	{ "dbops slow-queries -d app --interval 60s --group text", "what runs in this minute, with calls an hour" },
	{ "dbops slow-queries -d app --live --min-duration 1min --check --warning-age 10min",
		"a check for statements and transactions that run for long" },
	{ "dbops slow-queries -d app --format json --save now.json", "keep the counters, to be compared with --since now.json" },
	{ NULL, NULL },
};

static unsigned index_of(const char *const *words, const char *word)
{
	unsigned i = 0;

	while (words[i] && strcmp(words[i], word) != 0)
		i++;
	return i;
}

static void set_fingerprints(struct statements *s)
{
	for (size_t i = 0; i < s->items.len; i++)
		if (s->items.items[i].text)
			s->items.items[i].fingerprint = sql_text_fingerprint(s->items.items[i].text);
}

static void compare(struct look *look, struct slow_rows *rows)
{
	const char *why;

	look->now->at = inspector_now(look->inspector);
	/* the reset of the database's own statistics says nothing about these */
	look->now->stats_reset_at = 0;
	if (look->app->save || look->app->interval || look->app->watch)
		statements_keep(&rows->statements, look->now);
	if (!look->before)
		return;
	why = sample_incomparable(look->before, look->now);
	if (!why)
		why = statements_incomparable(&rows->statements, look->before);
	if (why)
		answer_gap(look->answer, true, "rates", why, NULL);
	else
		statements_compare(&rows->statements, look->before, sample_seconds(look->before, look->now));
}

/* Settings under which the counters do not say what they seem to. */
static void note_settings(struct look *look, const struct slow_rows *rows)
{
	const struct probe *p = &look->inspector->probe;

	gap_stats(look->answer, p, "statements of other roles");
	if (p->compute_query_id && strcmp(p->compute_query_id, "off") == 0)
		answer_gap(look->answer, true, "new statements", "compute_query_id is off, so nothing is counted",
			"ALTER SYSTEM SET compute_query_id = 'auto'; SELECT pg_reload_conf();");
	if (rows->pgss.track && strcmp(rows->pgss.track, "none") == 0)
		answer_gap(look->answer, true, "new statements", "pg_stat_statements.track is none, so nothing is counted",
			"ALTER SYSTEM SET pg_stat_statements.track = 'top'; SELECT pg_reload_conf();");
}

static bool collect_statements(struct look *look, struct slow_rows *rows, struct error *err)
{
	const struct slow_args *args = look->args;
	struct statements *s = &rows->statements;
	const struct statement_filter filter = { args->all_databases, args->nested, &args->roles };

	compare(look, rows);
	note_settings(look, rows);
	statements_filter(s, &filter);
	set_fingerprints(s);
	statements_group(s, rows->by);
	statements_order(s, (enum statement_order)index_of(orders, args->order), (double)args->min_mean / 1000,
		(double)args->min_calls);
	rows->found = s->items.len;
	slow_judge(look, rows);
	statements_limit(s, (size_t)args->limit);
	if (rows->by == STATEMENT_BY_ROLE)
		return true;
	if (!pgss_read_texts(look->inspector, &rows->pgss, s, err))
		return false;
	if (rows->pgss.text_problem)
		answer_gap(look->answer, false, "texts of statements", rows->pgss.text_problem, NULL);
	set_fingerprints(s);
	return true;
}

/* Without pg_stat_statements there is what runs now, and the answer says what is missing. */
static bool collect(struct look *look, struct slow_rows *rows, struct error *err)
{
	const struct slow_args *args = look->args;

	if (args->explain)
		return slow_collect_plan(look, rows, err);
	if (args->live)
		return slow_collect_live(look, rows, err);
	if (!pgss_read(look->inspector, rows->by == STATEMENT_BY_TEXT, &rows->pgss, &rows->statements, err))
		return false;
	if (!rows->pgss.problem)
		return collect_statements(look, rows, err);
	answer_gap(look->answer, true, "counted statements", rows->pgss.problem, rows->pgss.cure);
	return slow_collect_live(look, rows, err);
}

static void release(void *data)
{
	struct slow_rows *rows = data;

	pgss_release(&rows->pgss);
	statements_release(&rows->statements);
	activities_release(&rows->activities);
	generic_plan_release(&rows->plan);
	free(rows);
}

static void *collect_rows(struct look *look, struct error *err)
{
	struct slow_rows *rows = xcalloc(1, sizeof(*rows));
	const struct probe *p = &look->inspector->probe;
	const struct slow_args *args = look->args;

	rows->io_timing = p->track_io_timing;
	rows->in_recovery = p->in_recovery;
	rows->block_size = p->block_size;
	rows->by = (enum statement_group)index_of(groups, args->group);
	if (!collect(look, rows, err)) {
		release(rows);
		return NULL;
	}
	slow_choose_columns(rows, look->args);
	look->columns = rows->kind == SLOW_PLAN       ? slow_plan_columns
			: rows->kind == SLOW_ACTIVITY ? slow_activity_columns
						      : rows->columns;
	return rows;
}

static const struct inspection slow_queries_inspection = {
	.name = "slow-queries",
	.array = "statements",
	.columns = slow_statement_columns,
	.counters = statement_counters,
	.collect = collect_rows,
	.print = slow_print,
	.release = release,
};

static bool slow_queries_run(struct app *app, const void *data, struct error *err)
{
	const struct slow_args *args = data;

	if (args->explain && args->live)
		return error_set(err, EXIT_USAGE, "--explain and --live exclude each other");
	if (args->explain && (app->check || app->watch || app->report.format > FORMAT_CSV))
		return error_set(err, EXIT_USAGE, "--explain prints a plan: there is nothing to check or to watch");
	if ((args->explain || args->live) && (app->interval || app->since || app->save))
		return error_set(err, EXIT_USAGE, "--interval, --since and --save are for counted statements, not for %s",
			args->live ? "--live" : "--explain");
	return inspect(app, &slow_queries_inspection, args, err);
}

const struct command slow_queries_command = {
	.name = "slow-queries",
	.summary = "show the statements that take the server's time",
	.detail = "Reads pg_stat_statements, wherever it is installed and whatever its version, and shows the statements of this database "
		  "that took most time, their mean, and their share of the time of all. Nothing is ever reset.\n\n"
		  "The counters are cumulative: without --interval or --since the figures cover all the time since an entry was made. With "
		  "one of these every figure is the difference of two samples, calls_per_hour and load are its rates, and statements that "
		  "were not called in between are left out.\n\n"
		  "Where pg_stat_statements cannot be read, the reason and the cure are said, and what runs now is shown "
		  "instead, as with --live; a check is UNKNOWN then.",
	.options = slow_queries_options,
	.columns = slow_statement_columns,
	.more_columns = slow_more_columns,
	.examples = slow_queries_examples,
	.args_size = sizeof(struct slow_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT | COMMAND_DELTA,
	.run = slow_queries_run,
};
