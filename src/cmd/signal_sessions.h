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

/* The whole run: plan, question, signals, result. */
bool signal_sessions(struct app *app, const struct signal_args *args, enum signal_action action, struct error *err);

#endif
