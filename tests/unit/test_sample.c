/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <math.h>
#include <unistd.h>
#include "fs.h"
#include "sample.h"

static const char *const counters[] = { "calls", "time", NULL };
static const char *const later_counters[] = { "time", "rows", "calls", NULL };

static struct sample example(void)
{
	struct sample s = { .counters = counters, .at = 5000000, .started_at = 1, .stats_reset_at = 2,
		.server = xstrdup("/tmp"), .database = xstrdup("a\"b") };

	sample_add(&s, "b\n\"", (const double[]){ 3, 0.125 });
	sample_add(&s, "a", (const double[]){ 9007199254740992.0, NAN });
	sample_add(&s, "b\n\"", (const double[]){ 4, 1 });
	return s;
}

static void test_find(void **state)
{
	_cleanup_sample_ struct sample s = example();

	(void)state;
	assert_null(sample_find(&s, "c"));
	assert_true(sample_find(&s, "b\n\"")[0] == 7 && sample_find(&s, "b\n\"")[1] == 1.125);
	assert_true(sample_find(&s, "a")[0] == 9007199254740992.0);
}

static void test_round_trip(void **state)
{
	_cleanup_sample_ struct sample s = example(), back = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;
	char path[] = "/tmp/dbops-sample-XXXXXX";

	(void)state;
	close(mkstemp(path));
	assert_true(sample_write(&s, "slow-queries", path, &err));
	assert_true(sample_read(&back, "slow-queries", later_counters, path, &err));
	assert_int_equal(back.at, 5000000);
	assert_string_equal(back.database, "a\"b");
	assert_true(sample_find(&back, "b\n\"")[0] == 1.125 && isnan(sample_find(&back, "b\n\"")[1]));
	assert_true(sample_find(&back, "a")[2] == 9007199254740992.0 && isnan(sample_find(&back, "a")[0]));
	sample_release(&back);
	assert_false(sample_read(&back, "locks", counters, path, &err));
	assert_int_equal(err.code, EXIT_USAGE);
	assert_true(fs_write_atomic(path, "{\"sample\":", 10, NULL));
	assert_false(sample_read(&back, "locks", counters, path, &err));
	assert_true(fs_write_atomic(path, "{\"sample\":\"locks\",\"entries\":[[],[3],[\"k\"],{}]}", 46, NULL));
	sample_release(&back);
	assert_true(sample_read(&back, "locks", counters, path, NULL));
	assert_true(isnan(sample_find(&back, "k")[0]));
	unlink(path);
}

static void test_comparable(void **state)
{
	_cleanup_sample_ struct sample before = example(), now = example();

	(void)state;
	assert_non_null(sample_incomparable(&before, &now));
	now.at += 2500000;
	assert_null(sample_incomparable(&before, &now));
	assert_true(sample_seconds(&before, &now) == 2.5);
	now.stats_reset_at = 3;
	assert_non_null(sample_incomparable(&before, &now));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_comparable) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
