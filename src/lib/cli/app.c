/* SPDX-License-Identifier: PostgreSQL */
#include "app.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include "help.h"
#include "nearest.h"
#include "redact.h"
#include "resolve.h"
#include "sink.h"

void app_init(struct app *app, const struct command *root, struct cancel *cancel, FILE *in, FILE *out,
	FILE *err)
{
	*app = (struct app){
		.log = { .emit = sink_emit, .progress = sink_progress },
		.cancel = cancel,
		.root = root,
		.report = { .out = out },
		.in = in,
		.err = err,
		.stderr_is_terminal = isatty(fileno(err)),
		.stdin_is_terminal = isatty(fileno(in)),
		.progress = { .out = err },
	};
}

void app_release(struct app *app)
{
	progress_release(&app->progress);
	parsed_release(&app->parsed);
	strvec_release(&app->operands);
	if (app->config)
		config_free(app->config);
	app->config = NULL;
}

static bool is_dumb_terminal(void)
{
	const char *term = getenv("TERM");

	return !term || strcmp(term, "dumb") == 0;
}

/* What the user's locale says; ours is always UTF-8 (setup.c). */
static bool is_utf8_terminal(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "UTF-8") || strcasestr(value, "utf8");
	}
	return false;
}

static int terminal_width(FILE *f)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	int given = columns ? (int)strtol(columns, NULL, 10) : 0;

	if (given > 0)
		return given;
	return ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static bool wants_color(const struct app *app)
{
	const char *no_color = getenv("NO_COLOR");

	if (strcmp(app->color_mode, "auto") != 0)
		return strcmp(app->color_mode, "always") == 0;
	return isatty(fileno(app->report.out)) && !(no_color && *no_color) && !is_dumb_terminal();
}

static enum progress_mode choose_progress(const struct app *app)
{
	if (strcmp(app->progress_mode, "none") == 0 || app->quiet)
		return PROGRESS_NONE;
	if (strcmp(app->progress_mode, "bar") == 0)
		return PROGRESS_BAR;
	if (strcmp(app->progress_mode, "plain") == 0)
		return PROGRESS_PLAIN;
	if (strcmp(app->progress_mode, "json") == 0 || app->log_json)
		return PROGRESS_JSON;
	return app->stderr_is_terminal && !is_dumb_terminal() ? PROGRESS_BAR : PROGRESS_PLAIN;
}

static void set_up_output(struct app *app)
{
	app->log_json = strcmp(app->log_format, "json") == 0;
	app->report.color = wants_color(app);
	app->report.utf8 = is_utf8_terminal();
	app->report.width = isatty(fileno(app->report.out)) ? terminal_width(app->report.out) : 0;
	app->progress.mode = choose_progress(app);
	app->progress.width = terminal_width(app->err);
	if (app->format && !report_format_parse(app->format, &app->report.format))
		BUG("--format %s", app->format);
}

/* How an error of the command line itself is printed must be known before the rest is. */
static void set_up_early_log(struct app *app)
{
	const struct resolve_context ctx = { .parsed = &app->parsed };
	const struct resolved r =
		resolve_origin(&ctx, option_find_long(app_global_options, "log-format", 10));

	app->log_json = r.text && strcmp(r.text, "json") == 0;
}

static void add_schema(const struct command *c, const char *path, void *data)
{
	struct option_sets sets;

	(void)path;
	command_option_sets(c, &sets);
	for (size_t i = 0; i < sets.len; i++)
		config_schema_add(data, sets.items[i].options);
}

void app_config_schema(const struct command *root, struct config_schema *ret)
{
	command_walk(root, root->name, add_schema, ret);
}

static bool choose_profile(struct app *app, struct error *err)
{
	const struct config *c = app->config;
	const char *name = app->profile ? app->profile : c->default_profile;

	app->config_profile = name;
	if (!name || strvec_contains(&c->names[CONFIG_PROFILE], name))
		return true;

	struct nearest n = NEAREST_INIT(name);

	error_set(err, EXIT_CONFIG, "there is no profile '%s' in the configuration", name);
	error_detail(err, "configuration file: %s", c->path ? c->path : "none");
	for (size_t i = 0; i < c->names[CONFIG_PROFILE].len; i++)
		nearest_try(&n, c->names[CONFIG_PROFILE].items[i]);
	return n.best ? error_hint(err, "Did you mean '%s'?", n.best) : false;
}

static bool check_config(struct app *app, struct error *err)
{
	_cleanup_problems_ struct config_problems problems = { 0 };
	struct config_schema schema = { 0 };

	app_config_schema(app->root, &schema);
	config_check(app->config, &schema, &problems);

	bool ok = config_problems_error(app->config, &problems, err);

	if (ok && app->config->exposed && config_has_password(app->config, &schema))
		log_warning(&app->log, "config.exposed",
			"%s holds a password and everybody on this machine can read it; chmod 600 it",
			app->config->path);
	vec_release(&schema);
	return ok;
}

bool app_load_config(struct app *app, struct error *err)
{
	autofree char *path = config_find(app->config_path);

	if (app->config)
		config_free(app->config);
	app->config = config_load(path, err);
	return app->config && check_config(app, err) && choose_profile(app, err);
}

/* Which file and profile are read decides about everything else. */
static bool resolve_app(struct app *app, struct error *err)
{
	const struct resolve_context first = { .parsed = &app->parsed };

	if (!resolve_options(&first, app_global_options, app, err))
		return false;
	if (app->command->flags & COMMAND_NO_CONFIG) {
		app->config = config_new();
		return true;
	}
	return app_load_config(app, err);
}

static bool resolve_sets(struct app *app, void *args, struct error *err)
{
	const struct resolve_context ctx = { &app->parsed, app->config, app->config_profile };
	struct option_sets sets;

	command_option_sets(app->command, &sets);
	for (size_t i = 0; i < sets.len; i++)
		if (!resolve_options(&ctx, sets.items[i].options,
			    sets.items[i].of_app ? (void *)app : args, err))
			return false;
	return resolve_check_required(&ctx, app->command->options, err);
}

static bool check_places(const struct app *app, struct error *err)
{
	const struct option *dir = option_find_long(app_repository_options, "dir", 3);

	if (!app->from || !parsed_setting(&app->parsed, dir))
		return true;
	return error_set(err, EXIT_USAGE, "--dir and --from exclude each other");
}

static void note_password(struct app *app)
{
	bool found = false;
	size_t start, len;

	for (size_t i = 0; i < app->parsed.len; i++) {
		const struct setting *s = &app->parsed.items[i];

		found |= option_may_hold_password(s->option) && conninfo_password(s->value, 0, &start, &len);
	}
	if (found)
		log_info(&app->log, "argv.password",
			"note: a password on the command line can be seen by other users of this machine; "
			"~/.pgpass, PGPASSWORD or DATABASE_URL keep it");
}

static bool run_command(struct app *app, struct error *err)
{
	const struct command *c = app->command;
	_cleanup_error_ struct error own = ERROR_INIT;
	autofree void *args = xcalloc(1, c->args_size + 1);
	bool ok = resolve_sets(app, args, &own) && check_places(app, &own);

	if (ok) {
		set_up_output(app);
		note_password(app);
		ok = c->run(app, args, &own);
		progress_clear(&app->progress);
	}
	option_release(c->options, args);
	if (ok || (app->dry_run && !error_is_set(&own)))
		return true;
	if (!error_is_set(&own))
		BUG("'%s' failed without an error", c->name);
	return error_move(err, &own);
}

static bool print_help(struct app *app, struct error *err)
{
	autofree char *path = parsed_path(&app->parsed);
	bool terminal = isatty(fileno(app->report.out));

	return help_print(app->report.out, app->command, path,
		terminal ? terminal_width(app->report.out) : 80, err);
}

void app_prepare(struct app *app, int n, char *const words[])
{
	const struct resolve_context words_only = { .parsed = &app->parsed };
	struct option_sets sets;

	parse_words(app->root, n, words, &app->parsed, NULL);
	app->command = app->parsed.command;
	resolve_options(&words_only, app_global_options, app, NULL);
	app_load_config(app, NULL);
	if (!app->config)
		app->config = config_new();

	const struct resolve_context ctx = { &app->parsed, app->config, app->config_profile };

	command_option_sets(app->command, &sets);
	for (size_t i = 0; i < sets.len; i++)
		if (sets.items[i].of_app)
			resolve_options(&ctx, sets.items[i].options, app, NULL);
}

bool app_run(struct app *app, int argc, char *const argv[], struct error *err)
{
	bool ok = parse_words(app->root, argc - 1, argv + 1, &app->parsed, err);

	app->command = app->parsed.command;
	set_up_early_log(app);
	if (!ok)
		return false;
	if (parsed_setting(&app->parsed, option_find_long(app_global_options, "help", 4)))
		return print_help(app, err);
	if (parsed_setting(&app->parsed, option_find_long(app_root_options, "version", 7)))
		return version_print(app->report.out, err);
	if (!parse_check_operands(&app->parsed, err))
		return false;
	for (size_t i = 0; i < app->parsed.operands.len; i++)
		strvec_push(&app->operands, app->parsed.operands.items[i]);
	return resolve_app(app, err) && run_command(app, err);
}
