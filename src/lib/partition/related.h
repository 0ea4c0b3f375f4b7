/* SPDX-License-Identifier: PostgreSQL
 *
 * related.h - the tables that attaching and detaching lock besides the partitioned table and its partitions.
 */
#ifndef DBOPS_PARTITION_RELATED_H
#define DBOPS_PARTITION_RELATED_H

#include "partition_plan.h"
#include "pg.h"

struct related_table {
	uint32_t oid;
	char *name;  /* for people */
	bool refers; /* it has a foreign key to parent; else parent has one to it */
};
struct related_tables {
	struct related_table *items;
	size_t len, alloc;
};
void related_tables_release(struct related_tables *v);
#define _cleanup_related_ _cleanup_(related_tables_release)

/* Tables at the other end of foreign keys from and to parent, by name. *ret zeroed before. */
bool related_tables_load(struct pg_conn *c, uint32_t parent, struct related_tables *ret, struct error *err);
/* Adds to s how it locks them: SHARE ROW EXCLUSIVE, because triggers are made or removed; but DETACH locks those that refer to
 * parent in ACCESS EXCLUSIVE mode (as measured on PostgreSQL 15 and 18; the documentation says SHARE). */
void related_tables_lock(const struct related_tables *v, bool detach, struct plan_statement *s);

#endif
