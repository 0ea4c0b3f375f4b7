/* SPDX-License-Identifier: PostgreSQL
 *
 * compare.h - reads restored tables back and compares rows and fingerprints with the manifest.
 */
#ifndef DBOPS_COMPARE_H
#define DBOPS_COMPARE_H

#include "restore.h"

/* Compares every selected table; differences and tables that cannot be compared go to ret.
 * skip (may be NULL) names quoted relations that had rows before the restore. */
bool compare_rows(struct restore_source *src, struct pg_conn *c, const struct restore_options *o,
	const struct strvec *skip, struct log *log, const struct cancel *cancel, struct restore_result *ret,
	struct error *err);

#endif
