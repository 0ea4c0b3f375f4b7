/* SPDX-License-Identifier: PostgreSQL
 *
 * hold.h - legal holds: what must stay, whatever a policy or a command says.
 */
#ifndef DBOPS_PARTITION_HOLD_H
#define DBOPS_PARTITION_HOLD_H

#include "config.h"
#include "log.h"
#include "pg.h"

/* Names of one table for patterns: its own, and those of the partitioned tables above it and of what goes with it, below; each as
 * "public.trades" and as "trades", in SQL's quotes where it needs some and without. The first is the table's own, for people. */
struct hold_query {
	struct strvec names;
	const char *database;
	const char *sql; /* the table, quoted, for holds of some rows; NULL leaves those out */
	int64_t now;     /* microseconds UTC */
};

/* Whether a hold keeps the whole table: *ret is the first such ("" in name = none). Holds of rows keep it while such a row is there,
 * which is looked up. *ret's strings are borrowed from the configuration. False + err when it cannot be told. */
bool hold_of_table(struct pg_conn *c, const struct config *config, const struct hold_query *q, struct config_hold *ret, struct error *err);
/* The conditions of rows that are held, for a purge of others; *ret_all: a hold of the whole table. */
bool hold_of_rows(const struct config *config, const struct hold_query *q, struct strvec *ret_conditions, struct config_hold *ret_all,
	struct error *err);
/* Warns of holds that fit no table of the database: a name that is wrong by a letter holds nothing. */
bool hold_warn_of_unmatched(struct pg_conn *c, const struct config *config, struct log *log, struct error *err);
/* The error of a command that was asked to remove what is held. */
bool hold_refuse(const struct config_hold *h, const char *table, struct error *err);

/* Adds to q->names those of the table with that OID and of everything above it; below: of its partitions, too. */
bool hold_names(struct pg_conn *c, uint32_t oid, bool below, struct hold_query *q, struct error *err);

#endif
