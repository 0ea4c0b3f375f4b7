/* SPDX-License-Identifier: PostgreSQL */
/* dbops locks cancel, dbops locks terminate - end a blocker; the engine is signal_sessions.h's. */
#include "locks.h"

#include "signal_sessions.h"

static const struct example cancel_examples[] = {
	{ "dbops locks cancel 4711 --yes", "an ALTER TABLE in the queue: who stands behind it goes on" },
	{ "dbops locks cancel 4711 --escalate 10s --yes", "terminate it if its statement has not stopped within 10 s" },
	{ NULL, NULL },
};

static const struct example terminate_examples[] = {
	{ "dbops locks terminate 4711 --expect-start 2026-11-20T20:36:16.123456Z --yes", "this session and no later one" },
	{ NULL, NULL },
};

#define HOW                                                                                                                  \
	"dbops locks --release-plan says whom to end, how, and what that frees. The plan is shown first and wants a typed yes, or " \
	"--yes; the signal goes to the session that was planned, never to a later one with the same process id. The same as dbops "  \
	"connections cancel and terminate, which say more about rules and refusals."

const struct command locks_cancel_command = {
	CANCEL_COMMAND,
	.summary = "end the statement of a blocker",
	.detail = "Cancels what a session runs: its transaction is undone and its locks go, its session goes on. Locks of the session itself, such "
		  "as pg_advisory_lock()'s, stay. A session that is idle in a transaction runs nothing: it can only be terminated.\n\n" HOW,
	.examples = cancel_examples,
};

const struct command locks_terminate_command = {
	TERMINATE_COMMAND,
	.summary = "end the session of a blocker",
	.detail = "Ends a session; what it had not committed is rolled back, and all its locks go.\n\n" HOW,
	.examples = terminate_examples,
};
