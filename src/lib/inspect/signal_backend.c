/* SPDX-License-Identifier: PostgreSQL */
#include "signal_backend.h"

#include <inttypes.h>
#include <string.h>
#include "clock.h"

enum { POLL_MS = 50 };

const char *const signal_outcome_names[] = {
	[SIGNAL_PLANNED] = "planned",
	[SIGNAL_REFUSED] = "refused",
	[SIGNAL_DENIED] = "denied",
	[SIGNAL_CHANGED] = "changed",
	[SIGNAL_SENT] = "sent",
	[SIGNAL_CANCELLED] = "cancelled",
	[SIGNAL_TERMINATED] = "terminated",
	[SIGNAL_STILL_THERE] = "still there",
};

void signal_plan_release(struct signal_plan *p)
{
	for (size_t i = 0; i < p->items.len; i++)
		free(p->items.items[i].reason);
	vec_release(&p->items);
	PQclear(p->result);
	p->result = NULL;
}

size_t signal_count(const struct signal_plan *p, enum signal_outcome outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < p->items.len; i++)
		n += p->items.items[i].outcome == outcome;
	return n;
}

/* What the server allows this role to do. */
static const char *no_right(const struct session *s, const struct probe *p)
{
	if (p->is_superuser)
		return NULL;
	if (s->superuser)
		return "only a superuser may signal a superuser's session";
	return p->signals || s->same_role ? NULL : "this role may not signal other roles' sessions; GRANT pg_signal_backend";
}

static const char *special_kind(const struct session *s)
{
	if (strcmp(s->type, "walsender") == 0)
		return "it is a replication connection; --force";
	if (strcmp(s->type, "autovacuum worker") == 0)
		return "it is autovacuum; --force";
	return session_is_client(s) ? NULL : "it is a background process, not a client's session; --force";
}

static bool runs_statement(const struct session *s)
{
	return s->state == SESSION_ACTIVE || s->state == SESSION_FASTPATH;
}

const char *signal_refusal(const struct session *s, const struct probe *p, enum signal_action action, bool force)
{
	const char *right = no_right(s, p);

	if (s->own)
		return "it is our own session";
	if (right)
		return right;
	if (!s->type)
		return "this role cannot see what kind of session it is; GRANT pg_monitor";
	if (s->query && strstr(s->query, "(to prevent wraparound)") && strcmp(s->type, "autovacuum worker") == 0)
		return "it is autovacuum against transaction id wraparound: it must run, and would come back";
	if (special_kind(s) && !force)
		return special_kind(s);
	if (s->superuser && session_is_client(s) && !force)
		return "it is a superuser's session; --force";
	if (action == SIGNAL_CANCEL && session_is_client(s) && !runs_statement(s))
		return "it runs no statement that could be cancelled";
	return NULL;
}

static void add_item(struct signal_plan *p, const struct probe *probe, const struct session *s, bool force)
{
	const char *reason = signal_refusal(s, probe, p->action, force);

	*vec_push(&p->items) = (struct signal_item){
		.session = *s,
		.outcome = reason ? SIGNAL_REFUSED : SIGNAL_PLANNED,
		.reason = reason ? xstrdup(reason) : NULL,
	};
}

static bool ask(struct inspector *in, struct signal_plan *p, struct error *err)
{
	if (!p->result)
		p->result = inspector_query(in, sql_connections, err);
	return p->result;
}

static bool no_session(int pid, struct error *err)
{
	error_set(err, EXIT_NOT_FOUND, "there is no session with pid %d", pid);
	return error_hint(err, "List them with: dbops connections --by session");
}

static bool is_expected(const struct session *s, int64_t start, struct error *err)
{
	_cleanup_strbuf_ struct strbuf now = STRBUF_INIT, wanted = STRBUF_INIT;

	if (!start || start == s->started_at)
		return true;
	clock_format_utc(s->started_at, true, &now);
	clock_format_utc(start, true, &wanted);
	error_set(err, EXIT_NOT_FOUND, "pid %d is another session by now", s->pid);
	return error_detail(err, "it began at %s, not at %s", s->started_at ? now.buf : "a time this role cannot see", wanted.buf);
}

bool signal_plan_pid(struct inspector *in, int pid, int64_t expected_start, bool force, struct signal_plan *p, struct error *err)
{
	if (!ask(in, p, err))
		return false;
	for (int i = 0; i < PQntuples(p->result); i++) {
		struct session s = session_read(p->result, i);

		if (s.pid != pid)
			continue;
		if (!is_expected(&s, expected_start, err))
			return false;
		add_item(p, &in->probe, &s, force);
		return true;
	}
	return no_session(pid, err);
}

bool signal_plan_rule(struct inspector *in, const struct session_filter *f, bool force, struct signal_plan *p, struct error *err)
{
	p->by_rule = true;
	if (!ask(in, p, err))
		return false;
	for (int i = 0; i < PQntuples(p->result); i++) {
		struct session s = session_read(p->result, i);

		if (!s.own && session_is_client(&s) && session_matches(f, &s))
			add_item(p, &in->probe, &s, force);
	}
	return true;
}

/* The signal goes to this session in this state, or nowhere. */
static void add_send_sql(struct strbuf *sql, const struct signal_plan *p, const struct signal_item *item, bool terminate)
{
	const struct session *s = &item->session;

	strbuf_addf(sql,
		"SELECT pg_catalog.%s(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.pid = %d"
		" AND (EXTRACT(epoch FROM a.backend_start) * 1000000)::int8 = %" PRId64,
		terminate ? "pg_terminate_backend" : "pg_cancel_backend", s->pid, s->started_at);
	if (p->by_rule && s->changed_at && !item->escalated)
		strbuf_addf(sql, " AND (EXTRACT(epoch FROM a.state_change) * 1000000)::int8 = %" PRId64, s->changed_at);
	if ((!terminate || item->escalated) && s->query_at)
		strbuf_addf(sql, " AND (EXTRACT(epoch FROM a.query_start) * 1000000)::int8 = %" PRId64 " AND a.state <> 'idle'",
			s->query_at);
}

static void settle(struct signal_item *item, enum signal_outcome outcome, const char *reason)
{
	free(item->reason);
	item->outcome = outcome;
	item->reason = reason ? xstrdup(reason) : NULL;
}

/* False: the connection is gone. What the server refuses is the item's outcome. */
static bool send_signal(struct inspector *in, const struct signal_plan *p, struct signal_item *item, bool terminate, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	_cleanup_error_ struct error refused = ERROR_INIT;

	add_send_sql(&sql, p, item, terminate);

	_cleanup_result_ PGresult *r = pg_query(in->conn, &refused, sql.buf, 0, NULL);

	if (!r && PQstatus(in->conn->pg) != CONNECTION_OK)
		return error_move(err, &refused);
	if (!r)
		settle(item, SIGNAL_DENIED, refused.message);
	else if (!PQntuples(r))
		settle(item, SIGNAL_CHANGED, "it is gone, or does something else by now");
	else if (!pg_bool(r, 0, 0))
		settle(item, SIGNAL_DENIED, "the server could not send the signal");
	else
		item->outcome = SIGNAL_SENT;
	return true;
}

/* What a session that was signalled does now. */
struct sight {
	int64_t started_at, query_at; /* 0 = there is none, or hidden */
	bool runs;
};

static void look_at(struct signal_item *item, enum signal_action action, const struct sight *now)
{
	const struct session *s = &item->session;
	bool ends_statement = action == SIGNAL_CANCEL && !item->escalated;

	if (now->started_at != s->started_at)
		settle(item, ends_statement ? SIGNAL_CANCELLED : SIGNAL_TERMINATED, NULL);
	else if (ends_statement && (now->query_at != s->query_at || !now->runs))
		settle(item, SIGNAL_CANCELLED, NULL);
}

/* Asked every few milliseconds: of the sessions that we wait for, and nothing that has to be joined. */
static void add_look_sql(struct strbuf *sql, const struct signal_plan *p)
{
	const char *separator = "";

	strbuf_adds(sql, "SELECT a.pid, (EXTRACT(epoch FROM a.backend_start) * 1000000)::int8,"
			 " (EXTRACT(epoch FROM a.query_start) * 1000000)::int8,"
			 " COALESCE(a.state IN ('active', 'fastpath function call'), false)"
			 " FROM pg_catalog.pg_stat_activity a WHERE a.pid IN (");
	for (size_t i = 0; i < p->items.len; i++) {
		if (p->items.items[i].outcome != SIGNAL_SENT)
			continue;
		strbuf_addf(sql, "%s%d", separator, p->items.items[i].session.pid);
		separator = ", ";
	}
	strbuf_addch(sql, ')');
}

static struct sight find_sight(const PGresult *r, int pid)
{
	for (int row = 0; row < PQntuples(r); row++)
		if (pg_int(r, row, 0) == pid)
			return (struct sight){ pg_int(r, row, 1), pg_int(r, row, 2), pg_bool(r, row, 3) };
	return (struct sight){ 0 };
}

static bool look(struct inspector *in, struct signal_plan *p, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	if (!signal_count(p, SIGNAL_SENT))
		return true;
	add_look_sql(&sql, p);

	_cleanup_result_ PGresult *r = inspector_query(in, sql.buf, err);

	if (!r)
		return false;
	for (size_t i = 0; i < p->items.len; i++) {
		struct signal_item *item = &p->items.items[i];
		struct sight now = find_sight(r, item->session.pid);

		if (item->outcome == SIGNAL_SENT)
			look_at(item, p->action, &now);
	}
	return true;
}

static bool pause_until(double deadline, const struct cancel *cancel, struct error *err)
{
	double left = (deadline - clock_monotonic()) * 1000;

	return cancel_pause(cancel, left < POLL_MS ? (int64_t)left + 1 : POLL_MS, err);
}

/* Until nothing is left in SIGNAL_SENT, or the time is over. */
static bool watch(struct inspector *in, struct signal_plan *p, double seconds, const struct cancel *cancel, struct error *err)
{
	double deadline = clock_monotonic() + seconds;

	while (look(in, p, err)) {
		if (!signal_count(p, SIGNAL_SENT) || clock_monotonic() >= deadline)
			return true;
		if (!pause_until(deadline, cancel, err))
			return false;
	}
	return false;
}

static bool send_all(struct inspector *in, struct signal_plan *p, enum signal_outcome which, bool terminate, struct error *err)
{
	for (size_t i = 0; i < p->items.len; i++) {
		struct signal_item *item = &p->items.items[i];

		if (item->outcome != which)
			continue;
		item->escalated = which == SIGNAL_SENT;
		if (!send_signal(in, p, item, terminate, err))
			return false;
	}
	return true;
}

static void give_up(struct signal_plan *p, double seconds)
{
	for (size_t i = 0; i < p->items.len; i++) {
		autofree char *reason = xasprintf("the signal was sent, but nothing happened within %.10g s", seconds);

		if (p->items.items[i].outcome == SIGNAL_SENT)
			settle(&p->items.items[i], SIGNAL_STILL_THERE, reason);
	}
}

bool signal_apply(struct inspector *in, struct signal_plan *p, const struct signal_wait *wait, struct error *err)
{
	bool escalates = p->action == SIGNAL_CANCEL && wait->escalate > 0;

	if (!send_all(in, p, SIGNAL_PLANNED, p->action == SIGNAL_TERMINATE, err))
		return false;
	if (!watch(in, p, escalates ? wait->escalate : wait->seconds, wait->cancel, err))
		return false;
	if (escalates && signal_count(p, SIGNAL_SENT) &&
		(!send_all(in, p, SIGNAL_SENT, true, err) || !watch(in, p, wait->seconds, wait->cancel, err)))
		return false;
	give_up(p, wait->seconds);
	return true;
}
