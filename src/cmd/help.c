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

static void fill(struct json *j, const void *data)
{
	introspect(data, j);
}

static const struct command *find(struct app *app, struct strbuf *path, struct error *err)
{
	const struct command *c = app->root;

	strbuf_adds(path, c->name);
	for (size_t i = 0; i < app->operands.len; i++) {
		const char *word = app->operands.items[i];
		const struct command *child = command_child(c, word);

		if (!child) {
			const char *near = command_nearest_child(c, word);

			error_set(err, EXIT_USAGE, "'%s' is not a command of %s", word, path->buf);
			if (near)
				error_hint(err, "Did you mean '%s'?", near);
			return NULL;
		}
		c = child;
		strbuf_addf(path, " %s", word);
	}
	return c;
}

static bool is_config_page(const struct app *app)
{
	return app->operands.len == 1 && strcmp(app->operands.items[0], "dbops.yaml") == 0;
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct help_args *args = data;
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT, page = STRBUF_INIT;
	bool man = strcmp(args->format, "man") == 0;
	const struct command *c;

	if (strcmp(args->format, "json") == 0)
		return report_document(&app->report, fill, app->root, err);
	if (man && is_config_page(app)) {
		man_config_page(app->root, &page);
		return print_text(app->report.out, &page, err);
	}
	c = find(app, &path, err);
	if (!c)
		return false;
	if (!man)
		return help_print(app->report.out, c, path.buf,
			app->report.width ? app->report.width : 80, err);
	man_page(c, path.buf, &page);
	return print_text(app->report.out, &page, err);
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
