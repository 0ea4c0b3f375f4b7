/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <math.h>
#include "range.h"

struct alert_case {
	const char *text;
	enum unit unit;
	double value, maximum;
	bool alerts;
	const char *perfdata;
};

static const struct alert_case cases[] = {
	/* the examples of the Monitoring Plugins Development Guidelines */
	{ "10", UNIT_NUMBER, 10, 0, false, "10" },       { "10", UNIT_NUMBER, 10.1, 0, true, "10" },
	{ "10", UNIT_NUMBER, -1, 0, true, "10" },        { "10:", UNIT_NUMBER, 9, 0, true, "10:" },
	{ "10:", UNIT_NUMBER, 10, 0, false, "10:" },     { "~:10", UNIT_NUMBER, -1e9, 0, false, "~:10" },
	{ "~:10", UNIT_NUMBER, 11, 0, true, "~:10" },    { "10:20", UNIT_NUMBER, 21, 0, true, "10:20" },
	{ "10:20", UNIT_NUMBER, 15, 0, false, "10:20" }, { "@10:20", UNIT_NUMBER, 15, 0, true, "@10:20" },
	{ "@10:20", UNIT_NUMBER, 9, 0, false, "@10:20" }, { "@0:20", UNIT_NUMBER, 0, 0, true, "@0:20" },
	/* per cent of a maximum, and how many are left of it */
	{ "85%", UNIT_NUMBER, 86, 100, true, "85" },     { "85%", UNIT_NUMBER, 51, 60, false, "51" },
	{ "85%", UNIT_NUMBER, 1e9, 0, false, "" },       { "-5", UNIT_NUMBER, 96, 100, true, "95" },
	{ "-5", UNIT_NUMBER, 95, 100, false, "95" },     { "-10%", UNIT_NUMBER, 55, 60, true, "54" },
	/* of a maximum that is no larger than what should be left: when nothing is */
	{ "-5", UNIT_NUMBER, 0, 3, false, "@3:" },       { "-5", UNIT_NUMBER, 2, 3, false, "@3:" },
	{ "-5", UNIT_NUMBER, 3, 3, true, "@3:" },        { "-5", UNIT_NUMBER, 4, 3, true, "@3:" },
	{ "-5", UNIT_NUMBER, 1, 5, false, "@5:" },       { "-5", UNIT_NUMBER, 5, 5, true, "@5:" },
	{ "-5", UNIT_NUMBER, 1, 6, false, "1" },         { "-5", UNIT_NUMBER, 2, 6, true, "1" },
	{ "-100%", UNIT_NUMBER, 7, 8, false, "@8:" },    { "-120%", UNIT_NUMBER, 8, 8, true, "@8:" },
	{ "-5", UNIT_NUMBER, 1, 0, false, "" },
	/* without an exponent, which performance data has no place for */
	{ "50GB", UNIT_BYTES, 1, 0, false, "53687091200" }, { "0.00001:", UNIT_NUMBER, 1, 0, false, "0.00001:" },
	/* units, and nothing at all */
	{ "5min", UNIT_SECONDS, 301, 0, true, "300" },   { "500ms", UNIT_SECONDS, 0.4, 0, false, "0.5" },
	{ "1GiB:", UNIT_BYTES, 1, 0, true, "1073741824:" }, { "", UNIT_NUMBER, 1e9, 0, false, "" },
	{ "10", UNIT_NUMBER, NAN, 0, false, "10" },
};

static void test_alerts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct alert_case *c = &cases[i];
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		struct range r;

		assert_true(range_parse(c->text, c->unit, &r, NULL));
		if (range_alerts(&r, c->value, c->maximum) != c->alerts)
			fail_msg("'%s' and %g of %g", c->text, c->value, c->maximum);
		range_add(&r, c->maximum, &text);
		assert_string_equal(text.buf, c->perfdata);
	}
}

static void test_wrong(void **state)
{
	static const char *const texts[] = { "x", ":", "10:5", "1:2:3", "@", "-", "--5", "%", "5min", "1e999", "10 ", "nan" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		struct range r;

		if (range_parse(texts[i], UNIT_NUMBER, &r, &err))
			fail_msg("'%s' was taken", texts[i]);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_non_null(err.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_alerts), cmocka_unit_test(test_wrong) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
