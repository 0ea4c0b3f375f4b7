/* SPDX-License-Identifier: PostgreSQL */
/* dbops completion - the completion script of a shell. */
#include "commands.h"
#include "complete.h"
#include "help.h"

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static const struct operand operands[] = {
	{ "SHELL", "bash, zsh or fish", 1, 1, COMPLETE_CHOICES, shells },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops completion bash > ~/.local/share/bash-completion/completions/dbops",
		"Install the completion for yourself; packages install it for everybody." },
	{ NULL, NULL },
};

static bool run(struct app *app, const void *args, struct error *err)
{
	_cleanup_strbuf_ struct strbuf script = STRBUF_INIT;
	const char *shell = app->operands.items[0];

	(void)args;
	if (strcmp(shell, "bash") == 0)
		completion_bash(app->root, &script);
	else if (strcmp(shell, "zsh") == 0)
		completion_zsh(app->root, &script);
	else
		completion_fish(app->root, &script);
	return print_text(app->report.out, &script, err);
}

const struct command completion_command = {
	.name = "completion",
	.summary = "print a shell's completion script",
	.detail = "Prints the script that completes commands, options and their values in a shell. Names of "
		  "profiles, remotes and backups are asked for when they are needed.",
	.operands = operands,
	.examples = examples,
	.flags = COMMAND_NO_CONFIG,
	.run = run,
};
