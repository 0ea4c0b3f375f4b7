/* SPDX-License-Identifier: PostgreSQL */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "internal.h"

static void test_url_clean(void **state)
{
	static const struct {
		const char *url, *clean, *dropped;
	} cases[] = {
		{ "postgresql://u@h/db", "postgresql://u@h/db", "" },
		{ "postgres://u:p@h:6543/db?pgbouncer=true&connection_limit=100",
			"postgres://u:p@h:6543/db", "pgbouncer, connection_limit" },
		{ "postgres://h/db?schema=public&sslmode=require&pool_timeout=0&connect_timeout=3",
			"postgres://h/db?sslmode=require&connect_timeout=3",
			"schema, pool_timeout" },
		{ "postgres://h/db?sslmode=require&supa=base-pooler.x&sslrootcert=%2Fa%2Fb",
			"postgres://h/db?sslmode=require&sslrootcert=%2Fa%2Fb", "supa" },
		{ "postgres://h/"
		  "db?sslaccept=strict&socket_timeout=1&statement_cache_size=0&pool_mode="
		  "transaction"
		  "&prepareThreshold=0&workaround=supabase-pooler.vercel",
			"postgres://h/db",
			"sslaccept, socket_timeout, statement_cache_size, pool_mode, "
		        "prepareThreshold, workaround" },
		/* libpq translates this one spelling itself */
		{ "postgres://h/db?ssl=true", "postgres://h/db?ssl=true", "" },
		{ "postgres://h/db?ssl=no-verify", "postgres://h/db", "ssl" },
		/* an encoded name is the name */
		{ "postgres://h/db?ssl%6Dode=disable&p%67bouncer=1",
			"postgres://h/db?ssl%6Dode=disable", "pgbouncer" },
		/* a question mark in the password does not begin the query */
		{ "postgres://u:a?b=c&d@h/db?pgbouncer=true", "postgres://u:a?b=c&d@h/db",
			"pgbouncer" },
		{ "postgres://h/db?", "postgres://h/db", "" },
		{ "postgres://h/db?&&pgbouncer", "postgres://h/db", "pgbouncer" },
		{ "postgres://h/db?evil%0Aname=1", "postgres://h/db", "evil?name" },
		{ "postgres://h/db?%zz=1&%=2", "postgres://h/db", "?zz, ?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf dropped = STRBUF_INIT;
		autofree char *clean = pg_url_clean(cases[i].url, &dropped);

		assert_string_equal(clean, cases[i].clean);
		assert_string_equal(dropped.buf, cases[i].dropped);
	}
}

/* What pg_options_parse makes of a dbname, as a conninfo string. */
static char *parsed(struct pg_params p, struct error *err)
{
	_cleanup_options_ struct pg_options o = { 0 };
	_cleanup_strbuf_ struct strbuf dropped = STRBUF_INIT;

	return pg_options_parse(&p, &o, &dropped, err) ? pg_options_conninfo(&o) : NULL;
}

static void test_parse(void **state)
{
	static const struct {
		struct pg_params params;
		const char *conninfo;
	} cases[] = {
		{ { 0 }, "" },
		{ { .dbname = "" }, "" },
		{ { .dbname = "shop" }, "dbname='shop'" },
		{ { .dbname = "it's \\ one" }, "dbname='it\\'s \\\\ one'" },
		{ { .dbname = "dbname=a=b host='x y'" }, "dbname='a=b' host='x y'" },
		{ { .dbname = "postgres://u@h:1/d?schema=s", .port = "5", .user = "v" },
			"user='v' port='5' dbname='d' host='h'" },
		/* an address in the string would win over the host that the user named */
		{ { .dbname = "hostaddr=10.0.0.1 dbname=d", .host = "db" },
			"dbname='d' host='db'" },
		{ { .dbname = "postgres://h/d", .isolated = true, .host = "/s" },
			"dbname='postgres://h/d' host='/s'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		autofree char *conninfo = parsed(cases[i].params, &err);

		assert_null(err.message);
		assert_non_null(conninfo);

		/* the order is not a promise */
		char *why = NULL;
		PQconninfoOption *list = PQconninfoParse(conninfo, &why);
		PQconninfoOption *expected = PQconninfoParse(cases[i].conninfo, &why);

		assert_non_null(list);
		assert_non_null(expected);
		for (size_t k = 0; list[k].keyword; k++) {
			if (expected[k].val)
				assert_string_equal(
					list[k].val ? list[k].val : "(none)", expected[k].val);
			else
				assert_null(list[k].val);
		}
		PQconninfoFree(list);
		PQconninfoFree(expected);
	}
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *dbname, *message;
	} cases[] = {
		{ "mysql://u:geheim@h/db", "\"mysql://\" is not a PostgreSQL URL" },
		{ "postgresql+psycopg2://u:geheim@h/db",
			"\"postgresql+psycopg2://\" is not a PostgreSQL URL" },
		{ "jdbc:postgresql://h/db?password=geheim",
			"\"jdbc:postgresql://\" is not a PostgreSQL URL" },
		/* unescaped separators: the password would be taken for a port */
		{ "postgresql://u:geheim/x@h/db", "the connection URL is not valid" },
		{ "postgresql://u:ge%heim@h/db", "the connection URL is not valid" },
		{ "password=a geheim host=h", "the connection string is not valid" },
		{ "host=h pgbouncer=true", "the connection string is not valid" },
		{ "host=h port=geheim", "the connection string is not valid" },
		{ "sslpassword=geheim", "the connection option \"sslpassword\" is not supported" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		autofree char *conninfo = parsed(
			(struct pg_params){ .dbname = cases[i].dbname }, &err);

		assert_null(conninfo);
		assert_int_equal(err.code, EXIT_CONFIG);
		assert_string_equal(err.message, cases[i].message);
		assert_null(strstr(err.detail ? err.detail : "", "geheim"));
		assert_non_null(err.hint);
	}
}

static void test_set_replaces_and_removes(void **state)
{
	_cleanup_options_ struct pg_options o = { 0 };

	(void)state;
	pg_options_set(&o, "host", "a");
	pg_options_set(&o, "port", "1");
	pg_options_set(&o, "host", "b");
	assert_string_equal(pg_options_get(&o, "host"), "b");
	pg_options_set(&o, "host", NULL);
	pg_options_set(&o, "host", NULL);
	assert_null(pg_options_get(&o, "host"));
	assert_string_equal(pg_options_get(&o, "port"), "1");
	pg_options_set(&o, "port", pg_options_get(&o, "port"));
	assert_string_equal(pg_options_get(&o, "port"), "1");
}

static void test_isolate(void **state)
{
	_cleanup_options_ struct pg_options o = { 0 };

	(void)state;
	pg_options_set(&o, "host", "/s");
	pg_options_isolate(&o);
	assert_string_equal(pg_options_get(&o, "host"), "/s");
	assert_string_equal(pg_options_get(&o, "hostaddr"), "");
	assert_string_equal(pg_options_get(&o, "options"), "");
	assert_string_equal(pg_options_get(&o, "sslmode"), "prefer");
	assert_null(pg_options_get(&o, "service"));
}

static void test_exit_codes(void **state)
{
	static const struct {
		const char *sqlstate;
		enum exit_code code;
	} cases[] = {
		{ "", EXIT_UNAVAILABLE },
		{ "28P01", EXIT_PERMISSION },
		{ "28000", EXIT_PERMISSION },
		{ "42501", EXIT_PERMISSION },
		{ "3D000", EXIT_NOT_FOUND },
		{ "3F000", EXIT_NOT_FOUND },
		{ "42P01", EXIT_NOT_FOUND },
		{ "55P03", EXIT_BUSY },
		{ "40001", EXIT_BUSY },
		{ "40P01", EXIT_BUSY },
		{ "53300", EXIT_BUSY },
		{ "57P03", EXIT_BUSY },
		{ "57P01", EXIT_UNAVAILABLE },
		{ "57P02", EXIT_UNAVAILABLE },
		{ "08006", EXIT_UNAVAILABLE },
		{ "53100", EXIT_CANNOT_WRITE },
		{ "57014", EXIT_REFUSED },
		{ "42601", EXIT_REFUSED },
		{ "40002", EXIT_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(pg_exit_code(cases[i].sqlstate), cases[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_clean),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_set_replaces_and_removes),
		cmocka_unit_test(test_isolate),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
