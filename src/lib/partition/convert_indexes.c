/* SPDX-License-Identifier: PostgreSQL */
/* Primary keys and unique constraints get the partition key as a further column, by an index that is built while the table is in use. */
#include "convert.h"

/* The index is called after the constraint's OID, so that a later run finds it: NULL = not there, else whether it is valid. */
static const char keys_sql[] =
	"SELECT k.conname, k.contype, 'dbops_convert_' || k.oid, n.nspname,"
	" (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.n)"
	"  FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u (attnum, n) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),"
	" (SELECT x.indisvalid FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"
	"  WHERE x.indrelid = k.conrelid AND i.relname = 'dbops_convert_' || k.oid)"
	" FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE k.conrelid = $1::oid AND k.contype IN ('p', 'u') AND NOT k.conkey @> ARRAY[$2::int2] ORDER BY k.oid";

/* Waiting here keeps only other DDL waiting, and a time-out would leave an invalid index behind. */
static void add_unlimited(struct partition_plan *plan, bool begin)
{
	struct plan_step *step = plan_add_step(plan, STEP_ALONE, begin ? "no limit on lock waits while an index is built" : "the limit on lock waits again");

	if (begin)
		plan_add(step, "nobody who reads or writes waits behind it", "SET lock_timeout = 0");
	else
		plan_add(step, "as before", "SET lock_timeout = %lld", (long long)plan->lock_timeout_ms);
}

static char *index_sql(const PGresult *r, int i)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	pg_add_qualified(&name, pg_value(r, i, 3), pg_value(r, i, 2));
	return strbuf_detach(&name);
}

static void add_drop(const struct convert *v, const PGresult *r, int i, struct partition_plan *plan)
{
	autofree char *name = index_sql(r, i);
	struct plan_step *step = plan_add_step(plan, STEP_ALONE, "drop what is left of an interrupted index build");

	plan_lock(plan_add(step, "it is not valid", "DROP INDEX CONCURRENTLY %s", name), LOCK_SHARE_UPDATE_EXCLUSIVE, v->oid, v->display);
}

static void add_build(const struct convert *v, const PGresult *r, int i, struct partition_plan *plan)
{
	autofree char *name = index_sql(r, i);
	_cleanup_strbuf_ struct strbuf ident = STRBUF_INIT;
	struct plan_step *step = plan_add_step(plan, STEP_ALONE, "build an index for key %s with %s", pg_value(r, i, 0), v->key_sql);
	struct plan_statement *st;

	pg_add_ident(&ident, pg_value(r, i, 2));
	st = plan_add(step, "a unique key of a partitioned table contains the partition key", "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s, %s)", ident.buf,
		v->table_sql, pg_value(r, i, 4), v->key_sql);
	plan_lock(st, LOCK_SHARE_UPDATE_EXCLUSIVE, v->oid, v->display);
	st->undo = xasprintf("DROP INDEX CONCURRENTLY %s", name);
}

bool convert_add_indexes(const struct convert *v, struct partition_plan *plan, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v, keys_sql, err);
	bool any = false;

	for (int i = 0; r && i < PQntuples(r); i++) {
		bool there = !pg_is_null(r, i, 5), valid = there && pg_bool(r, i, 5);

		strvec_pushf(&plan->notes, "key %s is unique with %s from then on, no longer by itself", pg_value(r, i, 0), v->key_sql);
		if (valid)
			continue;
		if (!any)
			add_unlimited(plan, true);
		any = true;
		if (there)
			add_drop(v, r, i, plan);
		add_build(v, r, i, plan);
	}
	if (any)
		add_unlimited(plan, false);
	return r != NULL;
}

bool convert_swap_keys(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v, keys_sql, err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, index = STRBUF_INIT;

		pg_add_ident(&name, pg_value(r, i, 0));
		pg_add_ident(&index, pg_value(r, i, 2));
		plan_add(step, "the extended key takes its place", "ALTER TABLE %s DROP CONSTRAINT %s, ADD CONSTRAINT %s %s USING INDEX %s", v->table_sql,
			name.buf, name.buf, pg_value(r, i, 1)[0] == 'p' ? "PRIMARY KEY" : "UNIQUE", index.buf);
	}
	return r != NULL;
}
