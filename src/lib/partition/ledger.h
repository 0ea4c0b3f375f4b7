/* SPDX-License-Identifier: PostgreSQL
 *
 * ledger.h - what was removed, when, by whom, and where its archive is: one JSON object a line in a file.
 *
 * A file and not a table, because what removes a table must not need the right to create one, and the ledger outlives the
 * database. Each removal has two lines: "intent" before, so that a crash cannot hide it, and "done", "kept" or "unknown" after. Each
 * line holds the SHA-256 of the line before it: one that was changed or taken out later shows.
 */
#ifndef DBOPS_PARTITION_LEDGER_H
#define DBOPS_PARTITION_LEDGER_H

#include "archive.h"

struct ledger_entry {
	const char *phase;  /* "intent", "done", "kept", "unknown" */
	const char *action; /* "drop", "purge" */
	const char *table, *parent, *bounds;
	const char *policy; /* of the configuration, or NULL */
	const char *condition; /* purge: which rows */
	int64_t rows;          /* -1 = not known */
	const char *archive, *manifest_sha256; /* URL; NULL = without an archive */
	const struct fingerprint *fingerprint;
	const char *detail; /* "kept": why */
};

/* The file to use: given, else $XDG_STATE_HOME/dbops/ledger.ndjson, ~/.local/state/dbops/ledger.ndjson. Caller frees. */
char *ledger_path(const char *given);
/* Adds a line, durably, alone among processes that do the same. c says which database and role. EXIT_CANNOT_WRITE: then nothing may
 * be removed. EXIT_DAMAGED: the file's last line is not one of a ledger. */
bool ledger_append(const char *path, const struct pg_conn *c, const struct ledger_entry *e, struct error *err);

/* Reads it whole and checks the chain. *ret_lines are the lines, *ret_broken the number (from 1) of the first line that does not
 * fit to the one before it, 0 = none. A missing file is an empty ledger. */
bool ledger_read(const char *path, struct strvec *ret_lines, size_t *ret_broken, struct error *err);

/* A member of a line as text; NULL when it is null or missing. Caller frees. */
char *ledger_member(const char *line, const char *name);

#endif
