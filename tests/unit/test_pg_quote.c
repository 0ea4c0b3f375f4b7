/* SPDX-License-Identifier: PostgreSQL */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "pg.h"

static void test_ident(void **state)
{
	static const char *const cases[][2] = {
		{ "plain", "\"plain\"" },
		{ "UPPER case", "\"UPPER case\"" },
		{ "\"; drop", "\"\"\"; drop\"" },
		{ "back\\slash'", "\"back\\slash'\"" },
		{ "new\nline", "\"new\nline\"" },
		{ "\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "", "\"\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		pg_add_ident(&sb, cases[i][0]);
		assert_string_equal(sb.buf, cases[i][1]);
	}
}

static void test_literal(void **state)
{
	static const char *const cases[][2] = {
		{ "", "''" },
		{ "it's", "'it''s'" },
		{ "a\\b", " E'a\\\\b'" },
		{ "\\'", " E'\\\\'''" },
		{ "new\nline", "'new\nline'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		pg_add_literal(&sb, cases[i][0]);
		assert_string_equal(sb.buf, cases[i][1]);
	}
}

static void test_display(void **state)
{
	static const char *const cases[][3] = {
		{ "public", "orders", "public.orders" },
		{ NULL, "orders_2$", "orders_2$" },
		{ "", "_x", "_x" },
		{ "Sales", "2orders", "\"Sales\".\"2orders\"" },
		{ "s", "a.b", "s.\"a.b\"" },
		{ "s", "", "s.\"\"" },
		{ "s", "\xc3\xa4", "s.\"\xc3\xa4\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		pg_add_display_name(&sb, cases[i][0], cases[i][1]);
		assert_string_equal(sb.buf, cases[i][2]);
	}
}

static void test_qualified(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf_adds(&sb, "LOCK TABLE ");
	pg_add_qualified(&sb, "my \"s\"", "t");
	assert_string_equal(sb.buf, "LOCK TABLE \"my \"\"s\"\"\".\"t\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ident),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_display),
		cmocka_unit_test(test_qualified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
