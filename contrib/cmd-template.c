/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops greet - a whole example command: copy it to src/cmd/, rename, and add a line to
 * src/cmd/meson.build, commands.h and commands.c. tests/unit/test_cmd_template.c runs it.
 *
 * A command file has five parts, always in this order: what it is for; the args struct; the
 * options, columns and other tables; run() and its helpers; the record.
 */
#include "app.h"

struct greet_args {
	int64_t times;
	const char *tone;
	struct strvec guest;
};

static const char *const tones[] = { "plain", "loud", NULL };

static const struct option options[] = {
	OPT_INT(struct greet_args, times, .short_name = 't', .long_name = "times", .metavar = "N",
		.config_key = "greet.times", .fallback = "1", .min = 1, .max = 10,
		.help = "greet each guest N times"),
	OPT_ENUM(struct greet_args, tone, .long_name = "tone", .choices = tones, .fallback = "plain",
		.help = "how to greet"),
	OPT_LIST(struct greet_args, guest, .long_name = "guest", .metavar = "NAME",
		.help = "a further guest"),
	OPT_END,
};

static const struct operand operands[] = {
	{ "NAME", "whom to greet", 1, 1, COMPLETE_NONE },
	{ .name = NULL },
};

static const struct column columns[] = {
	{ "guest", "GUEST", CELL_TEXT, 0, "who was greeted" },
	{ "greeting", "GREETING", CELL_TEXT, COLUMN_WIDE, "what was said" },
	{ "length", "LENGTH", CELL_INT, COLUMN_EXTRA, "letters that were said" },
	COLUMN_END,
};

static const struct example examples[] = {
	{ "dbops greet Ada --times 2", "Greet Ada twice." },
	{ "dbops greet Ada --guest Grace --format json", "Greet two, for a program." },
	{ NULL, NULL },
};

static void greet(struct report *report, const struct greet_args *args, const char *guest)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	bool loud = strcmp(args->tone, "loud") == 0;

	for (int64_t i = 0; i < args->times; i++)
		strbuf_addf(&text, "%sHello, %s%c", i ? " " : "", guest, loud ? '!' : '.');

	const struct cell cells[] = { CELL_OF_TEXT(guest), CELL_OF_TEXT(text.buf),
		CELL_OF_INT((int64_t)text.len) };

	report_row(report, cells);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct greet_args *args = data;
	const char *first = app->operands.items[0];

	if (!*first) {
		error_set(err, EXIT_USAGE, "the guest has no name");
		return error_hint(err, "Give a name that is not empty.");
	}
	if (!app_confirm(app, "greet the guests", err))
		return false;

	_cleanup_report_ struct report *report = report_begin(&app->report, "greetings", columns);

	greet(report, args, first);
	for (size_t i = 0; i < args->guest.len; i++)
		greet(report, args, args->guest.items[i]);
	log_info(&app->log, "greet.done", "greeted %zu guests", args->guest.len + 1);
	return report_end(steal(report), err);
}

extern const struct command greet_command; /* in a real command: src/cmd/commands.h */
const struct command greet_command = {
	.name = "greet",
	.summary = "greet guests",
	.detail = "Says hello. The first paragraph tells what the command does and for whom.\n\n"
		  "Further paragraphs tell what one must know to rely on it.",
	.options = options,
	.operands = operands,
	.columns = columns,
	.examples = examples,
	.args_size = sizeof(struct greet_args),
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = run,
};
