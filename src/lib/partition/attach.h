/* SPDX-License-Identifier: PostgreSQL
 *
 * attach.h - the plan that makes a table a partition.
 *
 * ATTACH reads the whole table under ACCESS EXCLUSIVE unless its constraints prove that every row is within the
 * bounds. So a CHECK is added NOT VALID, validated under a lock that lets reads and writes go on, and the run insists that the server
 * says it was enough (it says so at DEBUG1); then the CHECK goes. What a detach recorded (record.h) needs no bounds from the user,
 * and the CHECK that DETACH CONCURRENTLY left spares the validation, too.
 */
#ifndef DBOPS_PARTITION_ATTACH_H
#define DBOPS_PARTITION_ATTACH_H

#include "model.h"
#include "partition_plan.h"
#include "record.h"

struct attach_request {
	uint32_t table;
	const char *bounds; /* "FROM ('2025-01-01') TO ('2025-02-01')" as partitions list shows them; NULL = as recorded */
	bool allow_scan;    /* ATTACH may read the table if nothing can be proven */
	int64_t scan_ms;    /* longest time that reading DEFAULT may keep its readers waiting */
};

/* Adds the steps to plan; none when the table is attached with these bounds already. record: of the table; m: the tree of the
 * future parent, its first item. Inside partition_begin(). EXIT_USAGE: bounds are missing or are none. EXIT_REFUSED: it is a
 * partition of something else or with other bounds, or nothing can be proven and allow_scan is false. */
bool partition_plan_attach(struct pg_conn *c, const struct partition_model *m, const struct attach_request *r, const struct detach_record *record,
	struct partition_plan *plan, struct error *err);

#endif
