/* SPDX-License-Identifier: PostgreSQL */
/* What bounds alone tell, on models made by hand. */
#include "unit.h"

#include "check.h"
#include "parity.h"

#define SECONDS INT64_C(1000000)
#define NOW     (INT64_C(1738368000) * SECONDS) /* 2025-02-01 00:00 UTC */

static struct partition *add(struct check *c, const char *name, char kind, const char *from, const char *to)
{
	struct partition *p = vec_push(&c->model);

	*p = (struct partition){ .oid = (uint32_t)c->model.len, .schema = xstrdup("s"), .name = xstrdup(name), .kind = kind, .parent = PARTITION_NO_PARENT };
	p->end = c->model.len;
	if (from) {
		p->parent = 0;
		p->bound.kind = BOUND_RANGE;
		bound_add_value(&p->bound.from, from[0] ? BOUND_VALUE : BOUND_MINVALUE, from);
		bound_add_value(&p->bound.to, to[0] ? BOUND_VALUE : BOUND_MAXVALUE, to);
	}
	c->model.items[0].end = c->model.len;
	return p;
}

static void begin(struct check *c, enum key_kind kind)
{
	struct partition *root = add(c, "t", 'p', NULL, NULL);

	root->key.strategy = STRATEGY_RANGE;
	*vec_push(&root->key.columns) = (struct key_column){ .name = xstrdup("k"), .type = xstrdup("?"), .kind = kind };
	c->now = (struct check_clock){ NOW, NOW };
	c->zone = xstrdup("Europe/Berlin");
	range_parse("7d:", UNIT_SECONDS, &c->options.warning, NULL);
	range_parse("1d:", UNIT_SECONDS, &c->options.critical, NULL);
}

static const struct finding *only(const struct answer *a, const char *id)
{
	assert_int_equal(a->findings.len, 1);
	assert_string_equal(a->findings.items[0].id, id);
	return &a->findings.items[0];
}

static void test_headroom(void **state)
{
	static const struct {
		const char *to;
		enum severity wanted;
	} cases[] = { { "2025-03-01", SEVERITY_OK }, { "2025-02-08", SEVERITY_OK }, { "2025-02-07", SEVERITY_WARNING }, { "2025-02-01", SEVERITY_CRITICAL },
		{ "", SEVERITY_OK }, { "2024-01-01", SEVERITY_CRITICAL } };

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_check_ struct check c = { 0 };
		_cleanup_answer_ struct answer a = { .name = "partitions" };

		begin(&c, KEY_DATE);
		add(&c, "t_1", 'r', "2023-12-01", cases[i].to);
		check_bounds(&c, &a);
		assert_int_equal(answer_status(&a), cases[i].wanted);
		assert_int_equal(a.metrics.len, cases[i].to[0] != '\0');
	}
}

static void test_gaps_and_their_cure(void **state)
{
	_cleanup_check_ struct check c = { 0 };
	_cleanup_answer_ struct answer a = { .name = "partitions" };

	(void)state;
	begin(&c, KEY_TIMESTAMPTZ);
	add(&c, "t_1", 'r', "2024-10-31 23:00:00+00", "2024-11-30 23:00:00+00");
	add(&c, "t_3", 'r', "2025-01-31 23:00:00+00", "2025-02-28 23:00:00+00");
	check_bounds(&c, &a);
	assert_string_equal(only(&a, "partitions.gap")->fix, "dbops partitions create s.t --interval '1 month' --ahead 0 --timezone Europe/Berlin --yes");
	assert_int_equal(a.findings.items[0].severity, SEVERITY_INFO);
}

static void test_intervals(void **state)
{
	static const struct {
		const char *a, *b, *c, *interval;
		enum key_kind kind;
	} cases[] = {
		{ "2024-02-01", "2024-03-01", "2024-04-01", "1 month", KEY_DATE },
		{ "2024-01-01", "2024-04-01", "2024-07-01", "3 months", KEY_DATE },
		{ "2023-01-01", "2024-01-01", "2025-01-01", "1 year", KEY_DATE },
		{ "2024-01-01", "2024-01-08", "2024-01-15", "7 days", KEY_DATE },
		{ "2024-03-30 23:00:00+00", "2024-03-31 22:00:00+00", "2024-04-01 22:00:00+00", "1 day", KEY_TIMESTAMPTZ }, /* summer time */
		{ "2024-01-01 00:00:00", "2024-01-01 06:00:00", "2024-01-01 12:00:00", "6 hours", KEY_TIMESTAMP },
		{ "2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 12:00:00", NULL, KEY_TIMESTAMP },
		{ "0", "1000", "2000", "1000", KEY_INTEGER },
		{ "0", "1000", "5000", NULL, KEY_INTEGER },
		{ "a", "b", "c", NULL, KEY_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_check_ struct check c = { 0 };
		char buf[32];
		const char *interval;

		begin(&c, cases[i].kind);
		add(&c, "t_1", 'r', cases[i].a, cases[i].b);
		add(&c, "t_2", 'r', cases[i].b, cases[i].c);
		interval = check_interval(&c, &c.model.items[0], buf);
		if (!interval != !cases[i].interval || (interval && strcmp(interval, cases[i].interval) != 0))
			fail_msg("%s … %s: %s instead of %s", cases[i].a, cases[i].c, interval ? interval : "nothing", cases[i].interval ? cases[i].interval : "nothing");
	}
}

static void test_shell_words(void **state)
{
	_cleanup_check_ struct check c = { 0 };
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	(void)state;
	begin(&c, KEY_INTEGER);
	free(c.model.items[0].name);
	c.model.items[0].name = xstrdup("It's; $x");
	add(&c, "t_1", 'r', "0", "5");
	check_add_create(&c, &c.model.items[0], 2, "", &sql);
	assert_string_equal(sql.buf, "dbops partitions create 's.\"It'\\''s; $x\"' --interval '5' --ahead 2 --yes");
}

static void test_object_names(void **state)
{
	autofree char *a = parity_object_name("t", "x", "_idx"), *b = parity_object_name("t", "y", "_idx");
	autofree char *cut = parity_object_name("12345678901234567890123456789012345678901234567\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", "x", "_stat");

	(void)state;
	assert_string_not_equal(a, b);
	assert_true(strlen(cut) <= 63);
	assert_int_equal((unsigned char)cut[strlen(cut) - 15] & 0xc0, 0x80); /* a whole character before the "_" */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_gaps_and_their_cure),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_shell_words),
		cmocka_unit_test(test_object_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
