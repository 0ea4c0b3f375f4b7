/* SPDX-License-Identifier: PostgreSQL
 *
 * condition.h - bounds as a condition on rows.
 */
#ifndef DBOPS_PARTITION_CONDITION_H
#define DBOPS_PARTITION_CONDITION_H

#include "model.h"

/* Adds the condition that rows of a partition of parent with bound b fulfil, written so that PostgreSQL proves the
 * partition constraint from it (src/backend/partitioning/partbounds.c, get_qual_for_range() and its kin): a
 * validated CHECK with it spares ATTACH PARTITION the scan. False, and nothing added, when dbops cannot write it: expression keys,
 * a range whose further columns are not all MINVALUE, DEFAULT. */
bool condition_add(struct strbuf *sql, const struct partition *parent, const struct bound *b);

#endif
