/* SPDX-License-Identifier: PostgreSQL
 *
 * ddl_internal.h - between ddl.c (statements) and ddl_alter.c (ALTER TABLE).
 */
#ifndef DBOPS_DDL_INTERNAL_H
#define DBOPS_DDL_INTERNAL_H

#include "ddl.h"
#include "ddl_lex.h"

/* Adds a lock; a second one on the same relations becomes the stronger of the two. Takes nothing over. */
void ddl_add(struct ddl_statement *s, const char *name, enum ddl_scope scope, enum lock_mode mode);
/* A lock that servers from one major to below another take. */
void ddl_add_for(struct ddl_statement *s, const char *name, enum ddl_scope scope, enum lock_mode mode, int from, int below);
/* The lock on the table a foreign key refers to. */
void ddl_add_referenced(struct ddl_statement *s, const char *table, const char *constraint, enum lock_mode mode);
/* The lock on a table because of a constraint of that name: children have it, too, unless it is a foreign key. */
void ddl_add_constrained(struct ddl_statement *s, const char *table, enum ddl_scope scope, const char *constraint, enum lock_mode mode);
/* Sets problem and returns false. */
bool ddl_give_up(struct ddl_statement *s, const char *problem);

/* Past ALTER TABLE. */
bool ddl_alter_table(struct ddl_statement *s, struct ddl_parser *p);
/* A column's definition, past its name: what it refers to, whether it makes the table be written anew. */
void ddl_column(struct ddl_statement *s, struct ddl_parser *p);

#endif
