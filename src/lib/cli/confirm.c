/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <poll.h>

#include "app.h"
#include "strbuf.h"

static void print_plan(FILE *out, const char *plan)
{
	size_t len = strlen(plan);

	fprintf(out, "%s%s", plan, len && plan[len - 1] == '\n' ? "" : "\n");
	fflush(out);
}

/* Waits for the answer's first byte, so that a signal ends the question. */
static bool wait_for_answer(struct app *app, struct error *err)
{
	struct pollfd fds[2] = {
		{ .fd = fileno(app->in), .events = POLLIN },
		{ .fd = app->cancel ? app->cancel->wake_fd : -1, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return error_set_errno(err, EXIT_BUG, errno, "cannot wait for the answer");
	return cancel_check(app->cancel, err);
}

static bool ask(struct app *app, struct error *err)
{
	autofree char *line = NULL;
	size_t size = 0;

	fputs("Type 'yes' to go on: ", app->err);
	fflush(app->err);
	if (!wait_for_answer(app, err))
		return false;

	ssize_t len = getline(&line, &size, app->in);

	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	if (len > 0 && strcmp(line, "yes") == 0)
		return true;
	return error_set(err, EXIT_CONFIG, "not confirmed, nothing was changed");
}

bool app_confirm(struct app *app, const char *plan, struct error *err)
{
	progress_clear(&app->progress);
	if (app->dry_run) {
		print_plan(app->report.format == FORMAT_TABLE ? app->report.out : app->err, plan);
		return false;
	}
	print_plan(app->err, plan);
	if (app->yes)
		return true;
	if (app->stdin_is_terminal && app->stderr_is_terminal)
		return ask(app, err);
	error_set(err, EXIT_CONFIG, "a confirmation is needed, and there is no terminal to ask on");
	return error_hint(err, "Add --yes to do it, or --dry-run to see the plan only.");
}
