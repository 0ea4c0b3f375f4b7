/* SPDX-License-Identifier: PostgreSQL
 *
 * parity.h - partitions that differ from their parent, or from most of their siblings, where they should not.
 *
 * PostgreSQL gives a new partition its columns, constraints, indexes and triggers, and nothing else of
 * what somebody once set on the parent: owner, privileges, row-level security, replica identity,
 * storage parameters, statistics (facts measured on 14 to 18, tests/e2e/test_partitions_parity.py).
 */
#ifndef DBOPS_PARTITION_PARITY_H
#define DBOPS_PARTITION_PARITY_H

#include "check.h"

/* One round trip; adds findings. Tables that are locked exclusively are a gap. */
bool check_parity(struct inspector *in, const struct check *c, struct answer *a, struct error *err);

/* The parts, for unit tests; r is what the SQL of that name gives. */
/* sql/partition_tables.sql: owner, row-level security, replica identity, storage parameters, tablespace */
void parity_tables(const struct check *c, const PGresult *r, struct answer *a);
/* sql/partition_parity.sql */
void parity_differences(const struct check *c, const PGresult *r, struct answer *a);

/* Adds the qualified, quoted name. */
void parity_add_table(struct strbuf *sql, const struct partition *p);
/* A name of at most 63 bytes for something that belongs to table: its beginning, 8 digits that depend on of, suffix. Caller frees. */
char *parity_object_name(const char *table, const char *of, const char *suffix);

#endif
