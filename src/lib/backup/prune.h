/* SPDX-License-Identifier: PostgreSQL
 *
 * prune.h - removes backups that a policy does not keep, and what dead runs left behind.
 *
 * A series is system identifier + database + label, from the manifests; each is judged alone.
 * Only complete backups count. The manifest goes first: a prune that is killed leaves an
 * incomplete backup, which the next one sweeps.
 */
#ifndef DBOPS_PRUNE_H
#define DBOPS_PRUNE_H

#include "log.h"
#include "repo.h"
#include "retention.h"

enum prune_action {
	PRUNE_KEEP,
	PRUNE_DELETE,
	PRUNE_SWEEP, /* an incomplete backup older than the lease, or finished off by an earlier prune */
	PRUNE_ABORT, /* a multipart upload older than the lease */
	PRUNE_SKIP,  /* not ours to judge: perhaps still running, or a manifest that cannot be read */
};
extern const char *const prune_action_names[];

struct prune_item {
	enum prune_action action;
	const struct backup_entry *entry; /* in plan->catalog; NULL for an upload */
	char *key, *upload_id;            /* of an upload */
	int64_t time;
	char *reason;
	bool done;
};

struct prune_plan {
	struct catalog catalog;
	struct prune_item *items; /* by database, label, newest first; then leftovers */
	size_t len, alloc;
};

struct prune_options {
	struct retention_policy policy;
	const char *database, *label, *system_identifier; /* NULL = any */
	int64_t lease_ms; /* younger leftovers may belong to a run that still works */
	bool sweep;       /* look for leftovers */
};

/* Reads the repository and decides; changes nothing. EXIT_USAGE for an empty policy. */
bool prune_make(struct storage *s, const struct prune_options *o, struct prune_plan *ret, struct error *err);
/* Carries the plan out, one item after the other. */
bool prune_apply(struct storage *s, struct prune_plan *plan, struct log *log, const struct cancel *cancel,
	struct error *err);
void prune_release(struct prune_plan *p);
#define _cleanup_prune_ _cleanup_(prune_release)

#endif
