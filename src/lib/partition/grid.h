/* SPDX-License-Identifier: PostgreSQL
 *
 * grid.h - equal intervals in a time zone.
 *
 * A month in a zone begins at local midnight, which is another instant in winter than in summer. The server knows the
 * zones, so it computes: local start + n * interval, turned into an instant, each from the start (adding step by step would drift).
 * Intervals below a day are counted in UTC, because a local hour may come twice or never.
 *
 * "Key space" is what the partition key holds as instant.h counts it: real time for timestamptz, UUIDs and
 * epochs; the local clock taken for UTC for date and timestamp.
 */
#ifndef DBOPS_PARTITION_GRID_H
#define DBOPS_PARTITION_GRID_H

#include "model.h"

struct grid {
	int64_t months, days, us; /* exactly one is not 0 */
	const char *zone;         /* in which local times become key space; borrowed */
	const char *clock_zone;   /* in which "now" is told; borrowed */
	bool is_number;           /* a plain integer key: us is the step, and there is no time */
};

struct grid_point {
	int64_t key;   /* key space */
	int64_t local; /* the local clock, as if UTC: for names */
};
struct grid_points {
	struct grid_point *items;
	size_t len, alloc;
};

/* Reads interval for a key of that kind: "1 month", "7 days", "6 hours", or a number for a plain integer key (unit EPOCH_NONE).
 * zone is checked. EXIT_USAGE when it is no interval, mixes months, days and time, or is shorter than the key can tell. */
bool grid_parse(struct pg_conn *c, const char *interval, const char *zone, enum key_kind kind, enum epoch_unit unit, struct grid *ret,
	struct error *err);
/* "now" in key space; at NULL = the server's clock, else a timestamp with time zone as text. */
bool grid_now(struct pg_conn *c, const struct grid *g, enum key_kind kind, const char *at, int64_t *ret, struct error *err);
/* The local clock at key; false with EXIT_REFUSED when key is not on a grid of that zone (not local midnight for days
 * and months, after the 28th for months): the bounds there are of another zone or another grid. */
bool grid_align(struct pg_conn *c, const struct grid *g, int64_t key, int64_t *ret_local, struct error *err);
/* The start of the interval that holds key, on the calendar's own grid: year, quarter, month, ISO week, day. */
bool grid_floor(struct pg_conn *c, const struct grid *g, int64_t key, int64_t *ret_local, struct error *err);
/* n + 1 points from local on, so n intervals. */
bool grid_points(struct pg_conn *c, const struct grid *g, int64_t local, int64_t n, struct grid_points *ret, struct error *err);
/* Not more than that many intervals lie in a span. */
int64_t grid_count(const struct grid *g, int64_t from, int64_t to);
/* "{table}_%Y_%m" or what suits the interval; local is the first one's start. */
const char *grid_pattern(const struct grid *g, int64_t local);

#endif
