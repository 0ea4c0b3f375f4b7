/* SPDX-License-Identifier: PostgreSQL
 *
 * patience.h - trying again what somebody is in the way of, until the time for it is used up.
 *
 *	struct patience p = patience_begin(max_wait_ms);
 *
 *	while (!attempt(&failed))
 *		if (!patience_helps(&failed) || patience_over(&p))
 *			return error_move(err, &failed);
 *		else if (!patience_pause(&p, cancel, err))
 *			return false;
 */
#ifndef DBOPS_PATIENCE_H
#define DBOPS_PATIENCE_H

#include "cancel.h"

struct patience {
	double deadline; /* of clock_monotonic() */
	unsigned pauses; /* that were made */
};

/* From now on for max_ms milliseconds; 0: one attempt. */
struct patience patience_begin(int64_t max_ms);
bool patience_over(const struct patience *p);
/* True for a lock that was not to be had in lock_timeout (55P03) and for a deadlock (40P01). */
bool patience_helps(const struct error *err);
/* 0.1 s, doubled each time up to 3.2 s, times 0.5 to 1.5: runs that collided once shall not do so again. Fails as cancel_pause(). */
bool patience_pause(struct patience *p, const struct cancel *cancel, struct error *err);

#endif
