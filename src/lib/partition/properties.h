/* SPDX-License-Identifier: PostgreSQL
 *
 * properties.h - what a table has beside its columns, and the statements that give another table the same.
 *
 * A new partition does not get these from its parent, whatever way it is made: owner, grants, row-level security
 * with policies, replica identity, statistics targets, storage options. Who forgets them has partitions that later migrations
 * cannot change, that a subscriber cannot follow, or that can be read around the parent's policies.
 */
#ifndef DBOPS_PARTITION_PROPERTIES_H
#define DBOPS_PARTITION_PROPERTIES_H

#include "model.h"
#include "partition_plan.h"

struct grant {
	char *grantee;    /* NULL = PUBLIC */
	char *privileges; /* "SELECT, INSERT" */
	char *column;     /* NULL = the table */
	bool grantable;
};

struct policy {
	char *name, *command; /* command: ALL, SELECT, INSERT, UPDATE, DELETE */
	bool permissive;
	struct strvec roles; /* "" = PUBLIC */
	char *using_sql, *check_sql; /* NULL = none */
};

struct column_setting {
	char *name;
	char *statistics; /* NULL = default */
	char *options;    /* "n_distinct=5", NULL = none */
};

struct properties {
	/* of the parent */
	char *name; /* quoted if it needs to be */
	char *owner, *current_user;
	VEC(struct grant) grants;
	struct strvec default_grantees; /* who gets something by ALTER DEFAULT PRIVILEGES; "" = PUBLIC */
	bool row_security, force_row_security;
	VEC(struct policy) policies;
	char replica_identity;     /* pg_class.relreplident */
	uint32_t identity_index;   /* of the parent; 0 = none */
	VEC(struct column_setting) columns;
	/* of the sibling, where the parent can have none */
	bool unlogged;
	char *tablespace, *access_method; /* NULL = default */
	struct strvec options;            /* "fillfactor=70", "toast.autovacuum_enabled=off" */
};

/* Reads parent's properties and, sibling not 0, what only a partition with storage has. *ret zeroed before. */
bool properties_load(struct pg_conn *c, uint32_t parent, uint32_t sibling, struct properties *ret, struct error *err);
void properties_release(struct properties *p);
#define _cleanup_properties_ _cleanup_(properties_release)

/* "CREATE [UNLOGGED] TABLE name (LIKE parent …) [PARTITION BY …] [USING …] [TABLESPACE …]". Everything LIKE can copy, without
 * identity: before PostgreSQL 17 it would make a sequence of its own, since 17 ATTACH refuses it. */
char *properties_create_sql(const struct properties *p, const char *table_sql, const char *parent_sql, const char *partition_by);
/* Adds the statements that come between CREATE and ATTACH. table_sql: quoted, qualified. leaf: it has storage. */
void properties_add(const struct properties *p, struct plan_step *step, const char *table_sql, bool leaf);
/* After ATTACH, when the child's index can be told: replica identity by index. */
void properties_add_identity(const struct properties *p, struct plan_step *step, const char *table_sql);

#endif
