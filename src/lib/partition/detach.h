/* SPDX-License-Identifier: PostgreSQL
 *
 * detach.h - the plan that takes partitions out of their table.
 *
 * Each partition: a record of what it was in its comment, then DETACH … CONCURRENTLY. Where the server cannot do that (a DEFAULT
 * partition, PostgreSQL 13) a plain DETACH needs ACCESS EXCLUSIVE on the parent, so it must be allowed.
 */
#ifndef DBOPS_PARTITION_DETACH_H
#define DBOPS_PARTITION_DETACH_H

#include "model.h"
#include "partition_plan.h"

struct detach_request {
	bool allow_plain;
	int64_t wait_ms; /* longest wait of CONCURRENTLY for other transactions */
};

/* Adds the steps for partition p of m (a model of its topmost table's whole tree). When its detach is pending already, the plan only
 * ends it. EXIT_REFUSED: CONCURRENTLY is impossible and plain is not allowed, or another partition's detach is pending. Inside
 * partition_begin(). */
bool partition_plan_detach(struct pg_conn *c, const struct partition_model *m, const struct partition *p, const struct detach_request *r,
	struct partition_plan *plan, struct error *err);

struct cutoff_request {
	const char *older_than; /* interval; or */
	const char *before;     /* date or time in timezone, or a number for a plain integer key */
	const char *timezone;   /* never NULL */
	const char *now;        /* NULL = the server's clock */
	enum epoch_unit unit;
};
/* Adds to *ret the range partitions of parent (direct ones) that end at or before the cutoff, oldest first; partitions without an upper end, DEFAULT and
 * list or hash partitions never do. EXIT_USAGE when the key has no such thing, EXIT_REFUSED when the bounds are not times of the kind or unit
 * that the key is said to count. Inside partition_begin(). */
struct partition_refs {
	const struct partition **items;
	size_t len, alloc;
};
bool partition_find_older(struct pg_conn *c, const struct partition_model *m, const struct partition *parent, const struct cutoff_request *r,
	struct partition_refs *ret, struct error *err);

#endif
