/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include "clock.h"

static void test_utc(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2000-02-29T00:00:00Z", 951782400000000 },
		{ "2026-11-20T20:36:16Z", 1795206976000000 },
		{ "1969-12-31T23:59:59Z", -1000000 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
		int64_t us = 42;

		clock_format_utc(cases[i].us, false, &sb);
		assert_string_equal(sb.buf, cases[i].text);
		assert_true(clock_parse_utc(cases[i].text, &us));
		assert_int_equal(us, cases[i].us);
	}
}

static void test_utc_forms(void **state)
{
	static const char *const wrong[] = {
		"", "2026", "2026-11-20", "2026-11-20T20:36Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+01",
	};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < LENGTH(wrong); i++)
		if (clock_parse_utc(wrong[i], &us))
			fail_msg("'%s' was read as a time", wrong[i]);
	assert_true(clock_parse_utc("1970-01-01 00:00:01.5+00", &us));
	assert_int_equal(us, 1500000);
	assert_true(clock_parse_utc("1970-01-01T00:00:00.000001Z", &us));
	assert_int_equal(us, 1);
}

static void test_duration_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "90", 90000 },   { "90s", 90000 },       { "15min", 900000 }, { "1h30m", 5400000 },
		{ "2d", 172800000 }, { "1w", 604800000 },  { "500ms", 500 },    { "0", 0 },
		{ "1.5h", 5400000 }, { "1 h 30 min", 5400000 },
	};
	static const char *const wrong[] = { "", "s", "1x", "-1", "1e3", "0x10", "1h-", "inf", "nan", " " };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		if (!duration_parse(cases[i].text, &ms))
			fail_msg("'%s' was refused", cases[i].text);
		assert_int_equal(ms, cases[i].ms);
	}
	for (size_t i = 0; i < LENGTH(wrong); i++)
		if (duration_parse(wrong[i], &ms))
			fail_msg("'%s' was read as a duration", wrong[i]);
}

static void test_size_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{ "4096", 4096 },       { "64kB", 65536 },          { "16MiB", 16777216 },
		{ "1GB", 1073741824 },  { "2TiB", 2199023255552 },  { "1.5k", 1536 },
		{ "0", 0 },             { "1 MB", 1048576 },
	};
	static const char *const wrong[] = { "", "MB", "1XB", "-1", "1MB2", "99999999TB", "1MBs" };
	int64_t bytes;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		if (!size_parse(cases[i].text, &bytes))
			fail_msg("'%s' was refused", cases[i].text);
		assert_int_equal(bytes, cases[i].bytes);
	}
	for (size_t i = 0; i < LENGTH(wrong); i++)
		if (size_parse(wrong[i], &bytes))
			fail_msg("'%s' was read as a size", wrong[i]);
}

static void test_formats(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	(void)state;
	duration_format(0.42, &sb);
	strbuf_adds(&sb, "|");
	duration_format(12, &sb);
	strbuf_adds(&sb, "|");
	duration_format(184, &sb);
	strbuf_adds(&sb, "|");
	duration_format(7500, &sb);
	strbuf_adds(&sb, "|");
	duration_format(4 * 86400 + 7200, &sb);
	assert_string_equal(sb.buf, "0.42 s|12 s|3 min 04 s|2 h 05 min|4 d 02 h");
	strbuf_reset(&sb);
	for (double x = 0.0000432; x < 1000; x *= 23) {
		latency_format(x, &sb);
		strbuf_addch(&sb, '|');
	}
	assert_string_equal(sb.buf, "0.043 ms|0.994 ms|22.9 ms|526 ms|12 s|4 min 38 s|");
	strbuf_reset(&sb);
	size_format(812, &sb);
	strbuf_adds(&sb, "|");
	size_format(1258291, &sb);
	strbuf_adds(&sb, "|");
	size_format(3650722201, &sb);
	strbuf_adds(&sb, "|");
	size_format(1048575, &sb);
	assert_string_equal(sb.buf, "812 B|1.2 MiB|3.40 GiB|1.0 MiB");
	strbuf_reset(&sb);
	count_format(1234567, &sb);
	strbuf_adds(&sb, "|");
	count_format(-123, &sb);
	strbuf_adds(&sb, "|");
	count_format(-1234, &sb);
	strbuf_adds(&sb, "|");
	count_format(0, &sb);
	assert_string_equal(sb.buf, "1,234,567|-123|-1,234|0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_utc_forms),
		cmocka_unit_test(test_duration_parse),
		cmocka_unit_test(test_size_parse),
		cmocka_unit_test(test_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
