/* SPDX-License-Identifier: PostgreSQL
 *
 * plan.h - the work of a backup: which tables, in which units, in which order.
 *
 * A unit is a whole table, a range of heap pages of a large table (about 16 MiB of its size,
 * PostgreSQL 14+ where TID range scans exist), or a group of large objects. One queue: whole tables, largest
 * first, then the ranges; workers take from it until it is empty.
 */
#ifndef DBOPS_PLAN_H
#define DBOPS_PLAN_H

#include <pthread.h>
#include "backup.h"
#include "data_file.h"
#include "toc.h"

struct plan_job {
	struct data_file file;     /* of a table; unused for large objects */
	char *schema, *name;       /* the relation that is read */
	char *columns;             /* verbatim from the TOC, "" = none */
	char *root, *condition;    /* see struct manifest_file */
	uint32_t oid;
	bool large_objects;
	bool divisible;            /* may be read in ranges of pages */
	int64_t pages, bytes;
	int64_t unit_pages;        /* 0 = one unit */
	uint32_t units, next, done;
	uint32_t *oids;            /* of a group of large objects */
	size_t n_oids;
	int object_list;           /* dump id of the entry whose list names the group */
};

struct large_object {
	uint32_t oid;
	struct data_file file;     /* finished */
};

struct plan {
	struct plan_job *items;    /* in TOC order, so that the manifest is stable */
	size_t len, alloc;
	struct plan_job **order;   /* in which they are taken */
	size_t cursor;             /* into order */
	int64_t total_bytes;
	pthread_mutex_t lock;
	struct { struct plan_unit *items; size_t len, alloc; } refused; /* for the leader's connection */
	struct { struct large_object *items; size_t len, alloc; } stored_objects;
};

struct plan_unit {
	struct plan_job *job;
	uint32_t index;
};

/* Makes the plan from the TOC; asks conn for sizes, access methods and conditions. EXIT_REFUSED with
 * sqlstate "" when the TOC holds a kind of data that dbops does not know (fall back to pg_dump). */
bool plan_make(struct plan *p, const struct toc *t, struct pg_conn *conn, const struct backup_options *o,
	struct error *err);
/* Decides which of the described jobs are read in ranges, and in which order jobs are taken (part of plan_make). A table
 * is divided when it has more than an even share of the bytes and the ranges of larger tables cannot keep the other
 * workers busy while one reads it whole: that costs the server less, and spares its shared buffers. */
void plan_divide(struct plan *p, const struct backup_options *o);
void plan_release(struct plan *p);
#define _cleanup_plan_ _cleanup_(plan_release)

/* Takes the next unit; false when none is left. */
bool plan_next(struct plan *p, struct plan_unit *ret);
/* A worker could not lock the table without waiting: the leader's connection, which holds the
 * lock, shall read the unit. */
void plan_refuse(struct plan *p, struct plan_unit u);
bool plan_next_refused(struct plan *p, struct plan_unit *ret);
/* The unit is stored; true when it was the job's last. */
bool plan_done(struct plan *p, struct plan_unit u);
/* Heap bytes that a unit stands for, for progress. */
int64_t plan_unit_bytes(const struct plan_unit *u);

#endif
