/* SPDX-License-Identifier: PostgreSQL
 *
 * load.h - rows into tables: several workers COPY whole segments, also into one table.
 */
#ifndef DBOPS_LOAD_H
#define DBOPS_LOAD_H

#include "restore.h"

/* Loads the rows of every selected TABLE DATA entry. */
bool load_rows(struct restore_source *src, struct pg_conn *c, const struct restore_options *o, struct log *log,
	const struct cancel *cancel, struct restore_result *ret, struct error *err);

/* Per table of the manifest its selected TABLE DATA entry, or NULL. Caller frees the array. */
const struct toc_entry **load_index_entries(const struct restore_source *src);

#endif
