/* SPDX-License-Identifier: PostgreSQL */
/* The console's answers are read by the names of their columns: older releases lack some, newer ones add some. */
#include "unit.h"

#include <math.h>
#include "connections_rates.h"
#include "pgbouncer.h"

/* "a|b" and rows "1|2" as a result of the server. */
static PGresult *result(const char *columns, const char *const *rows)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc attributes[16] = { 0 };
	char names[16][32];
	int n = 0;

	for (const char *s = columns; *s; n++) {
		size_t len = strcspn(s, "|");

		memcpy(names[n], s, len);
		names[n][len] = '\0';
		attributes[n].name = names[n];
		s += len + (s[len] == '|');
	}
	PQsetResultAttrs(r, n, attributes);
	for (int row = 0; rows[row]; row++) {
		const char *s = rows[row];

		for (int i = 0; i < n; i++) {
			size_t len = strcspn(s, "|");

			PQsetvalue(r, row, i, (char *)(uintptr_t)s, (int)len);
			s += len + (s[len] == '|');
		}
	}
	return r;
}

#define ROWS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_old_release(void **state)
{
	_cleanup_bouncer_ struct bouncer b = { 0 };

	(void)state;
	b.results[0] = result("database|user|cl_active|cl_waiting|sv_active|sv_idle|maxwait", ROWS("app|web|3|2|5|0|7"));
	b.results[1] = result("name|pool_size|reserve_pool", ROWS("app|5|1"));
	b.results[2] = result("key|value", ROWS("max_client_conn|200", "default_pool_size|20"));
	b.results[3] = result("addr|port|ptr", ROWS("10.0.0.9|4711|0x1", "fe80::1|4712|0x2", "unix|6432|0x3"));
	b.results[4] = result("remote_pid|link", ROWS("100|0x1", "101|0x2", "102|0x3", "103|"));
	bouncer_read(&b, b.results);
	assert_int_equal(b.max_client_conn, 200);
	assert_int_equal(b.clients, 3);
	assert_int_equal(b.pools.items[0].size, 6);
	assert_true(b.pools.items[0].max_wait == 7 && bouncer_is_saturated(&b.pools.items[0]));
	assert_string_equal(b.links.items[0].client, "10.0.0.9:4711");
	assert_string_equal(b.links.items[1].client, "[fe80::1]:4712");
	assert_string_equal(b.links.items[2].client, "a unix socket");
	assert_null(b.links.items[3].client);
	assert_null(b.links.items[0].application);
}

static void test_new_release(void **state)
{
	_cleanup_bouncer_ struct bouncer b = { 0 };
	_cleanup_connections_ struct connections c = { 0 };

	(void)state;
	b.results[0] = result("load_balance_hosts|maxwait_us|pool_mode|maxwait|sv_being_canceled|sv_idle|sv_active|cl_waiting|user|database",
		ROWS("x|250000|transaction|1|1|2|3|0|web|other"));
	b.results[1] = result("reserve_pool_size|server_lifetime|pool_size|name", ROWS("2|0|8|app"));
	b.results[2] = result("changeable|default|value|key", ROWS("yes|20|30|default_pool_size"));
	b.results[3] = result("application_name|id|ptr|port|addr", ROWS("shop|9|0x1|4711|10.0.0.9"));
	b.results[4] = result("link|local_port|remote_pid", ROWS("0x1|5001|100"));
	bouncer_read(&b, b.results);
	assert_int_equal(b.max_client_conn, -1);
	assert_int_equal(b.pools.items[0].size, 30); /* the database is not listed: the default */
	assert_int_equal(bouncer_servers(&b.pools.items[0]), 6);
	assert_true(b.pools.items[0].max_wait == 1.25 && !bouncer_is_saturated(&b.pools.items[0]));
	*vec_push(&c.sessions) = (struct session){ .pid = 100, .client_port = 5001 };
	*vec_push(&c.sessions) = (struct session){ .pid = 100, .client_port = 5002 }; /* the same pid on another server */
	*vec_push(&c.sessions) = (struct session){ .pid = 101, .client_port = 5001 };
	bouncer_resolve(&b, &c);
	assert_string_equal(c.sessions.items[0].real_client, "10.0.0.9:4711");
	assert_string_equal(c.sessions.items[0].real_application, "shop");
	assert_null(c.sessions.items[1].real_client);
	assert_null(c.sessions.items[2].real_client);
}

/* The columns of 1.24: a user's own pool sizes come before those of the database. */
static void test_pool_sizes_of_users(void **state)
{
	_cleanup_bouncer_ struct bouncer b = { 0 };
	const int64_t sizes[] = { 20 + 2, 3 + 2, 4 + 1, -1, -1, 20 + 2, 20 + 2, 7 + 5, 3 + 5 };

	(void)state;
	b.results[0] = result("database|user|cl_active|sv_active|load_balance_hosts",
		ROWS("app|none|1|1|", "app|small|1|1|", "app|both|1|1|", "app|either|1|1|", "app|reserve|1|1|", "app|same|1|1|",
			"app|stranger|1|1|", "other|none|1|1|", "other|small|1|1|"));
	b.results[1] = result("name|force_user|pool_size|min_pool_size|reserve_pool_size|server_lifetime", ROWS("app||20|0|2|3600"));
	b.results[2] = result("key|value", ROWS("default_pool_size|7", "reserve_pool_size|5"));
	b.results[3] = result("addr|port|ptr", ROWS("10.0.0.9|4711|0x1"));
	b.results[4] = result("remote_pid|link", ROWS("100|0x1"));
	b.results[5] = result("name|pool_size|reserve_pool_size|pool_mode|max_user_connections|current_connections",
		ROWS("none||||0|0", "small|        3|||0|0", "both|        4|        1||0|0", "either|        4|        3||0|0",
			"reserve|        9|        3||0|0", "x|       20|        2||0|0", "same|       20|        2||0|0"));
	bouncer_read(&b, b.results);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (b.pools.items[i].size != sizes[i])
			fail_msg("pool %u: %d, not %d", i, (int)b.pools.items[i].size, (int)sizes[i]);
}

static void test_timeouts(void **state)
{
	_cleanup_connections_ struct connections c = { 0 };
	const char *s = "statement_timeout";

	(void)state;
	assert_true(timeout_seconds("30000") == 30 && timeout_seconds("5min") == 300 && timeout_seconds("0") == 0);
	assert_true(isnan(timeout_seconds("x")));
	*vec_push(&c.timeouts) = (struct timeout){ .setting = s, .value = "0" };
	*vec_push(&c.timeouts) = (struct timeout){ .setting = s, .database = "app", .value = "1s" };
	*vec_push(&c.timeouts) = (struct timeout){ .setting = s, .role = "web", .value = "2s" };
	*vec_push(&c.timeouts) = (struct timeout){ .setting = s, .role = "web", .database = "app", .value = "3s" };
	assert_string_equal(timeout_in_force(&c, s, "web", "app")->value, "3s");
	assert_string_equal(timeout_in_force(&c, s, "web", "other")->value, "2s");
	assert_string_equal(timeout_in_force(&c, s, "other", "app")->value, "1s");
	assert_string_equal(timeout_in_force(&c, s, "other", "other")->value, "0");
	assert_null(timeout_in_force(&c, "transaction_timeout", "web", "app"));
	timeouts_hide_own(&c, "other", "other");
	assert_false(c.timeouts.items[0].hidden);
	timeouts_hide_own(&c, "other", "app");
	assert_true(c.timeouts.items[0].hidden && !c.timeouts.items[1].hidden);
}

static void add_database(struct connections *c, const char *name, double sessions)
{
	struct connection_database *d = vec_push(&c->databases);

	d->name = name;
	for (unsigned k = 0; k < DATABASE_COUNTERS; k++)
		d->counters[k] = sessions;
}

static void test_rates(void **state)
{
	_cleanup_connections_ struct connections before = { .max_connections = 100 }, now = { .max_connections = 100 };
	_cleanup_sample_ struct sample old = { .counters = connection_counters, .at = 10000000 };
	_cleanup_sample_ struct sample new = { .counters = connection_counters, .at = 20000000 };

	(void)state;
	add_database(&before, "app", 100);
	add_database(&before, "reset", 50);
	connections_sample(&before, &old);
	add_database(&now, "app", 150);
	add_database(&now, "young", 20);
	for (int i = 0; i < 10; i++)
		*vec_push(&now.sessions) = (struct session){ .pid = i, .type = "client backend" };
	connections_sample(&now, &new);
	assert_true(connections_rates(&now, &old, &new, NULL).established == 7);
	assert_true(connections_rates(&now, &old, &new, "app").established == 5);
	assert_true(connections_rates(&now, &old, &new, NULL).full_in == 90);
	add_database(&now, "reset", 49);
	assert_true(isnan(connections_rates(&now, &old, &new, "reset").established));
}

static void check_wait(struct bouncer_pool pool, const char *message, const char *evidence)
{
	_cleanup_answer_ struct answer a = { .name = "connections" };
	struct bouncer b = { .max_client_conn = -1 };
	struct range warning, critical, never = { 0 };

	assert_true(range_parse("1s", UNIT_SECONDS, &warning, NULL));
	assert_true(range_parse("1h", UNIT_SECONDS, &critical, NULL));
	*vec_push(&b.pools) = pool;
	bouncer_judge(&b, &warning, &critical, &never, &never, &a);
	assert_int_equal(a.findings.len, 1);
	assert_string_equal(a.findings.items[0].message, message);
	assert_non_null(strstr(a.findings.items[0].evidence, evidence));
	vec_release(&b.pools);
}

/* In words for people, and without a size that is not known. */
static void test_wait(void **state)
{
	(void)state;
	check_wait((struct bouncer_pool){ .database = "d", .user = "u", .clients_waiting = 2, .servers_active = 5, .size = 6, .max_wait = 1234 },
		"2 clients wait for a server connection, the first for 20 min 34 s; 5 of 6 are busy", "\"pool_size\":6");
	check_wait((struct bouncer_pool){ .database = "d", .user = "u", .clients_waiting = 1, .servers_active = 1, .size = -1, .max_wait = 2 },
		"1 client waits for a server connection, the first for 2.00 s; 1 is busy", "\"pool_size\":null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait), cmocka_unit_test(test_old_release),
		cmocka_unit_test(test_new_release),
		cmocka_unit_test(test_pool_sizes_of_users),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
