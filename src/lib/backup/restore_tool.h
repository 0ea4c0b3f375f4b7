/* SPDX-License-Identifier: PostgreSQL
 *
 * restore_tool.h - runs pg_restore for one part of a restore.
 */
#ifndef DBOPS_RESTORE_TOOL_H
#define DBOPS_RESTORE_TOOL_H

#include "restore.h"

struct restore_part {
	const char *section;      /* "pre-data", "data", "post-data"; NULL = all */
	bool without_table_data;  /* dbops loads the rows itself */
	int64_t jobs;             /* > 1: -j */
};

/* True when the part has nothing to do, or pg_restore ended well. */
bool restore_tool_run(struct restore_source *src, struct pg_conn *c, const struct restore_options *o,
	const struct restore_part *part, struct log *log, const struct cancel *cancel, struct error *err);

#endif
