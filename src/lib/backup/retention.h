/* SPDX-License-Identifier: PostgreSQL
 *
 * retention.h - which backups of one series a policy keeps. Pure: no storage, no clock.
 *
 * The rules are restic's (documentation, "Removing backup snapshots"): they are OR-ed; a calendar
 * bucket (UTC day, ISO week, month, year) keeps its newest backup; only buckets that have a backup
 * count; when the backups end before a rule is used up, the oldest one is kept for it; "within"
 * is relative to the newest complete backup, not to now, so that an outage expires nothing.
 * The newest complete backup is kept whatever the policy says.
 */
#ifndef DBOPS_RETENTION_H
#define DBOPS_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention_policy {
	int64_t last, daily, weekly, monthly, yearly; /* 0 = no such rule */
	int64_t within_ms;                            /* 0 = no such rule */
};

struct retention_item {
	int64_t time; /* of the snapshot, microseconds UTC */
	void *data;   /* the caller's */
	bool keep;
	char *reason; /* for people; free() it */
};

/* True when the policy has no rule at all: it would keep one backup only, which nobody means. */
bool retention_is_empty(const struct retention_policy *p);

/* Sorts items newest first and decides. A backup dated after now_us is kept and not counted. */
void retention_apply(const struct retention_policy *p, struct retention_item *items, size_t n, int64_t now_us);

#endif
