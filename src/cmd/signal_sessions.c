/* SPDX-License-Identifier: PostgreSQL */
#include "signal_sessions.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include "clock.h"
#include "repository.h"

static const char *const states[] = { "active", "idle", "idle in transaction", "idle in transaction (aborted)", NULL };

static bool check_age(const char *text, struct error *err)
{
	int64_t ms;

	if (duration_parse(text, &ms) && ms > 0)
		return true;
	error_set(err, EXIT_USAGE, "'%s' is not a time", text);
	return error_hint(err, "Write it as 90s, 15min, 1h30m or 2d.");
}

static bool check_start(const char *text, struct error *err)
{
	int64_t us;

	if (clock_parse_utc(text, &us))
		return true;
	error_set(err, EXIT_USAGE, "'%s' is not a point in time", text);
	return error_hint(err, "Give backend_start as dbops prints it: 2026-11-20T20:36:16.123456Z.");
}

#define SIGNAL_OPTIONS                                                                                                       \
	OPT_STRING(struct signal_args, expect_start, .long_name = "expect-start", .metavar = "TIME", .check = check_start,   \
		.help = "backend_start of the session, so that a later one with the same pid is left alone; one PID only"),  \
	OPT_GROUP("Or all sessions that match"),                                                                             \
	OPT_FLAG(struct signal_args, idle_in_transaction, .long_name = "idle-in-transaction",                                \
		.help = "idle in an open transaction, aborted or not"),                                                      \
	OPT_ENUM(struct signal_args, state, .long_name = "state", .choices = states, .help = "in this state"),               \
	OPT_STRING(struct signal_args, older_than, .long_name = "older-than", .metavar = "TIME", .check = check_age,         \
		.help = "in their state for longer than TIME: 10min"),                                                       \
	OPT_LIST(struct signal_args, role, .long_name = "role", .metavar = "NAME", .help = "of this role"),                  \
	OPT_STRING(struct signal_args, database, .long_name = "database", .metavar = "NAME", .help = "in this database"),    \
	OPT_STRING(struct signal_args, application, .long_name = "application", .metavar = "NAME",                           \
		.help = "with this application_name"),                                                                       \
	OPT_STRING(struct signal_args, client, .long_name = "client", .metavar = "ADDRESS", .help = "from this address"),    \
	OPT_GROUP("How"),                                                                                                    \
	OPT_FLAG(struct signal_args, force, .long_name = "force",                                                            \
		.help = "superusers', replication, autovacuum and background sessions, too; never our own, never "           \
			"autovacuum against wraparound"),                                                                    \
	OPT_DURATION(struct signal_args, wait, .long_name = "wait", .metavar = "TIME", .fallback = "10s", .min = 100,        \
		.max = 3600000, .help = "how long to look whether it worked"),                                               \
	OPT_FLAG(struct signal_args, allow_kill, .long_name = "allow-kill", .config_key = "allow_kill", .fallback = "true",  \
		.flags = OPTION_HIDDEN, .help = "false: refuse to cancel statements and to terminate sessions; set in the "  \
						"configuration only")

const struct option signal_terminate_options[] = { SIGNAL_OPTIONS, OPT_END };
const struct option signal_cancel_options[] = {
	OPT_DURATION(struct signal_args, escalate, .long_name = "escalate", .metavar = "TIME", .min = 100, .max = 3600000,
		.help = "terminate the sessions whose statement has not stopped after TIME"),
	SIGNAL_OPTIONS,
	OPT_END,
};

const struct operand signal_operands[] = {
	{ "PID", "process id of a session", 0, 0, COMPLETE_NONE },
	{ .name = NULL },
};

const struct column signal_columns[] = {
	{ "pid", "PID", CELL_PID, 0, "process id of the session" },
	{ "backend_start", NULL, CELL_TIME, COLUMN_EXTRA, "when it connected" },
	{ "role", "ROLE", CELL_TEXT, 0, "its role" },
	{ "database", "DATABASE", CELL_TEXT, 0, "its database" },
	{ "application", "APPLICATION", CELL_TEXT, COLUMN_WIDE, "its application_name" },
	{ "client", "CLIENT", CELL_TEXT, 0, "its address; empty on a socket" },
	{ "state", "STATE", CELL_TEXT, 0, "what it was doing" },
	{ "state_age", "FOR", CELL_DURATION, 0, "for how long" },
	{ "query", "STATEMENT", CELL_TEXT, COLUMN_WIDE, "its statement, or the last one" },
	{ "outcome", "OUTCOME", CELL_TEXT, 0,
		"planned, cancelled, terminated, refused (by dbops), denied (by the server), changed (nothing was sent) or still there" },
	{ "escalated", NULL, CELL_BOOL, COLUMN_EXTRA, "whether it was terminated because cancelling did not help" },
	{ "reason", "REASON", CELL_TEXT, COLUMN_WIDE, "why not" },
	COLUMN_END,
};

static const char *verb(enum signal_action action)
{
	return action == SIGNAL_CANCEL ? "cancel" : "terminate";
}

static struct session_filter filter_of(const struct signal_args *a)
{
	int64_t ms = 0;

	if (a->older_than)
		duration_parse(a->older_than, &ms);
	return (struct session_filter){
		.role = a->role,
		.database = a->database,
		.application = a->application,
		.client = a->client,
		.state = a->state,
		.idle_in_transaction = a->idle_in_transaction,
		.older_than = (double)ms / 1000,
	};
}

static bool parse_pid(const char *text, int *ret, struct error *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	*ret = (int)n;
	if (*text >= '0' && *text <= '9' && !*end && n > 0 && n <= INT_MAX)
		return true;
	error_set(err, EXIT_USAGE, "PID: '%s' is not a process id", text);
	return error_hint(err, "List the sessions with: dbops connections --by session");
}

static bool plan_pids(struct app *app, const struct signal_args *a, struct inspector *in, struct signal_plan *p, struct error *err)
{
	int64_t start = 0;

	if (a->expect_start)
		clock_parse_utc(a->expect_start, &start);
	for (size_t i = 0; i < app->operands.len; i++) {
		int pid;

		if (!parse_pid(app->operands.items[i], &pid, err) || !signal_plan_pid(in, pid, start, a->force, p, err))
			return false;
	}
	return true;
}

static bool check_request(const struct app *app, const struct signal_args *a, enum signal_action action, struct error *err)
{
	struct session_filter f = filter_of(a);
	bool by_rule = !session_filter_is_empty(&f);

	if (parsed_setting(&app->parsed, option_find_long(signal_terminate_options, "allow-kill", strlen("allow-kill"))) ||
		parsed_setting(&app->parsed, option_find_long(signal_cancel_options, "allow-kill", strlen("allow-kill"))))
		return error_set(err, EXIT_USAGE, "allow_kill is set in the configuration, not on the command line");
	if (!a->allow_kill) {
		error_set(err, EXIT_REFUSED, "the configuration forbids to %s sessions (allow_kill: false)", verb(action));
		return error_hint(err, "Use a profile that allows it, see: dbops config show allow_kill");
	}
	if (by_rule && app->operands.len)
		return error_set(err, EXIT_USAGE, "a PID and a rule exclude each other");
	if (!by_rule && !app->operands.len) {
		error_set(err, EXIT_USAGE, "there is neither a PID nor a rule");
		return error_hint(err, "Name a PID, or say which sessions: --idle-in-transaction --older-than 10min");
	}
	if (a->expect_start && app->operands.len != 1)
		return error_set(err, EXIT_USAGE, "--expect-start needs exactly one PID");
	return true;
}

static void add_plan_line(struct strbuf *plan, const struct signal_item *item)
{
	const struct session *s = &item->session;

	strbuf_addf(plan, "  pid %d, role %s, database %s", s->pid, s->role ? s->role : "-", s->database ? s->database : "-");
	if (s->application && *s->application)
		strbuf_addf(plan, ", %s", s->application);
	if (s->client)
		strbuf_addf(plan, " from %s", s->client);
	strbuf_addf(plan, ": %s", session_state_names[s->state]);
	if (isfinite(s->state_age)) {
		strbuf_adds(plan, " for ");
		duration_format(s->state_age, plan);
	}
	if (item->reason)
		strbuf_addf(plan, " - left alone: %s", item->reason);
	else if (s->query && *s->query)
		strbuf_addf(plan, "\n    %.200s", s->query);
	strbuf_addch(plan, '\n');
}

/* A statement or a name has no say in what the terminal does. */
static void make_printable(struct strbuf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (((unsigned char)text->buf[i] < 0x20 && text->buf[i] != '\n') || text->buf[i] == 0x7f)
			text->buf[i] = ' ';
}

static bool confirm(struct app *app, const struct inspector *in, const struct signal_plan *p, struct error *err)
{
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;

	size_t n = signal_count(p, SIGNAL_PLANNED);

	strbuf_addf(&plan, "%s %zu %s%s at %s:\n", verb(p->action), n, p->action == SIGNAL_CANCEL ? "statement" : "session",
		n == 1 ? "" : "s", in->conn->server);
	for (size_t i = 0; i < p->items.len; i++)
		add_plan_line(&plan, &p->items.items[i]);
	make_printable(&plan);
	return app_confirm(app, plan.buf, err);
}

static void print_item(struct report *r, const struct signal_item *item)
{
	static const enum cell_tone tones[] = {
		[SIGNAL_PLANNED] = TONE_PLAIN, [SIGNAL_REFUSED] = TONE_WARNING, [SIGNAL_DENIED] = TONE_CRITICAL,
		[SIGNAL_CHANGED] = TONE_FAINT, [SIGNAL_SENT] = TONE_WARNING, [SIGNAL_CANCELLED] = TONE_GOOD,
		[SIGNAL_TERMINATED] = TONE_GOOD, [SIGNAL_STILL_THERE] = TONE_CRITICAL,
	};
	const struct session *s = &item->session;
	const struct cell cells[] = {
		CELL_OF_INT(s->pid),
		s->started_at ? CELL_OF_INT(s->started_at) : CELL_NULL(),
		CELL_OF_TEXT(s->role),
		CELL_OF_TEXT(s->database),
		CELL_OF_TEXT(s->application),
		CELL_OF_TEXT(s->client),
		CELL_OF_TEXT(session_state_names[s->state]),
		isfinite(s->state_age) ? CELL_OF_REAL(s->state_age) : CELL_NULL(),
		CELL_OF_TEXT(s->query),
		{ .text = signal_outcome_names[item->outcome], .tone = tones[item->outcome] },
		CELL_OF_INT(item->escalated),
		CELL_OF_TEXT(item->reason),
	};

	report_row(r, cells);
}

static bool print_items(struct app *app, const struct inspector *in, const struct signal_plan *p, struct error *err)
{
	struct report *r = report_begin(&app->report, "sessions", signal_columns);
	struct json *header = report_header(r);

	if (header) {
		jsonw_string(header, "server", in->conn->server);
		jsonw_string(header, "action", verb(p->action));
		jsonw_bool(header, "applied", !app->dry_run);
	}
	for (size_t i = 0; i < p->items.len; i++)
		print_item(r, &p->items.items[i]);
	return report_end(r, err);
}

/* A session that was named and may not be signalled is an error; one that a rule found is left alone. */
static bool check_named(const struct signal_plan *p, struct error *err)
{
	for (size_t i = 0; i < p->items.len && !p->by_rule; i++)
		if (p->items.items[i].outcome == SIGNAL_REFUSED)
			return error_set(err, EXIT_REFUSED, "pid %d is left alone: %s", p->items.items[i].session.pid,
				p->items.items[i].reason);
	return true;
}

static void log_outcome(struct app *app, const struct signal_plan *p)
{
	for (size_t i = 0; i < p->items.len; i++) {
		const struct signal_item *item = &p->items.items[i];

		if (item->outcome == SIGNAL_CANCELLED || item->outcome == SIGNAL_TERMINATED)
			log_info(&app->log, "signal.done", "%s pid %d of role %s", signal_outcome_names[item->outcome], item->session.pid,
				item->session.role ? item->session.role : "-");
	}
}

static bool apply(struct app *app, const struct signal_args *a, struct inspector *in, struct signal_plan *p, struct error *err)
{
	const struct signal_wait wait = { (double)a->wait / 1000, (double)a->escalate / 1000, app->cancel };

	if (app->dry_run || !signal_count(p, SIGNAL_PLANNED))
		return true;
	if (!confirm(app, in, p, err) || !signal_apply(in, p, &wait, err))
		return false;
	log_outcome(app, p);
	if (signal_count(p, SIGNAL_DENIED) || signal_count(p, SIGNAL_STILL_THERE))
		app->status = EXIT_WARNING;
	return true;
}

static bool run(struct app *app, const struct signal_args *a, enum signal_action action, struct error *err)
{
	_cleanup_(inspector_close) struct inspector in = { 0 };
	_cleanup_signal_plan_ struct signal_plan plan = { .action = action };
	struct session_filter f = filter_of(a);
	autofree char *name = xasprintf("dbops %s", verb(action));
	struct pg_params params = server_params(app, name);

	if (!check_request(app, a, action, err) || !inspector_open(&in, &params, &app->log, err))
		return false;

	bool planned = app->operands.len ? plan_pids(app, a, &in, &plan, err) : signal_plan_rule(&in, &f, a->force, &plan, err);

	if (!planned || !check_named(&plan, err) || !apply(app, a, &in, &plan, err))
		return false;
	if (!plan.items.len)
		log_info(&app->log, "signal.none", "no session matches");
	return print_items(app, &in, &plan, err);
}

bool signal_cancel(struct app *app, const void *args, struct error *err)
{
	return run(app, args, SIGNAL_CANCEL, err);
}

bool signal_terminate(struct app *app, const void *args, struct error *err)
{
	return run(app, args, SIGNAL_TERMINATE, err);
}
