/* SPDX-License-Identifier: PostgreSQL
 *
 * activity.h - statements and transactions that run now: pg_stat_activity, client backends only.
 *
 * walsenders and autovacuum run for days by design, so they are not asked for; parallel workers count with their leader.
 */
#ifndef DBOPS_ACTIVITY_H
#define DBOPS_ACTIVITY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include "vec.h"

struct activity {
	int64_t pid, backend_us; /* backend_us: start of the session, which tells a reused pid */
	char *database, *role, *application, *client, *state, *wait, *query, *query_id; /* NULL = not known */
	bool here;          /* in the database we are connected to */
	bool is_truncated;  /* query ends at track_activity_query_size */
	int64_t workers;    /* parallel workers */
	double duration;    /* seconds: of the statement, or of waiting in the transaction for the next one */
	double transaction; /* seconds since the transaction began; NAN = none */
};

struct activities {
	VEC(struct activity) items;
};

void activities_release(struct activities *a);

/* Reads the rows of sql_activity; query_size is track_activity_query_size. Longest first. */
void activities_read(struct activities *ret, const PGresult *rows, int64_t query_size);

struct activity_filter {
	bool all_databases;
	const struct strvec *roles; /* empty = all */
	double min_duration;        /* seconds, of statement or transaction */
};
void activities_filter(struct activities *a, const struct activity_filter *f);
void activities_limit(struct activities *a, size_t limit);

/* The age that counts: of the transaction if there is one, else of the statement. */
double activity_age(const struct activity *a);

#endif
