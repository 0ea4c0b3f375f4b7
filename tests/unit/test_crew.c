/* SPDX-License-Identifier: PostgreSQL */
/* Threads that work together: what happens when one fails, or a stop is requested. Nothing waits by time. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include "crew.h"

#define THREADS 4

struct scene {
	atomic_uint ran, interrupted, ticks, saw_stop;
	atomic_uint seen[THREADS];
	sem_t wake;          /* what members block on; interrupt() posts it for everyone */
	struct cancel cancel;
	pthread_t caller;
	bool foreign_thread; /* a callback ran elsewhere than in the caller's thread */
	unsigned last_ran;   /* members that had ended at the last tick */
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct error err = ERROR_INIT;

	sem_init(&s->wake, 0, 0);
	s->cancel = (struct cancel)CANCEL_INIT;
	assert_true(cancel_open(&s->cancel, &err));
	s->caller = pthread_self();
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	close(s->cancel.wake_fd);
	close(s->cancel.write_fd);
	sem_destroy(&s->wake);
	free(s);
	return 0;
}

static void interrupt_all(void *data)
{
	struct scene *s = data;

	s->interrupted++;
	s->foreign_thread |= !pthread_equal(pthread_self(), s->caller);
	for (int i = 0; i < THREADS; i++)
		sem_post(&s->wake);
}

static void tick(void *data)
{
	struct scene *s = data;

	s->ticks++;
	s->last_ran = s->ran;
	s->foreign_thread |= !pthread_equal(pthread_self(), s->caller);
}

static bool work(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct scene *s = data;

	(void)stop, (void)err;
	s->seen[index]++;
	s->ran++;
	return true;
}

static void test_everybody_works(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = THREADS, .data = s, .run = work, .interrupt = interrupt_all, .tick = tick };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_true(crew_run(&c, &s->cancel, &err));
	assert_false(error_is_set(&err));
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(s->seen[i], 1);
	assert_int_equal(s->interrupted, 0);
	assert_true(s->ticks >= 1);
	assert_int_equal(s->last_ran, THREADS); /* the last tick is after the last member */
	assert_false(s->foreign_thread);
}

static void test_callbacks_are_optional(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = 1, .data = s, .run = work };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_true(crew_run(&c, NULL, &err));
	assert_int_equal(s->ran, 1);
}

static bool note_policy(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct scene *s = data;

	(void)stop, (void)err;
	s->seen[index] = (unsigned)sched_getscheduler(0);
	return true;
}

static void check_policy(struct scene *s, bool patient, int expected)
{
	const struct crew c = { .threads = THREADS, .patient = patient, .data = s, .run = note_policy };
	int before = sched_getscheduler(0);

	assert_true(crew_run(&c, NULL, NULL));
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(s->seen[i], expected);
	assert_int_equal(sched_getscheduler(0), before);
}

static void test_patience(void **state)
{
	const struct sched_param none = { 0 };

	check_policy(*state, false, SCHED_OTHER);
	check_policy(*state, true, SCHED_BATCH);
	/* somebody's choice stays; it cannot be taken back without privileges, so this is last */
	assert_int_equal(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	check_policy(*state, true, SCHED_IDLE);
	(void)sched_setscheduler(0, SCHED_OTHER, &none);
}

/* Member 2 fails; the others block until they are interrupted, and then fail for that reason. */
static bool one_fails(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct scene *s = data;

	if (index == 2) {
		error_set(err, EXIT_PERMISSION, "member %u failed", index);
		return error_hint(err, "A hint.");
	}
	while (sem_wait(&s->wake) != 0)
		;
	s->saw_stop += atomic_load(stop);
	return error_set(err, EXIT_UNAVAILABLE, "the connection was closed");
}

static void test_first_error_wins(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = THREADS, .data = s, .run = one_fails, .interrupt = interrupt_all };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_false(crew_run(&c, &s->cancel, &err));
	assert_int_equal(err.code, EXIT_PERMISSION);
	assert_string_equal(err.message, "member 2 failed");
	assert_string_equal(err.hint, "A hint.");
	assert_int_equal(s->saw_stop, THREADS - 1);
	assert_int_equal(s->interrupted, 1);
	assert_false(s->foreign_thread);
}

/* Members that only look at *stop need no interrupt. */
static bool fail_or_spin(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct scene *s = data;

	if (index == 0)
		return error_set(err, EXIT_DAMAGED, "broken");
	while (!atomic_load(stop))
		sched_yield();
	s->saw_stop++;
	return true;
}

static void test_stop_flag(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = THREADS, .data = s, .run = fail_or_spin };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_false(crew_run(&c, NULL, &err));
	assert_int_equal(err.code, EXIT_DAMAGED);
	assert_int_equal(s->saw_stop, THREADS - 1);
}

static bool block(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct scene *s = data;

	(void)index;
	s->ran++;
	while (sem_wait(&s->wake) != 0)
		;
	s->saw_stop += atomic_load(stop);
	return error_set(err, EXIT_UNAVAILABLE, "the connection was closed");
}

/* The request arrives while all members are blocked. */
static void request_when_all_run(void *data)
{
	struct scene *s = data;

	tick(data);
	if (s->ran == THREADS && !cancel_requested(&s->cancel))
		cancel_request(&s->cancel, SIGTERM);
}

static void test_cancel(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = THREADS, .data = s, .run = block, .interrupt = interrupt_all,
		.tick = request_when_all_run };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_false(crew_run(&c, &s->cancel, &err));
	assert_int_equal(err.code, EXIT_TERMINATED);
	assert_int_equal(s->saw_stop, THREADS);
	assert_int_equal(s->interrupted, 1);
}

static void test_cancelled_before(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = THREADS, .data = s, .run = block, .interrupt = interrupt_all };
	_cleanup_error_ struct error err = ERROR_INIT;

	cancel_request(&s->cancel, SIGINT);
	assert_false(crew_run(&c, &s->cancel, &err));
	assert_int_equal(err.code, EXIT_INTERRUPTED);
}

static bool count_blocked_signals(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGWINCH };
	struct scene *s = data;
	sigset_t mask;

	(void)stop, (void)err;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < LENGTH(signals); i++)
		s->seen[index] += sigismember(&mask, signals[i]) == 1;
	return true;
}

static void test_members_see_no_signals(void **state)
{
	struct scene *s = *state;
	const struct crew c = { .threads = THREADS, .data = s, .run = count_blocked_signals };
	_cleanup_error_ struct error err = ERROR_INIT;
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_true(crew_run(&c, NULL, &err));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(s->seen[i], 6);
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_everybody_works),
		CASE(test_callbacks_are_optional),
		CASE(test_first_error_wins),
		CASE(test_stop_flag),
		CASE(test_cancel),
		CASE(test_cancelled_before),
		CASE(test_members_see_no_signals),
		CASE(test_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
