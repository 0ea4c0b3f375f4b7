/* SPDX-License-Identifier: PostgreSQL
 *
 * verify_restore.h - the third depth of proof: restores into a scratch server that dbops starts
 * itself, reads every table back, compares rows, fingerprints and definitions, and takes the time.
 */
#ifndef DBOPS_VERIFY_RESTORE_H
#define DBOPS_VERIFY_RESTORE_H

#include "restore.h"
#include "verify.h"

struct verify_restore_options {
	const char *bindir, *run_as, *dir;
	int64_t jobs;
	bool keep;
};

/* Differences go to ret->problems (file "", table named in what). *ret_restore_seconds: definitions,
 * rows, indexes and constraints, without the comparison. EXIT_UNAVAILABLE when it cannot be
 * proven here (no server programs, an extension is not installed): the backup is not to blame. */
bool verify_restore(struct storage *s, const struct backup_entry *e, const struct verify_restore_options *o,
	struct log *log, const struct cancel *cancel, struct verify_result *ret, double *ret_restore_seconds,
	struct error *err);

#endif
