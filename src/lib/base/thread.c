/* SPDX-License-Identifier: PostgreSQL */
#include "thread.h"

#include <signal.h>
#include <time.h>

bool thread_start(pthread_t *ret, void *(*main)(void *arg), void *arg, struct error *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits it */

	int r = pthread_create(ret, NULL, main, arg);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 || error_set_errno(err, EXIT_UNAVAILABLE, r, "cannot start a thread");
}

bool thread_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until) == 0;
}
