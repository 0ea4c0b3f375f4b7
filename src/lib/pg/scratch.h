/* SPDX-License-Identifier: PostgreSQL
 *
 * scratch.h - a throw-away PostgreSQL server for proofs (verify --restore).
 *
 * initdb + postgres in a private folder, unix socket only, nothing of it survives: removed on
 * close, and by a watchdog when dbops itself is killed (SIGKILL included). As root it runs as an
 * unprivileged user (--run-as, else "postgres").
 */
#ifndef DBOPS_SCRATCH_H
#define DBOPS_SCRATCH_H

#include "cancel.h"
#include "error.h"
#include "log.h"
#include "pg.h"
#include "tools.h"

struct scratch_options {
	const char *bindir;    /* --pg-bindir or NULL */
	int major;             /* of the source server: this or the next greater */
	const char *run_as;    /* user name or NULL */
	const char *dir;       /* where; NULL = $TMPDIR, else /var/tmp */
	int64_t needed_bytes;  /* refuse when the file system has less free; 0 = do not check */
	int64_t jobs;          /* connections to expect */
	bool keep;             /* --keep: leave the folder and say where */
};

struct scratch;

/* Starts it; ready for connections when it returns. Errors: EXIT_UNAVAILABLE (no server programs,
 * did not start: its log's end in the detail), EXIT_CANNOT_WRITE (not enough space), EXIT_PERMISSION. */
struct scratch *scratch_start(const struct scratch_options *o, struct log *log, const struct cancel *cancel,
	struct error *err);

/* Creates a database there with encoding and locale of the source (falls back to C with a
 * warning in *log when the host lacks the locale) and connects. locale_provider: 'c', 'i', 'b'. */
struct scratch_database {
	const char *name, *encoding, *collate, *ctype, *icu_locale;
	char locale_provider;
};
struct pg_conn *scratch_create_database(struct scratch *s, const struct scratch_database *db, struct log *log,
	struct error *err);

/* Connection parameters of the scratch server's superuser session to database dbname. Borrowed. */
void scratch_params(const struct scratch *s, const char *dbname, struct pg_params *ret);
const struct pg_tools *scratch_tools(const struct scratch *s);
int scratch_major(const struct scratch *s);

/* Stops (SIGQUIT, waits) and removes the folder. NULL is fine. */
void scratch_stop(struct scratch *s);
DEFINE_CLEANUP(struct scratch, scratch_stop)
#define _cleanup_scratch_ _cleanup_(scratch_stopp)

#endif
