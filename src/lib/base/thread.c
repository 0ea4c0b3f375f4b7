/* SPDX-License-Identifier: PostgreSQL */
#include "thread.h"

#include <signal.h>

bool thread_start(pthread_t *ret, void *(*main)(void *arg), void *arg, struct error *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits it */

	int r = pthread_create(ret, NULL, main, arg);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 || error_set_errno(err, EXIT_UNAVAILABLE, r, "cannot start a thread");
}
