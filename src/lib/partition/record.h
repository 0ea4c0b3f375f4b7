/* SPDX-License-Identifier: PostgreSQL
 *
 * record.h - what a partition was, kept where it cannot get lost: in the table's own comment.
 *
 * After a detach the catalog has forgotten the bounds and the parent. The record is one line at the end of the
 * comment, behind whatever the user wrote there: it needs no table of ours, moves with the table through schemas,
 * dumps and restores, and is taken out again when the table is attached.
 *
 *	dbops.detached {"version":1,"parent":{"schema":"public","name":"trades"},"bounds":"FOR VALUES …", …}
 */
#ifndef DBOPS_PARTITION_RECORD_H
#define DBOPS_PARTITION_RECORD_H

#include "bound.h"
#include "pg.h"

struct detach_record {
	char *comment;                   /* the user's part of the comment; NULL = there was none */
	char *parent_schema, *parent_name;
	char *bounds;                    /* as pg_get_expr() said; NULL = there is no record */
	char *constraint;                /* pg_get_partition_constraintdef(): DETACH CONCURRENTLY may leave a CHECK with it; NULL = unknown */
	struct strvec triggers, publications; /* that it had through its parent: for people */
};
void detach_record_release(struct detach_record *r);
#define _cleanup_record_ _cleanup_(detach_record_release)

/* Reads the comment of a table (NULL = none) into *ret (zeroed before). A comment without a record, or with one that is not
 * understood, is the user's as a whole. */
void detach_record_parse(const char *comment, struct detach_record *ret);
/* The comment with the record. Caller frees. */
char *detach_record_write(const struct detach_record *r);

/* Reads the comment of a table, in any transaction. */
bool detach_record_load(struct pg_conn *c, uint32_t oid, struct detach_record *ret, struct error *err);
/* What there is to record of a partition that is attached, with the user's part of its comment. Inside partition_begin(). */
bool detach_record_make(struct pg_conn *c, uint32_t oid, struct detach_record *ret, struct error *err);

#endif
