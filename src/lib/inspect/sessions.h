/* SPDX-License-Identifier: PostgreSQL
 *
 * sessions.h - the rows of pg_stat_activity as every inspection sees them.
 *
 * Without pg_read_all_stats the server hides of another role's session what it is and does: type, state, times and
 * query are then unknown, while pid, database, role and application name stay visible. Such a session is "hidden", never
 * idle. Strings are borrowed from the result they were read from.
 */
#ifndef DBOPS_SESSIONS_H
#define DBOPS_SESSIONS_H

#include "pg.h"

enum session_state {
	SESSION_UNKNOWN, /* hidden, or track_activities is off */
	SESSION_ACTIVE,
	SESSION_IDLE,
	SESSION_IDLE_IN_TRANSACTION,
	SESSION_ABORTED, /* idle in transaction (aborted) */
	SESSION_FASTPATH,
	SESSION_DISABLED,
	SESSION_STARTING, /* 18: not yet authenticated */
	SESSION_STATES
};
/* As the server writes it; "unknown" for SESSION_UNKNOWN. */
extern const char *const session_state_names[SESSION_STATES + 1];

struct session {
	int pid, leader_pid;          /* leader_pid 0 = none */
	const char *database, *role, *application; /* NULL = has none */
	const char *client;           /* address; NULL = unix socket, or hidden */
	int client_port;              /* -1 = unix socket; 0 = unknown */
	const char *type;             /* backend_type; NULL = hidden */
	enum session_state state;
	const char *wait_type, *wait_event;
	int64_t started_at, changed_at, query_at; /* microseconds since 1970; 0 = unknown */
	double transaction_age, state_age, query_age; /* seconds; NAN = none or hidden */
	int64_t xid_age, xmin_age;    /* transactions; -1 = none or hidden */
	const char *query;            /* first 1000 characters; NULL = hidden */
	bool superuser;               /* its role is one */
	bool own;                     /* the session that asks */
	bool same_role;               /* we have the rights of its role */
	const char *real_client, *real_application; /* behind PgBouncer, see pgbouncer.h; NULL = not known */
};

/* Row of the result of sql_connections. */
struct session session_read(const PGresult *r, int row);

/* A client's session, which takes one of max_connections. A hidden one is taken for one when it has a role and a
 * database: an upper bound, because parallel workers and logical walsenders have them, too. */
bool session_is_client(const struct session *s);
/* Idle inside a transaction, aborted or not. */
bool session_is_idle_in_transaction(const struct session *s);
/* Seconds it has been idle in its transaction; NAN = it is not. */
double session_idle_in_transaction(const struct session *s);

/* Which sessions are meant; everything that is set must be true. Roles are alternatives; none = any. */
struct session_filter {
	struct strvec role;
	const char *database, *application, *client; /* NULL = any */
	const char *state;       /* of session_state_names; NULL = any. "idle in transaction" means the aborted ones, too */
	bool idle_in_transaction;
	double older_than;       /* seconds in this state; 0 = any */
};
bool session_filter_is_empty(const struct session_filter *f);
/* A hidden session never matches what cannot be seen of it. */
bool session_matches(const struct session_filter *f, const struct session *s);

#endif
