/* SPDX-License-Identifier: PostgreSQL
 *
 * sample.h - counters at one moment, so that two moments give a rate.
 *
 * Cumulative statistics say nothing about "now". A sample keeps the counters of each object under a key;
 * it comes from the run before (--interval, --watch) or from a file (--save FILE, --since FILE). Nothing
 * is ever reset on the server.
 */
#ifndef DBOPS_SAMPLE_H
#define DBOPS_SAMPLE_H

#include "error.h"
#include "vec.h"

#define SAMPLE_COUNTERS_MAX 32

struct sample_entry {
	char *key;
	double *values; /* one a counter; NAN = not known */
};

struct sample {
	const char *const *counters; /* names, NULL-terminated, a constant of the command */
	size_t counter_count;
	int64_t at;             /* server's clock, microseconds since 1970 */
	int64_t started_at;     /* of the postmaster */
	int64_t stats_reset_at; /* 0 = unknown */
	char *server, *database;
	VEC(struct sample_entry) entries;
	bool sorted;
};

void sample_release(struct sample *s);
#define _cleanup_sample_ _cleanup_(sample_release)

/* Adds an object; values are copied, as many as there are counters. A key that is there already gets its values
 * added up. */
void sample_add(struct sample *s, const char *key, const double *values);
/* The counters of key; NULL = was not there. */
const double *sample_find(struct sample *s, const char *key);
/* Seconds from before to now; 0 = not later. */
double sample_seconds(const struct sample *before, const struct sample *now);
/* Why the difference of the two says nothing (a restart with lost statistics, a reset, another server or
 * database); NULL = they can be compared. A constant. */
const char *sample_incomparable(const struct sample *before, const struct sample *now);

/* Writes s as JSON, whole or not at all. command is the one that can read it. */
bool sample_write(const struct sample *s, const char *command, const char *path, struct error *err);
/* Reads what the same command wrote; counters it did not know are NAN. EXIT_NOT_FOUND, EXIT_USAGE for a file of something else. */
bool sample_read(struct sample *ret, const char *command, const char *const *counters, const char *path, struct error *err);

#endif
