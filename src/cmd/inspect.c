/* SPDX-License-Identifier: PostgreSQL */
#include "inspect.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "clock.h"
#include "fs.h"
#include "repository.h"

#define RECONNECT_FIRST_MS 500
#define RECONNECT_MAX_MS   30000

struct run {
	struct app *app;
	const struct inspection *inspection;
	const void *args;
	struct inspector inspector;
	struct sample before, now;
	bool has_before;
	struct look look;
};

static void run_release(struct run *r)
{
	inspector_close(&r->inspector);
	sample_release(&r->before);
	sample_release(&r->now);
}

static bool connect_to_server(struct run *r, struct error *err)
{
	autofree char *name = xasprintf("dbops %s", r->inspection->name);
	struct pg_params p = server_params(r->app, name);

	if (r->inspector.conn)
		return true;
	r->inspector.statement_timeout = r->app->statement_timeout;
	r->inspector.lock_timeout = r->app->lock_timeout;
	return inspector_open(&r->inspector, &p, &r->app->log, err);
}

static char *today_utc(void)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	clock_format_utc(clock_now_us(), false, &text);
	strbuf_setlen(&text, strlen("2026-11-20"));
	return strbuf_detach(&text);
}

/* The sample of this look becomes the earlier one. */
static void keep_sample(struct run *r)
{
	sample_release(&r->before);
	r->before = r->now;
	r->now = (struct sample){ 0 };
	r->has_before = true;
}

static void begin_sample(struct run *r)
{
	const struct probe *p = &r->inspector.probe;

	sample_release(&r->now);
	r->now = (struct sample){
		.counters = r->inspection->counters,
		.at = inspector_now(&r->inspector),
		.started_at = p->started_at,
		.stats_reset_at = p->stats_reset_at,
		.server = xstrdup(r->inspector.conn->server),
		.database = xstrdup(r->inspector.conn->database),
	};
}

/* One question to the server; rows for print(), NULL + err on failure. */
static void *collect(struct run *r, struct answer *a, struct error *err)
{
	if (!connect_to_server(r, err))
		return NULL;
	begin_sample(r);
	a->at = r->now.at;

	r->look = (struct look){
		.app = r->app,
		.inspector = &r->inspector,
		.args = r->args,
		.before = r->has_before ? &r->before : NULL,
		.now = &r->now,
		.answer = a,
		.columns = r->inspection->columns,
	};
	void *rows = r->inspection->collect(&r->look, err);
	autofree char *today = today_utc();

	if (!rows || answer_suppress(a, r->app->config, today, err))
		return rows;
	r->inspection->release(rows);
	return NULL;
}

static void warn_of_gaps(struct app *app, const struct answer *a)
{
	for (size_t i = 0; i < a->gaps.len; i++) {
		const struct gap *g = &a->gaps.items[i];

		log_warning(&app->log, "inspect.partial", "%s: %s%s%s", g->what, g->reason, g->grant ? "; " : "",
			g->grant ? g->grant : "");
	}
}

static bool print_text(struct app *app, const struct strbuf *text, struct error *err)
{
	errno = 0;
	fwrite(text->buf, 1, text->len, app->report.out);
	if (fflush(app->report.out) == 0 && !ferror(app->report.out))
		return true;
	return error_set_errno(err, EXIT_CANNOT_WRITE, errno ? errno : EIO, "cannot write the output");
}

static bool print_rows(struct app *app, const struct inspection *i, const struct inspect_source *s, const void *rows, const struct answer *a,
	struct error *err)
{
	struct report *report = report_begin(&app->report, i->array ? i->array : a->name, s->columns);
	struct json *header = report_header(report);

	if (header) {
		jsonw_string(header, "server", s->server);
		jsonw_string(header, "database", s->database);
		jsonw_int(header, "server_version", s->server_version);
		answer_add_json(a, header);
	}
	i->print(rows, a, report);
	answer_add_notes(a, app->check, report);
	return report_end(report, err);
}

static bool print(struct app *app, const struct inspection *i, const struct inspect_source *s, const void *rows, const struct answer *a,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (i->text && i->text(rows, a, &text))
		return print_text(app, &text, err);
	switch (app->report.format) {
	case FORMAT_NAGIOS:
		answer_add_nagios(a, &text);
		return print_text(app, &text, err);
	case FORMAT_PROM:
		answer_add_prom(a, &text);
		return print_text(app, &text, err);
	case FORMAT_CSV:
	case FORMAT_NDJSON:
		warn_of_gaps(app, a);
		break;
	default:
		break;
	}
	return print_rows(app, i, s, rows, a, err);
}

static void set_status(struct app *app, const struct answer *a)
{
	static const enum exit_code codes[] = {
		[SEVERITY_OK] = EXIT_DONE, [SEVERITY_INFO] = EXIT_DONE, [SEVERITY_UNKNOWN] = EXIT_UNKNOWN,
		[SEVERITY_WARNING] = EXIT_WARNING, [SEVERITY_CRITICAL] = EXIT_CRITICAL,
	};

	app->status = app->check || app->report.format == FORMAT_NAGIOS ? codes[answer_status(a)] : EXIT_DONE;
}

bool inspect_show(struct app *app, const struct inspection *i, const struct inspect_source *s, const void *rows, const struct answer *a,
	struct error *err)
{
	if (!print(app, i, s, rows, a, err))
		return false;
	set_status(app, a);
	return true;
}

static bool print_look(struct run *r, const void *rows, const struct answer *a, struct error *err)
{
	const struct pg_conn *c = r->inspector.conn;
	const struct inspect_source s = { c->server, c->database, c->version, r->look.columns };

	return print(r->app, r->inspection, &s, rows, a, err);
}

static bool look_and_print(struct run *r, struct error *err)
{
	const struct inspection *i = r->inspection;
	_cleanup_answer_ struct answer a = { .name = i->name, .profile = r->app->config_profile,
		.rows_are_findings = i->rows_are_findings };
	void *rows = collect(r, &a, err);
	bool ok = rows && print_look(r, rows, &a, err) &&
		  (!r->app->save || sample_write(&r->now, i->name, r->app->save, err));

	if (ok)
		set_status(r->app, &a);
	if (rows)
		i->release(rows);
	return ok;
}

/* The first of two samples: nothing is printed. */
static bool look_silently(struct run *r, struct error *err)
{
	_cleanup_answer_ struct answer a = { .name = r->inspection->name };
	void *rows = collect(r, &a, err);

	if (!rows)
		return false;
	r->inspection->release(rows);
	keep_sample(r);
	return cancel_pause(r->app->cancel, r->app->interval, err);
}

static bool prepare(struct run *r, struct error *err)
{
	struct app *app = r->app;

	if (app->since && app->interval)
		return error_set(err, EXIT_USAGE, "--since and --interval exclude each other");
	if (app->since) {
		r->has_before = sample_read(&r->before, r->inspection->name, r->inspection->counters, app->since, err);
		return r->has_before;
	}
	return !app->interval || look_silently(r, err);
}

static void clear_screen(struct app *app)
{
	fputs("\033[H\033[2J\033[3J", app->report.out);
}

static void print_clock(struct app *app)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	autofree char *path = parsed_path(&app->parsed);

	clock_format_utc(clock_now_us(), false, &text);
	fprintf(app->report.out, "%s  every %.10g s: %s\n\n", text.buf, (double)app->watch / 1000, path);
}

/* After a failure: a lost session is opened again, later and later; true = try again. */
static bool survive(struct run *r, int64_t *delay, struct error *err)
{
	bool lost = err->code == EXIT_UNAVAILABLE || err->code == EXIT_BUSY || err->code == EXIT_REFUSED;

	if (!lost || cancel_requested(r->app->cancel))
		return false;
	log_warning(&r->app->log, "inspect.lost", "%s; trying again in %.1f s", err->message, (double)*delay / 1000);
	error_release(err);
	if (r->inspector.conn && PQstatus(r->inspector.conn->pg) != CONNECTION_OK)
		inspector_close(&r->inspector);
	if (!cancel_pause(r->app->cancel, *delay, err))
		return false;
	*delay = *delay * 2 > RECONNECT_MAX_MS ? RECONNECT_MAX_MS : *delay * 2;
	return true;
}

static bool watch(struct run *r, struct error *err)
{
	struct app *app = r->app;
	bool redraw = app->report.width > 0 && app->report.format <= FORMAT_EXPANDED;
	int64_t delay = RECONNECT_FIRST_MS;

	if (!redraw && (app->report.format == FORMAT_TABLE || app->report.format == FORMAT_NDJSON))
		app->report.format = FORMAT_JSON;
	app->report.compact = true;
	for (;;) {
		if (redraw) {
			clear_screen(app);
			print_clock(app);
		}
		if (look_and_print(r, err)) {
			delay = RECONNECT_FIRST_MS;
			if (r->inspection->counters)
				keep_sample(r);
			if (cancel_pause(app->cancel, app->watch, err))
				continue;
		} else if (survive(r, &delay, err)) {
			continue;
		}
		return false;
	}
}

/* --output: the answer goes to a buffer first, and into the file when it is whole. */
static bool run_into_file(struct run *r, struct error *err)
{
	struct app *app = r->app;
	FILE *out = app->report.out;
	char *text = NULL;
	size_t len = 0;

	if (app->watch)
		return error_set(err, EXIT_USAGE, "--output and --watch exclude each other");
	app->report.out = open_memstream(&text, &len);
	app->report.width = 0;
	app->report.color = false;

	bool ok = look_and_print(r, err);

	fclose(app->report.out);
	app->report.out = out;
	ok = ok && fs_write_public(app->output, text, len, err);
	free(text);
	return ok;
}

/* A scrape that failed says so in the format, too. */
static void print_failure(struct app *app, const char *name)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	answer_failed_prom(name, app->config_profile, &text);
	if (app->output)
		fs_write_public(app->output, text.buf, text.len, NULL);
	else
		print_text(app, &text, NULL);
}

bool inspect(struct app *app, const struct inspection *i, const void *args, struct error *err)
{
	_cleanup_(run_release) struct run r = { .app = app, .inspection = i, .args = args };
	bool ok = prepare(&r, err);

	if (ok && app->output)
		ok = run_into_file(&r, err);
	else if (ok)
		ok = app->watch ? watch(&r, err) : look_and_print(&r, err);
	if (!ok && app->report.format == FORMAT_PROM && err->code != EXIT_USAGE)
		print_failure(app, i->name);
	return ok;
}

void gap_stats(struct answer *a, const struct probe *p, const char *what)
{
	_cleanup_strbuf_ struct strbuf grant = STRBUF_INIT;

	if (p->reads_stats)
		return;
	strbuf_adds(&grant, "GRANT pg_monitor TO ");
	pg_add_ident(&grant, p->current_user);
	strbuf_addch(&grant, ';');
	answer_gap(a, true, what, "this role cannot see what other roles' sessions do", grant.buf);
}
