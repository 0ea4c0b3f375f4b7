/* SPDX-License-Identifier: PostgreSQL
 *
 * backup_run.h - what the files of a backup run share; backup.h is the way in.
 */
#ifndef DBOPS_BACKUP_RUN_H
#define DBOPS_BACKUP_RUN_H

#include "leader.h"
#include "plan.h"
#include "toc.h"
#include "tools.h"

struct run {
	const struct backup_options *o;
	struct log *log;
	const struct cancel *cancel;
	struct leader leader;
	struct pg_tools tools;
	struct plan plan;
	struct archive_targets targets;
	struct strbuf toc_text;
	struct toc toc;
	struct manifest *m;
	double started;
};

/* backup_globals.c: globals.sql is made while the rows are read, after the snapshot: every role that an object in it names exists. */
struct globals {
	struct run *run;
	pthread_t thread;
	bool started, ok, no_passwords;
	struct strbuf text;
	struct error error;
	double seconds;
};
void globals_start(struct globals *g, struct run *r);
/* Waits, stores globals.sql and records it. */
bool globals_finish(struct globals *g, struct error *err);
void globals_release(struct globals *g);
#define _cleanup_globals_ _cleanup_(globals_release)

/* backup_describe.c: what the manifest says. */
/* What a reader of the manifest must know is not there. Asked before the data, on the leader. */
void describe_exclusions(struct run *r);
/* Tables and large objects out of the plan, and the totals. */
void describe_data(struct run *r);
void describe_totals(struct manifest *m);

/* backup_store.c: files beside the rows, the commit, and its opposite. */
void store_targets(struct run *r);
bool store_toc(struct run *r, struct error *err);
bool store_object_lists(struct run *r, struct error *err);
bool store_blocks(struct run *r, struct error *err);
/* Manifest last: then, and only then, it is a backup. */
bool store_commit(struct run *r, struct error *err);
/* After a failure: takes back what was stored, manifest first. Best effort; prune sweeps the rest. */
void store_discard(struct run *r);

#endif
