/* SPDX-License-Identifier: PostgreSQL */
/* Rows that landed in the DEFAULT partition because their own did not exist yet. */
#include <inttypes.h>
#include "condition.h"
#include "create.h"

/* "SELECT 0, count(*) FILTER (…), min(k) FILTER (…), … " in one reading of the table. */
static bool add_counts(struct strbuf *sql, const struct partition *parent, const struct candidates *v)
{
	strbuf_adds(sql, "SELECT ");
	for (size_t i = 0; i < v->len; i++) {
		strbuf_adds(sql, i ? ", pg_catalog.count(*) FILTER (WHERE " : "pg_catalog.count(*) FILTER (WHERE ");
		if (!condition_add(sql, parent, &v->items[i].bound))
			return false;
		strbuf_addch(sql, ')');
	}
	return true;
}

static bool refuse(const struct partition *def, const struct candidates *v, const PGresult *r, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, list = STRBUF_INIT;

	pg_add_display_name(&name, def->schema, def->name);
	for (size_t i = 0; i < v->len; i++) {
		if (!pg_int(r, 0, (int)i))
			continue;
		strbuf_addf(&list, "%s%" PRId64 " for ", list.len ? ", " : "", pg_int(r, 0, (int)i));
		strbuf_adds(&list, v->items[i].name);
	}
	error_set(err, EXIT_REFUSED, "the DEFAULT partition '%s' holds rows that belong to the new partitions", name.buf);
	error_detail(err, "Rows: %s.", list.buf);
	return error_hint(err, "With --move-default they are moved, each partition in one transaction.");
}

/* A query has at most 1664 columns. */
#define COUNTS_MAX 1500

bool create_check_default(struct pg_conn *c, const struct partition *parent, const struct partition *def, const struct candidates *v,
	const struct create_request *r, bool *ret_moves, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	bool any = false;

	if (v->len > COUNTS_MAX || !add_counts(&sql, parent, v))
		return true; /* the server itself will look, at ATTACH */
	strbuf_adds(&sql, " FROM ");
	pg_add_qualified(&sql, def->schema, def->name);

	_cleanup_result_ PGresult *counts = pg_query(c, err, sql.buf, 0, NULL);

	if (!counts)
		return error_prefix(err, "cannot count the rows in the DEFAULT partition");
	for (size_t i = 0; i < v->len; i++)
		any |= ret_moves[i] = pg_int(counts, 0, (int)i) > 0;
	return !any || r->move_default || refuse(def, v, counts, err);
}

/* A DELETE would run what the user made for deletions, although nothing is deleted. */
static bool refuse_side_effects(struct pg_conn *c, const struct partition *parent, const struct partition *def, struct error *err)
{
	autofree char *oids = xasprintf("{%" PRIu32 ",%" PRIu32 "}", parent->oid, def->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT 'the foreign key ' || pg_catalog.quote_ident(conname) || ' of ' || conrelid::regclass FROM pg_catalog.pg_constraint"
		" WHERE contype = 'f' AND confrelid = ANY ($1::oid[])"
		" UNION ALL SELECT 'the trigger ' || pg_catalog.quote_ident(tgname) || ' of ' || tgrelid::regclass FROM pg_catalog.pg_trigger"
		" WHERE tgrelid = ANY ($1::oid[]) AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::int4 & 8 <> 0 LIMIT 1",
		1, (const char *[]){ oids });

	if (!r || !PQntuples(r))
		return r != NULL;
	error_set(err, EXIT_REFUSED, "rows cannot be moved out of the DEFAULT partition: %s would act on their deletion", pg_value(r, 0, 0));
	return error_hint(err, "Move them by hand, in a transaction that takes care of it, then create the partitions.");
}

static char *column_list(struct pg_conn *c, const struct partition *def, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	autofree char *oid = xasprintf("%" PRIu32, def->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
		" ORDER BY attnum",
		1, (const char *[]){ oid });

	for (int i = 0; r && i < PQntuples(r); i++) {
		strbuf_adds(&sb, i ? ", " : "");
		pg_add_ident(&sb, pg_value(r, i, 0));
	}
	return r ? strbuf_detach(&sb) : NULL;
}

/* The same rows are counted and hashed where they were and where they are. */
static char *move_sql(const char *def_sql, const char *table_sql, const char *columns, const char *condition)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT, sql = STRBUF_INIT;

	strbuf_addf(&body,
		"DECLARE old_rows int8; old_hash numeric; new_rows int8; new_hash numeric; BEGIN "
		"SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW(%s)::text, 0)), 0)"
		" INTO old_rows, old_hash FROM %s WHERE %s; "
		"WITH moved AS (DELETE FROM %s WHERE %s RETURNING %s) INSERT INTO %s (%s) SELECT %s FROM moved; "
		"SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW(%s)::text, 0)), 0)"
		" INTO new_rows, new_hash FROM %s; "
		"IF old_rows <> new_rows OR old_hash <> new_hash THEN"
		" RAISE EXCEPTION 'the rows that were moved are not the same: %% before, %% after', old_rows, new_rows; END IF; END",
		columns, def_sql, condition, def_sql, condition, columns, table_sql, columns, columns, columns, table_sql);
	strbuf_adds(&sql, "DO ");
	pg_add_literal(&sql, body.buf);
	return strbuf_detach(&sql);
}

bool create_move_rows(struct pg_conn *c, struct plan_step *step, const struct partition *parent, const struct partition *def,
	const struct bound *bound, const char *table_sql, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, shown = STRBUF_INIT, condition = STRBUF_INIT;
	autofree char *columns = refuse_side_effects(c, parent, def, err) ? column_list(c, def, err) : NULL;
	struct plan_statement *s;

	if (!columns)
		return false;
	if (!condition_add(&condition, parent, bound))
		BUG("rows were counted by a condition that cannot be written");
	pg_add_qualified(&name, def->schema, def->name);
	pg_add_display_name(&shown, def->schema, def->name);
	s = plan_add(step, "writers wait while rows move, readers do not", "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", name.buf);
	plan_lock(s, LOCK_SHARE_ROW_EXCLUSIVE, def->oid, shown.buf);
	plan_add_take(step, "moves the rows out of DEFAULT, and fails unless count and hash are the same before and after",
		move_sql(name.buf, table_sql, columns, condition.buf));
	return true;
}
