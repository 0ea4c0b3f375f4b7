/* SPDX-License-Identifier: PostgreSQL
 *
 * partition_plan.h - what shall be done to a partitioned table, as statements, before anything is done.
 *
 * One generator makes the plan; --sql prints it, --dry-run explains it, --apply DIGEST agrees to exactly it, and
 * partition_apply() runs it. A plan has steps; a step is one transaction, or one statement that must stand
 * alone. After a failure earlier steps stay done, so a plan made again is the rest of the first.
 *
 *	struct plan_step *s = plan_add_step(&plan, STEP_TRANSACTION, "create public.trades_2025_02");
 *	struct plan_statement *st = plan_add(s, "why", "ALTER TABLE %s ATTACH …", …);
 *	plan_lock(st, LOCK_SHARE_UPDATE_EXCLUSIVE, oid, "public.trades");
 */
#ifndef DBOPS_PARTITION_PLAN_H
#define DBOPS_PARTITION_PLAN_H

#include <stdint.h>
#include "error.h"
#include "lock_mode.h"
#include "strbuf.h"
#include "vec.h"

struct plan_lock {
	enum lock_mode mode;
	uint32_t oid; /* never 0: tables that the plan itself makes are locked by nobody else */
	char *table;  /* for people */
};

struct plan_statement {
	char *sql;    /* without the semicolon */
	char *reason; /* for people, one line */
	char *undo;   /* SQL that takes it back, NULL = none is needed or there is none */
	VEC(struct plan_lock) locks; /* on tables that exist already */
};

enum step_kind {
	STEP_TRANSACTION, /* BEGIN … COMMIT, repeated as a whole when a lock cannot be had in time */
	STEP_ALONE,       /* one statement that commits by itself and may simply be repeated */
	STEP_DETACH,      /* DETACH … CONCURRENTLY: interrupted, it stays pending and is ended by statement 1, FINALIZE */
};

struct plan_step {
	enum step_kind kind;
	char *title;  /* "create public.trades_2025_02" */
	char *detail; /* bounds or the like, for people; NULL = none */
	uint32_t oid, parent;  /* a partition and the table it leaves, or 0: not begun while old transactions use them. A step before
	                        * STEP_DETACH of the same oid is taken back (its first undo) if the detach never began */
	int64_t wait_ms;       /* STEP_DETACH: lock_timeout of this statement, which bounds its wait for other transactions, too */
	VEC(struct plan_statement) statements;
	char *proof_table;     /* name: partition_apply() shall insist that ATTACH PARTITION proves this table's rows from its
	                        * constraints; NULL = it may read them */
	bool compares;         /* dbops alone can do it: it compares what COPY gives with an archive, and psql would not */
	/* filled by partition_apply() */
	bool done;
	unsigned attempts;
	double seconds;
};

struct partition_plan {
	char *command;           /* "dbops partitions create" */
	uint32_t table;          /* OID of the topmost partitioned table: what is locked against other runs */
	char *table_name;        /* for people */
	int64_t lock_timeout_ms; /* longest wait for one lock; set before it is printed, digested or run */
	char *place;             /* where rows go before the first step, as the digest shall have it; NULL = nowhere */
	VEC(struct plan_step) steps;
	struct strvec notes;     /* what somebody should know before it is run */
};

void partition_plan_release(struct partition_plan *p);
#define _cleanup_plan_ _cleanup_(partition_plan_release)

/* Both give an address that is valid until the next call for the same plan or step. */
struct plan_step *plan_add_step(struct partition_plan *p, enum step_kind kind, const char *title_fmt, ...) PRINTF(3, 4);
struct plan_statement *plan_add(struct plan_step *s, const char *reason, const char *sql_fmt, ...) PRINTF(3, 4);
/* Takes sql over. */
struct plan_statement *plan_add_take(struct plan_step *s, const char *reason, char *sql);
void plan_lock(struct plan_statement *s, enum lock_mode mode, uint32_t oid, const char *table);

/* The settings of the session in which a plan runs, "SET …; SET …": search_path empty, UTC, ISO, row_security off,
 * lock_timeout of the plan, no statement_timeout. */
void plan_add_settings(const struct partition_plan *p, struct strbuf *sql);
/* The whole as a script for psql: settings, statements, transaction boundaries; title, locks, reason and undo as comments. Steps
 * that compare are comments as a whole, because psql would drop without comparing. */
void plan_add_script(const struct partition_plan *p, struct strbuf *out);
/* The same for people who are asked: steps, locks, notes, digest. */
void plan_add_summary(const struct partition_plan *p, struct strbuf *out);

#define PLAN_DIGEST_SIZE 65
/* SHA-256 in hexadecimal over place, settings, statements, transaction boundaries, and the tables that are locked, by OID: one that was made
 * anew under the same name is another plan. Comments do not count. */
void plan_digest(const struct partition_plan *p, char ret[PLAN_DIGEST_SIZE]);

/* A line of SQL comment or of talk made of any text: newlines become spaces. */
void plan_add_one_line(struct strbuf *out, const char *text);

#endif
