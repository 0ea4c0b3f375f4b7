/* SPDX-License-Identifier: PostgreSQL
 *
 * leader.h - the connection that owns the snapshot and the locks of a backup.
 *
 * Its transaction stays open for the whole run. Every table is locked ACCESS SHARE right after
 * the snapshot was exported, and then compared with the snapshot: a TRUNCATE or rewrite in
 * between would make the table read empty without an error.
 */
#ifndef DBOPS_LEADER_H
#define DBOPS_LEADER_H

#include "backup.h"

struct leader {
	struct pg_conn *conn;
	char *snapshot;
	char *lsn;
	int64_t snapshot_at;
	bool filtered; /* tables are locked once the TOC tells which */
};

/* Connects, refuses a transaction pooler, takes the advisory lock of the series (EXIT_BUSY when
 * another run has it) and describes server and database in *m. */
bool leader_connect(struct leader *l, const struct backup_options *o, struct log *log, struct manifest *m,
	struct error *err);
/* Begins the transaction, exports the snapshot, locks all user tables unless filtered. Starts
 * again with a fresh snapshot (three times) when a table changed under it. */
bool leader_begin(struct leader *l, const struct backup_options *o, struct log *log,
	const struct cancel *cancel, struct error *err);

struct leader_table {
	uint32_t oid;
	char *schema, *name;
};
/* Locks these tables too and checks them against the snapshot. *ret_stale: one was truncated or
 * rewritten since the snapshot (returns true; the caller starts again). */
bool leader_lock(struct leader *l, const struct leader_table *tables, size_t n, const struct backup_options *o,
	const struct cancel *cancel, bool *ret_stale, struct error *err);
/* False with EXIT_UNAVAILABLE when the idle session was ended: its locks are gone, so tables may
 * have been truncated under the workers. Looks at the socket only. */
bool leader_is_alive(struct leader *l, struct error *err);
/* The same, proven by a statement: the transaction of the snapshot is still open. */
bool leader_confirm(struct leader *l, struct error *err);
/* Ends the transaction so that leader_begin can be called again. */
bool leader_rollback(struct leader *l, struct error *err);

void leader_release(struct leader *l);
#define _cleanup_leader_ _cleanup_(leader_release)

#endif
