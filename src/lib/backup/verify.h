/* SPDX-License-Identifier: PostgreSQL
 *
 * verify.h - proves a stored backup: "quick" (presence and size of every object) or "full" (every
 * stored byte: SHA-256 and CRC per block, decompression, row counts and fingerprints recomputed).
 * The third depth, the restore into a scratch server, is verify_restore.h.
 */
#ifndef DBOPS_VERIFY_H
#define DBOPS_VERIFY_H

#include "cancel.h"
#include "log.h"
#include "repo.h"

struct verify_problem {
	char *file;   /* "3353.dat.gz" */
	char *table;  /* "public.events", or NULL */
	int64_t block;/* within the file, or -1 */
	char *what;
};

struct verify_result {
	struct { struct verify_problem *items; size_t len, alloc; } problems;
	int64_t files, rows, raw_bytes, stored_bytes; /* looked at */
	double seconds;
};
void verify_result_release(struct verify_result *r);
#define _cleanup_verify_ _cleanup_(verify_result_release)
void verify_add_problem(struct verify_result *r, const char *file, const struct manifest_file *table, int64_t block,
	const char *what);

/* One listing: is every file of the manifest below prefix, in its size? */
bool verify_presence(struct storage *s, const char *prefix, const struct manifest *m, struct verify_result *r,
	struct error *err);

/* Both return true when they could look at everything; damage is in ret->problems. */
bool verify_quick(struct storage *s, const struct backup_entry *e, struct verify_result *ret, struct error *err);
bool verify_full(struct storage *s, const struct backup_entry *e, int64_t jobs, struct log *log,
	const struct cancel *cancel, struct verify_result *ret, struct error *err);

#endif
