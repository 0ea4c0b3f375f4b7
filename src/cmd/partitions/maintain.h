/* SPDX-License-Identifier: PostgreSQL
 *
 * maintain.h - what the files of 'dbops partitions maintain' share: policies, the plan made of them, and carrying it out.
 */
#ifndef DBOPS_CMD_PARTITIONS_MAINTAIN_H
#define DBOPS_CMD_PARTITIONS_MAINTAIN_H

#include "purge.h"
#include "remove.h"

struct maintain_args {
	struct change_args change;
	const char *to, *policies, *ledger, *now, *bindir;
	bool allow_plain, no_check;
	int64_t jobs, max_lag;
};

struct policy {
	struct config_retention r; /* strings are borrowed from the configuration or from owned */
	struct strvec owned;
	bool from_table;
};

enum maintain_action { MAINTAIN_NONE, MAINTAIN_CREATE, MAINTAIN_DETACH, MAINTAIN_ARCHIVE, MAINTAIN_DROP, MAINTAIN_PURGE };
enum maintain_state { STATE_PLANNED, STATE_HELD, STATE_DONE, STATE_FAILED };

/* One thing to do, on one table. */
struct maintain_item {
	const struct policy *policy;
	enum maintain_action action; /* MAINTAIN_NONE: the policy cannot be followed at all */
	enum maintain_state state;
	char *object, *detail;
	struct error error;             /* STATE_FAILED */
	char *note;                     /* STATE_HELD: why */
	struct partition_plan plan;     /* create, detach */
	struct archive_subject subject; /* archive, drop */
	struct removal removal;
	struct purge purge;
	uint32_t oid;                   /* detach, archive, drop: the partition */
	int64_t rows;                   /* archived, or to be purged, or purged; -1 = not known */
	char *archive;                  /* its URL */
};

struct maintain {
	struct app *app;
	struct pg_conn *c;
	const struct maintain_args *args;
	struct { struct policy **items; size_t len, alloc; } policies;
	struct { struct maintain_item **items; size_t len, alloc; } items;
	struct strvec held; /* conditions of held rows that purges borrow */
};
void maintain_release(struct maintain *m);
#define _cleanup_maintain_ _cleanup_(maintain_release)

/* maintain_plan.c: policies of the configuration and of --policies; then what they ask for, in order. A policy that cannot be
 * followed becomes an item that failed, and does not keep the others. */
bool maintain_load_policies(struct maintain *m, struct error *err);
void maintain_make_plan(struct maintain *m);
/* What would run, as SQL; its SHA-256 is the digest. */
void maintain_add_script(const struct maintain *m, struct strbuf *out);
/* Where archives of that policy go; "" = it is not said. */
const char *maintain_archive_to(const struct maintain *m, const struct policy *p);
const char *maintain_action_name(enum maintain_action action);

/* False with EXIT_BUSY while the detach of another partition of the same table is pending, which lets no other begin. */
bool maintain_check_pending(struct maintain *m, uint32_t oid, struct error *err);

/* maintain_run.c: does it, item by item; failures stay in the items. */
void maintain_run(struct maintain *m);

#endif
