/* SPDX-License-Identifier: PostgreSQL */
/*
 * B-tree indexes that are larger than their entries need.
 *
 * The estimate is the usual one: entries of average width, by pg_stats, in pages of the fill factor. Deduplication (13
 * and newer) stores equal keys once, so that it says too little where values repeat; where the statistics are missing,
 * not visible or old there is none. pgstatindex() reads the index and knows.
 */
#include "indexes.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MIN_PAGES     128 /* 1 MiB: a smaller one is not worth a REINDEX */
#define MIN_PERCENT   40
#define PAGE_OVERHEAD 40  /* page header and B-tree's special space */
#define ALIGNED(n)    (((n) + 7) / 8 * 8)

double indexes_expected_pages(double rows, double width, bool nullable, double fillfactor, int64_t block_size)
{
	int64_t entry = ALIGNED((nullable ? 16 : 8) + (int64_t)ceil(width)) + 4; /* and its line pointer */
	int64_t room = (int64_t)((double)(block_size - PAGE_OVERHEAD) * fillfactor / 100), per_page = room / entry;
	int64_t level = (int64_t)rows, pages = 1; /* the meta page */

	if (per_page < 2)
		return NAN;
	do {
		level = (level + per_page - 1) / per_page;
		pages += level;
	} while (level > 1);
	return (double)pages;
}

bool indexes_may_bloat(const struct index_info *i)
{
	return i->kind == 'i' && strcmp(i->method, "btree") == 0 && indexes_is_usable(i) && i->pages >= MIN_PAGES && i->table &&
	       i->table->selected && !i->locked && !i->table->locked;
}

static void add(struct index_findings *f, struct index_info *i, double percent, int64_t wasted, bool exact, char *evidence_take)
{
	char *reason = exact ? xasprintf("%.0f %% of its space is empty", percent)
	                     : xasprintf("about %.0f %% of its space is empty, by the planner's statistics; --exact reads it", percent);
	struct index_finding *x = indexes_add(f, INDEX_BLOAT, "indexes.bloat", exact ? SEVERITY_WARNING : SEVERITY_INFO,
		exact ? VERDICT_REBUILD : VERDICT_REVIEW, i, i->table, reason);

	x->evidence = evidence_take;
	x->rank = (double)wasted + 1;
}

static void judge_estimate(const struct index_model *m, struct index_info *i, double width, bool nullable, double fillfactor,
	struct index_findings *f)
{
	double expected = indexes_expected_pages(i->rows, width, nullable, fillfactor, m->block_size);
	double percent = 100 * ((double)i->pages - expected) / (double)i->pages;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	if (!isfinite(percent) || percent < MIN_PERCENT)
		return;
	jsonw_object_begin(&j, NULL);
	jsonw_bool(&j, "exact", false);
	jsonw_double(&j, "percent", round(percent));
	jsonw_int(&j, "pages", i->pages);
	jsonw_double(&j, "expected_pages", expected);
	jsonw_double(&j, "entries", i->rows);
	jsonw_double(&j, "average_width", width);
	jsonw_double(&j, "fillfactor", fillfactor);
	jsonw_object_end(&j);
	add(f, i, percent, (int64_t)((double)i->pages - expected) * m->block_size, false, strbuf_detach(&text));
}

/* Whether the figures are worth an estimate. */
static bool is_trusted(const struct index_info *i)
{
	return i->rows > 0 && i->table->rows > 0 && i->table->modified < 0.2 * i->table->rows;
}

bool indexes_estimate_bloat(struct inspector *in, struct index_model *m, struct index_findings *f, size_t *ret_unknown, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	const char *mark = strstr(sql_indexes_bloat, "{}");
	bool any = false;

	strbuf_add(&sql, sql_indexes_bloat, (size_t)(mark + 1 - sql_indexes_bloat));
	for (size_t k = 0; k < m->indexes.len; k++)
		if (indexes_may_bloat(&m->indexes.items[k])) {
			strbuf_addf(&sql, "%s%" PRIu32, any ? "," : "", m->indexes.items[k].oid);
			any = true;
		}
	strbuf_adds(&sql, mark + 1);
	if (!any)
		return true;

	_cleanup_result_ PGresult *r = inspector_query(in, sql.buf, err);

	for (int row = 0; r && row < PQntuples(r); row++) {
		struct index_info *i = indexes_find(m, (uint32_t)pg_int(r, row, 0));

		if (!i)
			continue;
		if (pg_int(r, row, 1) > pg_int(r, row, 2) || !is_trusted(i))
			++*ret_unknown;
		else if (!pg_bool(r, row, 5)) /* a key of type name is stored shorter than pg_stats says */
			judge_estimate(m, i, pg_real(r, row, 3), pg_bool(r, row, 4), pg_real(r, row, 6), f);
	}
	return r || error_prefix(err, "estimating bloat");
}

static void judge_exact(const struct index_model *m, struct index_info *i, const PGresult *r, struct index_findings *f)
{
	double fillfactor = pg_real(r, 0, 4), density = pg_real(r, 0, 0);
	double percent = 100 - 100 * density / fillfactor;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	if (!isfinite(percent) || percent < MIN_PERCENT)
		return;
	jsonw_object_begin(&j, NULL);
	jsonw_bool(&j, "exact", true);
	jsonw_double(&j, "percent", round(percent));
	jsonw_double(&j, "leaf_density", density);
	jsonw_double(&j, "leaf_fragmentation", pg_real(r, 0, 1));
	jsonw_int(&j, "empty_pages", pg_int(r, 0, 2));
	jsonw_int(&j, "deleted_pages", pg_int(r, 0, 3));
	jsonw_double(&j, "fillfactor", fillfactor);
	jsonw_object_end(&j);
	add(f, i, percent, (int64_t)((double)i->pages * percent / 100) * m->block_size, true, strbuf_detach(&text));
}

bool indexes_measure_bloat(struct inspector *in, struct index_model *m, struct index_findings *f, size_t *ret_unknown, struct error *err)
{
	const struct extension *e = probe_extension(&in->probe, "pgstattuple");

	if (!e) {
		error_set(err, EXIT_NOT_FOUND, "--exact needs the extension pgstattuple, which this database does not have");
		return error_hint(err, "Run CREATE EXTENSION pgstattuple as a superuser, or leave --exact out for an estimate.");
	}
	for (size_t k = 0; k < m->indexes.len; k++) {
		struct index_info *i = &m->indexes.items[k];
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

		if (!indexes_may_bloat(i))
			continue;
		strbuf_adds(&sql, "SELECT s.avg_leaf_density, s.leaf_fragmentation, s.empty_pages, s.deleted_pages, coalesce((SELECT o.option_value "
				  "FROM pg_catalog.pg_class c, pg_catalog.pg_options_to_table(c.reloptions) o WHERE c.oid = x.oid "
				  "AND o.option_name = 'fillfactor'), '90')::float8 FROM (SELECT ");
		strbuf_addf(&sql, "%" PRIu32 "::pg_catalog.oid AS oid) x, ", i->oid);
		pg_add_qualified(&sql, e->schema, "pgstatindex");
		strbuf_adds(&sql, "(x.oid::pg_catalog.regclass) s");

		_cleanup_result_ PGresult *r = inspector_query(in, sql.buf, err);

		if (r && PQntuples(r))
			judge_exact(m, i, r, f);
		else if (!r && strcmp(err->sqlstate, "55P03") != 0 && strcmp(err->sqlstate, "57014") != 0 && strcmp(err->sqlstate, "42P01") != 0)
			return error_prefix(err, "reading index %s", i->name);
		else
			++*ret_unknown;
		error_release(err);
	}
	return true;
}
