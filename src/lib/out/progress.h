/* SPDX-License-Identifier: PostgreSQL
 *
 * progress.h - how far long work is, on stderr.
 *
 * A bar with rate and time left on a terminal, redrawn ten times a second; one plain line every
 * 30 s elsewhere, so that a cron log shows life without filling up; JSON lines once a second for
 * machines. Nothing is printed for work that ends before the first interval is over.
 */
#ifndef DBOPS_PROGRESS_H
#define DBOPS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "strbuf.h"

enum progress_mode { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON };

struct progress {
	FILE *out;
	enum progress_mode mode;
	int width;            /* terminal columns; 0 = 80 */
	char *what;           /* the work that runs; NULL = none yet */
	double started, last; /* clock_monotonic() of its first call and of the last line */
	double rate;          /* units a second, smoothed */
	int64_t last_done;
	bool drawn;           /* a bar stands on the terminal's line */
};

/* done of total bytes (0 = unknown) of what, at time now (clock_monotonic()). */
void progress_update(struct progress *p, double now, const char *what, int64_t done, int64_t total);
/* Takes the bar off the line, before other text; it comes back with the next update. */
void progress_clear(struct progress *p);
void progress_release(struct progress *p);

#endif
