/* SPDX-License-Identifier: PostgreSQL
 *
 * pg.h - connections and queries. One place that connects, one that runs SQL, one that quotes.
 *
 * Sources: PostgreSQL documentation, chapter "libpq - C Library".
 */
#ifndef DBOPS_PG_H
#define DBOPS_PG_H

#include <libpq-fe.h>
#include <stdint.h>
#include <stdlib.h>
#include "cancel.h"
#include "error.h"
#include "log.h"
#include "strbuf.h"
#include "vec.h"

static inline void cleanup_pgresult(PGresult **r)
{
	PQclear(*r);
}
#define _cleanup_result_ _cleanup_(cleanup_pgresult)

/* What the user said about the connection; NULL = libpq's own default. host, port and user win
 * over what dbname says. */
struct pg_params {
	const char *dbname; /* name, conninfo string or URL */
	const char *host, *port, *user;
	bool no_password;   /* -w: libpq never prompts; we never do either, so this is the default */
	const char *application_name; /* "dbops backup"; PGAPPNAME or the URL's own win */
	const struct cancel *cancel; /* a stop request ends connecting and waiting for results; may be NULL */
	bool isolated; /* scratch servers: dbname is a plain name, nothing comes from PG* variables */
};

struct pg_session; /* what only src/lib/pg needs: options, cancel key */

struct pg_conn {
	PGconn *pg;
	int version;         /* 150020 */
	bool in_recovery;
	char *database, *user;
	char *server;        /* "host:port" or socket directory, for messages */
	int server_pid;      /* of the backend that answered first; PQbackendPID() may be a pooler's */
	/* For a child program (proc_spec.env) that shall reach the same server and nothing else:
	 * PGHOST=…, PGPASSWORD=…; names without "=" are unset. */
	struct strvec env;
	/* For its -d: the database and what has no environment variable. No secret, never empty. */
	char *child_conninfo;
	struct pg_session *session;
};

/* Connects (foreign URL parameters such as Prisma's pgbouncer=true are dropped and named in
 * *log as a note), sets application_name, client_encoding is the server's choice, checks the
 * version (>= 13). connect_timeout is 10 s unless set. Nothing is SET in the session.
 * EXIT_UNAVAILABLE, EXIT_PERMISSION (28xxx), EXIT_NOT_FOUND (3D000), EXIT_BUSY (53300, 57P03),
 * EXIT_CONFIG (the connection string is wrong; its text is never repeated). */
struct pg_conn *pg_connect(const struct pg_params *p, struct log *log, struct error *err);
/* Connects to an admin console that speaks the protocol but is no server (PgBouncer): nothing is asked, version is 0. dbname is
 * used when p names no database. Only pg_batch() fits: consoles know the simple protocol alone. Errors as pg_connect(). */
struct pg_conn *pg_connect_console(const struct pg_params *p, const char *dbname, struct log *log, struct error *err);
/* A further session to the same server (the very address c is connected to, also when the name
 * has several) with the same credentials; dbname NULL = the same database, application_name
 * NULL = the same. Several threads may clone one c at the same time. */
struct pg_conn *pg_clone(const struct pg_conn *c, const char *dbname, const char *application_name,
	struct error *err);
void pg_close(struct pg_conn *c);
DEFINE_CLEANUP(struct pg_conn, pg_close)
#define _cleanup_conn_ _cleanup_(pg_closep)

/* Runs SQL that returns no rows we want; several statements allowed. */
bool pg_exec(struct pg_conn *c, struct error *err, const char *sql);
bool pg_execf(struct pg_conn *c, struct error *err, const char *fmt, ...) PRINTF(3, 4);
/* Runs one statement with text parameters ($1…; NULL pointers are SQL NULL); NULL on failure. */
PGresult *pg_query(struct pg_conn *c, struct error *err, const char *sql, int n, const char *const *values);
/* Several statements in one round trip, by the simple protocol (no prepared statement, so any pooler will do);
 * ret gets the results of those that return rows, which must be exactly n. On failure ret holds NULLs, and a
 * transaction that sql began is to be rolled back. */
bool pg_batch(struct pg_conn *c, struct error *err, const char *sql, PGresult **ret, size_t n);
/* A query that must return exactly one row; its first column as a string ("" for NULL), caller frees. */
char *pg_query_value(struct pg_conn *c, struct error *err, const char *sql);

/* Fills err from a failed result or, r NULL, from the connection: code by SQLSTATE class, detail
 * and hint from the server. Returns false. */
bool pg_error(struct error *err, const struct pg_conn *c, const PGresult *r, const char *fmt, ...)
	PRINTF(4, 5);

/* What stands between us and the server. A transaction pooler hands every transaction to any
 * backend: snapshots, session settings and locks do not last, so a backup must refuse it. */
enum pg_pooling { PG_DIRECT, PG_POOLED_SESSION, PG_POOLED_TRANSACTION };
struct pg_pooler {
	enum pg_pooling pooling;
	char *reason; /* for people: how it was recognised; NULL when direct */
};
static inline void pg_pooler_release(struct pg_pooler *p)
{
	free(p->reason);
	p->reason = NULL;
}
#define _cleanup_pooler_ _cleanup_(pg_pooler_release)
/* Costs nothing on a direct connection. Behind a pooler it opens a second session for a moment
 * and compares backends; that proves transaction pooling, while PG_POOLED_SESSION also stands
 * for "a pooler, no proof of more". Changes nothing in any session. */
bool pg_detect_pooler(struct pg_conn *c, struct pg_pooler *ret, struct error *err);
/* False with EXIT_CONFIG and a hint when c goes through a transaction pooler. */
bool pg_refuse_transaction_pooler(struct pg_conn *c, const char *what, struct error *err);

/* Asks the server to cancel what the session runs, from any thread; then shuts the socket so that
 * a blocked reader returns. Safe to call at any time between connect and close. */
void pg_interrupt(struct pg_conn *c);

/* Quoting, in one place. */
void pg_add_ident(struct strbuf *sb, const char *name);                       /* "na""me" */
void pg_add_qualified(struct strbuf *sb, const char *schema, const char *name); /* "s"."n" */
void pg_add_literal(struct strbuf *sb, const char *value);                    /* 'va''lue' or E'…' */
/* 'name' unquoted if it needs no quotes: for people, not for SQL. */
void pg_add_display_name(struct strbuf *sb, const char *schema, const char *name);

static inline const char *pg_value(const PGresult *r, int row, int col)
{
	return PQgetvalue(r, row, col);
}
static inline bool pg_is_null(const PGresult *r, int row, int col)
{
	return PQgetisnull(r, row, col);
}
/* pg_value(), or NULL for SQL NULL. */
static inline const char *pg_text(const PGresult *r, int row, int col)
{
	return PQgetisnull(r, row, col) ? NULL : PQgetvalue(r, row, col);
}
static inline double pg_real(const PGresult *r, int row, int col)
{
	return strtod(PQgetvalue(r, row, col), NULL);
}
static inline int64_t pg_int(const PGresult *r, int row, int col)
{
	return strtoll(PQgetvalue(r, row, col), NULL, 10);
}
static inline bool pg_bool(const PGresult *r, int row, int col)
{
	return PQgetvalue(r, row, col)[0] == 't';
}

#endif
