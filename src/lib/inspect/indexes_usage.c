/* SPDX-License-Identifier: PostgreSQL */
/*
 * How much each index is used, on how many servers, since when.
 *
 * Counters belong to one server: a standby counts its own scans, and a promoted one never saw the primary's. They begin
 * anew after a crash, and then stats_reset is NULL; since the server's own background writer counters begin at
 * the same moment, theirs tells when (sql/indexes_server.sql).
 */
#include "indexes.h"

#include <math.h>
#include <string.h>

static void read_usage(struct index_model *m, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r); row++) {
		struct index_info *i = indexes_find(m, (uint32_t)pg_int(r, row, 0));

		if (!i)
			continue;
		i->standby_scans += pg_real(r, row, 1);
		i->standby_reads += pg_real(r, row, 2);
		if (pg_int(r, row, 3) > i->last_scan)
			i->last_scan = pg_int(r, row, 3);
	}
}

/* Two servers do not start in the same microsecond. */
static bool is_sampled(const struct index_model *m, const struct inspector *standby)
{
	for (size_t k = 0; k < m->standbys_started.len; k++)
		if (m->standbys_started.items[k] == standby->probe.started_at)
			return true;
	return false;
}

static bool check_server(const struct index_model *m, const struct inspector *in, const char *database, const PGresult *server,
	struct error *err)
{
	if (is_sampled(m, in)) {
		error_set(err, EXIT_USAGE, "standby '%s' was given twice", in->conn->server);
		return error_hint(err, "Each counts once: another one that was not given may use any index.");
	}
	if (!in->probe.in_recovery)
		error_set(err, EXIT_USAGE, "'%s' is not a standby", in->conn->server);
	else if (strcmp(pg_value(server, 0, 4), m->system_identifier) != 0)
		error_set(err, EXIT_USAGE, "'%s' is a standby of another server", in->conn->server);
	else if (strcmp(in->conn->database, database) != 0)
		error_set(err, EXIT_USAGE, "'%s' was asked about database '%s', not '%s'", in->conn->server, in->conn->database, database);
	else
		return true;
	return error_hint(err, "Give each standby that streams from this server, with the same database.");
}

bool indexes_sample_standby(struct index_model *m, struct inspector *in, const char *database, struct error *err)
{
	autofree char *sql = xasprintf("%s;\n%s", sql_indexes_server, sql_indexes_standby);
	PGresult *r[2];

	if (!inspector_batch(in, sql, r, 2, err))
		return false;

	bool ok = check_server(m, in, database, r[0], err);

	if (ok) {
		read_usage(m, r[1]);
		m->sampled++;
		*vec_push(&m->standbys_started) = in->probe.started_at;
		m->standbys += pg_int(r[0], 0, 0); /* those that stream from the standby count scans of their own */
		m->node.guessed |= pg_bool(r[0], 0, 3);
		if (pg_int(r[0], 0, 2) > m->node.since)
			m->node.since = pg_int(r[0], 0, 2);
	}
	PQclear(r[0]);
	PQclear(r[1]);
	return ok;
}

void indexes_find_promotion(struct inspector *in, struct index_model *m)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;

	if (m->timeline < 2 || m->in_recovery)
		return;

	_cleanup_result_ PGresult *r = inspector_query(in, sql_indexes_promotion, &ignored);

	/* without the right to list pg_wal it stays unknown, and the evidence says so */
	m->promoted = r && PQntuples(r) ? pg_int(r, 0, 0) : 0;
	if (m->promoted > m->node.since)
		m->node.since = m->promoted;
}

const char *const index_counters[] = { "scans", "entries_read", "sequential_scans", "rows_read", NULL };

static void add_key(struct strbuf *key, const char *what, const char *schema, const char *name)
{
	strbuf_reset(key);
	strbuf_addf(key, "%s ", what);
	pg_add_qualified(key, schema, name);
}

void indexes_add_sample(const struct index_model *m, struct sample *s)
{
	_cleanup_strbuf_ struct strbuf key = STRBUF_INIT;

	for (size_t k = 0; k < m->indexes.len; k++) {
		const struct index_info *i = &m->indexes.items[k];

		if (i->kind != 'i')
			continue;
		add_key(&key, "index", indexes_schema(i), i->name);
		sample_add(s, key.buf, (double[]){ i->scans + i->standby_scans, i->reads + i->standby_reads, NAN, NAN });
	}
	for (size_t k = 0; k < m->tables.len; k++) {
		const struct table_info *t = &m->tables.items[k];

		if (t->kind == 'p')
			continue;
		add_key(&key, "table", t->schema, t->name);
		sample_add(s, key.buf, (double[]){ NAN, NAN, t->seq_scans, t->seq_reads });
	}
}

void indexes_compare_samples(struct index_model *m, struct sample *before)
{
	_cleanup_strbuf_ struct strbuf key = STRBUF_INIT;

	m->compared_since = before->at;
	for (size_t k = 0; k < m->indexes.len; k++) {
		struct index_info *i = &m->indexes.items[k];

		add_key(&key, "index", indexes_schema(i), i->name);

		const double *was = i->kind == 'i' ? sample_find(before, key.buf) : NULL;

		i->is_new = i->kind == 'i' && !was;
		i->new_scans = i->scans + i->standby_scans - (was && was[0] <= i->scans + i->standby_scans ? was[0] : 0);
	}
	for (size_t k = 0; k < m->tables.len; k++) {
		struct table_info *t = &m->tables.items[k];

		add_key(&key, "table", t->schema, t->name);

		const double *was = t->kind == 'p' ? NULL : sample_find(before, key.buf);

		if (was && was[2] <= t->seq_scans && was[3] <= t->seq_reads) {
			t->seq_scans -= was[2];
			t->seq_reads -= was[3];
		}
	}
}
