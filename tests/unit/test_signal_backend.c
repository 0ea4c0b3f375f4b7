/* SPDX-License-Identifier: PostgreSQL */
/* Which sessions are never signalled, which only with force. */
#include "unit.h"

#include <math.h>
#include "signal_backend.h"

static const struct session app = { .pid = 1, .role = "app", .database = "app", .type = "client backend", .state = SESSION_ACTIVE,
	.query = "SELECT 1" };
static const struct probe monitor = { .signals = true }, lowly = { 0 }, super = { .is_superuser = true, .signals = true };

static void expect(const struct session *s, const struct probe *p, enum signal_action action, bool force, const char *start)
{
	const char *reason = signal_refusal(s, p, action, force);

	if (!start)
		assert_null(reason);
	else if (!reason || strncmp(reason, start, strlen(start)) != 0)
		fail_msg("'%s' instead of '%s'", reason ? reason : "nothing", start);
}

static void test_rights(void **state)
{
	struct session s = app;

	(void)state;
	expect(&s, &monitor, SIGNAL_TERMINATE, false, NULL);
	expect(&s, &lowly, SIGNAL_TERMINATE, true, "this role may not signal");
	s.same_role = true;
	expect(&s, &lowly, SIGNAL_TERMINATE, false, NULL);
	s.superuser = true;
	expect(&s, &monitor, SIGNAL_TERMINATE, true, "only a superuser");
	expect(&s, &super, SIGNAL_TERMINATE, false, "it is a superuser's session");
	expect(&s, &super, SIGNAL_TERMINATE, true, NULL);
	s = app;
	s.type = NULL;
	expect(&s, &monitor, SIGNAL_TERMINATE, true, "this role cannot see");
	s = app;
	s.own = true;
	expect(&s, &super, SIGNAL_TERMINATE, true, "it is our own");
}

static void test_kinds(void **state)
{
	struct session s = app;

	(void)state;
	s.type = "walsender";
	expect(&s, &super, SIGNAL_TERMINATE, false, "it is a replication connection");
	expect(&s, &super, SIGNAL_TERMINATE, true, NULL);
	s.type = "autovacuum worker";
	s.query = "autovacuum: VACUUM public.t";
	expect(&s, &super, SIGNAL_CANCEL, false, "it is autovacuum;");
	expect(&s, &super, SIGNAL_CANCEL, true, NULL);
	s.query = "autovacuum: VACUUM public.t (to prevent wraparound)";
	expect(&s, &super, SIGNAL_CANCEL, true, "it is autovacuum against transaction id wraparound");
	s.type = "logical replication launcher";
	s.query = "";
	expect(&s, &super, SIGNAL_TERMINATE, false, "it is a background process");
	s = app;
	s.query = "SELECT '(to prevent wraparound)'"; /* a client cannot make itself untouchable */
	expect(&s, &super, SIGNAL_TERMINATE, false, NULL);
}

static void test_nothing_to_cancel(void **state)
{
	struct session s = app;

	(void)state;
	expect(&s, &super, SIGNAL_CANCEL, false, NULL);
	s.state = SESSION_IDLE_IN_TRANSACTION;
	expect(&s, &super, SIGNAL_CANCEL, true, "it runs no statement");
	expect(&s, &super, SIGNAL_TERMINATE, false, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_nothing_to_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
