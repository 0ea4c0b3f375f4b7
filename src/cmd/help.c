/* SPDX-License-Identifier: PostgreSQL */
/* dbops help - the tables as text, as manual pages, as JSON. */
#include "help.h"

#include "commands.h"

struct help_args {
	const char *format;
};

static const char *const formats[] = { "text", "man", "json", NULL };

static const struct option options[] = {
	OPT_ENUM(struct help_args, format, .long_name = "format", .choices = formats, .fallback = "text",
		.help = "text; man: the manual page's source; json: the whole command line, described"),
	OPT_END,
};

static const struct operand operands[] = {
	{ "COMMAND", "command to explain, such as 'config show'; 'dbops.yaml' (with --format man): the "
		     "configuration file", 0, 0, COMPLETE_COMMAND },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops help config show", "Explain 'dbops config show'." },
	{ "dbops help --format json", "Describe all commands, options, columns and exit codes." },
	{ NULL, NULL },
};

struct topic {
	const struct command *command;
	struct strbuf path; /* "dbops config show" */
};

static void fill(struct json *j, const void *data)
{
	const struct topic *topic = data;

	introspect(topic->command, topic->path.buf, j);
}

static bool find(struct app *app, struct topic *ret, struct error *err)
{
	const struct command *c = app->root;

	strbuf_adds(&ret->path, c->name);
	for (size_t i = 0; i < app->operands.len; i++) {
		const char *word = app->operands.items[i];
		const struct command *child = command_child(c, word);

		if (!child) {
			const char *near = command_nearest_child(c, word);

			error_set(err, EXIT_USAGE, "'%s' is not a command of %s", word, ret->path.buf);
			return near ? error_hint(err, "Did you mean '%s %s'?", ret->path.buf, near) :
				      false;
		}
		c = child;
		strbuf_addf(&ret->path, " %s", word);
	}
	ret->command = c;
	return true;
}

static bool is_config_page(const struct app *app)
{
	return app->operands.len == 1 && strcmp(app->operands.items[0], "dbops.yaml") == 0;
}

static bool print(struct app *app, const struct topic *topic, const char *format, struct error *err)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;

	if (strcmp(format, "json") == 0)
		return report_document(&app->report, fill, topic, err);
	if (strcmp(format, "text") == 0)
		return help_print(app->report.out, topic->command, topic->path.buf,
			app->report.width ? app->report.width : 80, err);
	man_page(topic->command, topic->path.buf, &page);
	return print_text(app->report.out, &page, err);
}

static bool print_config_page(struct app *app, struct error *err)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;

	man_config_page(app->root, &page);
	return print_text(app->report.out, &page, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct help_args *args = data;
	struct topic topic = { .path = STRBUF_INIT };

	if (strcmp(args->format, "man") == 0 && is_config_page(app))
		return print_config_page(app, err);

	bool ok = find(app, &topic, err) && print(app, &topic, args->format, err);

	strbuf_release(&topic.path);
	return ok;
}

const struct command help_command = {
	.name = "help",
	.summary = "explain a command",
	.detail = "Prints what 'dbops COMMAND --help' prints. The other formats are for machines: the manual "
		  "pages and the completions are made from the same tables.",
	.options = options,
	.operands = operands,
	.examples = examples,
	.args_size = sizeof(struct help_args),
	.flags = COMMAND_NO_CONFIG,
	.run = run,
};
