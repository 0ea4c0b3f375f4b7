/* SPDX-License-Identifier: PostgreSQL */
/* dbops config - what the configuration says, where each value comes from, and what is wrong with it. */
#include "commands.h"
#include "nearest.h"
#include "redact.h"
#include "resolve.h"

#define HIDDEN_TEXT "********"

static const struct column show_columns[] = {
	{ "key", "KEY", CELL_TEXT, 0, "configuration key" },
	{ "value", "VALUE", CELL_TEXT, COLUMN_WIDE, "value in force; passwords are hidden" },
	{ "origin", "ORIGIN", CELL_TEXT, 0,
		"argument, environment, profile, config (top level of the file), default or unset" },
	{ "place", "PLACE", CELL_TEXT, 0, "the option, the variable, or file:line:column" },
	COLUMN_END,
};

static const struct operand show_operands[] = {
	{ "KEY", "show only this key, or the keys below it ('backup')", 0, 0, COMPLETE_NONE },
	{ .name = NULL },
};

static const struct example show_examples[] = {
	{ "dbops config show", "Everything that is in force, and why." },
	{ "dbops config show --profile app backup", "What backups of the profile 'app' do." },
	{ NULL, NULL },
};

/* True when key is wanted itself or stands below it. */
static bool is_below(const char *key, const char *wanted)
{
	size_t len = strlen(wanted);

	return key && strncmp(key, wanted, len) == 0 && (key[len] == '\0' || key[len] == '.');
}

static bool is_wanted(const struct app *app, const char *key)
{
	for (size_t i = 0; i < app->operands.len; i++)
		if (is_below(key, app->operands.items[i]))
			return true;
	return !app->operands.len;
}

static void add_value(const struct option *o, const struct resolved *r, struct strbuf *out)
{
	if (o->flags & OPTION_SECRET) {
		strbuf_adds(out, HIDDEN_TEXT);
		return;
	}
	if (!r->config) {
		conninfo_redact(r->text, out);
		return;
	}
	for (size_t i = 0; i < r->config->values.len; i++) {
		strbuf_adds(out, i ? ", " : "");
		conninfo_redact(r->config->values.items[i], out);
	}
}

static void show_option(struct report *report, const struct resolve_context *ctx, const struct option *o)
{
	_cleanup_strbuf_ struct strbuf value = STRBUF_INIT, place = STRBUF_INIT;
	struct resolved r = resolve_origin(ctx, o);

	if (r.origin != ORIGIN_UNSET)
		add_value(o, &r, &value);
	resolved_add_place(ctx, o, &r, &place);

	const struct cell cells[] = {
		CELL_OF_TEXT(o->config_key),
		CELL_OF_TEXT(r.origin == ORIGIN_UNSET ? NULL : value.buf),
		CELL_OF_TEXT(origin_name(r.origin)),
		CELL_OF_TEXT(place.len ? place.buf : NULL),
	};

	report_row(report, cells);
}

/* Keys of remotes and suppressions exist in the file only: no environment, no command line. */
static void show_named(const struct app *app, struct report *report)
{
	for (size_t i = 0; i < app->config->len; i++) {
		const struct config_value *v = &app->config->items[i];

		if (!config_named[v->section].options || !v->values.len)
			continue;

		autofree char *key = xasprintf("%s.%s.%s", config_named[v->section].key, v->name, v->key);
		autofree char *place = xasprintf("%s:%d:%d", app->config->path, v->line, v->column);
		const struct cell cells[] = { CELL_OF_TEXT(key), CELL_OF_TEXT(v->values.items[0]),
			CELL_OF_TEXT("config"), CELL_OF_TEXT(place) };

		if (is_wanted(app, key))
			report_row(report, cells);
	}
}

static bool is_known(const struct app *app, const struct config_schema *schema, const char *word)
{
	for (size_t i = 0; i < schema->len; i++)
		if (is_below(schema->items[i]->config_key, word))
			return true;
	for (size_t i = 0; i < app->config->len; i++) {
		const struct config_value *v = &app->config->items[i];

		if (!config_named[v->section].options)
			continue;

		autofree char *key = xasprintf("%s.%s.%s", config_named[v->section].key, v->name, v->key);

		if (is_below(key, word))
			return true;
	}
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		if (config_named[i].options && strcmp(word, config_named[i].key) == 0)
			return true;
	return false;
}

static bool check_words(const struct app *app, const struct config_schema *schema, struct error *err)
{
	for (size_t i = 0; i < app->operands.len; i++) {
		const char *word = app->operands.items[i];
		struct nearest n = NEAREST_INIT(word);

		if (is_known(app, schema, word))
			continue;
		error_set(err, EXIT_USAGE, "there is no configuration key '%s'", word);
		for (size_t k = 0; k < schema->len; k++)
			nearest_try(&n, schema->items[k]->config_key);
		return n.best ? error_hint(err, "Did you mean '%s'?", n.best) : false;
	}
	return true;
}

static void show_header(const struct app *app, struct report *report)
{
	struct json *j = report_header(report);

	if (j) {
		jsonw_string(j, "file", app->config->path);
		jsonw_string(j, "profile", app->config_profile);
	}
}

static bool show_rows(struct app *app, const struct config_schema *schema, struct error *err)
{
	const struct resolve_context ctx = { &app->parsed, app->config, app->config_profile };

	if (!check_words(app, schema, err))
		return false;
	log_info(&app->log, "config.file", "configuration file: %s; profile: %s",
		app->config->path ? app->config->path : "none",
		app->config_profile ? app->config_profile : "none");

	_cleanup_report_ struct report *report = report_begin(&app->report, "settings", show_columns);

	show_header(app, report);
	for (size_t i = 0; i < schema->len; i++)
		if (is_wanted(app, schema->items[i]->config_key))
			show_option(report, &ctx, schema->items[i]);
	show_named(app, report);
	return report_end(steal(report), err);
}

static bool show_run(struct app *app, const void *args, struct error *err)
{
	struct config_schema schema = { 0 };

	(void)args;
	app_config_schema(app->root, &schema);

	bool ok = show_rows(app, &schema, err);

	vec_release(&schema);
	return ok;
}

static const struct command config_show_command = {
	.name = "show",
	.summary = "print each setting and where it comes from",
	.detail = "Prints every configuration key with the value that is in force now and its origin: the "
		  "command line goes before the environment, the environment before the profile, the "
		  "profile before the top level of the file, that before the default.",
	.operands = show_operands,
	.columns = show_columns,
	.examples = show_examples,
	.flags = COMMAND_ROWS,
	.run = show_run,
};

static const struct column check_columns[] = {
	{ "file", "FILE", CELL_TEXT, 0, "configuration file" },
	{ "line", "LINE", CELL_INT, 0, "line, from 1" },
	{ "column", "COLUMN", CELL_INT, 0, "column, from 1" },
	{ "message", "PROBLEM", CELL_TEXT, COLUMN_WIDE, "what is wrong" },
	{ "hint", "HINT", CELL_TEXT, COLUMN_WIDE, "what would be right" },
	COLUMN_END,
};

static const struct example check_examples[] = {
	{ "dbops config check", "Check the file that dbops would use." },
	{ "dbops config check --config ./dbops.yaml", "Check a file before it is installed." },
	{ NULL, NULL },
};

static int compare_problems(const void *a, const void *b)
{
	const struct config_problem *x = a, *y = b;

	return x->line != y->line ? x->line - y->line : x->column - y->column;
}

static void add_error(struct config_problems *problems, const struct error *err)
{
	struct config_problem *p = vec_push(problems);

	p->line = p->column = 1;
	p->message = xstrdup(err->message);
	p->hint = xstrdup(err->hint);
}

static void check_remotes(const struct config *config, struct config_problems *problems)
{
	const struct strvec *names = &config->names[CONFIG_REMOTE];

	for (size_t i = 0; i < names->len; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_remote_ struct config_remote remote = { 0 };

		if (!config_remote(config, names->items[i], &remote, &err))
			add_error(problems, &err);
	}
}

static void check_suppressions(const struct config *config, struct config_problems *problems)
{
	const struct strvec *names = &config->names[CONFIG_SUPPRESSION];

	for (size_t i = 0; i < names->len; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		struct config_suppression suppression;

		if (!config_suppression(config, names->items[i], &suppression, &err))
			add_error(problems, &err);
	}
}

static void check_all(struct app *app, struct config_problems *problems)
{
	struct config_schema schema = { 0 };

	app_config_schema(app->root, &schema);
	config_check(app->config, &schema, problems);
	/* values of the wrong type are reported already, and a remote with one cannot be read */
	if (!problems->len) {
		check_remotes(app->config, problems);
		check_suppressions(app->config, problems);
	}
	if (problems->len)
		qsort(problems->items, problems->len, sizeof(*problems->items), compare_problems);
	if (app->config->exposed && config_has_password(app->config, &schema))
		log_warning(&app->log, "config.exposed",
			"%s holds a password and everybody on this machine can read it; chmod 600 it",
			app->config->path);
	vec_release(&schema);
}

static bool print_problems(struct app *app, const struct config_problems *problems, struct error *err)
{
	_cleanup_report_ struct report *report =
		report_begin(&app->report, "problems", check_columns);

	for (size_t i = 0; i < problems->len; i++) {
		const struct config_problem *p = &problems->items[i];
		const struct cell cells[] = { CELL_OF_TEXT(app->config->path), CELL_OF_INT(p->line),
			CELL_OF_INT(p->column), CELL_OF_TEXT(p->message), CELL_OF_TEXT(p->hint) };

		report_row(report, cells);
	}
	return report_end(steal(report), err);
}

static bool check_run(struct app *app, const void *args, struct error *err)
{
	_cleanup_problems_ struct config_problems problems = { 0 };
	autofree char *path = config_find(app->config_path);

	(void)args;
	config_free(app->config);
	app->config = config_load(path, err);
	if (!app->config)
		return false;
	check_all(app, &problems);
	if ((problems.len || app->report.format != FORMAT_TABLE) &&
		!print_problems(app, &problems, err))
		return false;
	if (problems.len)
		return error_set(err, EXIT_CONFIG, "%zu problem%s in %s", problems.len,
			problems.len == 1 ? "" : "s", path);
	if (path)
		log_info(&app->log, "config.ok", "%s is in order", path);
	else
		log_info(&app->log, "config.none", "there is no configuration file");
	return true;
}

static const struct command config_check_command = {
	.name = "check",
	.summary = "look for mistakes in the configuration",
	.detail = "Reads the configuration file and reports unknown keys, values that an option would not "
		  "accept and remotes that cannot be used, all of them, with line and column.",
	.columns = check_columns,
	.examples = check_examples,
	.flags = COMMAND_ROWS | COMMAND_NO_CONFIG,
	.run = check_run,
};

static const struct command *const children[] = { &config_show_command, &config_check_command, NULL };

const struct command config_command = {
	.name = "config",
	.summary = "show and check the configuration",
	.detail = "The configuration file is explained in dbops.yaml(5).",
	.children = children,
};
