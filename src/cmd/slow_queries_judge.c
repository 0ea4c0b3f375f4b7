/* SPDX-License-Identifier: PostgreSQL */
/* Thresholds, metrics and findings of `dbops slow-queries`; and what runs now. */
#include <inttypes.h>
#include <math.h>

#include "clock.h"
#include "slow_queries.h"

/* Findings and labelled metrics stay few whatever --limit says. */
#define FEW 100

static enum severity severity_of(const struct range *warning, const struct range *critical, double value)
{
	if (range_alerts(critical, value, 0))
		return SEVERITY_CRITICAL;
	return range_alerts(warning, value, 0) ? SEVERITY_WARNING : SEVERITY_OK;
}

/* In a table the rows say it already. */
static bool wants_findings(const struct app *app)
{
	return app->check || app->report.format > FORMAT_EXPANDED;
}

static char *object_of(const struct statement *s, bool by_role)
{
	if (by_role)
		return xasprintf("role %s", s->role);
	return s->hidden ? xasprintf("hidden statements of %s", s->role) : xasprintf("query %" PRId64, s->query_id);
}

static void add_mean_finding(struct answer *a, const struct statement *s, enum severity severity, bool by_role)
{
	_cleanup_strbuf_ struct strbuf evidence = STRBUF_INIT, mean = STRBUF_INIT;
	struct json j = JSON_INIT(&evidence, 0);
	autofree char *object = object_of(s, by_role);

	latency_format(statement_mean(s), &mean);
	autofree char *message = xasprintf("mean time %s over %.0f call%s of %s, %.1f %% of the time", mean.buf,
		s->v[STATEMENT_CALLS], s->v[STATEMENT_CALLS] > 1 ? "s" : "", s->role ? s->role : "a role", s->share);

	jsonw_object_begin(&j, NULL);
	jsonw_stringf(&j, "query_id", "%" PRId64, s->query_id);
	jsonw_string(&j, "role", s->role);
	jsonw_real(&j, "mean", statement_mean(s));
	jsonw_real(&j, "calls", s->v[STATEMENT_CALLS]);
	jsonw_real(&j, "share", s->share);
	jsonw_object_end(&j);
	answer_finding(a, &(struct finding){
		.id = "slow-queries.mean", .severity = severity, .object = object, .message = message, .evidence = evidence.buf });
}

static void judge_means(struct look *look, const struct slow_rows *rows, const struct range *warning, const struct range *critical)
{
	enum severity worst = SEVERITY_OK;
	size_t found = 0;

	for (size_t i = 0; i < rows->statements.items.len && wants_findings(look->app); i++) {
		const struct statement *s = &rows->statements.items.items[i];
		enum severity severity = severity_of(warning, critical, statement_mean(s));

		if (severity == SEVERITY_OK || (found >= FEW && severity <= worst)) /* one that decides is never left out */
			continue;
		worst = severity > worst ? severity : worst;
		add_mean_finding(look->answer, s, severity, rows->by == STATEMENT_BY_ROLE);
		found++;
	}
}

static void add_slowest(struct look *look, const struct slow_rows *rows)
{
	const struct slow_args *args = look->args;
	struct metric m = {
		.name = "slow_queries_slowest_mean_seconds",
		.help = "Longest mean time of a statement.",
		.unit = UNIT_SECONDS,
		.perfdata = "slowest_mean",
	};

	for (size_t i = 0; i < rows->statements.items.len; i++)
		m.value = fmax(m.value, statement_mean(&rows->statements.items.items[i]));
	range_parse(args->warning, UNIT_SECONDS, &m.warning, NULL);
	range_parse(args->critical, UNIT_SECONDS, &m.critical, NULL);
	answer_metric(look->answer, &m);
	judge_means(look, rows, &m.warning, &m.critical);
}

static void add_slow(struct look *look, const struct statements *s)
{
	const struct slow_args *args = look->args;
	double statements = 0, calls = 0;
	struct metric rate = {
		.name = "slow_queries_slow_calls_per_hour",
		.help = "Calls an hour of statements whose mean time is long.",
		.perfdata = "slow_calls_per_hour",
		.finding = "slow-queries.rate",
	};

	for (size_t i = 0; i < s->items.len; i++)
		if (statement_mean(&s->items.items[i]) * 1000 >= (double)args->slow) {
			statements++;
			calls += s->items.items[i].v[STATEMENT_CALLS];
		}
	answer_metric(look->answer, &(struct metric){
		.name = "slow_queries_slow_statements",
		.help = "Statements whose mean time is long.",
		.value = statements,
		.perfdata = "slow_statements",
	});
	if (!s->compared)
		return;
	rate.value = s->seconds > 0 ? calls / s->seconds * 3600 : (double)NAN;
	range_parse(args->warning_rate, UNIT_NUMBER, &rate.warning, NULL);
	range_parse(args->critical_rate, UNIT_NUMBER, &rate.critical, NULL);
	answer_metric(look->answer, &rate);
}

static void add_counter(struct answer *a, const char *name, const char *help, double value)
{
	answer_metric(a, &(struct metric){ .name = name, .help = help, .value = value, .counter = true });
}

/* Totals are counters only while nothing was subtracted. */
static void add_totals(struct answer *a, const struct statements *s)
{
	if (s->compared) {
		answer_metric(a, &(struct metric){
			.name = "slow_queries_calls_per_second", .help = "Calls of all statements in view.",
			.value = s->seconds > 0 ? s->calls / s->seconds : (double)NAN, .perfdata = "calls_per_second" });
		answer_metric(a, &(struct metric){
			.name = "slow_queries_load", .help = "Seconds of statements a second: sessions busy on average.",
			.value = s->seconds > 0 ? s->time / s->seconds : (double)NAN, .perfdata = "load" });
		return;
	}
	add_counter(a, "slow_queries_calls_total", "Calls of all statements in view.", s->calls);
	add_counter(a, "slow_queries_time_seconds_total", "Time of all statements in view.", s->time);
	add_counter(a, "slow_queries_evicted_entries_total", "Entries that pg_stat_statements lost for want of room.", s->evicted);
}

static void add_labelled(struct answer *a, const struct statement *s, const char *name, const char *help, bool counter, double value)
{
	autofree char *id = s->hidden ? xstrdup("hidden") : xasprintf("%" PRId64, s->query_id);
	struct metric m = {
		.name = name,
		.help = help,
		.counter = counter,
		.value = value,
		.label = { "query_id", "role", "database" },
		.label_value = { id, s->role, s->database },
	};

	answer_metric(a, &m);
}

/* Series by statement, for Prometheus alone: the first ones only, and no text in a label. */
static void add_series(struct look *look, const struct statements *s, bool by_role)
{
	const struct slow_args *args = look->args;
	size_t limit = args->limit < FEW ? (size_t)args->limit : FEW;

	for (size_t i = 0; i < s->items.len && i < limit && !by_role && look->app->report.format == FORMAT_PROM; i++) {
		const struct statement *item = &s->items.items[i];

		add_labelled(look->answer, item, "slow_query_mean_seconds", "Mean time of a statement.", false, statement_mean(item));
		if (s->compared)
			continue;
		add_labelled(look->answer, item, "slow_query_calls_total", "Calls of a statement.", true, item->v[STATEMENT_CALLS]);
		add_labelled(look->answer, item, "slow_query_time_seconds_total", "Time of a statement.", true, statement_time(item));
	}
}

void slow_judge(struct look *look, const struct slow_rows *rows)
{
	const struct statements *s = &rows->statements;

	add_slowest(look, rows);
	add_slow(look, s);
	add_totals(look->answer, s);
	add_series(look, s, rows->by == STATEMENT_BY_ROLE);
	look->answer->summary = xasprintf("%zu statement%s", s->items.len, s->items.len == 1 ? "" : "s");
}

static void add_age_finding(struct answer *a, const struct activity *activity, enum severity severity)
{
	_cleanup_strbuf_ struct strbuf age = STRBUF_INIT, evidence = STRBUF_INIT;
	struct json j = JSON_INIT(&evidence, 0);
	bool waits = activity->state && strncmp(activity->state, "idle", 4) == 0;

	duration_format(activity_age(activity), &age);

	autofree char *object = xasprintf("pid %" PRId64, activity->pid);
	autofree char *message = xasprintf("%s of %s %s for %s", activity->transaction >= activity->duration ? "transaction" : "statement",
		activity->role ? activity->role : "a role", waits ? "is open and idle" : "runs", age.buf);

	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "pid", activity->pid);
	jsonw_time(&j, "backend_start", activity->backend_us);
	jsonw_string(&j, "state", activity->state);
	jsonw_seconds(&j, "duration", activity->duration);
	jsonw_seconds(&j, "transaction", activity->transaction);
	jsonw_object_end(&j);
	answer_finding(a, &(struct finding){
		.id = "slow-queries.running", .severity = severity, .object = object, .message = message, .evidence = evidence.buf });
}

static void judge_live(struct look *look, const struct activities *a)
{
	const struct slow_args *args = look->args;
	struct metric m = {
		.name = "slow_queries_oldest_seconds",
		.help = "Age of the oldest running statement or transaction.",
		.unit = UNIT_SECONDS,
		.value = a->items.len ? activity_age(&a->items.items[0]) : 0,
		.perfdata = "oldest",
	};

	range_parse(args->warning_age, UNIT_SECONDS, &m.warning, NULL);
	range_parse(args->critical_age, UNIT_SECONDS, &m.critical, NULL);
	answer_metric(look->answer, &m);
	answer_metric(look->answer, &(struct metric){
		.name = "slow_queries_running", .help = "Statements and open transactions.", .value = (double)a->items.len, .perfdata = "running" });
	for (size_t i = 0; i < a->items.len && i < FEW && wants_findings(look->app); i++) {
		enum severity severity = severity_of(&m.warning, &m.critical, activity_age(&a->items.items[i]));

		if (severity != SEVERITY_OK)
			add_age_finding(look->answer, &a->items.items[i], severity);
	}
	look->answer->summary = xasprintf("%zu running", a->items.len);
}

bool slow_collect_live(struct look *look, struct slow_rows *rows, struct error *err)
{
	const struct slow_args *args = look->args;
	const struct probe *p = &look->inspector->probe;
	_cleanup_result_ PGresult *r = inspector_query(look->inspector, sql_activity, err);
	const struct activity_filter filter = { args->all_databases, &args->roles, (double)args->min_duration / 1000 };

	if (!r)
		return false;
	rows->kind = SLOW_ACTIVITY;
	gap_stats(look->answer, p, "sessions of other roles");
	if (!p->track_activities)
		answer_gap(look->answer, true, "running statements", "track_activities is off",
			"ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf();");
	activities_read(&rows->activities, r, p->query_size);
	activities_filter(&rows->activities, &filter);
	judge_live(look, &rows->activities);
	rows->found = rows->activities.items.len;
	activities_limit(&rows->activities, (size_t)args->limit);
	return true;
}
