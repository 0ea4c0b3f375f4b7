/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <math.h>
#include "answer.h"


static struct metric used(double value, const char *role)
{
	struct metric m = {
		.name = "connections_used", .help = "Client sessions.", .value = value, .perfdata = "used",
		.finding = "connections.used", .maximum = 100, .label = { "role" }, .label_value = { (char *)(uintptr_t)role },
	};

	assert_true(range_parse("75%", UNIT_NUMBER, &m.warning, NULL));
	assert_true(range_parse("85%", UNIT_NUMBER, &m.critical, NULL));
	return m;
}

static void test_status(void **state)
{
	_cleanup_answer_ struct answer a = { .name = "connections" };
	struct metric good = used(10, "a"), bad = used(80, "b"), worse = used(90, "c");

	(void)state;
	answer_metric(&a, &good);
	assert_int_equal(answer_status(&a), SEVERITY_OK);
	answer_gap(&a, false, "sizes", "locked", NULL);
	assert_int_equal(answer_status(&a), SEVERITY_OK);
	assert_string_equal(answer_completeness(&a), "partial");
	answer_gap(&a, true, "states", "not visible", "GRANT pg_monitor TO x;");
	assert_int_equal(answer_status(&a), SEVERITY_UNKNOWN);
	answer_metric(&a, &bad);
	assert_int_equal(answer_status(&a), SEVERITY_WARNING);
	answer_metric(&a, &worse);
	assert_int_equal(answer_status(&a), SEVERITY_CRITICAL);
	assert_string_equal(a.findings.items[1].message, "used is 90 of 100, the threshold 85");
	a.findings.items[1].suppressed = xstrdup("known");
	assert_int_equal(answer_status(&a), SEVERITY_WARNING);
	answer_finding(&a, &(struct finding){ .id = "x", .severity = SEVERITY_INFO, .message = (char *)(uintptr_t)"for your information" });
	assert_int_equal(answer_status(&a), SEVERITY_WARNING);
	a.unavailable = true;
	assert_string_equal(answer_completeness(&a), "unavailable");
}

/* Names from the database cannot break the line or its performance data. */
static void test_nagios(void **state)
{
	_cleanup_answer_ struct answer a = { .name = "slow-queries" };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct metric m = used(80, "it's=|a\nrole");

	(void)state;
	answer_metric(&a, &m);
	answer_add_nagios(&a, &text);
	assert_string_equal(text.buf,
		"DBOPS SLOW QUERIES WARNING - role it's=/a role: used is 80 of 100, the threshold 75 | 'used it_s__a_role'=80;75;85;0;100\n"
		"warning connections.used: role it's=/a role: used is 80 of 100, the threshold 75\n");
}

static void check_message(enum unit unit, double value, double maximum, const char *warning, const char *expected)
{
	_cleanup_answer_ struct answer a = { .name = "x" };
	struct metric m = { .name = "x_seconds", .help = "X.", .unit = unit, .value = value, .maximum = maximum, .perfdata = "longest_wait",
		.finding = "x.y" };

	assert_true(range_parse(warning, unit, &m.warning, NULL));
	answer_metric(&a, &m);
	assert_int_equal(a.findings.len, 1);
	assert_string_equal(a.findings.items[0].message, expected);
}

/* People read "3 min 04 s"; the raw figure is in the performance data. */
static void test_messages(void **state)
{
	(void)state;
	check_message(UNIT_SECONDS, 184.037885, 0, "1", "longest wait is 3 min 04 s, the threshold 1 s");
	check_message(UNIT_SECONDS, 0.25, 0, "100ms", "longest wait is 250 ms, the threshold 100 ms");
	check_message(UNIT_BYTES, 53687091200, 0, "1GB", "longest wait is 50.00 GiB, the threshold 1.00 GiB");
	check_message(UNIT_PERCENT, 91.23, 0, "85", "longest wait is 91.2 %, the threshold 85.0 %");
	check_message(UNIT_NUMBER, 1957.2855, 0, "5", "longest wait is 1,957, the threshold 5");
	check_message(UNIT_NUMBER, 96, 100, "-5", "longest wait is 96 of 100, the threshold 95");
	check_message(UNIT_NUMBER, 3, 0, "5:", "longest wait is 3, the threshold 5");
	check_message(UNIT_NUMBER, 3, 0, "5:10", "longest wait is 3, the thresholds are 5 and 10");
	check_message(UNIT_NUMBER, 7, 0, "@5:10", "longest wait is 7, which is within the threshold");
}

static void test_prom(void **state)
{
	_cleanup_answer_ struct answer a = { .name = "connections" };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct metric first = used(1, "a\"\\\n"), second = used(2, "b"), again = used(3, "b"), unknown = used(NAN, "c");
	struct metric latin = used(4, "\xe9"), latin2 = used(5, "\xe8\xe8"), utf8 = used(6, "é");
	const struct metric total = { .name = "sessions_total", .help = "Sessions.", .counter = true, .value = 5e12 };

	(void)state;
	answer_metric(&a, &first);
	answer_metric(&a, &total);
	answer_metric(&a, &second);
	answer_metric(&a, &again);
	answer_metric(&a, &unknown);
	answer_metric(&a, &latin);
	answer_metric(&a, &latin2);
	answer_metric(&a, &utf8);
	answer_add_prom(&a, &text);
	assert_non_null(strstr(text.buf, "# HELP dbops_connections_used Client sessions.\n# TYPE dbops_connections_used gauge\n"
					 "dbops_connections_used{role=\"a\\\"\\\\\\n\"} 1\ndbops_connections_used{role=\"b\"} 2\n"));
	assert_non_null(strstr(text.buf,
					 "# HELP dbops_sessions_total Sessions.\n# TYPE dbops_sessions_total counter\n"
					 "dbops_sessions_total 5000000000000\n"));
	assert_null(strstr(text.buf, "\"c\""));
	assert_non_null(strstr(text.buf, "{role=\"\\\\xe9\"} 4\ndbops_connections_used{role=\"\\\\xe8\\\\xe8\"} 5\n"));
	assert_non_null(strstr(text.buf, "{role=\"é\"} 6\n"));
	assert_non_null(strstr(text.buf, "dbops_up{command=\"connections\"} 1\n"));
}

static const char config_text[] =
	"suppressions:\n"
	"  a: {finding: indexes.*, object: 'public.audit_*', reason: yearly}\n"
	"  b: {finding: locks.wait, reason: batch, expires: 2026-11-30}\n";

static void add(struct answer *a, const char *id, const char *object)
{
	answer_finding(a, &(struct finding){ .id = id, .severity = SEVERITY_WARNING, .object = (char *)(uintptr_t)object,
				  .message = (char *)(uintptr_t)"m" });
}

static void test_suppressions(void **state)
{
	_cleanup_answer_ struct answer a = { .name = "x" };
	_cleanup_config_ struct config *c = config_new();

	(void)state;
	assert_true(config_parse(c, "f", config_text, strlen(config_text), NULL));
	add(&a, "indexes.unused", "public.audit_2025");
	add(&a, "indexes.unused", "public.orders");
	add(&a, "indexes.unused", NULL);
	add(&a, "locks.wait", "pid 1");
	assert_true(answer_suppress(&a, c, "2026-11-30", NULL));
	assert_string_equal(a.findings.items[0].suppressed, "yearly");
	assert_null(a.findings.items[1].suppressed);
	assert_null(a.findings.items[2].suppressed);
	assert_string_equal(a.findings.items[3].suppressed, "batch (until 2026-11-30)");
	answer_release(&a);
	add(&a, "locks.wait", "pid 1");
	assert_true(answer_suppress(&a, c, "2026-12-01", NULL));
	assert_null(a.findings.items[0].suppressed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_status), cmocka_unit_test(test_nagios), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_prom), cmocka_unit_test(test_suppressions) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
