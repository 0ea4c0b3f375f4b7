/* SPDX-License-Identifier: PostgreSQL
 *
 * signal_sessions.h - the commands that cancel statements and terminate sessions: `connections cancel`,
 * `connections terminate`, and the same of `locks`.
 */
#ifndef DBOPS_CMD_SIGNAL_SESSIONS_H
#define DBOPS_CMD_SIGNAL_SESSIONS_H

#include "app.h"
#include "signal_backend.h"

struct signal_args {
	struct strvec role;
	const char *database, *application, *client, *state, *older_than, *expect_start;
	bool idle_in_transaction, force, allow_kill;
	int64_t wait, escalate;
};

/* Rows of what was done; operands PID. */
extern const struct column signal_columns[];
extern const struct operand signal_operands[];
extern const struct option signal_cancel_options[], signal_terminate_options[];

/* The whole run: plan, question, signals, result. args: struct signal_args. */
bool signal_cancel(struct app *app, const void *args, struct error *err);
bool signal_terminate(struct app *app, const void *args, struct error *err);

/* A record but for its texts and examples. */
#define CANCEL_COMMAND    .name = "cancel", .options = signal_cancel_options, .run = signal_cancel, SIGNAL_COMMAND
#define TERMINATE_COMMAND .name = "terminate", .options = signal_terminate_options, .run = signal_terminate, SIGNAL_COMMAND
#define SIGNAL_COMMAND                                                                                          \
	.operands = signal_operands, .columns = signal_columns, .args_size = sizeof(struct signal_args),        \
	.needs = NEED_SERVER, .flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE

#endif
