/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <signal.h>
#include <string.h>
#include "clock.h"
#include "patience.h"

static void test_over(void **state)
{
	struct patience none = patience_begin(0), some = patience_begin(60000);

	(void)state;
	assert_true(patience_over(&none));
	assert_false(patience_over(&some));
}

static void test_helps(void **state)
{
	static const struct {
		const char *sqlstate;
		bool helps;
	} cases[] = {
		{ "55P03", true }, { "40P01", true }, { "40001", false }, { "57014", false }, { "2BP01", false }, { "", false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct error err = ERROR_INIT;

		memcpy(err.sqlstate, cases[i].sqlstate, strlen(cases[i].sqlstate) + 1);
		assert_int_equal(patience_helps(&err), cases[i].helps);
	}
}

/* Each lasts at least half of 0.1 s, 0.2 s, 0.4 s. */
static void test_pauses_grow(void **state)
{
	struct patience p = patience_begin(60000);
	struct error err = ERROR_INIT;

	(void)state;
	for (int least_ms = 50; least_ms <= 200; least_ms *= 2) {
		double start = clock_monotonic();

		assert_true(patience_pause(&p, NULL, &err));
		assert_true((clock_monotonic() - start) * 1000 >= least_ms);
	}
	assert_int_equal(p.pauses, 3);
}

static void test_pause_ends_with_a_stop_request(void **state)
{
	struct cancel cancel = CANCEL_INIT;
	struct patience p = patience_begin(60000);
	_cleanup_error_ struct error err = ERROR_INIT;

	(void)state;
	cancel_request(&cancel, SIGTERM);
	assert_false(patience_pause(&p, &cancel, &err));
	assert_int_equal(err.code, EXIT_TERMINATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_helps),
		cmocka_unit_test(test_pauses_grow),
		cmocka_unit_test(test_pause_ends_with_a_stop_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
