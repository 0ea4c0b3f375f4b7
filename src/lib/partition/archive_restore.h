/* SPDX-License-Identifier: PostgreSQL
 *
 * archive_restore.h - the way back: from an archive to a table that is proven to be what was archived.
 */
#ifndef DBOPS_PARTITION_ARCHIVE_RESTORE_H
#define DBOPS_PARTITION_ARCHIVE_RESTORE_H

#include "archive.h"
#include "restore.h"

struct archive_found {
	struct backup_entry entry;
	struct archive_subject subject; /* as recorded; its oid is that of then */
};
void archive_found_release(struct archive_found *a);
#define _cleanup_found_ _cleanup_(archive_found_release)

/* The newest complete archive of the table that operand names ("trades_2025_01", "public.trades_2025_01", or the archive's id),
 * of that source database. *ret zeroed before. EXIT_NOT_FOUND; EXIT_USAGE when tables of several schemas fit. */
bool archive_find(struct storage *storage, const char *database, const char *operand, struct archive_found *ret, struct error *err);

/* The schema must be there, the table must not. */
bool archive_check_target(struct pg_conn *c, const struct archive_subject *s, struct error *err);

/* Restores it as a table of its own, not attached to anything, reads it back and compares rows and fingerprints with the archive.
 * EXIT_DAMAGED when they differ. */
bool archive_restore(struct storage *storage, const struct archive_found *a, struct pg_conn *c, const struct restore_options *o,
	struct log *log, const struct cancel *cancel, struct restore_result *ret, struct error *err);

#endif
