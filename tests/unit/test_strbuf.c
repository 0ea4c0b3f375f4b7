/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include "strbuf.h"

static void test_empty(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	assert_string_equal(sb.buf, "");
	strbuf_release(&sb);
	strbuf_release(&sb);
	assert_string_equal(sb.buf, "");
}

static void test_add(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf_adds(&sb, "a");
	strbuf_addch(&sb, 'b');
	strbuf_addf(&sb, "%d-%s", 7, "x");
	strbuf_add(&sb, "\0z", 2);
	assert_int_equal(sb.len, 7);
	assert_memory_equal(sb.buf, "ab7-x\0z", 8);
	strbuf_setlen(&sb, 2);
	assert_string_equal(sb.buf, "ab");
	strbuf_reset(&sb);
	assert_string_equal(sb.buf, "");
}

static void test_long_format(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf_addf(&sb, "%0*d", 5000, 1);
	strbuf_addf(&sb, "%0*d", 5000, 2);
	assert_int_equal(sb.len, 10000);
	assert_int_equal(sb.buf[9999], '2');
}

static void test_bounded(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	assert_true(strbuf_add_bounded(&sb, "abc", 3, 5));
	assert_false(strbuf_add_bounded(&sb, "def", 3, 5));
	assert_string_equal(sb.buf, "abc");
	assert_true(strbuf_add_bounded(&sb, "de", 2, 5));
	assert_false(strbuf_add_bounded(&sb, "x", SIZE_MAX, 5));
}

static void test_trim(void **state)
{
	static const char *const cases[][2] = {
		{ " a b \n", "a b" }, { "", "" }, { " \t\r\n", "" }, { "x", "x" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		strbuf_adds(&sb, cases[i][0]);
		strbuf_trim(&sb);
		assert_string_equal(sb.buf, cases[i][1]);
		assert_int_equal(sb.len, strlen(cases[i][1]));
	}
}

static void test_detach(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	autofree char *empty = strbuf_detach(&sb);

	assert_string_equal(empty, "");
	strbuf_adds(&sb, "x");

	autofree char *x = strbuf_detach(&sb);

	assert_string_equal(x, "x");
	assert_string_equal(sb.buf, "");
	assert_int_equal(sb.len, 0);
}

static void test_hex(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf_add_hex(&sb, "\x00\xff\x1a", 3);
	assert_string_equal(sb.buf, "00ff1a");
}

/* RFC 3986, 2.3: unreserved characters; everything else is encoded, as UTF-8 bytes. */
static void test_percent(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf_add_percent(&sb, "aZ0-._~/ +ü%", "");
	assert_string_equal(sb.buf, "aZ0-._~%2F%20%2B%C3%BC%25");
	strbuf_reset(&sb);
	strbuf_add_percent(&sb, "a/b", "/");
	assert_string_equal(sb.buf, "a/b");
}

static void check_decimal(double x, const char *expected)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_add_decimal(&sb, x);
	assert_string_equal(sb.buf, expected);
}

static void test_decimal(void **state)
{
	(void)state;
	check_decimal(0, "0");
	check_decimal(100, "100");
	check_decimal(-0.5, "-0.5");
	check_decimal(16.098476, "16.098476");
	check_decimal(50000000000, "50000000000");
	check_decimal(1e21, "1000000000000000000000");
	check_decimal(0.000012, "0.000012");
	check_decimal(1.0 / 3, "0.3333333333");
	check_decimal(1234567890.5, "1234567890");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),   cmocka_unit_test(test_add),
		cmocka_unit_test(test_long_format), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_trim),    cmocka_unit_test(test_detach),
		cmocka_unit_test(test_hex),     cmocka_unit_test(test_percent),
		cmocka_unit_test(test_decimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
