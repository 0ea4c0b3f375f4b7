/* SPDX-License-Identifier: PostgreSQL */
/* Intervals by which things are removed: a forgotten unit must not mean seconds. */
#include "unit.h"

#include "age.h"

static void test_clear(void **state)
{
	static const char *const clear[] = { "12 months", "90 days", "90days", "1 year 2 mons", "1y2mon", "1.5 days", "-1 day", "@ 3 weeks ago", "36:00", "36:00:00",
		"P1M", "p3d", "5 min", "soon", "" };

	(void)state;
	for (size_t i = 0; i < LENGTH(clear); i++)
		assert_true(age_check(clear[i], NULL));
}

static void test_unclear(void **state)
{
	static const char *const unclear[] = { "12", " 12 ", "+90", "-90", "1.5", "12 m", "3M", "12m", "1 year 6", "6 1 year", "1 year 6 m" };

	(void)state;
	for (size_t i = 0; i < LENGTH(unclear); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_false(age_check(unclear[i], &err));
		assert_int_equal(err.code, EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_unclear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
