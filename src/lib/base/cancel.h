/* SPDX-License-Identifier: PostgreSQL
 *
 * cancel.h - "stop now", from a signal or from a failing worker to everybody.
 *
 * main.c owns one and its signal handler calls cancel_request(); the library gets a pointer
 * and asks cancel_requested() in its loops. Readers that sleep in poll() add wake_fd.
 */
#ifndef DBOPS_CANCEL_H
#define DBOPS_CANCEL_H

#include <stdatomic.h>
#include <stdint.h>
#include "error.h"

struct cancel {
	atomic_int signal; /* 0, or the signal's number */
	int wake_fd;       /* becomes readable with the request, and stays so */
	int write_fd;
};

#define CANCEL_INIT { .wake_fd = -1, .write_fd = -1 }

/* Opens the pipe. */
bool cancel_open(struct cancel *c, struct error *err);
/* Async-signal-safe. */
void cancel_request(struct cancel *c, int signal);
static inline int cancel_requested(const struct cancel *c)
{
	return c ? atomic_load_explicit(&c->signal, memory_order_relaxed) : 0;
}
/* False with EXIT_INTERRUPTED or EXIT_TERMINATED when a stop was requested, else true. */
bool cancel_check(const struct cancel *c, struct error *err);
/* Waits ms milliseconds (0 or less: not at all), signals that are no stop request notwithstanding; NULL c: nothing ends it early.
 * False at once when a stop was or is requested, as cancel_check(), and with EXIT_BUG when the system cannot wait. */
bool cancel_pause(const struct cancel *c, int64_t ms, struct error *err);

#endif
