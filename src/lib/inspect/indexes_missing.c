/* SPDX-License-Identifier: PostgreSQL */
/*
 * Tables that are read from end to end again and again: each time many rows, of a table that is not small. The share
 * of sequential scans alone says nothing, a table of one page is always read that way. Which statements read it
 * is in pg_stat_statements, when that is there.
 */
#include "indexes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MIN_BYTES      (10LL << 20)
#define MIN_SCANS      20
#define MIN_ROWS       10000 /* read by one scan, on average */
#define RECENT         (7 * 86400000000LL)
#define STATEMENTS_MAX 3

/* Figures of a table and of its partitions. */
struct reading {
	struct table_info *table;
	double scans, rows;
	int64_t pages, last;
};

static void add_reading(const struct index_model *m, struct reading *r, const struct table_info *t)
{
	double builds = m->compared_since ? 0 : (double)t->index_count; /* each read the table once, and counts */

	r->scans += t->seq_scans > builds ? t->seq_scans - builds : 0;
	r->rows += t->seq_reads;
	r->pages += t->pages > 0 ? t->pages : 0;
	if (t->last_seq_scan > r->last)
		r->last = t->last_seq_scan;
}

static char *evidence_of(const struct reading *r, int64_t window)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_double(&j, "sequential_scans", r->scans);
	jsonw_double(&j, "rows_read", r->rows);
	jsonw_double(&j, "rows_a_scan", r->scans > 0 ? r->rows / r->scans : 0);
	jsonw_time(&j, "last_scan", r->last);
	jsonw_seconds(&j, "window", (double)window / 1e6);
	jsonw_object_end(&j);
	return strbuf_detach(&text);
}

static void judge_one(const struct index_model *m, const struct reading *r, struct index_findings *f)
{
	int64_t since = m->compared_since ? m->compared_since : m->node.since;

	if (r->pages * m->block_size < MIN_BYTES || r->scans < MIN_SCANS || r->rows / r->scans < MIN_ROWS)
		return;
	if (r->last && m->now - r->last > RECENT)
		return; /* it is over */

	struct index_finding *x = indexes_add(f, INDEX_MISSING, "indexes.sequential_scans", SEVERITY_INFO, VERDICT_REVIEW, NULL, r->table,
		xasprintf("read from end to end %.0f times, %.0f rows each time", r->scans, r->rows / r->scans));

	x->evidence = evidence_of(r, since ? m->now - since : 0);
	x->rank = r->rows;
}

void indexes_judge_missing(struct index_model *m, struct index_findings *f)
{
	struct reading *all = xcalloc(m->tables.len + 1, sizeof(*all));

	for (size_t k = 0; k < m->tables.len; k++) {
		struct table_info *t = &m->tables.items[k], *root = t;

		while (root->parent)
			root = root->parent;
		all[root - m->tables.items].table = root;
		add_reading(m, &all[root - m->tables.items], t);
	}
	for (size_t k = 0; k < m->tables.len; k++)
		if (all[k].table && all[k].table->selected && !all[k].table->extension)
			judge_one(m, &all[k], f);
	free(all);
}

/* --- statements -------------------------------------------------------------------------------------------- */

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

bool indexes_mentions(const char *query, const char *name)
{
	size_t len = strlen(name);
	_cleanup_strbuf_ struct strbuf quoted = STRBUF_INIT;

	pg_add_ident(&quoted, name);
	if (strstr(query, quoted.buf))
		return true;
	for (const char *s = query; (s = strcasestr(s, name)) != NULL; s++)
		if ((s == query || !is_word_char(s[-1])) && !is_word_char(s[len]))
			return true;
	return false;
}

/* {"…": …, "statements": […]} */
static void add_statements(struct index_finding *x, const PGresult *r)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);
	int n = 0;

	jsonw_array_begin(&j, NULL);
	for (int row = 0; row < PQntuples(r) && n < STATEMENTS_MAX; row++) {
		if (pg_is_null(r, row, 4) || !indexes_mentions(pg_value(r, row, 4), x->table->name))
			continue;
		n++;
		*vec_push(&x->statements) = (struct index_statement){ xstrdup(pg_value(r, row, 4)), xstrdup(pg_value(r, row, 6)), pg_int(r, row, 5) };
		jsonw_object_begin(&j, NULL);
		jsonw_string(&j, "queryid", pg_text(r, row, 0));
		jsonw_double(&j, "calls", pg_real(r, row, 1));
		jsonw_seconds(&j, "total", pg_real(r, row, 2) / 1000);
		jsonw_double(&j, "rows", pg_real(r, row, 3));
		jsonw_string(&j, "query", pg_text(r, row, 4));
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);

	char *longer = xasprintf("%.*s,\"statements\":%s}", (int)strlen(x->evidence) - 1, x->evidence, text.buf);

	free(x->evidence);
	x->evidence = longer;
	if (n) {
		char *reason = xasprintf("%s; %d statement%s of pg_stat_statements name it", x->reason, n, n == 1 ? "" : "s");

		free(x->reason);
		x->reason = reason;
	}
}

void indexes_name_statements(struct inspector *in, struct index_findings *f)
{
	const struct extension *e = probe_extension(&in->probe, "pg_stat_statements");
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	_cleanup_error_ struct error ignored = ERROR_INIT;
	bool any = false;

	for (size_t k = 0; k < f->items.len; k++)
		any |= f->items.items[k].kind == INDEX_MISSING;
	if (!any || !e)
		return;
	strbuf_adds(&sql, "SELECT s.queryid, s.calls, s.total_exec_time, s.rows, s.query, s.userid::int8, coalesce(r.rolname, '') FROM ");
	pg_add_qualified(&sql, e->schema, "pg_stat_statements");
	strbuf_adds(&sql, " s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
			  " AND s.query ~* '^\\s*(select|with|update|delete)' ORDER BY s.total_exec_time DESC LIMIT 500");

	/* not preloaded, or a version without these columns: then no statements are named */
	_cleanup_result_ PGresult *r = inspector_query(in, sql.buf, &ignored);

	for (size_t k = 0; r && k < f->items.len; k++)
		if (f->items.items[k].kind == INDEX_MISSING)
			add_statements(&f->items.items[k], r);
}
