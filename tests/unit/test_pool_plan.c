/* SPDX-License-Identifier: PostgreSQL */
/* Inequalities and advice from plans in YAML, and what the reader refuses. */
#include "unit.h"

#include <string.h>
#include "pool_plan.h"

static bool parse(struct pool_plan *p, const char *text, struct error *err)
{
	return pool_plan_parse(p, "pools.yaml", text, strlen(text), err);
}

static const char shop[] = "server: {max_connections: 60}\n"
			   "components:\n"
			   "  agent: {instances: 4, pool_size: 5}\n"
			   "  frontend: {instances: 2, pool_size: 3}\n"
			   "  admin: {instances: 1, pool_size: 3}\n"
			   "  inngest: {instances: 2, pool_size: 3}\n";

static const struct inequality *find(const struct pool_proof *proof, const char *id)
{
	for (size_t i = 0; i < proof->items.len; i++)
		if (strcmp(proof->items.items[i].id, id) == 0)
			return &proof->items.items[i];
	fail_msg("no %s", id);
	return NULL;
}

static void expect(const char *text, const char *id, int64_t left, int64_t right, const char *formula)
{
	_cleanup_pool_plan_ struct pool_plan p = { 0 };
	_cleanup_pool_proof_ struct pool_proof proof = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;

	if (!parse(&p, text, &err))
		fail_msg("%s", err.message);
	pool_plan_prove(&p, &proof);
	assert_int_equal(find(&proof, id)->left, left);
	assert_int_equal(find(&proof, id)->right, right);
	assert_string_equal(find(&proof, id)->formula, formula);
}

static void test_direct(void **state)
{
	(void)state;
	expect(shop, "server.steady", 35, 57, "4 x 5 + 2 x 3 + 1 x 3 + 2 x 3");
	expect(shop, "server.deploy", 70, 57, "8 x 5 + 4 x 3 + 2 x 3 + 4 x 3");
	expect("deploy: one\nsurge: 1\nserver: {max_connections: 20, reserved_connections: 2, other: 4}\n"
	       "components: {a: {instances: 3, pool_size: 2}, b: {instances: 1, pool_size: 5, surge: 50%}}",
		"server.deploy", 20, 15, "3 x 2 + 2 x 5 + 4");
}

#define BOUNCED                                                                                                        \
	"server: {max_connections: 60}\n"                                                                              \
	"components:\n"                                                                                                \
	"  a: {instances: 4, pool_size: 5, pgbouncer: true, role: web, database: shop}\n"                              \
	"  b: {instances: 2, pool_size: 5, pgbouncer: true, role: web, database: shop}\n"                              \
	"  c: {instances: 2, pool_size: 5, pgbouncer: true, role: job, database: shop}\n"                              \
	"  d: {instances: 1, pool_size: 2, role: job, database: shop}\n"                                               \
	"limits: {roles: {job: 20}, databases: {shop: 40}}\n"

static void test_pgbouncer(void **state)
{
	(void)state;
	/* two pools of 10 + 2, one database */
	expect(BOUNCED "pgbouncer: {pool_mode: transaction, default_pool_size: 10, reserve_pool_size: 2}", "server.steady", 26, 57,
		"1 x 2 + 24");
	expect(BOUNCED "pgbouncer: {default_pool_size: 10, max_db_connections: 15, instances: 2}", "server.steady", 32, 57, "1 x 2 + 30");
	expect(BOUNCED "pgbouncer: {default_pool_size: 10}", "pgbouncer.clients", 80, 100, "8 x 5 + 4 x 5 + 4 x 5");
	expect(BOUNCED "pgbouncer: {default_pool_size: 10}", "pgbouncer.session", 80, 20, "8 x 5 + 4 x 5 + 4 x 5");
	expect(BOUNCED "pgbouncer: {default_pool_size: 10}", "limit.role", 14, 20, "2 x 2 + 1 x 10");
	expect(BOUNCED "pgbouncer: {default_pool_size: 10}", "limit.database", 24, 40, "2 x 2 + 2 x 10");
	expect(BOUNCED "pgbouncer: {default_pool_size: 10, max_db_connections: 12}", "limit.database", 16, 40, "2 x 2 + 12");
}

/* With the advised settings, every inequality of the plan holds. */
static void check_advice(const char *text, bool bouncer)
{
	_cleanup_pool_plan_ struct pool_plan p = { 0 };
	_cleanup_pool_proof_ struct pool_proof proof = { 0 };
	_cleanup_pool_advice_ struct pool_advice a = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;

	if (!parse(&p, text, &err))
		fail_msg("%s", err.message);
	pool_plan_advise(&p, bouncer, &a);
	assert_true(a.possible);
	for (size_t i = 0; i < p.components.len; i++) {
		p.components.items[i].pool_size = a.pool_sizes[i];
		p.components.items[i].pgbouncer |= bouncer;
	}
	if (a.bouncer)
		p.bouncer = (struct pool_bouncer){ .there = true, .instances = p.bouncer.there ? p.bouncer.instances : 1,
			.default_pool_size = a.default_pool_size, .reserve_pool_size = a.reserve_pool_size,
			.max_db_connections = a.max_db_connections, .max_client_conn = a.max_client_conn };
	pool_plan_prove(&p, &proof);
	for (size_t i = 0; i < proof.items.len; i++)
		if (!inequality_holds(&proof.items.items[i]))
			fail_msg("%s: %s", proof.items.items[i].id, proof.items.items[i].formula);
}

static void test_advice(void **state)
{
	_cleanup_pool_plan_ struct pool_plan p = { 0 };
	_cleanup_pool_advice_ struct pool_advice a = { 0 };

	(void)state;
	check_advice(shop, false);
	check_advice(shop, true);
	check_advice("server: {max_connections: 60}\ncomponents: {a: {instances: 9, pool_size: 5, pgbouncer: true}, b: {instances: 30, pool_size: 9}}\n"
		     "surge: 25%\npgbouncer: {instances: 2}", false);
	check_advice("server: {max_connections: 40}\ncomponents: {a: {instances: 9, pool_size: 5, role: x, database: d}, "
		     "b: {instances: 9, pool_size: 5, role: y, database: d}, c: {instances: 9, pool_size: 5, role: x, database: e}}", true);
	assert_true(parse(&p, "server: {max_connections: 10}\ncomponents: {a: {instances: 9, pool_size: 5}}", NULL));
	pool_plan_advise(&p, false, &a);
	assert_false(a.possible);
}

static void test_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "", "pools.yaml: the file is empty" },
		{ "a: [\n", "pools.yaml:2:1: did not find expected node content" },
		{ "server: 5", "pools.yaml:1:9: settings (key: value) are expected here" },
		{ "server: {max_connections: -1}", "pools.yaml:1:27: a whole number from 0 to 1000000 is expected here" },
		{ "server: {max_connections: 1e3}", "pools.yaml:1:27: a whole number from 0 to 1000000 is expected here" },
		{ "server: {max_connection: 1}", "pools.yaml:1:10: unknown key 'max_connection'" },
		{ "components: {a: {instances: 1}}", "pools.yaml:1:14: component 'a' needs instances and pool_size" },
		{ "components: {a: {instances: 1, pool_size: 1}, a: {}}", "pools.yaml:1:47: 'a' stands here twice" },
		{ "components: {a: {instances: 1, pool_size: 1, surge: x}}",
			"pools.yaml:1:53: instances or per cent of them are expected here: 1, 25%" },
		{ "components: {a: {instances: 1, pool_size: 1, pgbouncer: yes}}", "pools.yaml:1:57: true or false is expected here" },
		{ "components: {a: {instances: 1, pool_size: 1, pgbouncer: true}}",
			"pools.yaml: component 'a' goes through PgBouncer, but there is no 'pgbouncer' section" },
		{ "server: {max_connections: 5}", "pools.yaml: there are no components" },
		{ "pgbouncer: {pool_mode: x}", "pools.yaml:1:24: transaction or session is expected here" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_pool_plan_ struct pool_plan p = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_false(parse(&p, cases[i][0], &err));
		assert_int_equal(err.code, EXIT_CONFIG);
		assert_string_equal(err.message, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_pgbouncer),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
