/* SPDX-License-Identifier: PostgreSQL
 *
 * partition_apply.h - runs a plan without making anybody wait.
 *
 * What stops an application is not our lock but its queue: behind a waiting ACCESS EXCLUSIVE everybody waits. So every
 * lock is waited for lock_timeout at most, then the step is rolled back and tried again after a growing, jittered
 * pause, until max_wait is used up; then the sessions in the way are named. Only 55P03 and 40P01 are tried again.
 */
#ifndef DBOPS_PARTITION_APPLY_H
#define DBOPS_PARTITION_APPLY_H

#include "partition_plan.h"
#include "pg.h"

struct apply_options {
	struct log *log;
	const struct cancel *cancel;
	int64_t max_wait_ms; /* for each step, with its pauses; the first attempt is made in any case */
	/* Steps that detach are not begun while a transaction older than this holds a lock on the parent or the partition:
	 * CONCURRENTLY would hang on it with the partition already gone from sight. */
	int64_t blocker_age_ms;
};

/* Keeps other runs of dbops from changing partitions of the same table: a session-level advisory lock on (a number of ours,
 * table), released with the session. table: OID of the topmost partitioned table. Take it before the catalog is read for a
 * plan that will be run. EXIT_BUSY when another run has it. */
bool partition_lock_table(struct pg_conn *c, uint32_t table, const char *name, struct error *err);

/* Runs the steps in order on c, whose session keeps the plan's settings; fills done, attempts and seconds. On
 * failure the steps before the failing one stay done. EXIT_BUSY with the blocking sessions as detail when a lock could not
 * be had. A transaction pooler must have been refused before (pg_refuse_transaction_pooler()). */
bool partition_apply(struct pg_conn *c, struct partition_plan *p, const struct apply_options *o, struct error *err);

/* One line for each session that holds a lock on table which conflicts with mode: pid, user, application, state,
 * age of its transaction, lock. Adds nothing when there is none. At most max lines. */
bool partition_add_blockers(struct pg_conn *c, uint32_t table, enum lock_mode mode, unsigned max, struct strbuf *out,
	struct error *err);

#endif
