/* SPDX-License-Identifier: PostgreSQL */
#include "sessions.h"

#include <math.h>
#include <string.h>

const char *const session_state_names[SESSION_STATES + 1] = {
	[SESSION_UNKNOWN] = "unknown",
	[SESSION_ACTIVE] = "active",
	[SESSION_IDLE] = "idle",
	[SESSION_IDLE_IN_TRANSACTION] = "idle in transaction",
	[SESSION_ABORTED] = "idle in transaction (aborted)",
	[SESSION_FASTPATH] = "fastpath function call",
	[SESSION_DISABLED] = "disabled",
	[SESSION_STARTING] = "starting",
};

static enum session_state state_of(const char *name)
{
	for (unsigned i = 0; name && i < SESSION_STATES; i++)
		if (strcmp(session_state_names[i], name) == 0)
			return (enum session_state)i;
	return SESSION_UNKNOWN;
}

static const char *text(const PGresult *r, int row, const char *name)
{
	return pg_text(r, row, PQfnumber(r, name));
}

static int64_t number(const PGresult *r, int row, const char *name, int64_t missing)
{
	int column = PQfnumber(r, name);

	return pg_is_null(r, row, column) ? missing : pg_int(r, row, column);
}

static double real(const PGresult *r, int row, const char *name)
{
	int column = PQfnumber(r, name);

	return pg_is_null(r, row, column) ? NAN : pg_real(r, row, column);
}

static bool flag(const PGresult *r, int row, const char *name)
{
	return pg_bool(r, row, PQfnumber(r, name));
}

struct session session_read(const PGresult *r, int row)
{
	const char *type = text(r, row, "backend_type");

	return (struct session){
		.pid = (int)number(r, row, "pid", 0),
		.leader_pid = (int)number(r, row, "leader_pid", 0),
		.database = text(r, row, "datname"),
		.role = text(r, row, "usename"),
		.application = text(r, row, "application_name"),
		.client = text(r, row, "client"),
		.client_port = (int)number(r, row, "client_port", 0),
		.type = type,
		.state = state_of(text(r, row, "state")),
		.wait_type = text(r, row, "wait_event_type"),
		.wait_event = text(r, row, "wait_event"),
		.started_at = number(r, row, "started_us", 0),
		.changed_at = number(r, row, "changed_us", 0),
		.query_at = number(r, row, "query_us", 0),
		.transaction_age = real(r, row, "transaction_age"),
		.state_age = real(r, row, "state_age"),
		.query_age = real(r, row, "query_age"),
		.xid_age = number(r, row, "xid_age", -1),
		.xmin_age = number(r, row, "xmin_age", -1),
		.query = type ? text(r, row, "query") : NULL,
		.superuser = flag(r, row, "superuser"),
		.own = flag(r, row, "own"),
		.same_role = flag(r, row, "same_role"),
	};
}

bool session_is_client(const struct session *s)
{
	if (!s->type)
		return s->role && s->database;
	return strcmp(s->type, "client backend") == 0;
}

bool session_is_idle_in_transaction(const struct session *s)
{
	return s->state == SESSION_IDLE_IN_TRANSACTION || s->state == SESSION_ABORTED;
}

double session_idle_in_transaction(const struct session *s)
{
	return session_is_idle_in_transaction(s) ? s->state_age : NAN;
}

bool session_filter_is_empty(const struct session_filter *f)
{
	return !f->role.len && !f->database && !f->application && !f->client && !f->state && !f->idle_in_transaction &&
	       f->older_than <= 0;
}

static bool is_wanted(const char *wanted, const char *value)
{
	return !wanted || (value && strcmp(wanted, value) == 0);
}

static bool has_state(const struct session *s, const char *name)
{
	if (strcmp(name, session_state_names[SESSION_IDLE_IN_TRANSACTION]) == 0)
		return session_is_idle_in_transaction(s);
	return strcmp(session_state_names[s->state], name) == 0;
}

bool session_matches(const struct session_filter *f, const struct session *s)
{
	if (f->role.len && !(s->role && strvec_contains(&f->role, s->role)))
		return false;
	if (!is_wanted(f->database, s->database) || !is_wanted(f->application, s->application) || !is_wanted(f->client, s->client))
		return false;
	if ((f->state && !has_state(s, f->state)) || (f->idle_in_transaction && !session_is_idle_in_transaction(s)))
		return false;
	return f->older_than <= 0 || (isfinite(s->state_age) && s->state_age >= f->older_than);
}
