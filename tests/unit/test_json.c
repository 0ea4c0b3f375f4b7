/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <math.h>
#include "json.h"

static void test_nesting(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	(void)state;
	jsonw_object_begin(&j, NULL);
	jsonw_array_begin(&j, "empty");
	jsonw_array_end(&j);
	jsonw_array_begin(&j, "list");
	jsonw_int(&j, NULL, 1);
	jsonw_object_begin(&j, NULL);
	jsonw_object_end(&j);
	jsonw_null(&j, NULL);
	jsonw_array_end(&j);
	jsonw_bool(&j, "yes", true);
	jsonw_bool(&j, "no", false);
	jsonw_object_end(&j);
	assert_string_equal(sb.buf, "{\"empty\":[],\"list\":[1,{},null],\"yes\":true,\"no\":false}");
}

static void test_indent(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 2);

	(void)state;
	jsonw_object_begin(&j, NULL);
	jsonw_array_begin(&j, "a");
	jsonw_int(&j, NULL, 1);
	jsonw_int(&j, NULL, 2);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	assert_string_equal(sb.buf, "{\n  \"a\": [\n    1,\n    2\n  ]\n}");
}

/* RFC 8259, section 7: these must be escaped; what is not UTF-8 becomes U+FFFD. */
static void test_strings(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ NULL, "null" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\n\r\t\x01\x1f\x7f", "\"\\n\\u000d\\t\\u0001\\u001f\\u007f\"" },
		{ "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x98", "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x98\"" },
		{ "a\xff" "b", "\"a\\ufffdb\"" },
		{ "\xc3", "\"\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
		struct json j = JSON_INIT(&sb, 0);

		jsonw_string(&j, NULL, cases[i].in);
		assert_string_equal(sb.buf, cases[i].out);
	}
}

static void test_numbers(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	(void)state;
	jsonw_array_begin(&j, NULL);
	jsonw_int(&j, NULL, INT64_MIN);
	jsonw_int_string(&j, NULL, UINT64_MAX);
	jsonw_seconds(&j, NULL, 1.23456);
	jsonw_seconds(&j, NULL, NAN);
	jsonw_double(&j, NULL, 0.1);
	jsonw_double(&j, NULL, 1.0 / 3);
	jsonw_double(&j, NULL, INFINITY);
	jsonw_array_end(&j);
	assert_string_equal(sb.buf, "[-9223372036854775808,\"18446744073709551615\",1.235,null,0.1,"
				    "0.33333333333333331,null]");
}

static void test_time(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	(void)state;
	jsonw_array_begin(&j, NULL);
	jsonw_time(&j, NULL, 0);
	jsonw_time(&j, NULL, 951782400000000);
	jsonw_time(&j, NULL, 951782400000001);
	jsonw_array_end(&j);
	assert_string_equal(
		sb.buf, "[null,\"2000-02-29T00:00:00Z\",\"2000-02-29T00:00:00.000001Z\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting), cmocka_unit_test(test_indent),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
