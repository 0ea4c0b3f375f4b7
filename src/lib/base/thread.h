/* SPDX-License-Identifier: PostgreSQL
 *
 * thread.h - how every thread of dbops begins.
 */
#ifndef DBOPS_THREAD_H
#define DBOPS_THREAD_H

#include <pthread.h>
#include "error.h"

/* Starts main(arg) in a thread that never sees a signal: they are the first thread's. EXIT_UNAVAILABLE when the system has
 * none left. */
bool thread_start(pthread_t *ret, void *(*main)(void *arg), void *arg, struct error *err);

#endif
