/* SPDX-License-Identifier: PostgreSQL */
#include "inspector.h"

#include <inttypes.h>
#include <string.h>
#include "clock.h"

static bool flag(const PGresult *r, const char *name)
{
	return pg_bool(r, 0, PQfnumber(r, name));
}

static int64_t number(const PGresult *r, const char *name)
{
	return pg_int(r, 0, PQfnumber(r, name));
}

static char *text(const PGresult *r, const char *name)
{
	const char *value = pg_text(r, 0, PQfnumber(r, name));

	return value ? xstrdup(value) : NULL;
}

static void probe_release(struct probe *p)
{
	for (size_t i = 0; i < p->extensions.len; i++) {
		free(p->extensions.items[i].name);
		free(p->extensions.items[i].schema);
		free(p->extensions.items[i].version);
	}
	vec_release(&p->extensions);
	free(p->compute_query_id);
	free(p->session_user);
	free(p->current_user);
	*p = (struct probe){ 0 };
}

static void read_probe(struct probe *p, const struct pg_conn *c, const PGresult *r, const PGresult *extensions)
{
	*p = (struct probe){
		.version = c->version,
		.in_recovery = flag(r, "in_recovery"),
		.is_superuser = flag(r, "is_superuser"),
		.reads_stats = flag(r, "reads_stats"),
		.reads_data = flag(r, "reads_data"),
		.signals = flag(r, "signals"),
		.track_io_timing = flag(r, "track_io_timing"),
		.track_activities = flag(r, "track_activities"),
		.query_size = number(r, "query_size"),
		.compute_query_id = text(r, "compute_query_id"),
		.block_size = number(r, "block_size"),
		.started_at = number(r, "started_us"),
		.stats_reset_at = number(r, "stats_reset_us"),
		.now = number(r, "now_us"),
		.asked = clock_monotonic(),
		.session_user = text(r, "session_user_name"),
		.current_user = text(r, "current_user_name"),
	};
	for (int i = 0; i < PQntuples(extensions); i++)
		*vec_push(&p->extensions) = (struct extension){
			xstrdup(pg_value(extensions, i, 0)),
			xstrdup(pg_value(extensions, i, 1)),
			xstrdup(pg_value(extensions, i, 2)),
		};
}

static bool probe(struct inspector *in, struct error *err)
{
	autofree char *sql = xasprintf("%s;\n%s", sql_probe, sql_extensions);
	PGresult *r[2];

	if (!inspector_batch(in, sql, r, 2, err))
		return error_prefix(err, "asking the server what it is");
	read_probe(&in->probe, in->conn, r[0], r[1]);
	PQclear(r[0]);
	PQclear(r[1]);
	return true;
}

/* JSON and metrics are UTF-8, and so are the words of the command line. Not where the server would have to check
 * (SQL_ASCII): a name that is none would make every answer fail. */
static void ask_for_utf8(PGconn *pg)
{
	const char *server = PQparameterStatus(pg, "server_encoding"), *client = PQparameterStatus(pg, "client_encoding");

	if (server && client && strcmp(server, "SQL_ASCII") != 0 && strcmp(client, "UTF8") != 0)
		PQsetClientEncoding(pg, "UTF8"); /* MULE_INTERNAL stays as it is */
}

bool inspector_open(struct inspector *in, const struct pg_params *p, struct log *log, struct error *err)
{
	if (!in->statement_timeout)
		in->statement_timeout = INSPECTOR_STATEMENT_TIMEOUT;
	if (!in->lock_timeout)
		in->lock_timeout = INSPECTOR_LOCK_TIMEOUT;
	in->conn = pg_connect(p, log, err);
	if (in->conn)
		ask_for_utf8(in->conn->pg);
	if (in->conn && probe(in, err))
		return true;
	inspector_close(in);
	return false;
}

void inspector_close(struct inspector *in)
{
	if (in->conn)
		pg_close(in->conn);
	in->conn = NULL;
	probe_release(&in->probe);
}

bool inspector_batch_as_is(struct inspector *in, const char *sql, PGresult **ret, size_t n, struct error *err)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;

	strbuf_addf(&all,
		"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = %" PRId64 "; SET LOCAL lock_timeout = %" PRId64
		"; SET LOCAL jit = off; SET LOCAL search_path = ''; SET LOCAL extra_float_digits = 1;\n"
		"SET LOCAL DateStyle = ISO; SET LOCAL IntervalStyle = postgres; SET LOCAL bytea_output = hex;\n",
		in->statement_timeout, in->lock_timeout);
	strbuf_adds(&all, sql);
	strbuf_adds(&all, "\n;\nCOMMIT");
	if (pg_batch(in->conn, err, all.buf, ret, n))
		return true;
	if (PQtransactionStatus(in->conn->pg) == PQTRANS_INERROR)
		pg_exec(in->conn, NULL, "ROLLBACK");
	return false;
}

bool inspector_batch(struct inspector *in, const char *sql, PGresult **ret, size_t n, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	sql_add(&text, sql, in->conn->version);
	return inspector_batch_as_is(in, text.buf, ret, n, err);
}

PGresult *inspector_query(struct inspector *in, const char *sql, struct error *err)
{
	PGresult *r;

	return inspector_batch(in, sql, &r, 1, err) ? r : NULL;
}

int64_t inspector_now(const struct inspector *in)
{
	return in->probe.now + (int64_t)((clock_monotonic() - in->probe.asked) * 1e6);
}

const struct extension *probe_extension(const struct probe *p, const char *name)
{
	for (size_t i = 0; i < p->extensions.len; i++)
		if (strcmp(p->extensions.items[i].name, name) == 0)
			return &p->extensions.items[i];
	return NULL;
}
