/* SPDX-License-Identifier: PostgreSQL
 *
 * destination.h - what archive, restore, drop and maintain share: where archives are, and which table is meant.
 */
#ifndef DBOPS_CMD_PARTITIONS_DESTINATION_H
#define DBOPS_CMD_PARTITIONS_DESTINATION_H

#include "archive.h"
#include "repository.h"

/* Opens what --to or --from names: s3://BUCKET/PREFIX, a remote of the configuration, else a folder. spec NULL or empty:
 * EXIT_USAGE. */
struct storage *open_destination(struct app *app, const char *spec, bool create, int64_t slots, bool *ret_remote, struct error *err);
/* The operand PARTITION of archive and drop, for load_subject(). */
extern const struct operand subject_operands[];
/* The table a user means, with all that archive.h wants to know of it. */
bool load_subject(struct pg_conn *c, const char *name, struct archive_subject *ret, struct error *err);

/* The session holds the lock against other runs while an archive is made by others, which may take hours: it must not be ended for
 * being idle. */
bool keep_session(struct pg_conn *c, struct error *err);
/* As app_confirm(), also satisfied by --apply with this very digest; another digest: EXIT_CONFIG. */
bool confirm_plan(struct app *app, const char *plan, const char *digest, const char *apply, struct error *err);
/* Refuses when a hold of the configuration keeps the table; one on what it was a partition of before its detach does. */
bool check_holds(struct app *app, struct pg_conn *c, const struct archive_subject *s, struct error *err);
/* Conditions of rows that are held; refuses when the whole table is. */
bool held_rows(struct app *app, struct pg_conn *c, uint32_t oid, struct strvec *ret, struct error *err);

#define OPT_JOBS(A, text)                                                                                                       \
	OPT_INT(A, jobs, .short_name = 'j', .long_name = "jobs", .metavar = "N", .config_key = "partitions.jobs", .fallback = "2", \
		.min = 1, .max = 128, .help = text)

#define OPT_BINDIR(A, text)                                                                                                     \
	OPT_PATH(A, bindir, .long_name = "pg-bindir", .metavar = "DIR", .env = "DBOPS_PG_BINDIR", .config_key = "pg_bindir",    \
		.complete = COMPLETE_DIR, .help = text)

#define OPT_LEDGER(A)                                                                                             \
	OPT_PATH(A, ledger, .long_name = "ledger", .metavar = "FILE", .config_key = "partitions.ledger",              \
		.help = "file that records what is removed (default: ~/.local/state/dbops/ledger.ndjson)")

#endif
