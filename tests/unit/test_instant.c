/* SPDX-License-Identifier: PostgreSQL */
/* Key values as times; the figures are PostgreSQL's: SELECT extract(epoch FROM …). */
#include "unit.h"

#include <inttypes.h>
#include "instant.h"

#define S INT64_C(1000000)

static const struct {
	const char *text;
	int64_t us;
	enum key_kind kind; /* instant_format() with it gives the text again; KEY_OTHER = it does not */
} times[] = {
	{ "1970-01-01", 0, KEY_DATE },
	{ "2000-02-29", 951782400 * S, KEY_DATE },
	{ "2025-01-31", 1738281600 * S, KEY_DATE },
	{ "1969-12-31", -86400 * S, KEY_DATE },
	{ "1900-03-01", -2203891200 * S, KEY_DATE },
	{ "0044-03-15 BC", -63517824000 * S, KEY_DATE },
	{ "0001-01-01", -62135596800 * S, KEY_DATE },
	{ "12025-06-01", 317318256000 * S, KEY_DATE },
	{ "2025-01-31 12:30:15", (1738281600 + 45015) * S, KEY_TIMESTAMP },
	{ "2025-01-31 12:30:15.5", (1738281600 + 45015) * S + 500000, KEY_TIMESTAMP },
	{ "1969-12-31 23:59:59.999999", -1, KEY_TIMESTAMP },
	{ "2025-01-31 00:00:00+00", 1738281600 * S, KEY_TIMESTAMPTZ },
	{ "2025-01-31 05:30:00+05:30", 1738281600 * S, KEY_OTHER },
	{ "2025-01-30 20:00:00-04", 1738281600 * S, KEY_OTHER },
	{ "1880-01-01 00:19:32+00:19:32", -2840140800 * S, KEY_OTHER },
	{ "infinity", INSTANT_MAX, KEY_TIMESTAMPTZ },
	{ "-infinity", INSTANT_MIN, KEY_DATE },
	{ "5874897-12-31", INSTANT_MAX, KEY_OTHER },
};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(times); i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		int64_t us;

		assert_true(instant_parse(times[i].text, &us));
		if (us != times[i].us)
			fail_msg("%s: %" PRId64 " instead of %" PRId64, times[i].text, us, times[i].us);
		instant_format(us, times[i].kind, &text);
		if (times[i].kind != KEY_OTHER)
			assert_string_equal(text.buf, times[i].text);
	}
}

static void test_no_times(void **state)
{
	static const char *const texts[] = { "", "2025", "2025-1-1", "2025-13-01", "2025-01-32", "2025-01-01 1:00:00", "2025-01-01 10:00",
		"2025-01-01 10:00:00.", "2025-01-01 10:61:00", "2025-01-01x", "2025-01-01 10:00:00+5", "yesterday", "2025-01-01 AD" };
	int64_t us;

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++)
		if (instant_parse(texts[i], &us))
			fail_msg("%s is taken for a time", texts[i]);
}

static void test_every_day(void **state)
{
	(void)state;
	for (int64_t day = -800000; day < 800000; day += 13) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		int64_t us;

		instant_format(day * 86400 * S, KEY_DATE, &text);
		assert_true(instant_parse(text.buf, &us));
		assert_int_equal(us, day * 86400 * S);
	}
}

static void test_uuid(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int64_t us;

	(void)state;
	/* RFC 9562, appendix A.6 */
	assert_true(instant_of_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &us));
	assert_int_equal(us, INT64_C(1645557742000) * 1000);
	instant_add_uuid(us, &text);
	assert_string_equal(text.buf, "017f22e2-79b0-7000-8000-000000000000");
	assert_false(instant_of_uuid("017f22e2-79b0-7000-8000", &us));
	assert_false(instant_of_uuid("017f22e2-79b0-7000-8000-00000000000g", &us));
	assert_false(instant_of_uuid("017f22e2-79b0-7000-8000-0000000000000", &us));
}

static void test_values(void **state)
{
	static const struct {
		enum key_kind kind;
		enum epoch_unit unit;
		const char *text;
	} values[] = {
		{ KEY_DATE, EPOCH_NONE, "2025-01-31" },
		{ KEY_TIMESTAMP, EPOCH_NONE, "2025-01-31 00:00:00" },
		{ KEY_TIMESTAMPTZ, EPOCH_NONE, "2025-01-31 00:00:00+00" },
		{ KEY_INTEGER, EPOCH_SECONDS, "1738281600" },
		{ KEY_INTEGER, EPOCH_MILLISECONDS, "1738281600000" },
		{ KEY_INTEGER, EPOCH_MICROSECONDS, "1738281600000000" },
		{ KEY_INTEGER, EPOCH_NANOSECONDS, "1738281600000000000" },
		{ KEY_UUID, EPOCH_NONE, "0194b9a8-4400-7000-8000-000000000000" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(values); i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		autofree char *copy = xstrdup(values[i].text);
		const struct bound_value v = { BOUND_VALUE, copy };
		int64_t us;

		assert_true(instant_of_value(&v, values[i].kind, values[i].unit, &us));
		instant_add_value(1738281600 * S, values[i].kind, values[i].unit, &text);
		assert_string_equal(text.buf, values[i].text);
		assert_int_equal(us, 1738281600 * S);
	}
}

static void test_no_unit(void **state)
{
	char text[] = "1738281600";
	const struct bound_value v = { BOUND_VALUE, text }, low = { BOUND_MINVALUE, NULL };
	int64_t us;

	(void)state;
	assert_false(instant_of_value(&v, KEY_INTEGER, EPOCH_NONE, &us));
	assert_false(instant_of_value(&v, KEY_OTHER, EPOCH_NONE, &us));
	assert_true(instant_of_value(&low, KEY_DATE, EPOCH_NONE, &us));
	assert_int_equal(us, INSTANT_MIN);
}

static void test_order(void **state)
{
	char nine[] = "9", ten[] = "10", early[] = "9999-12-31", late[] = "10000-01-01";
	const struct bound_value a = { BOUND_VALUE, nine }, b = { BOUND_VALUE, ten }, c = { BOUND_VALUE, early }, d = { BOUND_VALUE, late },
		low = { BOUND_MINVALUE, NULL }, high = { BOUND_MAXVALUE, NULL };

	(void)state;
	assert_true(bound_value_compare(&a, &b, KEY_INTEGER) < 0);
	assert_true(bound_value_compare(&a, &b, KEY_OTHER) > 0);
	assert_true(bound_value_compare(&c, &d, KEY_DATE) < 0);
	assert_true(bound_value_compare(&low, &a, KEY_INTEGER) < 0);
	assert_true(bound_value_compare(&high, &b, KEY_INTEGER) > 0);
	assert_int_equal(bound_value_compare(&a, &a, KEY_INTEGER), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_no_times),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_unit),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
