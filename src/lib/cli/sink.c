/* SPDX-License-Identifier: PostgreSQL */
#include "sink.h"

#include <ctype.h>

#include "clock.h"

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

static void begin_json(struct json *j, enum log_level level, const char *event, const char *message)
{
	jsonw_object_begin(j, NULL);
	jsonw_time(j, "time", clock_now_us());
	jsonw_string(j, "level", level_names[level]);
	jsonw_string(j, "event", event);
	jsonw_string(j, "message", message);
}

static void end_json(struct app *app, struct json *j)
{
	jsonw_object_end(j);
	fprintf(app->err, "%s\n", j->out->buf);
	fflush(app->err);
}

static bool is_wanted(const struct app *app, enum log_level level)
{
	if (level == LOG_LEVEL_DEBUG)
		return app->verbose;
	return level != LOG_LEVEL_INFO || !app->quiet;
}

void sink_emit(struct log *log, enum log_level level, const char *event, const char *message)
{
	struct app *app = (struct app *)log;

	if (level == LOG_LEVEL_WARNING)
		app->warnings++;
	if (!is_wanted(app, level))
		return;
	progress_clear(&app->progress);
	if (app->log_json) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		struct json j = JSON_INIT(&text, 0);

		begin_json(&j, level, event, message);
		end_json(app, &j);
		return;
	}
	fprintf(app->err, "dbops: %s%s%s\n", level == LOG_LEVEL_INFO ? "" : level_names[level],
		level == LOG_LEVEL_INFO ? "" : ": ", message);
	fflush(app->err);
}

void sink_progress(struct log *log, const char *what, int64_t done, int64_t total)
{
	struct app *app = (struct app *)log;

	progress_update(&app->progress, clock_monotonic(), what, done, total);
}

static void print_error_json(struct app *app, const struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	begin_json(&j, LOG_LEVEL_ERROR, "error", err->message);
	jsonw_int(&j, "code", err->code);
	jsonw_string(&j, "name", exit_code_name(err->code));
	jsonw_string(&j, "sqlstate", *err->sqlstate ? err->sqlstate : NULL);
	jsonw_string(&j, "detail", err->detail);
	jsonw_string(&j, "hint", err->hint);
	end_json(app, &j);
}

/* --format nagios, also when the command line is wrong elsewhere. */
static bool is_nagios(const struct app *app)
{
	const struct option *o = option_find_long(app_inspect_format_options, "format", 6);
	const struct setting *s = parsed_setting(&app->parsed, o);

	return s && strcmp(s->value, "nagios") == 0;
}

int app_failure_status(const struct app *app, const struct error *err)
{
	bool interrupted = err->code == EXIT_INTERRUPTED || err->code == EXIT_TERMINATED;

	if (is_nagios(app))
		return EXIT_UNKNOWN;
	if (app->check && !interrupted && err->code != EXIT_USAGE && err->code != EXIT_CONFIG && err->code != EXIT_BUG)
		return EXIT_UNKNOWN;
	return err->code;
}

/* A monitoring system shows the first line of stdout. */
static void print_nagios(struct app *app, const struct error *err)
{
	fputs("DBOPS ", app->report.out);
	for (const char *s = app->command ? app->command->name : ""; *s; s++)
		fputc(*s == '-' ? ' ' : toupper((unsigned char)*s), app->report.out);
	fputs(" UNKNOWN - ", app->report.out);
	for (const char *s = err->message ? err->message : "unknown"; *s; s++)
		fputc(*s == '|' ? '/' : (unsigned char)*s < 0x20 ? ' ' : *s, app->report.out);
	fputc('\n', app->report.out);
	fflush(app->report.out);
}

void app_print_error(struct app *app, const struct error *err)
{
	progress_clear(&app->progress);
	if (err->code == EXIT_PIPE)
		return;
	if (is_nagios(app))
		print_nagios(app, err);
	if (app->log_json) {
		print_error_json(app, err);
		return;
	}
	fprintf(app->err, "dbops: error: %s\n", err->message ? err->message : "unknown");
	if (err->detail)
		fprintf(app->err, "dbops: detail: %s\n", err->detail);
	if (err->hint)
		fprintf(app->err, "dbops: hint: %s\n", err->hint);
	fflush(app->err);
}
