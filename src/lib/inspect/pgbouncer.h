/* SPDX-License-Identifier: PostgreSQL
 *
 * pgbouncer.h - what PgBouncer's admin console says: pools, waits, and who is behind a server connection.
 *
 * The console speaks the simple protocol only and knows SHOW, no SET and no SELECT. Each release adds columns, so every
 * value is found by the name of its column; unknown columns are passed over, missing ones are unknown.
 * Source: PgBouncer documentation, "Admin console".
 */
#ifndef DBOPS_PGBOUNCER_H
#define DBOPS_PGBOUNCER_H

#include "answer.h"
#include "connections.h"

struct bouncer_pool {
	const char *database, *user, *mode;
	int64_t clients_active, clients_waiting;
	int64_t servers_active, servers_idle; /* idle: every other one that is open */
	int64_t size;            /* pool_size and reserve, of the user (1.24), database or all; -1 = not known */
	double max_wait;         /* seconds that the first client in the queue has waited */
};

struct bouncer_link {            /* a server connection and the client that uses it now */
	int remote_pid, local_port;
	char *client;            /* "10.0.0.9:4711"; NULL = no client uses it */
	const char *application; /* NULL before PgBouncer 1.18 */
};

enum { BOUNCER_QUESTIONS = 6 };
struct bouncer {
	char *server;            /* "host:port" */
	int64_t clients, max_client_conn; /* max_client_conn -1 = not known */
	VEC(struct bouncer_pool) pools;
	VEC(struct bouncer_link) links;
	PGresult *results[BOUNCER_QUESTIONS];
};
void bouncer_release(struct bouncer *b);
#define _cleanup_bouncer_ _cleanup_(bouncer_release)

/* Connects to the console (database "pgbouncer" unless dsn names one), asks, and leaves. */
bool bouncer_load(const char *dsn, const struct cancel *cancel, struct log *log, struct bouncer *ret, struct error *err);
/* Reads the results of SHOW POOLS, DATABASES, CONFIG, CLIENTS, SERVERS, USERS; they stay the caller's. */
void bouncer_read(struct bouncer *ret, PGresult *const results[BOUNCER_QUESTIONS]);
int64_t bouncer_servers(const struct bouncer_pool *p);
/* Clients wait and no server connection is free. */
bool bouncer_is_saturated(const struct bouncer_pool *p);

/* Names the real clients in c's sessions. */
void bouncer_resolve(const struct bouncer *b, struct connections *c);
/* Metrics and findings: waits beyond the ranges (seconds), clients near max_client_conn (used_…). */
void bouncer_judge(const struct bouncer *b, const struct range *wait_warning, const struct range *wait_critical,
	const struct range *used_warning, const struct range *used_critical, struct answer *a);

#endif
