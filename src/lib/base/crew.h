/* SPDX-License-Identifier: PostgreSQL
 *
 * crew.h - N threads that do one job together, and the caller's thread that watches them.
 *
 * The first failure stops everybody and is the crew's error. Members never see signals and never
 * log; a stop request (struct cancel) reaches them as *stop and through interrupt().
 */
#ifndef DBOPS_CREW_H
#define DBOPS_CREW_H

#include <stdatomic.h>
#include "cancel.h"
#include "error.h"

struct crew {
	unsigned threads;
	/* Members read what another process on this machine writes bit by bit, and would take the processor from it at
	 * every bit: let it fill the socket first (SCHED_BATCH). */
	bool patient;
	void *data;
	/* Member index: works until nothing is left to do or *stop. */
	bool (*run)(void *data, unsigned index, const atomic_bool *stop, struct error *err);
	/* Caller's thread, once after the first failure or stop request: make blocked members return.
	 * May be NULL. */
	void (*interrupt)(void *data);
	/* Caller's thread, about every 100 ms and once at the end: progress. May be NULL. */
	void (*tick)(void *data);
};

/* Returns when all members have ended. */
bool crew_run(const struct crew *c, const struct cancel *cancel, struct error *err);

#endif
