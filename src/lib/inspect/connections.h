/* SPDX-License-Identifier: PostgreSQL
 *
 * connections.h - how full the server is, and which limit is felt first.
 *
 * An ordinary role may connect while fewer than max_connections - superuser_reserved_connections -
 * reserved_connections (16 and newer) client sessions exist. Walsenders, autovacuum and background workers have slots of their
 * own. Its role's and its database's CONNECTION LIMIT come on top; superusers are exempt from both, and
 * walsenders do not count towards either (measured on 13 to 18).
 * Sources: PostgreSQL documentation, "Connections and Authentication", CREATE ROLE, ALTER DATABASE.
 */
#ifndef DBOPS_CONNECTIONS_H
#define DBOPS_CONNECTIONS_H

#include "inspector.h"
#include "sessions.h"

struct connection_role {
	const char *name;
	bool superuser, reserved; /* reserved: may use reserved_connections */
	int64_t limit;            /* -1 = none */
};

/* Counters are NAN before PostgreSQL 14. */
enum database_counter {
	DATABASE_SESSIONS, DATABASE_ABANDONED, DATABASE_FATAL, DATABASE_KILLED,
	DATABASE_SESSION_SECONDS, DATABASE_ACTIVE_SECONDS, DATABASE_IDLE_IN_TRANSACTION_SECONDS,
	DATABASE_TRANSACTIONS,
	DATABASE_COUNTERS
};
/* NULL-terminated: the names in a sample. */
extern const char *const database_counter_names[DATABASE_COUNTERS + 1];

struct connection_database {
	const char *name;
	int64_t limit;            /* -1 = none, -2 = the database is invalid (a DROP was interrupted) */
	double counters[DATABASE_COUNTERS];
};

/* What keeps old row versions from being removed, beside sessions. */
struct xmin_holder {
	const char *kind, *name;  /* "prepared transaction", "replication slot" */
	const char *owner, *database;
	double age;               /* seconds; NAN = unknown */
	int64_t xmin_age, catalog_xmin_age; /* transactions; -1 = none */
	bool active;              /* a slot in use */
};

/* A time limit that new sessions start with, in pg_settings or by ALTER ROLE, ALTER DATABASE. A session's own SET cannot be
 * seen from outside. */
struct timeout {
	const char *setting, *role, *database; /* NULL = any; both NULL: the server's value */
	const char *value;
	bool hidden;              /* the server's value: our own role or database has another one, which we see instead */
};
extern const char *const timeout_names[]; /* NULL-terminated */

struct connections {
	int64_t max_connections, superuser_reserved, reserved;
	VEC(struct session) sessions;
	VEC(struct connection_role) roles;
	VEC(struct connection_database) databases;
	VEC(struct xmin_holder) holders;
	VEC(struct timeout) timeouts;
	PGresult *results[6];     /* hold the strings */
};
void connections_release(struct connections *c);
#define _cleanup_connections_ _cleanup_(connections_release)

/* Asks the server, one round trip. */
bool connections_load(struct inspector *in, struct connections *ret, struct error *err);

/* Slots of ordinary roles; never negative. */
int64_t connections_capacity(const struct connections *c);
/* Client sessions other than our own. */
int64_t connections_used(const struct connections *c);

/* "30000", "30s" -> 30; 0 = off; NAN = not understood. */
double timeout_seconds(const char *value);
/* The one that a session of role in database starts with; NULL = the server does not know that setting. */
const struct timeout *timeout_in_force(const struct connections *c, const char *setting, const char *role, const char *database);
/* Marks the server's values that are not what we see, because role or database (ours) has its own. */
void timeouts_hide_own(struct connections *c, const char *role, const char *database);

/* A limit and how much of it is used. */
enum limit_kind { LIMIT_SERVER, LIMIT_ROLE, LIMIT_DATABASE };
extern const char *const limit_kind_names[]; /* "server", "role limit", "database limit" */
struct limit {
	enum limit_kind kind;
	const char *name;         /* NULL for the server */
	int64_t used, limit;
};
/* Per cent used; a limit of 0 is full. */
double limit_percent(const struct limit *l);
/* The server's first, then those of roles (superusers are exempt) and databases that have one, tightest first. Caller frees. */
struct limit *connections_limits(const struct connections *c, size_t *ret_count);

enum group_by { BY_STATE, BY_DATABASE, BY_ROLE, BY_APPLICATION, BY_CLIENT };
extern const char *const group_by_names[]; /* NULL-terminated, in that order */
struct session_group {
	const char *name;         /* NULL: a client on a unix socket */
	int64_t sessions, active, idle, idle_in_transaction, lock_waiting, unknown;
	double oldest_transaction, longest_idle_in_transaction; /* seconds; NAN = none */
	/* BY_ROLE, BY_DATABASE: its own limit (-1 = none), how many more sessions it can open now, and what ends that */
	int64_t limit, headroom;
	enum limit_kind bites;
};
/* Groups of client sessions, fullest first, then by name. Caller frees. */
struct session_group *connections_groups(const struct connections *c, enum group_by by, size_t *ret_count);
/* All client sessions as one group. */
struct session_group connections_total(const struct connections *c);

/* What holds back the oldest row versions; kind is "active", "idle in transaction", "walsender", "background", "prepared
 * transaction", "replication slot" or "replication slot (catalog)". */
struct oldest_xmin {
	const char *kind;
	const struct session *session;    /* or */
	const struct xmin_holder *holder;
	int64_t age;              /* transactions */
};
/* The oldest of each kind, oldest first. Caller frees. */
struct oldest_xmin *connections_xmin(const struct connections *c, size_t *ret_count);

/* The session with the oldest transaction, and the one longest idle in a transaction; NULL = none. Client sessions only. */
const struct session *connections_oldest_transaction(const struct connections *c);
const struct session *connections_longest_idle(const struct connections *c);

#endif
