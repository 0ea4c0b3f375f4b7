/* SPDX-License-Identifier: PostgreSQL
 *
 * fallback.h - the whole dump by pg_dump -j on our snapshot, for a TOC that dbops does not know.
 *
 * The backup still has hashes, globals and a manifest, but no row counts and fingerprints. It is
 * staged in a temporary folder first, because pg_dump writes files only.
 */
#ifndef DBOPS_FALLBACK_H
#define DBOPS_FALLBACK_H

#include "backup.h"
#include "data_file.h"
#include "tools.h"

bool fallback_run(const struct backup_options *o, const struct pg_tools *tools, const struct pg_conn *conn,
	const char *snapshot, const struct archive_targets *targets, const struct cancel *cancel, struct manifest *m,
	struct error *err);

#endif
