/* SPDX-License-Identifier: PostgreSQL
 *
 * workers.h - the threads of a backup: take units from the plan until none is left.
 *
 * Each worker has its own session on the leader's snapshot. A session that is lost is opened
 * again and its unit goes on where it was. The first failure stops everybody; the error of the
 * first failure is the run's. Only the calling thread logs.
 */
#ifndef DBOPS_WORKERS_H
#define DBOPS_WORKERS_H

#include "leader.h"
#include "plan.h"

struct workers_stats {
	unsigned reconnects; /* sessions that were lost and replaced */
	unsigned refused;    /* units that the leader's connection read */
};

bool workers_run(struct plan *p, struct leader *l, const struct archive_targets *t, const struct backup_options *o,
	const char *encoding, struct log *log, const struct cancel *cancel, struct workers_stats *ret,
	struct error *err);

#endif
