/* SPDX-License-Identifier: PostgreSQL
 *
 * create.h - the plan that makes partitions of a table.
 *
 * Each partition is one transaction: CREATE TABLE … (LIKE …), properties, ATTACH PARTITION. Never PARTITION OF, which
 * takes ACCESS EXCLUSIVE on the parent; ATTACH takes SHARE UPDATE EXCLUSIVE, under which reads and writes go on. A table that is
 * empty needs no CHECK: there is nothing to scan.
 */
#ifndef DBOPS_PARTITION_CREATE_H
#define DBOPS_PARTITION_CREATE_H

#include "model.h"
#include "partition_plan.h"

struct create_request {
	const char *table_text; /* as the user named it: for messages */
	const char *interval;   /* range: "1 month"; NULL for the other strategies */
	int64_t ahead;          /* range: whole intervals after the one that holds now */
	const char *timezone;   /* never NULL */
	enum epoch_unit unit;   /* integer keys that count time */
	const char *start;      /* range: where the first partition of an empty table begins; NULL = the interval of now */
	const char *now;        /* timestamp with time zone; NULL = the server's clock */
	const struct strvec *values; /* list: one partition each: "eu,us,NULL", quotes as in CSV */
	int64_t modulus;        /* hash: 0 = not given */
	const char *pattern;    /* names: {table} {from} {to} {values} {modulus} {remainder} and %Y %m …; NULL = what suits */
	const char *schema;     /* NULL = that of the newest partition, else the parent's */
	bool move_default;      /* move rows that are in DEFAULT */
	bool no_template;       /* do not give new partitions the sub-partitions that the newest one has */
	int64_t scan_ms;        /* longest time that reading DEFAULT may keep its readers waiting */
};

/* A partition that is planned. */
struct candidate {
	struct bound bound;
	char *name;
	int64_t local; /* range in time: the local clock at its start, as if UTC */
};
struct candidates {
	struct candidate *items;
	size_t len, alloc;
};
void candidates_release(struct candidates *v);
#define _cleanup_candidates_ _cleanup_(candidates_release)

/* Adds the steps to plan; none when all is there already. m: the tree of the table (partition_load.table), loaded in the same
 * partition_begin() … partition_end(). EXIT_USAGE: the request does not fit the table. EXIT_REFUSED: existing partitions,
 * names or rows in DEFAULT are in the way; detail says which. */
bool partition_plan_create(struct pg_conn *c, const struct partition_model *m, const struct create_request *r, struct partition_plan *plan,
	struct error *err);

/* The parts of it, each in its file: which partitions are missing … */
bool create_find_range(struct pg_conn *c, const struct partition_model *m, const struct create_request *r, struct candidates *ret,
	struct partition_plan *plan, struct error *err);
bool create_find_list(struct pg_conn *c, const struct partition_model *m, const struct create_request *r, struct candidates *ret,
	struct error *err);
bool create_find_hash(const struct partition_model *m, const struct create_request *r, struct candidates *ret, struct error *err);
/* … what they are called (pattern was checked: EXIT_USAGE) … */
bool create_name(const char *pattern, const char *table, struct candidate *cand, struct error *err);
/* … and the rows in DEFAULT that belong to them: EXIT_REFUSED unless move_default; *ret_moves[i] is set for candidates
 * that have some. */
bool create_check_default(struct pg_conn *c, const struct partition *parent, const struct partition *def, const struct candidates *v,
	const struct create_request *r, bool *ret_moves, struct error *err);
/* Adds the statements that move rows from def to table_sql, before ATTACH. */
bool create_move_rows(struct pg_conn *c, struct plan_step *step, const struct partition *parent, const struct partition *def,
	const struct bound *bound, const char *table_sql, struct error *err);

#endif
