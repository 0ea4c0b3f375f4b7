/* SPDX-License-Identifier: PostgreSQL */
/* dbops locks forecast - which locks a statement would take, who is in the way now, who would queue. */
#include "locks.h"

#include <math.h>
#include <string.h>
#include "clock.h"
#include "fs.h"
#include "lock_forecast.h"

#define DEFAULT_INTERVAL_MS 1000
#define SCRIPT_LIMIT        (16u << 20)

struct forecast_args {
	const char *warning, *critical, *file;
	int64_t large;
};

/* What the run keeps between looks: the script. */
struct forecast_job {
	struct forecast_args args;
	struct ddl_script script;
};

struct forecast_rows {
	struct forecast forecast;
	int64_t at;
	double *queue; /* sessions a second that would queue, one a lock; NAN = not known */
};

static const struct option forecast_options[] = {
	OPT_PATH(struct forecast_args, file, .long_name = "file", .metavar = "FILE",
		.help = "read the statements from FILE instead, such as a migration"),
	OPT_STRING(struct forecast_args, warning, .long_name = "warning", .metavar = "RANGE", .config_key = "locks.forecast_warning",
		.fallback = "0", .check = range_check_seconds, .help = "an older transaction in the way is a WARNING"),
	OPT_STRING(struct forecast_args, critical, .long_name = "critical", .metavar = "RANGE", .config_key = "locks.forecast_critical",
		.fallback = "5s", .check = range_check_seconds, .help = "an older transaction in the way is CRITICAL"),
	OPT_SIZE(struct forecast_args, large, .long_name = "large", .metavar = "SIZE", .config_key = "locks.forecast_large",
		.fallback = "100MiB", .help = "reading or writing a larger table while others wait is a WARNING"),
	OPT_END,
};

static const struct operand forecast_operands[] = {
	{ "STATEMENT", "SQL that is about to be run; several separated by semicolons", 0, 1, COMPLETE_NONE },
	{ .name = NULL },
};

static const struct column forecast_columns[] = {
	{ "object", "OBJECT", CELL_TEXT, COLUMN_TREE, "table or index that would be locked; below it, who is in the way" },
	{ "statement", NULL, CELL_INT, COLUMN_EXTRA, "number of the statement, from 1" },
	{ "mode", "LOCK", CELL_TEXT, 0, "lock mode the statement takes; of a session, the one it holds" },
	{ "blocks", "BLOCKS", CELL_TEXT, 0, "what others cannot do while the lock is held, or waited for" },
	{ "size", "SIZE", CELL_SIZE, 0, "bytes of the table, as the last VACUUM or ANALYZE saw it" },
	{ "queue", "QUEUE/S", CELL_NUMBER, 0, "uses a second of the table that would have to wait: scans and changed rows" },
	{ "pid", NULL, CELL_INT, COLUMN_EXTRA, "process id of who is in the way" },
	{ "gid", NULL, CELL_TEXT, COLUMN_EXTRA, "prepared transaction in the way" },
	{ "waiting", NULL, CELL_BOOL, COLUMN_EXTRA, "it waits for its lock itself, in front" },
	{ "transaction_age", "TRANSACTION", CELL_DURATION, 0, "age of its transaction" },
	{ "state", "STATE", CELL_TEXT, 0, "what it is doing" },
	{ "user", "USER", CELL_TEXT, 0, "role that is logged in" },
	{ "application", NULL, CELL_TEXT, COLUMN_EXTRA, "application_name" },
	{ "query", "QUERY", CELL_TEXT, COLUMN_WIDE, "the statement about to be run; of a session, its own" },
	COLUMN_END,
};

static const struct example forecast_examples[] = {
	{ "dbops locks forecast -d app 'ALTER TABLE public.orders ADD COLUMN note text'", "what a migration would meet" },
	{ "dbops locks forecast -d app --file migration.sql && psql -d app -f migration.sql", "only when nobody is in the way" },
	{ NULL, NULL },
};

static const char *const forecast_counters[] = { "scans", "writes", NULL };

/* --- judging ------------------------------------------------------------------------------------------------ */

static char *relation_key(const struct forecast_relation *r)
{
	return xasprintf("%u", r->oid);
}

static void take_sample(const struct forecast *f, struct sample *s)
{
	for (size_t i = 0; i < f->locks.len; i++) {
		const struct forecast_relation *r = f->locks.items[i].relation;
		autofree char *key = relation_key(r);
		const double values[] = { r->scans < 0 ? NAN : (double)r->scans, r->writes < 0 ? NAN : (double)r->writes };
		bool known = false;

		for (size_t k = 0; k < i; k++)
			known |= f->locks.items[k].relation->oid == r->oid;
		if (!known)
			sample_add(s, key, values);
	}
}

/* Uses a second that a lock keeps out: readers by ACCESS EXCLUSIVE only, writers by all that block them. */
static double queue_of(const struct forecast_lock *l, const struct look *look)
{
	autofree char *key = relation_key(l->relation);
	const double *before = look->before ? sample_find(look->before, key) : NULL;
	double seconds = look->before ? sample_seconds(look->before, look->now) : 0;

	if (!before || seconds <= 0 || sample_incomparable(look->before, look->now) || l->relation->writes < 0)
		return NAN;
	if (l->mode < LOCK_SHARE)
		return 0;

	double writes = (double)l->relation->writes - before[1], scans = (double)l->relation->scans - before[0];
	double uses = l->mode == LOCK_ACCESS_EXCLUSIVE ? writes + scans : writes;

	return uses < 0 ? NAN : uses / seconds;
}

static char *holder_name(const struct forecast_holder *h)
{
	if (h->pid)
		return xasprintf("pid %lld", (long long)h->pid);
	return h->gid ? xasprintf("prepared transaction '%s'", h->gid) : xstrdup("prepared transaction");
}

static double age(const struct forecast_holder *h, int64_t at)
{
	return h->xact_start ? fmax(0, (double)(at - h->xact_start) / 1e6) : NAN;
}

static void find_blocker(const struct forecast_lock *l, const struct forecast_holder *h, int64_t at, enum severity severity, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;
	autofree char *object = holder_name(h);

	strbuf_addf(&message, "%s %s on %s", h->granted ? "holds" : "waits in front for", lock_mode_name(h->mode), l->relation->shown);
	if (isfinite(age(h, at))) {
		strbuf_adds(&message, ", its transaction is ");
		duration_format(age(h, at), &message);
		strbuf_adds(&message, " old");
	}
	strbuf_addf(&message, ": statement %zu would wait for it to take %s, and %s would queue behind that", l->statement + 1, lock_mode_name(l->mode),
		lock_mode_effect(l->mode));
	answer_finding(a, &(struct finding){ .id = "forecast.blocker", .severity = severity, .object = object, .message = message.buf });
}

static enum severity severity_of(const struct forecast_args *args, double seconds)
{
	struct range warning, critical;

	range_parse(args->warning, UNIT_SECONDS, &warning, NULL);
	range_parse(args->critical, UNIT_SECONDS, &critical, NULL);
	if (!isfinite(seconds))
		return SEVERITY_WARNING;
	return range_alerts(&critical, seconds, 0) ? SEVERITY_CRITICAL : range_alerts(&warning, seconds, 0) ? SEVERITY_WARNING : SEVERITY_INFO;
}

static void find_work(const struct forecast *f, const struct forecast_args *args, struct answer *a)
{
	for (size_t i = 0; i < f->locks.len; i++) {
		const struct forecast_lock *l = &f->locks.items[i];
		const struct ddl_statement *s = &f->script->statements.items[l->statement];
		const char *work = s->rewrite ? s->rewrite : s->scan;

		if (!work || l->mode < LOCK_SHARE || l->relation->kind == 'p' || (l->relation->scope > DDL_TABLE))
			continue;

		autofree char *message = xasprintf("statement %zu %s, and %s wait meanwhile", l->statement + 1, work, lock_mode_effect(l->mode));

		answer_finding(a, &(struct finding){ .id = s->rewrite ? "forecast.rewrite" : "forecast.scan",
					  .severity = l->relation->bytes > args->large ? SEVERITY_WARNING : SEVERITY_INFO,
					  .object = l->relation->shown, .message = message });
	}
}

static void note_gaps(const struct forecast *f, struct answer *a)
{
	for (size_t i = 0; i < f->script->statements.len; i++) {
		const struct ddl_statement *s = &f->script->statements.items[i];
		autofree char *what = xasprintf("statement %zu", i + 1);

		if (s->problem)
			answer_gap(a, true, what, s->problem, NULL);
	}
	for (size_t i = 0; i < f->missing.len; i++)
		answer_gap(a, !ddl_script_may_miss(f->script, f->missing.items[i]), f->missing.items[i], "there is no such table or index yet", NULL);
}

static void judge(const struct forecast_rows *rows, const struct forecast_args *args, struct answer *a)
{
	const struct forecast *f = &rows->forecast;
	double longest = 0;
	size_t blockers = 0;

	for (size_t i = 0; i < f->locks.len; i++)
		for (size_t k = 0; k < f->locks.items[i].blockers.len; k++) {
			const struct forecast_holder *h = f->locks.items[i].blockers.items[k];
			double seconds = age(h, rows->at);

			blockers++;
			longest = isfinite(seconds) ? fmax(longest, seconds) : longest;
			find_blocker(&f->locks.items[i], h, rows->at, severity_of(args, seconds), a);
		}
	find_work(f, args, a);
	note_gaps(f, a);
	answer_metric(a, &(struct metric){ .name = "locks_forecast_blockers", .perfdata = "blockers", .value = (double)blockers,
				 .help = "Locks of others that are in the way of the statement." });
	answer_metric(a, &(struct metric){ .name = "locks_forecast_longest_transaction_seconds", .perfdata = "longest_transaction",
				 .unit = UNIT_SECONDS, .value = longest, .help = "Age of the oldest transaction in the way." });
	if (!blockers)
		a->summary = xstrdup("nobody is in the way");
}

/* --- asking ------------------------------------------------------------------------------------------------- */

static void release(void *data)
{
	struct forecast_rows *rows = data;

	forecast_release(&rows->forecast);
	free(rows->queue);
	free(rows);
}

/* Names are found as the statement would find them, by the role's own search_path; all else with an empty one. */
static bool ask(struct inspector *in, const struct ddl_script *script, PGresult **r, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	forecast_add_names(script, &sql);
	strbuf_addf(&sql, "SET LOCAL search_path TO DEFAULT;\n%s;\nSET LOCAL search_path = '';\n%s;\n%s", sql_lock_names, sql_lock_relations,
		sql_lock_holders);
	return inspector_batch(in, sql.buf, r, 3, err);
}

static void *collect(struct look *look, struct error *err)
{
	const struct forecast_job *job = look->args;
	PGresult *r[3];

	if (!ask(look->inspector, &job->script, r, err))
		return NULL;

	struct forecast_rows *rows = xcalloc(1, sizeof(*rows));
	struct forecast *f = &rows->forecast;

	rows->at = look->answer->at;
	forecast_read(f, &job->script, look->inspector->probe.version, r[0], r[1], r[2]);
	for (size_t i = 0; i < 3; i++)
		PQclear(r[i]);
	take_sample(f, look->now);
	rows->queue = xcalloc(f->locks.len + 1, sizeof(double));
	for (size_t i = 0; i < f->locks.len; i++)
		rows->queue[i] = queue_of(&f->locks.items[i], look);
	judge(rows, &job->args, look->answer);
	locks_note_gap(look->answer, &look->inspector->probe, true);
	return rows;
}

/* --- printing ----------------------------------------------------------------------------------------------- */

static void print_lock(const struct forecast_rows *rows, size_t i, struct report *r)
{
	const struct forecast_lock *l = &rows->forecast.locks.items[i];
	const struct cell cells[] = {
		CELL_OF_TEXT(l->relation->shown),
		CELL_OF_INT((int64_t)l->statement + 1),
		CELL_OF_TEXT(lock_mode_name(l->mode)),
		CELL_OF_TEXT(lock_mode_effect(l->mode)),
		l->relation->bytes < 0 ? CELL_NULL() : CELL_OF_INT(l->relation->bytes),
		isfinite(rows->queue[i]) ? CELL_OF_REAL(rows->queue[i]) : CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_OF_TEXT(rows->forecast.script->statements.items[l->statement].text),
	};

	report_row(r, cells);
}

static void print_holder(const struct forecast_rows *rows, const struct forecast_lock *l, const struct forecast_holder *h, struct report *r,
	int64_t parent)
{
	autofree char *name = holder_name(h);
	double seconds = age(h, rows->at);
	const struct cell cells[] = {
		CELL_OF_TEXT(name),
		CELL_OF_INT((int64_t)l->statement + 1),
		CELL_OF_TEXT(lock_mode_name(h->mode)),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		h->pid ? CELL_OF_INT(h->pid) : CELL_NULL(),
		CELL_OF_TEXT(h->gid),
		(struct cell){ .number = !h->granted },
		isfinite(seconds) ? CELL_OF_REAL(seconds) : CELL_NULL(),
		CELL_OF_TEXT(h->pid ? h->state : "prepared"),
		CELL_OF_TEXT(h->user),
		CELL_OF_TEXT(h->application),
		CELL_OF_TEXT(h->query),
	};

	report_child(r, cells, parent);
}

static void print(const void *data, const struct answer *a, struct report *r)
{
	const struct forecast_rows *rows = data;
	int64_t row = 0;

	(void)a;
	for (size_t i = 0; i < rows->forecast.locks.len; i++) {
		const struct forecast_lock *l = &rows->forecast.locks.items[i];
		int64_t parent = row++;

		print_lock(rows, i, r);
		for (size_t k = 0; k < l->blockers.len; k++, row++)
			print_holder(rows, l, l->blockers.items[k], r, parent);
	}
}

static const struct inspection forecast_inspection = {
	.name = "forecast",
	.columns = forecast_columns,
	.counters = forecast_counters,
	.collect = collect,
	.print = print,
	.release = release,
};

static bool read_script(struct app *app, const struct forecast_args *args, struct ddl_script *script, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!args->file == !app->operands.len) {
		error_set(err, EXIT_USAGE, "give a statement or --file, one of both");
		return false;
	}
	if (!args->file)
		return ddl_parse(app->operands.items[0], script, err);
	return fs_read(args->file, SCRIPT_LIMIT, &text, err) && ddl_parse(text.buf, script, err);
}

static bool forecast_run(struct app *app, const void *args, struct error *err)
{
	struct forecast_job job = { .args = *(const struct forecast_args *)args };
	bool ok = read_script(app, &job.args, &job.script, err);

	/* a forecast is a judgement; and without two looks nobody knows who would queue */
	app->check = true;
	if (!app->interval && !app->since && !app->watch)
		app->interval = DEFAULT_INTERVAL_MS;
	ok = ok && inspect(app, &forecast_inspection, &job, err);
	ddl_script_release(&job.script);
	return ok;
}

const struct command locks_forecast_command = {
	.name = "forecast",
	.summary = "say which locks a statement would take, and who is in the way",
	.detail = "Reads the statement, does not run it, and locks nothing. Exit status 0: nobody is in the way; 1: somebody is, or a large table "
		  "is read or written while others wait; 2: a transaction older than --critical is in the way; 3: it cannot be said, "
		  "such as for a statement that is not known.\n\n"
		  "A statement that waits for a lock lets everybody queue behind it who wants less. SET lock_timeout before it, and try again.",
	.options = forecast_options,
	.operands = forecast_operands,
	.columns = forecast_columns,
	.examples = forecast_examples,
	.args_size = sizeof(struct forecast_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT | COMMAND_DELTA,
	.run = forecast_run,
};
