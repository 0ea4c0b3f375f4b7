/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
#include "cancel.h"
#include "clock.h"

#define LONG_MS 20000 /* a pause that only a stop request ends in time */

struct fixture {
	struct cancel cancel;
	struct error err;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .cancel = CANCEL_INIT, .err = ERROR_INIT };
	*state = &f;
	return cancel_open(&f.cancel, &f.err) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->cancel.wake_fd);
	close(f->cancel.write_fd);
	error_release(&f->err);
	return 0;
}

static double seconds_of(const struct cancel *c, int64_t ms, bool expected, struct error *err)
{
	double start = clock_monotonic();

	assert_int_equal(cancel_pause(c, ms, err), expected);
	return clock_monotonic() - start;
}

static void test_lasts(void **state)
{
	struct fixture *f = *state;

	assert_true(seconds_of(&f->cancel, 30, true, &f->err) >= 0.03);
	assert_true(seconds_of(NULL, 30, true, &f->err) >= 0.03);
	assert_false(error_is_set(&f->err));
}

static void test_no_time(void **state)
{
	struct fixture *f = *state;

	assert_true(cancel_pause(&f->cancel, 0, &f->err));
	assert_true(cancel_pause(&f->cancel, -LONG_MS, &f->err));
	cancel_request(&f->cancel, SIGINT);
	assert_false(cancel_pause(&f->cancel, 0, &f->err));
	assert_int_equal(f->err.code, EXIT_INTERRUPTED);
}

static void test_requested_before(void **state)
{
	struct fixture *f = *state;

	cancel_request(&f->cancel, SIGTERM);
	assert_true(seconds_of(&f->cancel, INT64_MAX, false, &f->err) < 5);
	assert_int_equal(f->err.code, EXIT_TERMINATED);
}

static void *request_later(void *cancel)
{
	usleep(20000); /* most likely after the pause has begun; what is expected is the same before */
	cancel_request(cancel, SIGINT);
	return NULL;
}

/* From another thread: no signal interrupts the pause, so the pipe must. */
static void test_requested_meanwhile(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, request_later, &f->cancel), 0);
	assert_true(seconds_of(&f->cancel, LONG_MS, false, &f->err) < 5);
	assert_int_equal(f->err.code, EXIT_INTERRUPTED);
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* Such as SIGWINCH: it interrupts the wait, but it is no reason to go on. */
static void test_other_signals(void **state)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct fixture *f = *state;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_true(seconds_of(&f->cancel, 60, true, &f->err) >= 0.06);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_true(alarms > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_requested_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_requested_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_signals, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
