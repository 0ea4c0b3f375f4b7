/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops complete - candidates for the word at the cursor; called by the completion scripts. It never
 * complains and never asks: whatever goes wrong, there are just fewer candidates.
 */
#include "complete.h"

#include <signal.h>
#include "commands.h"
#include "repository.h"

#define PATIENCE_SECONDS 2

static bool list_profiles(struct app *app, struct strvec *out)
{
	config_profile_names(app->config, out);
	return true;
}

static bool list_remotes(struct app *app, struct strvec *out)
{
	config_remote_names(app->config, out);
	return true;
}

/* Who knows the live values of a kind. */
static const struct completer {
	enum completion kind;
	bool (*list)(struct app *app, struct strvec *out);
} completers[] = {
	{ COMPLETE_PROFILE, list_profiles },
	{ COMPLETE_REMOTE, list_remotes },
	{ COMPLETE_BACKUP, complete_backups },
};

static const struct operand operands[] = {
	{ "WORD", "the words behind 'dbops'; the last one is being typed", 0, 0, COMPLETE_NONE },
	{ .name = NULL },
};

/* A storage that does not answer must not hang the user's shell: main's handler asks to stop. */
static void give_up(int signal)
{
	(void)signal;
	raise(SIGTERM);
}

static void limit_time(void)
{
	struct sigaction action = { .sa_handler = give_up };

	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	alarm(PATIENCE_SECONDS);
}

static void add_live_values(struct app *app, const struct cursor *c, struct strvec *out)
{
	_cleanup_strvec_ struct strvec all = { 0 };

	for (size_t i = 0; i < sizeof(completers) / sizeof(completers[0]); i++)
		if (completers[i].kind == cursor_kind(c))
			completers[i].list(app, &all);
	for (size_t i = 0; i < all.len; i++)
		if (strncmp(all.items[i], c->prefix, strlen(c->prefix)) == 0)
			strvec_pushf(out, "%s%s", c->before ? c->before : "", all.items[i]);
}

static bool needs_live_values(const struct cursor *c)
{
	enum completion kind = cursor_kind(c);

	return kind == COMPLETE_PROFILE || kind == COMPLETE_REMOTE || kind == COMPLETE_BACKUP;
}

static bool run(struct app *app, const void *args, struct error *err)
{
	_cleanup_cursor_ struct cursor cursor;
	_cleanup_strvec_ struct strvec found = { 0 };
	int n = (int)app->operands.len;

	(void)args, (void)err;
	cursor_find(app->root, n, app->operands.items, &cursor);
	cursor_candidates(app->root, &cursor, &found);
	if (needs_live_values(&cursor)) {
		struct app other;

		limit_time();
		app_init(&other, app->root, app->cancel, app->in, app->report.out, app->err);
		other.log = (struct log){ 0 };
		app_prepare(&other, n ? n - 1 : 0, app->operands.items);
		add_live_values(&other, &cursor, &found);
		app_release(&other);
	}
	for (size_t i = 0; i < found.len; i++)
		fprintf(app->report.out, "%s\n", found.items[i]);
	return true;
}

const struct command complete_command = {
	.name = "complete",
	.summary = "print candidates for the word at the cursor",
	.operands = operands,
	.flags = COMMAND_HIDDEN | COMMAND_NO_CONFIG,
	.run = run,
};
