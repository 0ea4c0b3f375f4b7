/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include "redact.h"

/* "geheim" is the password everywhere. */
static const char *const cases[][2] = {
	{ "app", "app" },
	{ "", "" },
	{ "postgres://h/db", "postgres://h/db" },
	{ "postgres://u@h/db", "postgres://u@h/db" },
	{ "postgres://u:geheim@h/db", "postgres://u:********@h/db" },
	{ "postgresql://u:geheim@h:5432/db?x=1", "postgresql://u:********@h:5432/db?x=1" },
	{ "postgres://u:ge@heim@h/db", "postgres://u:********@h/db" },
	{ "postgres://u:@h/db", "postgres://u:@h/db" },
	{ "postgres://h:5432/db", "postgres://h:5432/db" },
	{ "postgres://h/db?user=a&password=geheim&x=1", "postgres://h/db?user=a&password=********&x=1" },
	{ "postgres://u:geheim@h/db?sslpassword=geheim", "postgres://u:********@h/db?sslpassword=********" },
	{ "host=h dbname=d", "host=h dbname=d" },
	{ "host=h password=geheim dbname=d", "host=h password=******** dbname=d" },
	{ "host=h password = geheim", "host=h password = ********" },
	{ "password='ge heim' host=h", "password=******** host=h" },
	{ "password='ge\\'heim' host=h", "password=******** host=h" },
	{ "password=ge\\ heim host=h", "password=******** host=h" },
	{ "password='geheim", "password=********" },
	{ "PASSWORD=geheim", "PASSWORD=********" },
	{ "password=geheim sslpassword=geheim", "password=******** sslpassword=********" },
	{ "passwordless", "passwordless" },
	{ "password=", "password=" },
};

static void test_redact(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		conninfo_redact(cases[i][0], &sb);
		assert_string_equal(sb.buf, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
