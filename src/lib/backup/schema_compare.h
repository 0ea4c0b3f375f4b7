/* SPDX-License-Identifier: PostgreSQL
 *
 * schema_compare.h - are the definitions in a restored database those of the archive?
 *
 * pg_dump's TOC of the restored database is compared entry by entry with the archive's own; owners,
 * privileges and what belongs to the database itself are left out, because the scratch restore
 * leaves them out.
 */
#ifndef DBOPS_SCHEMA_COMPARE_H
#define DBOPS_SCHEMA_COMPARE_H

#include "restore.h"
#include "verify.h"

/* Differences become problems. Skipped, with a note, when tools are of another major version than
 * the pg_dump of the backup: another version words definitions differently. */
bool schema_compare(const struct restore_source *src, const struct pg_conn *c, const struct pg_tools *tools,
	struct log *log, const struct cancel *cancel, struct verify_result *ret, struct error *err);

#endif
