/* SPDX-License-Identifier: PostgreSQL
 *
 * internal.h - what the files of src/lib/pg share: connection options as a list, the session
 * behind a struct pg_conn, and the one table from SQLSTATE to exit code.
 */
#ifndef DBOPS_PG_INTERNAL_H
#define DBOPS_PG_INTERNAL_H

#include <stdatomic.h>
#include "pg.h"

/* Connection options, one value per keyword. Values may be secret: release wipes them. */
struct pg_option {
	char *keyword, *value;
};
struct pg_options {
	VEC(struct pg_option) list;
};
void pg_options_release(struct pg_options *o);
#define _cleanup_options_ _cleanup_(pg_options_release)
/* Adds or replaces; value NULL removes. */
void pg_options_set(struct pg_options *o, const char *keyword, const char *value);
/* Borrowed; NULL when absent. */
const char *pg_options_get(const struct pg_options *o, const char *keyword);
/* All of them as a conninfo string. Holds the password: free with pg_wipe(). */
char *pg_options_conninfo(const struct pg_options *o);
/* Adds keyword='value' with the quoting of libpq ("Keyword/Value Connection Strings"). */
void pg_add_conninfo(struct strbuf *sb, const char *keyword, const char *value);
/* Overwrites and frees a secret string; NULL is fine. */
void pg_wipe(char *secret);

/* What p says, without libpq's defaults. *dropped gets the foreign URL parameters' names,
 * separated by ", ". EXIT_CONFIG when dbname cannot be understood; the error never repeats text
 * that may hold a password. */
bool pg_options_parse(const struct pg_params *p, struct pg_options *ret, struct strbuf *dropped,
	struct error *err);
/* Gives every option that libpq would take from the environment its compiled default. */
void pg_options_isolate(struct pg_options *o);

/* The URL without the query parameters that libpq does not know; their names go to *dropped.
 * Caller frees with pg_wipe(). */
char *pg_url_clean(const char *url, struct strbuf *dropped);
/* True for postgresql:// and postgres://. */
bool pg_is_url(const char *s);

struct pg_session {
	struct pg_options options; /* as resolved by libpq, pinned to the address in use */
	_Atomic(PGcancel *) cancel; /* taken by the first pg_interrupt() */
	int socket;                /* own duplicate: libpq may close its own at any time */
	atomic_bool interrupted;
	bool local;                /* unix socket */
	const struct cancel *stop; /* cancel of the params; clones have the same */
};

/* Fills env and child_conninfo from the session's options. */
bool pg_child_settings(struct pg_conn *c, struct error *err);

/* Why a connection attempt failed; text is libpq's message under PQERRORS_VERBOSE. */
bool pg_connect_failed(struct error *err, const struct pg_options *o, const PGconn *pg);

/* "57P03" -> EXIT_BUSY; "" -> EXIT_UNAVAILABLE. */
enum exit_code pg_exit_code(const char *sqlstate);

#endif
