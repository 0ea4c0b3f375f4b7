/* SPDX-License-Identifier: PostgreSQL */
#include "connections_judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"

enum { LIMITS_MAX = 20, FINDINGS_MAX = 20 };

enum cell_tone connections_tone(double percent, int64_t yellow, int64_t red)
{
	if (!isfinite(percent) || percent < (double)yellow)
		return TONE_GOOD;
	return percent <= (double)red ? TONE_WARNING : TONE_CRITICAL;
}

/* answer.h copies what it is given, and says so by a plain char pointer. */
static char *borrow(const char *s)
{
	return (char *)(uintptr_t)s;
}

static enum severity judge(const struct range *warning, const struct range *critical, double value)
{
	if (range_alerts(critical, value, 0))
		return SEVERITY_CRITICAL;
	return range_alerts(warning, value, 0) ? SEVERITY_WARNING : SEVERITY_OK;
}

static char *quoted(const char *name)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (name)
		pg_add_display_name(&sb, NULL, name);
	return strbuf_detach(&sb);
}

static char *duration(double seconds)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	duration_format(seconds, &sb);
	return strbuf_detach(&sb);
}

void connections_terminate_sql(const struct session *s, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf start = STRBUF_INIT;

	clock_format_utc(s->started_at, true, &start);
	strbuf_addf(out,
		"SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = %d AND backend_start = ",
		s->pid);
	pg_add_literal(out, start.buf);
	strbuf_addch(out, ';');
}

static char *session_evidence(const struct session *s)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "pid", s->pid);
	jsonw_time(&j, "backend_start", s->started_at);
	jsonw_string(&j, "role", s->role);
	jsonw_string(&j, "database", s->database);
	jsonw_string(&j, "application", s->application);
	jsonw_string(&j, "client", s->client);
	jsonw_string(&j, "real_client", s->real_client);
	jsonw_string(&j, "real_application", s->real_application);
	jsonw_string(&j, "state", session_state_names[s->state]);
	jsonw_seconds(&j, "state_seconds", s->state_age);
	jsonw_seconds(&j, "transaction_seconds", s->transaction_age);
	if (s->xmin_age >= 0)
		jsonw_int(&j, "xmin_age", s->xmin_age);
	else
		jsonw_null(&j, "xmin_age");
	jsonw_object_end(&j);
	return strbuf_detach(&sb);
}

static void add_session_finding(struct answer *a, const char *id, enum severity severity, const struct session *s,
	const char *what, double seconds)
{
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT;
	autofree char *object = xasprintf("pid %d", s->pid), *evidence = session_evidence(s), *age = duration(seconds);
	autofree char *role = quoted(s->role), *database = quoted(s->database);
	autofree char *message = xasprintf("role %s in database %s %s %s%s%s", role, database, what, age,
		s->real_client ? "; its client behind PgBouncer is " : "", s->real_client ? s->real_client : "");

	connections_terminate_sql(s, &fix);
	answer_finding(a, &(struct finding){ .id = id, .severity = severity, .object = object, .message = message,
			       .evidence = evidence, .fix = fix.buf });
}

static void add_more_finding(struct answer *a, const char *id, enum severity severity, size_t more)
{
	autofree char *message = xasprintf("%zu more sessions are like that", more);

	if (more)
		answer_finding(a, &(struct finding){ .id = id, .severity = severity, .message = message });
}

/* One rule on an age of sessions: which age, what it is called, which thresholds. */
struct age_rule {
	const char *id, *what;
	double (*age)(const struct session *s);
	const struct range *warning, *critical;
};

struct aged {
	const struct session *session;
	double age;
};

static int compare_aged(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;

	return x->age < y->age ? 1 : x->age > y->age ? -1 : x->session->pid - y->session->pid;
}

static void judge_ages(const struct connections *c, const struct age_rule *rule, struct answer *a)
{
	autofree struct aged *found = xcalloc(c->sessions.len + 1, sizeof(*found));
	enum severity worst_left = SEVERITY_OK;
	size_t n = 0;

	for (size_t i = 0; i < c->sessions.len; i++) {
		const struct session *s = &c->sessions.items[i];
		double age = rule->age(s);

		if (!s->own && session_is_client(s) && judge(rule->warning, rule->critical, age) > SEVERITY_OK)
			found[n++] = (struct aged){ s, age };
	}
	qsort(found, n, sizeof(*found), compare_aged);
	for (size_t i = 0; i < n; i++) {
		enum severity severity = judge(rule->warning, rule->critical, found[i].age);

		if (i < FINDINGS_MAX)
			add_session_finding(a, rule->id, severity, found[i].session, rule->what, found[i].age);
		else if (severity > worst_left)
			worst_left = severity;
	}
	add_more_finding(a, rule->id, worst_left, n > FINDINGS_MAX ? n - FINDINGS_MAX : 0);
}

/* An idle one is judged as idle, not twice. */
static double busy_transaction(const struct session *s)
{
	return session_is_idle_in_transaction(s) ? NAN : s->transaction_age;
}

static void judge_limits(const struct connections *c, const struct connection_thresholds *t, struct answer *a)
{
	size_t n;
	autofree struct limit *limits = connections_limits(c, &n);

	answer_metric(a, &(struct metric){ .name = "connections_used", .help = "Client sessions, this program's own left out.",
			       .value = (double)limits[0].used, .perfdata = "used", .finding = "connections.capacity",
			       .warning = t->used_warning, .critical = t->used_critical, .maximum = (double)limits[0].limit });
	answer_metric(a, &(struct metric){ .name = "connections_capacity",
			       .help = "Client sessions that ordinary roles can have: max_connections without the reserved slots.",
			       .value = (double)limits[0].limit });
	for (size_t i = 1; i < n && i <= LIMITS_MAX; i++) {
		struct metric m = {
			.name = "connections_limit_used",
			.help = "Sessions that count towards a CONNECTION LIMIT of a role or database.",
			.value = (double)limits[i].used,
			.label = { "kind", "name" },
			.label_value = { borrow(limits[i].kind == LIMIT_ROLE ? "role" : "database"),
				borrow(limits[i].name) },
			.perfdata = "limit",
			.finding = "connections.limit",
			.warning = t->used_warning,
			.critical = t->used_critical,
			.maximum = (double)limits[i].limit,
		};

		answer_metric(a, &m);
		m.name = "connections_limit";
		m.help = "CONNECTION LIMIT of a role or database.";
		m.value = (double)limits[i].limit;
		m.perfdata = m.finding = NULL;
		m.warning = m.critical = (struct range){ 0 };
		m.maximum = 0;
		answer_metric(a, &m);
	}
}

static void count_states(const struct connections *c, struct answer *a)
{
	int64_t counts[SESSION_STATES] = { 0 };

	for (size_t i = 0; i < c->sessions.len; i++)
		if (!c->sessions.items[i].own && session_is_client(&c->sessions.items[i]))
			counts[c->sessions.items[i].state]++;
	for (unsigned i = 0; i < SESSION_STATES; i++)
		answer_metric(a, &(struct metric){ .name = "connections", .help = "Client sessions by state.",
				       .value = (double)counts[i], .label = { "state" },
				       .label_value = { borrow(session_state_names[i]) } });
}

/* Nothing would ever end such a session: one finding a role. */
static void judge_timeout(const struct connections *c, const struct session *s, struct answer *a)
{
	const struct timeout *t = timeout_in_force(c, "idle_in_transaction_session_timeout", s->role, s->database);
	autofree char *object = NULL, *role = quoted(s->role);
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT, undo = STRBUF_INIT;

	if (!t || t->hidden || timeout_seconds(t->value) != 0)
		return;
	object = xasprintf("role %s", role);
	for (size_t i = 0; i < a->findings.len; i++)
		if (strcmp(a->findings.items[i].id, "connections.no_timeout") == 0 && strcmp(a->findings.items[i].object, object) == 0)
			return;
	strbuf_adds(&fix, "ALTER ROLE ");
	pg_add_ident(&fix, s->role);
	strbuf_adds(&undo, fix.buf);
	strbuf_adds(&fix, " SET idle_in_transaction_session_timeout = '10min';");
	strbuf_adds(&undo, t->role ? " SET idle_in_transaction_session_timeout = 0;" : " RESET idle_in_transaction_session_timeout;");
	answer_finding(a, &(struct finding){ .id = "connections.no_timeout", .severity = SEVERITY_INFO, .object = object, .fix = fix.buf,
			       .undo = undo.buf,
			       .message = borrow("idle_in_transaction_session_timeout is off, so nothing ends its idle transactions") });
}

static void judge_timeouts(const struct connections *c, const struct connection_thresholds *t, struct answer *a)
{
	for (size_t i = 0; i < c->sessions.len; i++) {
		const struct session *s = &c->sessions.items[i];
		double age = session_idle_in_transaction(s);

		if (!s->own && session_is_client(s) && s->role && judge(&t->idle_warning, &t->idle_critical, age) > SEVERITY_OK)
			judge_timeout(c, s, a);
	}
}

static void judge_oldest(const struct connections *c, const struct connection_thresholds *t, struct answer *a)
{
	const struct session *idle = connections_longest_idle(c), *oldest = connections_oldest_transaction(c);

	answer_metric(a, &(struct metric){ .name = "connections_idle_in_transaction_seconds",
			       .help = "How long the session that has been idle in its transaction for longest has been so.",
			       .unit = UNIT_SECONDS, .value = idle && isfinite(idle->state_age) ? idle->state_age : 0,
			       .perfdata = "idle_in_transaction", .warning = t->idle_warning, .critical = t->idle_critical });
	answer_metric(a, &(struct metric){ .name = "connections_oldest_transaction_seconds",
			       .help = "Age of the oldest transaction of a client session.", .unit = UNIT_SECONDS,
			       .value = oldest ? oldest->transaction_age : 0, .perfdata = "oldest_transaction",
			       .warning = t->transaction_warning, .critical = t->transaction_critical });
	judge_ages(c, &(struct age_rule){ "connections.idle_in_transaction", "has been idle in its transaction for",
			      session_idle_in_transaction, &t->idle_warning, &t->idle_critical }, a);
	judge_ages(c, &(struct age_rule){ "connections.long_transaction", "has been in a transaction for",
			      busy_transaction, &t->transaction_warning, &t->transaction_critical }, a);
}

static void describe_xmin(const struct oldest_xmin *x, struct strbuf *object, struct strbuf *fix)
{
	if (x->session) {
		strbuf_addf(object, "pid %d", x->session->pid);
		if (session_is_client(x->session))
			connections_terminate_sql(x->session, fix);
		return;
	}
	strbuf_addf(object, "%s ", x->holder->kind);
	pg_add_literal(object, x->holder->name);
	if (strcmp(x->holder->kind, "prepared transaction") == 0) {
		strbuf_adds(fix, "ROLLBACK PREPARED ");
		pg_add_literal(fix, x->holder->name);
		strbuf_addch(fix, ';');
	} else if (!x->holder->active) {
		strbuf_adds(fix, "SELECT pg_catalog.pg_drop_replication_slot(");
		pg_add_literal(fix, x->holder->name);
		strbuf_adds(fix, ");");
	}
}

static void add_xmin_finding(struct answer *a, const struct oldest_xmin *x, enum severity severity)
{
	_cleanup_strbuf_ struct strbuf object = STRBUF_INIT, fix = STRBUF_INIT, evidence = STRBUF_INIT;
	struct json j = JSON_INIT(&evidence, 0);
	autofree char *message = xasprintf("holds back the removal of old row versions: its xmin is %" PRId64
					   " transactions old (%s)", x->age, x->kind);

	describe_xmin(x, &object, &fix);
	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "kind", x->kind);
	jsonw_int(&j, "xmin_age", x->age);
	jsonw_object_end(&j);
	answer_finding(a, &(struct finding){ .id = "connections.xmin", .severity = severity, .object = object.buf,
			       .message = message, .evidence = evidence.buf, .fix = fix.len ? fix.buf : NULL });
}

static void judge_xmin(const struct connections *c, const struct connection_thresholds *t, struct answer *a)
{
	size_t n;
	autofree struct oldest_xmin *all = connections_xmin(c, &n);

	answer_metric(a, &(struct metric){ .name = "connections_oldest_xmin_transactions",
			       .help = "Transactions since the oldest xmin that holds back the removal of old row versions.",
			       .value = n ? (double)all[0].age : 0, .perfdata = "oldest_xmin", .warning = t->xmin_warning,
			       .critical = t->xmin_critical });
	for (size_t i = 0; i < n; i++) {
		enum severity severity = judge(&t->xmin_warning, &t->xmin_critical, (double)all[i].age);

		answer_metric(a, &(struct metric){ .name = "connections_xmin_transactions",
				       .help = "The same by what holds it.", .value = (double)all[i].age, .label = { "kind" },
				       .label_value = { borrow(all[i].kind) } });
		if (severity > SEVERITY_OK)
			add_xmin_finding(a, &all[i], severity);
	}
}

static void judge_databases(const struct connections *c, struct answer *a)
{
	for (size_t i = 0; i < c->databases.len; i++) {
		autofree char *object = quoted(c->databases.items[i].name);
		_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT;

		if (c->databases.items[i].limit != -2)
			continue;
		strbuf_adds(&fix, "DROP DATABASE ");
		pg_add_ident(&fix, c->databases.items[i].name);
		strbuf_addch(&fix, ';');
		answer_finding(a, &(struct finding){ .id = "connections.invalid_database", .severity = SEVERITY_WARNING,
				       .object = object, .fix = fix.buf,
				       .message = borrow("nobody can connect to it: a DROP DATABASE was interrupted") });
	}
}

static void summarize(const struct connections *c, struct answer *a)
{
	struct session_group all = connections_total(c);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const struct limit server = { LIMIT_SERVER, NULL, all.sessions, all.limit };

	strbuf_addf(&text, "%" PRId64 " of %" PRId64 " connections used (%.1f %%), %" PRId64 " active, %" PRId64 " idle in transaction",
		all.sessions, all.limit, limit_percent(&server), all.active, all.idle_in_transaction);
	if (isfinite(all.oldest_transaction)) {
		strbuf_adds(&text, ", oldest transaction ");
		duration_format(all.oldest_transaction, &text);
	}
	free(a->summary);
	a->summary = strbuf_detach(&text);
}

void connections_judge(const struct connections *c, const struct connection_thresholds *t, struct answer *a)
{
	judge_limits(c, t, a);
	count_states(c, a);
	judge_oldest(c, t, a);
	judge_timeouts(c, t, a);
	judge_xmin(c, t, a);
	judge_databases(c, a);
	summarize(c, a);
}
