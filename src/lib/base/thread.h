/* SPDX-License-Identifier: PostgreSQL
 *
 * thread.h - how every thread of dbops begins, and how it waits for the others.
 */
#ifndef DBOPS_THREAD_H
#define DBOPS_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include "error.h"

/* Starts main(arg) in a thread that never sees a signal: they are the first thread's. EXIT_UNAVAILABLE when the system has
 * none left. */
bool thread_start(pthread_t *ret, void *(*main)(void *arg), void *arg, struct error *err);

/* pthread_cond_wait(3) for at most ms milliseconds, by a clock that never jumps. lock is held. False when the time is over;
 * it may return early. */
bool thread_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms);

#endif
