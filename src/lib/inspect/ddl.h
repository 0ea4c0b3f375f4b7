/* SPDX-License-Identifier: PostgreSQL
 *
 * ddl.h - which table locks a statement takes, from its text alone.
 *
 * Sources: PostgreSQL documentation, "Explicit Locking" (the mode each command acquires) and the pages of the commands (ALTER TABLE
 * says of each form when it takes less than ACCESS EXCLUSIVE). tests/e2e/test_lock_forecast.py runs each statement on every server and
 * compares with pg_locks. A statement that is not understood says so; nothing is guessed.
 */
#ifndef DBOPS_DDL_H
#define DBOPS_DDL_H

#include "error.h"
#include "lock_mode.h"
#include "vec.h"

/* Which relations a lock is on, seen from the relation the statement names. */
enum ddl_scope {
	DDL_SELF,
	DDL_TREE,        /* it and all that inherit from it: partitions, child tables */
	DDL_TABLE,       /* of the index it is */
	DDL_PARENT,      /* the table it is a partition or child of */
	DDL_DEFAULT,     /* its DEFAULT partition */
	DDL_REFERENCED,  /* tables that its foreign keys refer to; with a constraint's name only that one's */
	DDL_REFERENCING, /* tables whose foreign keys refer to it */
	DDL_PARTITIONS,  /* it and all its partitions, but not child tables of plain inheritance */
	DDL_PARENT_DEFAULT, /* the DEFAULT partition of the table it is a partition of */
	DDL_DEPENDENTS,  /* views and materialized views that read it */
};

struct ddl_lock {
	char *name;       /* as written, for to_regclass(): public."Orders" */
	enum ddl_scope scope;
	char *constraint; /* its name, folded as SQL does. DDL_REFERENCED: only by that one; DDL_TREE: children only when it is no foreign key */
	enum lock_mode mode;
	int from, below;  /* only servers of these majors; 0 = no limit */
};

struct ddl_statement {
	char *text;
	char *creates;       /* the table it makes, as written; NULL = none */
	VEC(struct ddl_lock) locks;
	const char *rewrite; /* why it writes the whole table anew while it holds the lock; NULL = it does not. A constant */
	const char *scan;    /* why it reads the whole table meanwhile; NULL = it does not. A constant */
	bool concurrently;   /* takes its locks in several transactions, and waits for others' in between */
	bool missing_ok;     /* IF EXISTS: no table, no lock */
	const char *problem; /* not understood: why; a constant. Then nothing is said about locks */
};

struct ddl_script {
	VEC(struct ddl_statement) statements;
};

void ddl_script_release(struct ddl_script *s);
#define _cleanup_ddl_script_ _cleanup_(ddl_script_release)

/* Reads statements separated by ';'. A text that is not SQL at all (an open quote or comment, nothing in it): EXIT_USAGE. */
bool ddl_parse(const char *sql, struct ddl_script *ret, struct error *err);

/* Whether it is no surprise that name does not exist: IF EXISTS, or an earlier statement makes it. */
bool ddl_script_may_miss(const struct ddl_script *s, const char *name);

#endif
