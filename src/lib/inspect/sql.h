/* SPDX-License-Identifier: PostgreSQL
 *
 * sql.h - the SQL of inspections: one file sql/NAME.sql, here as sql_NAME (meson.build lists them).
 *
 * A line that ends with "-- @>=14" is for PostgreSQL 14 and newer, one with "-- @<14" for older
 * servers; all other lines are for every version. tests/e2e/test_inspect.py runs every file on each
 * server it has.
 */
#ifndef DBOPS_SQL_H
#define DBOPS_SQL_H

#include "strbuf.h"

extern const char sql_connection_databases[], sql_connection_roles[], sql_connection_settings[], sql_xmin_holders[],
	sql_connection_timeouts[];
extern const char sql_activity[], sql_connections[], sql_databases[], sql_extensions[], sql_probe[], sql_statement_settings[];
extern const char sql_indexes[], sql_indexes_details[], sql_indexes_families[], sql_indexes_fkeys[], sql_indexes_server[],
	sql_indexes_tables[];
extern const char sql_inherited_tables[], sql_partition_parity[], sql_partition_tables[];
extern const char sql_lock_holders[], sql_lock_names[], sql_lock_relations[], sql_locks[], sql_locks_context[];
extern const char sql_indexes_bloat[], sql_indexes_promotion[], sql_indexes_standby[];

/* Adds text's lines that are for a server of this version (150020). */
void sql_add(struct strbuf *out, const char *text, int version);

#endif
