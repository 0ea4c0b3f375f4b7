/* SPDX-License-Identifier: PostgreSQL */
/* The server's rows -> struct connections. */
#include <math.h>

#include "connections.h"

const char *const database_counter_names[DATABASE_COUNTERS + 1] = {
	[DATABASE_SESSIONS] = "sessions",
	[DATABASE_ABANDONED] = "sessions_abandoned",
	[DATABASE_FATAL] = "sessions_fatal",
	[DATABASE_KILLED] = "sessions_killed",
	[DATABASE_SESSION_SECONDS] = "session_seconds",
	[DATABASE_ACTIVE_SECONDS] = "active_seconds",
	[DATABASE_IDLE_IN_TRANSACTION_SECONDS] = "idle_in_transaction_seconds",
	[DATABASE_TRANSACTIONS] = "transactions",
	[DATABASE_COUNTERS] = NULL,
};

void connections_release(struct connections *c)
{
	vec_release(&c->sessions);
	vec_release(&c->roles);
	vec_release(&c->databases);
	vec_release(&c->holders);
	vec_release(&c->timeouts);
	for (unsigned i = 0; i < sizeof(c->results) / sizeof(c->results[0]); i++)
		PQclear(c->results[i]);
	*c = (struct connections){ 0 };
}

static void read_settings(struct connections *c, const PGresult *r)
{
	c->max_connections = pg_int(r, 0, 0);
	c->superuser_reserved = pg_int(r, 0, 1);
	c->reserved = pg_int(r, 0, 2);
}

static void read_roles(struct connections *c, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++)
		*vec_push(&c->roles) = (struct connection_role){
			.name = pg_value(r, i, 0),
			.superuser = pg_bool(r, i, 1),
			.limit = pg_int(r, i, 2),
			.reserved = pg_bool(r, i, 3),
		};
}

static void read_databases(struct connections *c, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++) {
		struct connection_database *d = vec_push(&c->databases);

		d->name = pg_value(r, i, 0);
		d->limit = pg_int(r, i, 1);
		for (unsigned k = 0; k < DATABASE_COUNTERS; k++) {
			int column = PQfnumber(r, database_counter_names[k]);

			d->counters[k] = pg_is_null(r, i, column) ? NAN : pg_real(r, i, column);
		}
	}
}

static void read_holders(struct connections *c, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++)
		*vec_push(&c->holders) = (struct xmin_holder){
			.kind = pg_value(r, i, 0),
			.name = pg_value(r, i, 1),
			.owner = pg_text(r, i, 2),
			.database = pg_text(r, i, 3),
			.age = pg_is_null(r, i, 4) ? NAN : pg_real(r, i, 4),
			.xmin_age = pg_is_null(r, i, 5) ? -1 : pg_int(r, i, 5),
			.catalog_xmin_age = pg_is_null(r, i, 6) ? -1 : pg_int(r, i, 6),
			.active = pg_bool(r, i, 7),
		};
}

static void read_timeouts(struct connections *c, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++)
		*vec_push(&c->timeouts) = (struct timeout){
			.setting = pg_value(r, i, 0),
			.role = pg_text(r, i, 1),
			.database = pg_text(r, i, 2),
			.value = pg_value(r, i, 3),
		};
}

bool connections_load(struct inspector *in, struct connections *ret, struct error *err)
{
	const char *const parts[] = { sql_connections, sql_connection_settings, sql_connection_roles, sql_connection_databases,
		sql_xmin_holders, sql_connection_timeouts };
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	*ret = (struct connections){ 0 };
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		strbuf_addf(&sql, "%s%s", i ? ";\n" : "", parts[i]);
	if (!inspector_batch(in, sql.buf, ret->results, sizeof(parts) / sizeof(parts[0]), err))
		return false;
	for (int i = 0; i < PQntuples(ret->results[0]); i++)
		*vec_push(&ret->sessions) = session_read(ret->results[0], i);
	read_settings(ret, ret->results[1]);
	read_roles(ret, ret->results[2]);
	read_databases(ret, ret->results[3]);
	read_holders(ret, ret->results[4]);
	read_timeouts(ret, ret->results[5]);
	timeouts_hide_own(ret, in->probe.session_user, in->conn->database);
	return true;
}
