/* SPDX-License-Identifier: PostgreSQL
 *
 * remove.h - how archive, drop and maintain take a table out: hold, ledger, detach, proof under a lock, drop; and if it does
 * not come to the drop, attached again.
 */
#ifndef DBOPS_CMD_PARTITIONS_REMOVE_H
#define DBOPS_CMD_PARTITIONS_REMOVE_H

#include "archive.h"
#include "change.h"
#include "purge.h"

struct removal {
	struct app *app;
	struct pg_conn *c;
	const struct change_args *change;
	const char *ledger, *policy; /* --ledger; name of the policy, or NULL */
	bool allow_plain;
	const struct archive_subject *subject;
	const struct archive_proof *proof; /* NULL: dropped without an archive */
	struct partition_plan plan;        /* removal_plan() */
	bool detached, dropped;            /* removal_run() */
};
void removal_release(struct removal *r);
#define _cleanup_removal_ _cleanup_(removal_release)

/* Makes the plan, for --sql, --dry-run and the digest, after looking at holds and at what would refuse the detach or the drop. t:
 * of change_lock(). to: where the archive goes or is, in words; the drop is preceded by a comparison with it. NULL: there is none. */
bool removal_plan(struct removal *r, const char *command, const struct change_target *t, const char *to, struct error *err);
/* Detaches if needed, compares with the proof, drops, and keeps the ledger. A failure after the detach attaches the table again. */
bool removal_run(struct removal *r, struct error *err);
/* Prints the script of --sql, or asks (--yes, --apply, a terminal). False without an error: nothing shall be done. */
bool removal_agree(struct removal *r, struct error *err);

/* Purges, with the ledger's two lines; what is left or cannot be seen is warned of. path: --ledger. */
bool purge_with_ledger(struct app *app, struct pg_conn *c, const struct purge *p, const struct purge_options *o, const char *path,
	const char *policy, struct purge_result *ret, struct error *err);

#endif
