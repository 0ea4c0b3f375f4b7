/* SPDX-License-Identifier: PostgreSQL
 *
 * backup.h - one backup run: consistent snapshot, pg_dump's own TOC, rows by parallel workers,
 * manifest last.
 *
 * Threads: the caller's thread leads (snapshot, plan, progress, manifest); `jobs` workers each
 * hold a connection on the same snapshot and do one work unit after the other.
 * Memory: jobs x about 4 MiB, the storage's upload buffers, about 1 KiB per table and 52 bytes per
 * MiB of text.
 */
#ifndef DBOPS_BACKUP_H
#define DBOPS_BACKUP_H

#include "cancel.h"
#include "log.h"
#include "manifest.h"
#include "pg.h"
#include "storage.h"

/* A small file that goes with the backup, hashed by the manifest like the others. */
struct backup_attachment {
	const char *name;
	const void *data;
	size_t len;
};

struct backup_options {
	struct pg_params server;
	struct storage *local, *remote; /* at least one; borrowed */
	int64_t jobs, level;
	int64_t lock_timeout_ms;  /* in all, for the locks of the beginning */
	int64_t split_above;      /* bytes; 0 = by the plan's rule; negative = never */
	const char *label, *bindir;
	struct strvec tables, exclude_tables, schemas, exclude_schemas, exclude_table_data; /* borrowed */
	bool schema_only, data_only, no_globals;
	const struct backup_attachment *attachments; /* borrowed */
	size_t n_attachments;
};

/* Runs it. On success *ret is the manifest (release it), on failure nothing that counts as a
 * backup is left and earlier backups are untouched. */
bool backup_run(const struct backup_options *o, struct log *log, const struct cancel *cancel,
	struct manifest *ret, struct error *err);

#endif
