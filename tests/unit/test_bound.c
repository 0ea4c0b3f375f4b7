/* SPDX-License-Identifier: PostgreSQL */
/* Partition bounds as servers of 14-18 print them, and texts that are none. */
#include "unit.h"

#include "bound.h"

static const struct {
	const char *text, *display;
	enum bound_kind kind;
	size_t from, to, list;
} known[] = {
	{ "DEFAULT", "DEFAULT", BOUND_DEFAULT, 0, 0, 0 },
	{ "FOR VALUES FROM ('2025-01-01') TO ('2025-02-01')", "FROM ('2025-01-01') TO ('2025-02-01')", BOUND_RANGE, 1, 1, 0 },
	{ "FOR VALUES FROM (MINVALUE) TO (10)", "FROM (MINVALUE) TO ('10')", BOUND_RANGE, 1, 1, 0 },
	{ "FOR VALUES FROM ('-10') TO (1.50)", "FROM ('-10') TO ('1.50')", BOUND_RANGE, 1, 1, 0 },
	{ "FOR VALUES FROM (1, 'a', MINVALUE) TO (2, 'b', MAXVALUE)", "FROM ('1', 'a', MINVALUE) TO ('2', 'b', MAXVALUE)", BOUND_RANGE, 3, 3, 0 },
	{ "FOR VALUES IN ('it''s', NULL, true)", "IN ('it''s', NULL, 'true')", BOUND_LIST, 0, 0, 3 },
	{ "FOR VALUES IN ('), MINVALUE', 'a''''b', '')", "IN ('), MINVALUE', 'a''''b', '')", BOUND_LIST, 0, 0, 3 },
	{ "FOR VALUES IN ('a' COLLATE \"C\", 'b' COLLATE pg_catalog.\"x\"\"y\")", "IN ('a', 'b')", BOUND_LIST, 0, 0, 2 },
	{ "FOR VALUES IN (B'1010')", "IN ('1010')", BOUND_LIST, 0, 0, 1 },
	{ "FOR VALUES IN ('a\\b')", "IN ( E'a\\\\b')", BOUND_LIST, 0, 0, 1 },
	{ "FOR VALUES IN ('\\n''\n\\', NULL)", "IN ( E'\\\\n''\n\\\\', NULL)", BOUND_LIST, 0, 0, 2 },
	{ "FOR VALUES IN (E'a\\'b\\\\')", "IN ( E'a''b\\\\')", BOUND_LIST, 0, 0, 1 },
	{ "FOR VALUES WITH (modulus 4, remainder 3)", "WITH (MODULUS 4, REMAINDER 3)", BOUND_HASH, 0, 0, 0 },
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(known); i++) {
		_cleanup_bound_ struct bound b = { 0 };
		_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;

		assert_true(bound_parse(known[i].text, &b, NULL));
		bound_add_display(&shown, &b);
		assert_string_equal(shown.buf, known[i].display);
		assert_int_equal(b.kind, known[i].kind);
		assert_int_equal(b.from.len, known[i].from);
		assert_int_equal(b.to.len, known[i].to);
		assert_int_equal(b.list.len, known[i].list);
		assert_string_equal(b.text, known[i].text);

		/* what dbops writes, it reads: in records of archives, in --bounds */
		_cleanup_bound_ struct bound again = { 0 };
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

		bound_add_sql(&sql, &b);
		assert_true(bound_parse(sql.buf, &again, NULL));
		assert_true(bound_equal(&again, &b));
	}
}

static void test_values(void **state)
{
	_cleanup_bound_ struct bound b = { 0 };

	(void)state;
	assert_true(bound_parse("FOR VALUES FROM (MINVALUE, '2025-01-01 00:00:00+00', 'MINVALUE') TO (MAXVALUE, 7, 1e+30)", &b, NULL));
	assert_int_equal(b.from.items[0].kind, BOUND_MINVALUE);
	assert_null(b.from.items[0].text);
	assert_string_equal(b.from.items[1].text, "2025-01-01 00:00:00+00");
	assert_int_equal(b.from.items[2].kind, BOUND_VALUE);
	assert_string_equal(b.from.items[2].text, "MINVALUE");
	assert_int_equal(b.to.items[0].kind, BOUND_MAXVALUE);
	assert_string_equal(b.to.items[2].text, "1e+30");
}

static void test_unknown(void **state)
{
	static const char *const texts[] = { "", "FOR", "FOR VALUES", "FOR VALUES IN", "FOR VALUES IN ()", "FOR VALUES IN ('a'",
		"FOR VALUES IN ('a)", "FOR VALUES IN ('a') x", "FOR VALUES IN (a)", "FOR VALUES FROM (1) TO (1, 2)", "FOR VALUES FROM (1)",
		"FOR VALUES WITH (modulus 4)", "FOR VALUES WITH (modulus x, remainder 1)",
		"FOR VALUES WITH (modulus 99999999999999999999, remainder 1)", "FOR VALUES IN ('a' COLLATE)", "DEFAULT DEFAULT",
		"FOR VALUES IN (1;2)", "FOR VALUES IN (\"a\")" };

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		_cleanup_bound_ struct bound b = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_false(bound_parse(texts[i], &b, &err));
		assert_int_equal(err.code, EXIT_REFUSED);
		assert_int_equal(b.kind, BOUND_UNKNOWN);
		assert_int_equal(b.from.len + b.to.len + b.list.len, 0);
		assert_string_equal(b.text, texts[i]);
	}
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} pairs[] = {
		{ "FOR VALUES FROM (1) TO (2)", "FOR VALUES FROM ('1') TO ('2')", true },
		{ "FOR VALUES FROM (1) TO (2)", "FOR VALUES FROM (1) TO (3)", false },
		{ "FOR VALUES FROM (MINVALUE) TO (2)", "FOR VALUES FROM ('MINVALUE') TO (2)", false },
		{ "FOR VALUES IN (1)", "FOR VALUES IN (1, 2)", false },
		{ "FOR VALUES WITH (modulus 4, remainder 1)", "FOR VALUES WITH (modulus 4, remainder 2)", false },
		{ "DEFAULT", "DEFAULT", true },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(pairs); i++) {
		_cleanup_bound_ struct bound a = { 0 }, b = { 0 }, copy = { 0 };

		assert_true(bound_parse(pairs[i].a, &a, NULL) && bound_parse(pairs[i].b, &b, NULL));
		assert_int_equal(bound_equal(&a, &b), pairs[i].equal);
		bound_copy(&copy, &a);
		assert_true(bound_equal(&copy, &a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
