/* SPDX-License-Identifier: PostgreSQL */
/* Capacity, limits, groups and verdicts from constructed sessions. */
#include "unit.h"

#include <math.h>
#include "connections_judge.h"

static struct session client(int pid, const char *role, const char *database, enum session_state state)
{
	return (struct session){
		.pid = pid, .role = role, .database = database, .application = "", .type = "client backend", .state = state,
		.transaction_age = NAN, .state_age = NAN, .query_age = NAN, .xid_age = -1, .xmin_age = -1, .started_at = 1000000,
	};
}

static void add(struct connections *c, struct session s)
{
	*vec_push(&c->sessions) = s;
}

/* 100 slots, 3 + 2 reserved; three ordinary sessions, a superuser's, ours, and what takes no slot. */
static void fill(struct connections *c)
{
	struct session own = client(9, "dba", "app", SESSION_ACTIVE), walsender = client(8, "rep", NULL, SESSION_ACTIVE);
	struct session hidden = client(7, "web", "app", SESSION_UNKNOWN), vacuum = client(6, NULL, "app", SESSION_ACTIVE);
	struct session idle = client(2, "web", "app", SESSION_IDLE_IN_TRANSACTION);
	struct session busy = client(3, "dba", "shop", SESSION_ACTIVE);

	own.own = true;
	walsender.type = "walsender";
	walsender.xmin_age = 500;
	hidden.type = NULL;
	vacuum.type = "autovacuum worker";
	idle.state_age = 400;
	idle.transaction_age = 900;
	idle.xmin_age = 40;
	busy.transaction_age = 60;
	busy.wait_type = "Lock";
	c->max_connections = 100;
	c->superuser_reserved = 3;
	c->reserved = 2;
	*vec_push(&c->roles) = (struct connection_role){ .name = "web", .limit = 4 };
	*vec_push(&c->roles) = (struct connection_role){ .name = "dba", .superuser = true, .limit = 1 };
	*vec_push(&c->roles) = (struct connection_role){ .name = "guest", .limit = 0 };
	*vec_push(&c->databases) = (struct connection_database){ .name = "app", .limit = 30 };
	*vec_push(&c->databases) = (struct connection_database){ .name = "shop", .limit = -1 };
	add(c, client(1, "web", "app", SESSION_IDLE));
	add(c, idle);
	add(c, busy);
	add(c, vacuum);
	add(c, hidden);
	add(c, walsender);
	add(c, own);
}

static void test_capacity(void **state)
{
	_cleanup_connections_ struct connections c = { 0 };

	(void)state;
	fill(&c);
	assert_int_equal(connections_capacity(&c), 95);
	assert_int_equal(connections_used(&c), 4);
	c.max_connections = 4;
	assert_int_equal(connections_capacity(&c), 0);
}

static void test_limits(void **state)
{
	_cleanup_connections_ struct connections c = { 0 };
	size_t n;

	(void)state;
	fill(&c);

	autofree struct limit *l = connections_limits(&c, &n);

	assert_int_equal(n, 4);
	assert_int_equal(l[0].kind, LIMIT_SERVER);
	assert_string_equal(l[1].name, "guest"); /* may not connect at all: full */
	assert_string_equal(l[2].name, "web");
	assert_int_equal(l[2].used, 3);
	assert_string_equal(l[3].name, "app");
	assert_true(limit_percent(&l[1]) == 100 && limit_percent(&l[2]) == 75 && limit_percent(&l[3]) == 10);
}

static void test_groups(void **state)
{
	_cleanup_connections_ struct connections c = { 0 };
	size_t n;

	(void)state;
	fill(&c);

	autofree struct session_group *g = connections_groups(&c, BY_ROLE, &n);

	assert_int_equal(n, 2);
	assert_string_equal(g[0].name, "web");
	assert_int_equal(g[0].sessions, 3);
	assert_int_equal(g[0].idle_in_transaction, 1);
	assert_int_equal(g[0].unknown, 1);
	assert_int_equal(g[0].headroom, 1);
	assert_int_equal(g[0].bites, LIMIT_ROLE);
	assert_true(g[0].oldest_transaction == 900 && g[0].longest_idle_in_transaction == 400);
	assert_string_equal(g[1].name, "dba");
	assert_int_equal(g[1].headroom, 96); /* a superuser takes the reserved slots, too */
	assert_int_equal(g[1].bites, LIMIT_SERVER);
	assert_int_equal(g[1].limit, -1);
	assert_int_equal(g[1].lock_waiting, 1);
	assert_true(isnan(g[1].longest_idle_in_transaction));
	c.max_connections = 9; /* now the server is full before the role's limit */
	free(g);
	g = connections_groups(&c, BY_ROLE, &n);
	assert_int_equal(g[0].headroom, 0);
	assert_int_equal(g[0].bites, LIMIT_SERVER);
}

static void test_xmin(void **state)
{
	_cleanup_connections_ struct connections c = { 0 };
	size_t n;

	(void)state;
	fill(&c);
	*vec_push(&c.holders) = (struct xmin_holder){ "replication slot", "a", NULL, NULL, NAN, -1, 70, false };
	*vec_push(&c.holders) = (struct xmin_holder){ "replication slot", "b", NULL, NULL, NAN, -1, 60, false };
	*vec_push(&c.holders) = (struct xmin_holder){ "prepared transaction", "p", "web", "app", 5, 20, -1, false };

	autofree struct oldest_xmin *x = connections_xmin(&c, &n);

	assert_int_equal(n, 4);
	assert_string_equal(x[0].kind, "walsender");
	assert_string_equal(x[1].kind, "replication slot (catalog)");
	assert_string_equal(x[1].holder->name, "a");
	assert_string_equal(x[2].kind, "idle in transaction");
	assert_int_equal(x[2].session->pid, 2);
	assert_string_equal(x[3].kind, "prepared transaction");
}

static struct connection_thresholds thresholds(const char *used, const char *idle, const char *xmin)
{
	struct connection_thresholds t = { 0 };

	range_parse(used, UNIT_NUMBER, &t.used_critical, NULL);
	range_parse(idle, UNIT_SECONDS, &t.idle_critical, NULL);
	range_parse(xmin, UNIT_NUMBER, &t.xmin_warning, NULL);
	return t;
}

static size_t count_findings(const struct answer *a, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < a->findings.len; i++)
		n += strcmp(a->findings.items[i].id, id) == 0;
	return n;
}

static void test_judge(void **state)
{
	_cleanup_connections_ struct connections c = { 0 };
	_cleanup_answer_ struct answer a = { .name = "connections" };
	struct connection_thresholds t = thresholds("70%", "5min", "450");

	(void)state;
	fill(&c);
	connections_judge(&c, &t, &a);
	assert_int_equal(count_findings(&a, "connections.capacity"), 0);
	assert_int_equal(count_findings(&a, "connections.limit"), 1); /* web is, guest has nobody in it */
	assert_int_equal(count_findings(&a, "connections.idle_in_transaction"), 1);
	assert_int_equal(count_findings(&a, "connections.xmin"), 1);
	assert_int_equal(answer_status(&a), SEVERITY_CRITICAL);
	assert_string_equal(a.summary,
		"4 of 95 connections used (4.2 %), 1 active, 1 idle in transaction, oldest transaction 15 min 00 s");
}

static void test_many_stuck_sessions_end_in_one_line(void **state)
{
	_cleanup_connections_ struct connections c = { .max_connections = 100 };
	_cleanup_answer_ struct answer a = { .name = "connections" };
	struct connection_thresholds t = thresholds("", "5min", "");

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct session s = client(100 + i, "web", "app", SESSION_ABORTED);

		s.state_age = 301 + i;
		add(&c, s);
	}
	connections_judge(&c, &t, &a);
	assert_int_equal(a.findings.len, 21);
	assert_string_equal(a.findings.items[0].object, "pid 149");
	assert_string_equal(a.findings.items[20].message, "30 more sessions are like that");
	assert_int_equal(a.findings.items[20].severity, SEVERITY_CRITICAL);
}

static void test_tone(void **state)
{
	(void)state;
	assert_int_equal(connections_tone(49.9, 50, 75), TONE_GOOD);
	assert_int_equal(connections_tone(50, 50, 75), TONE_WARNING);
	assert_int_equal(connections_tone(75, 50, 75), TONE_WARNING);
	assert_int_equal(connections_tone(75.1, 50, 75), TONE_CRITICAL);
}

static void test_filter(void **state)
{
	struct session_filter f = { 0 };
	struct session s = client(1, "web", "app", SESSION_ABORTED), hidden = client(2, "web", "app", SESSION_UNKNOWN);

	(void)state;
	s.state_age = 700;
	hidden.type = NULL;
	assert_true(session_filter_is_empty(&f) && session_matches(&f, &s) && session_matches(&f, &hidden));
	f.older_than = 600;
	assert_true(session_matches(&f, &s) && !session_matches(&f, &hidden));
	f.idle_in_transaction = true;
	assert_true(session_matches(&f, &s) && !session_matches(&f, &hidden) && !session_filter_is_empty(&f));
	f.older_than = 701;
	assert_false(session_matches(&f, &s));
	f = (struct session_filter){ .state = "idle in transaction" };
	assert_true(session_matches(&f, &s));
	strvec_push(&f.role, "other");
	assert_false(session_matches(&f, &s));
	strvec_push(&f.role, "web");
	assert_true(session_matches(&f, &s));
	f.client = "10.0.0.1";
	assert_false(session_matches(&f, &s));
	strvec_release(&f.role);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_xmin),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_many_stuck_sessions_end_in_one_line),
		cmocka_unit_test(test_tone),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
