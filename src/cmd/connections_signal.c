/* SPDX-License-Identifier: PostgreSQL */
/* dbops connections cancel, dbops connections terminate - end a statement or a session, by pid or by rule. */
#include "commands.h"
#include "connections_commands.h"
#include "signal_sessions.h"

static const struct example cancel_examples[] = {
	{ "dbops connections cancel 4711 --yes", "end the statement that pid 4711 runs; its session goes on" },
	{ "dbops connections cancel --role report --state active --older-than 15min --escalate 10s --yes",
		"long statements of one role; sessions that do not stop within 10 s are terminated" },
	{ NULL, NULL },
};

static const struct example terminate_examples[] = {
	{ "dbops connections terminate --idle-in-transaction --older-than 10min --dry-run", "who would go" },
	{ "dbops connections terminate --idle-in-transaction --older-than 10min --role app --yes", "from cron" },
	{ "dbops connections terminate 4711 --expect-start 2026-11-20T20:36:16.123456Z --yes", "this session and no later one" },
	{ NULL, NULL },
};

#define HOW                                                                                                                \
	"The plan is shown first and wants a typed yes, or --yes. The signal goes to the session that was planned: its "   \
	"start is compared in the statement that sends it, and for a rule also that it is still in the state it was "      \
	"chosen for. Then dbops looks whether it worked, for --wait: the server's own \"true\" only says that a signal "   \
	"was sent.\n\n"                                                                                                    \
	"Replication, autovacuum, background and superusers' sessions are left alone without --force; our own, and "       \
	"autovacuum against wraparound, always. Other roles' sessions need pg_signal_backend, and pg_monitor to be seen. " \
	"\"allow_kill: false\" in dbops.yaml, at the top or in a profile, refuses both commands.\n\n"                      \
	"The exit status is 1 when a session is still there or the server refused, 66 when there is no such session, 76 "  \
	"when a session that was named is left alone."

const struct command connections_cancel_command = {
	CANCEL_COMMAND,
	.summary = "end the statements of sessions, by pid or by rule",
	.detail = "Cancels what sessions run; the sessions themselves go on. A session that is idle in a transaction runs nothing: "
		  "it can only be terminated.\n\n" HOW,
	.examples = cancel_examples,
};

const struct command connections_terminate_command = {
	TERMINATE_COMMAND,
	.summary = "end sessions, by pid or by rule",
	.detail = "Ends sessions; what they had not committed is rolled back.\n\n" HOW,
	.examples = terminate_examples,
};
