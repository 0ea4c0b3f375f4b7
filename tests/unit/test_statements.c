/* SPDX-License-Identifier: PostgreSQL */
/* Counters of pg_stat_statements: columns by name, differences, groups, order. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include "pgss.h"
#include "statements.h"

/* Rows as the server sends them: "name=value name=value", the same names in each; "-" is NULL. */
static PGresult *result(const char *const *lines, size_t n)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[40] = { 0 };
	int fields = 0;

	for (size_t row = 0; row < n; row++) {
		char *line = strdup(lines[row]), *rest = line, *pair;

		for (int i = 0; (pair = strtok_r(rest, " ", &rest)); i++) {
			char *value = strchr(pair, '=');

			*value++ = '\0';
			if (row == 0) {
				columns[fields].name = strdup(pair);
				columns[fields++].typlen = -1;
			}
		}
		free(line);
	}
	assert_true(PQsetResultAttrs(r, fields, columns));
	for (int i = 0; i < fields; i++)
		free(columns[i].name);
	for (size_t row = 0; row < n; row++) {
		char *line = strdup(lines[row]), *rest = line, *pair;

		for (int i = 0; (pair = strtok_r(rest, " ", &rest)); i++) {
			char *value = strchr(pair, '=') + 1;
			bool null = strcmp(value, "-") == 0;

			assert_true(PQsetvalue(r, (int)row, i, null ? NULL : value, null ? -1 : (int)strlen(value)));
		}
		free(line);
	}
	return r;
}

#define READ(...) read_lines((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static struct statements read_lines(const char *const *lines, size_t n)
{
	struct statements s;
	PGresult *r = result(lines, n);

	statements_read(&s, r, NULL);
	PQclear(r);
	return s;
}

/* An entry of role a (1) or b (2) in database 5. */
#define ENTRY(user, role, id, calls, time) \
	"userid=" #user " dbid=5 queryid=" #id " calls=" #calls " total_exec_time=" #time " mean_exec_time=1 stddev_exec_time=0" \
	" rows=0 dbops_role=" role " dbops_database=d dbops_here=t query=text" #id

static const struct strvec everybody;

static void filter(struct statements *s)
{
	statements_filter(s, &(struct statement_filter){ .roles = &everybody });
}

static void near(double a, double b)
{
	assert_true(fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)));
}

static void test_names(void **state)
{
	_cleanup_statements_ struct statements old = READ("userid=1 dbid=5 queryid=-7 calls=2 total_time=3000 mean_time=1500 stddev_time=500 "
		"min_time=1000 max_time=2000 rows=4 shared_blks_hit=3 shared_blks_read=1 blk_read_time=10 blk_write_time=5");
	_cleanup_statements_ struct statements recent = READ("toplevel=f queryid=9223372036854775807 calls=1 total_exec_time=1 total_plan_time=2 "
		"shared_blk_read_time=1 shared_blk_write_time=2 local_blk_read_time=4 local_blk_write_time=8 temp_blk_read_time=16 "
		"temp_blk_write_time=32 wal_bytes=12345678901 dbops_since=1700000000000000");
	const struct statement *s = &old.items.items[0], *t = &recent.items.items[0];

	(void)state;
	assert_int_equal(s->query_id, -7);
	assert_false(s->nested || s->hidden);
	near(statement_time(s), 3);
	near(statement_mean(s), 1.5);
	near(statement_jitter(s), 0.5);
	near(s->min, 1);
	near(s->v[STATEMENT_IO], 0.015);
	near(statement_hit_ratio(s), 75);
	assert_true(isnan(s->v[STATEMENT_WAL]) && isnan(s->v[STATEMENT_PLANNING]) && isnan(s->v[STATEMENT_TEMP]));
	assert_int_equal(t->query_id, INT64_MAX);
	assert_true(t->nested);
	near(statement_time(t), 0.003);
	near(t->v[STATEMENT_IO], 0.063);
	near(t->v[STATEMENT_WAL], 12345678901.0);
	assert_int_equal(t->since, 1700000000000000);
	assert_true(isnan(statement_hit_ratio(t)) && isnan(t->max));
}

/* postgres_exporter#998: without pg_read_all_stats many rows have the same key. */
static void test_hidden(void **state)
{
	_cleanup_statements_ struct statements s = READ("userid=1 dbid=5 queryid=- calls=2 total_exec_time=10 min_exec_time=1 max_exec_time=9 dbops_role=a",
		"userid=1 dbid=5 queryid=- calls=3 total_exec_time=20 min_exec_time=2 max_exec_time=18 dbops_role=a",
		"userid=2 dbid=5 queryid=- calls=4 total_exec_time=40 min_exec_time=1 max_exec_time=9 dbops_role=b");

	(void)state;
	assert_int_equal(s.items.len, 2);
	assert_int_equal(s.items.items[0].entries, 2);
	near(s.items.items[0].v[STATEMENT_CALLS], 5);
	near(s.items.items[0].max, 0.018);
}

static struct sample sample_of(const struct statements *s, int64_t at)
{
	struct sample now = { .counters = statement_counters, .at = at };

	statements_keep(s, &now);
	return now;
}

static void test_differences(void **state)
{
	_cleanup_statements_ struct statements before = READ(ENTRY(1, "a", 1, 10, 100), ENTRY(1, "a", 2, 10, 100), ENTRY(1, "a", 3, 10, 100)),
		now = READ(ENTRY(1, "a", 1, 15, 180), ENTRY(1, "a", 2, 4, 40), ENTRY(1, "a", 3, 10, 100), ENTRY(2, "b", 1, 7, 70));
	_cleanup_sample_ struct sample sample = sample_of(&before, 1000000);

	(void)state;
	statements_compare(&now, &sample, 2);
	filter(&now);
	assert_int_equal(now.items.len, 3); /* 3 was not called */
	near(now.items.items[0].v[STATEMENT_CALLS], 5);
	near(statement_time(&now.items.items[0]), 0.08);
	assert_int_equal(now.items.items[0].change, STATEMENT_COMPARED);
	assert_true(isnan(now.items.items[0].min));
	near(now.items.items[1].v[STATEMENT_CALLS], 4);
	assert_int_equal(now.items.items[1].change, STATEMENT_RESTARTED);
	near(now.items.items[2].v[STATEMENT_CALLS], 7);
	assert_int_equal(now.items.items[2].change, STATEMENT_NEW);
	near(now.calls, 16);
	near(now.items.items[0].share + now.items.items[1].share + now.items.items[2].share, 100);
}

/* A counter that is computed may fall by a rounding. */
static void test_never_negative(void **state)
{
	_cleanup_statements_ struct statements before = READ("queryid=1 calls=2 total_exec_time=2 rows=9"),
		now = READ("queryid=1 calls=3 total_exec_time=3 rows=5");
	_cleanup_sample_ struct sample sample = sample_of(&before, 1);

	(void)state;
	statements_compare(&now, &sample, 1);
	assert_true(now.items.items[0].v[STATEMENT_ROWS] == 0);
	assert_true(isnan(now.items.items[0].v[STATEMENT_WAL]));
}

/* Equal times have no deviation, whatever the subtraction leaves. */
static void test_no_deviation(void **state)
{
	(void)state;
	for (int i = 1; i < 200; i++) {
		autofree char *line = xasprintf("queryid=1 calls=%d total_exec_time=%.17g mean_exec_time=%.17g stddev_exec_time=0", i,
			i * 0.1 * i, i * 0.1);
		_cleanup_statements_ struct statements s = READ(line);

		assert_true(statement_jitter(&s.items.items[0]) == 0);
	}
}

static void test_not_known_is_last(void **state)
{
	_cleanup_statements_ struct statements s = READ("queryid=1 calls=1 total_exec_time=900 wal_bytes=- dbops_here=t",
		"queryid=2 calls=1 total_exec_time=1 wal_bytes=0 dbops_here=t");

	(void)state;
	filter(&s);
	statements_order(&s, STATEMENT_ORDER_WAL, 0, 1);
	assert_int_equal(s.items.items[0].query_id, 2);
}

static void test_nested_is_a_group_of_its_own(void **state)
{
	_cleanup_statements_ struct statements s = READ("queryid=1 calls=1 total_exec_time=9 dbops_here=t toplevel=t query=a",
		"queryid=1 calls=1 total_exec_time=1 dbops_here=t toplevel=f query=a");

	(void)state;
	statements_filter(&s, &(struct statement_filter){ .roles = &everybody, .nested = true });
	s.items.items[0].fingerprint = s.items.items[1].fingerprint = 7;
	statements_group(&s, STATEMENT_BY_TEXT);
	assert_int_equal(s.items.len, 2);
}

/* The deviation of a window, from two cumulative ones. */
static void test_deviation_of_a_window(void **state)
{
	/* 10 and 20 ms; then also 30 and 50 ms */
	_cleanup_statements_ struct statements before = READ("queryid=1 calls=2 total_exec_time=30 mean_exec_time=15 stddev_exec_time=5 dbops_here=t"),
		now = READ("queryid=1 calls=4 total_exec_time=110 mean_exec_time=27.5 stddev_exec_time=14.79019945774904 dbops_here=t");
	_cleanup_sample_ struct sample sample = sample_of(&before, 1);

	(void)state;
	statements_compare(&now, &sample, 1);
	near(statement_mean(&now.items.items[0]), 0.04);
	near(statement_jitter(&now.items.items[0]), 0.01);
}

static void test_began_later(void **state)
{
	_cleanup_statements_ struct statements before = READ("queryid=1 calls=2 total_exec_time=2 dbops_since=5"),
		now = READ("queryid=1 calls=9 total_exec_time=9 dbops_since=2000000");
	_cleanup_sample_ struct sample sample = sample_of(&before, 1000000);

	(void)state;
	statements_compare(&now, &sample, 1);
	assert_int_equal(now.items.items[0].change, STATEMENT_RESTARTED);
	near(now.items.items[0].v[STATEMENT_CALLS], 9);
}

static void test_reset_of_the_whole(void **state)
{
	_cleanup_statements_ struct statements before = READ("queryid=1 calls=2 total_exec_time=2"),
		now = READ("queryid=1 calls=9 total_exec_time=9");

	(void)state;
	before.reset_at = 7;
	before.evicted = 3;
	now.reset_at = 8;
	now.evicted = 1;

	_cleanup_sample_ struct sample sample = sample_of(&before, 1000000);

	statements_compare(&now, &sample, 1);
	assert_true(now.was_reset);
	near(now.evicted, 1);
	near(now.items.items[0].v[STATEMENT_CALLS], 9);
}

static void test_evictions(void **state)
{
	_cleanup_statements_ struct statements before = READ("queryid=1 calls=2 total_exec_time=2"),
		now = READ("queryid=1 calls=2 total_exec_time=2"), old = READ("queryid=1 calls=2 total_exec_time=2");

	(void)state;
	before.reset_at = now.reset_at = 7;
	before.evicted = 3;
	now.evicted = 10;

	_cleanup_sample_ struct sample sample = sample_of(&before, 1), none = sample_of(&old, 1);

	statements_compare(&now, &sample, 1);
	assert_false(now.was_reset);
	near(now.evicted, 7);
	statements_compare(&old, &none, 1); /* before 1.9 nobody counts them */
	assert_true(isnan(old.evicted) && !old.was_reset);
}

static void test_samples_that_do_not_fit(void **state)
{
	_cleanup_statements_ struct statements s = READ(ENTRY(1, "a", 1, 10, 100)), hidden = READ("userid=1 queryid=- calls=1 total_exec_time=1");
	_cleanup_sample_ struct sample seen = sample_of(&s, 1), unseen = sample_of(&hidden, 1),
				      none = { .counters = statement_counters };

	(void)state;
	assert_null(statements_incomparable(&s, &seen));
	assert_null(statements_incomparable(&hidden, &unseen));
	assert_non_null(strstr(statements_incomparable(&s, &unseen), "role"));
	assert_non_null(strstr(statements_incomparable(&hidden, &seen), "role"));
	assert_non_null(strstr(statements_incomparable(&s, &none), "no statements"));
}

static void test_filter(void **state)
{
	_cleanup_statements_ struct statements s = READ("userid=1 dbid=5 queryid=1 calls=1 total_exec_time=10 toplevel=t dbops_here=t dbops_role=a",
		"userid=1 dbid=5 queryid=2 calls=1 total_exec_time=5 toplevel=f dbops_here=t dbops_role=a",
		"userid=1 dbid=6 queryid=3 calls=1 total_exec_time=10 toplevel=t dbops_here=f dbops_role=a",
		"userid=2 dbid=5 queryid=4 calls=1 total_exec_time=30 toplevel=t dbops_here=t dbops_role=b",
		"userid=2 dbid=5 queryid=5 calls=0 total_exec_time=0 toplevel=t dbops_here=t dbops_role=b");
	_cleanup_strvec_ struct strvec roles = { 0 };

	(void)state;
	statements_filter(&s, &(struct statement_filter){ .roles = &everybody, .all_databases = true, .nested = true });
	assert_int_equal(s.items.len, 4);
	near(s.time, 0.05);
	near(s.items.items[1].share, 10); /* of the time of the statement it ran in, too */
	statements_filter(&s, &(struct statement_filter){ .roles = &everybody });
	assert_int_equal(s.items.len, 2);
	near(s.items.items[1].share, 75);
	strvec_push(&roles, "b");
	statements_filter(&s, &(struct statement_filter){ .roles = &roles });
	assert_int_equal(s.items.len, 1);
	near(s.items.items[0].share, 100);
}

static void test_group_by_text(void **state)
{
	_cleanup_statements_ struct statements s = READ(ENTRY(1, "a", 1, 10, 100), ENTRY(2, "b", 2, 20, 300), ENTRY(1, "a", 3, 5, 50), ENTRY(1, "a", 4, 1, 1));
	const uint64_t prints[] = { 77, 77, 88, 77 };

	(void)state;
	filter(&s);
	for (size_t i = 0; i < 4; i++)
		s.items.items[i].fingerprint = prints[i];
	statements_group(&s, STATEMENT_BY_TEXT);
	statements_order(&s, STATEMENT_ORDER_TOTAL, 0, 1);
	assert_int_equal(s.items.len, 2);

	const struct statement *g = &s.items.items[0];

	assert_int_equal(g->query_id, 2);
	assert_int_equal(g->entries, 3);
	near(g->v[STATEMENT_CALLS], 31);
	near(statement_time(g), 0.401);
	assert_int_equal(g->parts.len, 2);
	assert_string_equal(g->parts.items[0].role, "b");
	near(g->parts.items[1].calls, 11);
	near(g->share + s.items.items[1].share, 100);
}

/* Lost texts have no fingerprint in common. */
static void test_group_of_lost_texts(void **state)
{
	_cleanup_statements_ struct statements s = READ("userid=1 dbid=5 queryid=1 calls=1 total_exec_time=1 dbops_here=t query=-",
		"userid=1 dbid=5 queryid=2 calls=1 total_exec_time=1 dbops_here=t query=-",
		"userid=2 dbid=5 queryid=1 calls=1 total_exec_time=1 dbops_here=t query=-");

	(void)state;
	filter(&s);
	statements_group(&s, STATEMENT_BY_TEXT);
	assert_int_equal(s.items.len, 2);
}

static void test_group_by_role(void **state)
{
	_cleanup_statements_ struct statements s = READ(ENTRY(1, "a", 1, 10, 100), ENTRY(2, "b", 2, 20, 300), ENTRY(1, "a", 3, 5, 50));

	(void)state;
	filter(&s);
	statements_group(&s, STATEMENT_BY_ROLE);
	statements_order(&s, STATEMENT_ORDER_CALLS, 0, 1);
	assert_int_equal(s.items.len, 2);
	assert_string_equal(s.items.items[0].role, "b");
	near(s.items.items[1].v[STATEMENT_CALLS], 15);
}

static void test_order(void **state)
{
	_cleanup_statements_ struct statements s = READ(
		"queryid=1 calls=1 total_exec_time=900 rows=1 wal_bytes=- dbops_here=t",
		"queryid=2 calls=100 total_exec_time=1000 rows=2 wal_bytes=5 dbops_here=t",
		"queryid=3 calls=10 total_exec_time=10 rows=9 wal_bytes=7 dbops_here=t");
	static const struct {
		enum statement_order order;
		int64_t ids[3];
	} cases[] = {
		{ STATEMENT_ORDER_TOTAL, { 2, 1, 3 } }, { STATEMENT_ORDER_MEAN, { 1, 2, 3 } }, { STATEMENT_ORDER_CALLS, { 2, 3, 1 } },
		{ STATEMENT_ORDER_ROWS, { 3, 2, 1 } }, { STATEMENT_ORDER_WAL, { 3, 2, 1 } }, { STATEMENT_ORDER_JITTER, { 2, 1, 3 } },
	};

	(void)state;
	filter(&s);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		statements_order(&s, cases[i].order, 0, 1);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(s.items.items[k].query_id, cases[i].ids[k]);
	}
	statements_order(&s, STATEMENT_ORDER_TOTAL, 0.01, 1);
	assert_int_equal(s.items.len, 2);
	statements_order(&s, STATEMENT_ORDER_TOTAL, 0, 2);
	assert_int_equal(s.items.len, 1);
	statements_limit(&s, 0);
	assert_int_equal(s.items.len, 0);
}

static void test_versions(void **state)
{
	(void)state;
	assert_int_equal(pgss_version("1.4"), 104);
	assert_int_equal(pgss_version("1.12"), 112);
	assert_int_equal(pgss_version("1.10-rds"), 110);
	assert_int_equal(pgss_version(""), 0);
	assert_int_equal(pgss_version("1"), 0);
	assert_int_equal(pgss_version("one.two"), 0);
}

static void test_preload(void **state)
{
	static const char *const cases[][2] = {
		{ "", "'pg_stat_statements'" },
		{ "auto_explain,pg_cron", "'auto_explain', 'pg_cron', 'pg_stat_statements'" },
		{ " auto_explain , \"$libdir/it's\"", "'auto_explain', '$libdir/it''s', 'pg_stat_statements'" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

		pgss_add_preload(&out, cases[i][0]);
		assert_non_null(strstr(out.buf, cases[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_hidden), cmocka_unit_test(test_differences),
		cmocka_unit_test(test_deviation_of_a_window), cmocka_unit_test(test_began_later), cmocka_unit_test(test_reset_of_the_whole),
		cmocka_unit_test(test_evictions), cmocka_unit_test(test_never_negative), cmocka_unit_test(test_no_deviation),
		cmocka_unit_test(test_not_known_is_last), cmocka_unit_test(test_nested_is_a_group_of_its_own), cmocka_unit_test(test_samples_that_do_not_fit), cmocka_unit_test(test_filter), cmocka_unit_test(test_group_by_text),
		cmocka_unit_test(test_group_of_lost_texts), cmocka_unit_test(test_group_by_role), cmocka_unit_test(test_order),
		cmocka_unit_test(test_versions), cmocka_unit_test(test_preload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
