/* SPDX-License-Identifier: PostgreSQL */
/* What a purge would delete, and whether it may. */
#include "purge.h"

#include <inttypes.h>
#include "age.h"

void purge_release(struct purge *p)
{
	free(p->sql);
	free(p->shown);
	free(p->column);
	free(p->cutoff);
	free(p->condition);
	strvec_release(&p->notes);
	*p = (struct purge){ 0 };
}

static bool refuse(const struct purge *p, const char *detail, const char *hint, struct error *err)
{
	error_set(err, EXIT_REFUSED, "'%s' cannot be purged", p->shown);
	error_detail(err, "%s", detail);
	return error_hint(err, "%s", hint);
}

static bool load_table(struct pg_conn *c, struct purge *p, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, p->oid);
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, shown = STRBUF_INIT;
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT n.nspname, c.relname, c.relkind, pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8,"
		" CASE WHEN c.relpages > 0 AND c.reltuples > 0 THEN c.reltuples / c.relpages END, pg_catalog.row_security_active(c.oid)"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid",
		1, (const char *[]){ oid });

	if (!r)
		return false;
	if (PQntuples(r) != 1)
		return error_set(err, EXIT_NOT_FOUND, "the table vanished");
	pg_add_qualified(&sql, pg_value(r, 0, 0), pg_value(r, 0, 1));
	pg_add_display_name(&shown, pg_value(r, 0, 0), pg_value(r, 0, 1));
	p->sql = strbuf_detach(&sql);
	p->shown = strbuf_detach(&shown);
	p->pages = pg_int(r, 0, 3);
	p->rows_per_page = pg_is_null(r, 0, 4) ? 50 : pg_real(r, 0, 4);
	if (pg_value(r, 0, 2)[0] == 'p')
		return refuse(p, "It is partitioned.", "Remove its old partitions: 'dbops partitions archive', 'drop' or 'maintain'.", err);
	if (pg_value(r, 0, 2)[0] != 'r')
		return refuse(p, "It is a foreign table.", "Purge it on the server where its rows live.", err);
	if (pg_bool(r, 0, 5)) {
		refuse(p, "Row-level security hides rows of it from this role.", "Use the owner, or a role with BYPASSRLS.", err);
		err->code = EXIT_PERMISSION;
		return false;
	}
	return true;
}

/* A valid index that begins with the column holds the old rows together. */
static bool load_column(struct pg_conn *c, const struct purge_request *req, struct purge *p, struct error *err)
{
	_cleanup_strbuf_ struct strbuf quoted = STRBUF_INIT;
	autofree char *oid = xasprintf("%" PRIu32, p->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT a.attname, coalesce(nullif(t.typbasetype, 0), t.oid)::int8, pg_catalog.format_type(a.atttypid, a.atttypmod),"
		" EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam"
		"  WHERE i.indrelid = a.attrelid AND i.indisvalid AND m.amname = 'btree' AND i.indkey[0] = a.attnum AND i.indpred IS NULL)"
		" FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
		" WHERE a.attrelid = $1::oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
		2, (const char *[]){ oid, req->column });

	if (!r)
		return false;
	if (PQntuples(r) != 1)
		return error_set(err, EXIT_NOT_FOUND, "'%s' has no column '%s'", p->shown, req->column);
	/* pg_type.dat: date, timestamp, timestamptz */
	if (pg_int(r, 0, 1) != 1082 && pg_int(r, 0, 1) != 1114 && pg_int(r, 0, 1) != 1184) {
		error_set(err, EXIT_REFUSED, "column '%s' of '%s' does not tell a row's age", req->column, p->shown);
		error_detail(err, "It is of type %s.", pg_value(r, 0, 2));
		return error_hint(err, "Name a column of type date, timestamp or timestamp with time zone.");
	}
	pg_add_ident(&quoted, pg_value(r, 0, 0));
	p->column = strbuf_detach(&quoted);
	p->by_index = pg_bool(r, 0, 3);
	return true;
}

/* From the beginning of the day, so that a plan looked at in the morning is the plan that is run in the evening. */
static bool load_cutoff(struct pg_conn *c, const struct purge_request *req, struct purge *p, struct error *err)
{
	const char *sql = req->before ?
		"SELECT v::text, v < pg_catalog.now() FROM (SELECT $1::timestamptz AS v) x" :
		"SELECT v::text, v < pg_catalog.now() AND $1::interval > '0' FROM (SELECT (pg_catalog.date_trunc('day', pg_catalog.now() AT TIME ZONE 'UTC')"
		" - $1::interval) AT TIME ZONE 'UTC' AS v) x";
	const char *value = req->before ? req->before : req->older_than;

	if (!req->before && !age_check(req->older_than, err))
		return false;

	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 1, &value);

	if (!r) {
		if (strncmp(err->sqlstate, "22", 2) != 0)
			return false;
		err->code = EXIT_USAGE;
		return error_prefix(err, "'%s' is no %s", value, req->before ? "point in time" : "interval");
	}
	p->cutoff = xstrdup(pg_value(r, 0, 0));
	if (pg_bool(r, 0, 1))
		return true;
	error_set(err, EXIT_USAGE, "rows before %s would go, and that is not in the past", p->cutoff);
	return error_hint(err, "Give an interval such as '90 days', or an earlier time.");
}

/* Foreign keys that would not only forbid: they delete or change rows of other tables. */
static bool check_keys(struct pg_conn *c, const struct purge_request *req, struct purge *p, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, p->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT n.nspname, t.relname, k.conname, CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END"
		" FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace"
		" WHERE k.confrelid = $1::oid AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') AND k.conparentid = 0 ORDER BY 1, 2, 3",
		1, (const char *[]){ oid });
	_cleanup_strbuf_ struct strbuf list = STRBUF_INIT;

	for (int i = 0; r && i < PQntuples(r); i++) {
		strbuf_adds(&list, i ? ", " : "");
		pg_add_display_name(&list, pg_value(r, i, 0), pg_value(r, i, 1));
		strbuf_addf(&list, " (ON DELETE %s)", pg_value(r, i, 3));
	}
	if (!r || !list.len)
		return r != NULL;
	if (req->allow_cascade) {
		strvec_pushf(&p->notes, "rows of other tables go or change as well: %s", list.buf);
		return true;
	}
	autofree char *detail = xasprintf("Foreign keys would delete or change rows of other tables: %s.", list.buf);

	return refuse(p, detail, "Purge those tables first, or say --allow-cascade if their rows shall go, too.", err);
}

static void make_condition(const struct purge_request *req, struct purge *p)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s < ", p->column);
	pg_add_literal(&sb, p->cutoff);
	/* what a condition cannot tell (NULL) stays */
	for (size_t i = 0; req->held && i < req->held->len; i++)
		strbuf_addf(&sb, " AND (%s) IS FALSE", req->held->items[i]);
	p->condition = strbuf_detach(&sb);
}

bool purge_prepare(struct pg_conn *c, const struct purge_request *req, struct purge *ret, struct error *err)
{
	ret->oid = req->oid;
	/* for this session: what is printed, counted and deleted means the same */
	if (!pg_exec(c, err, "SET search_path = ''; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres';"
			     "SET row_security = off"))
		return false;
	if (!load_table(c, ret, err) || !load_column(c, req, ret, err) || !load_cutoff(c, req, ret, err) || !check_keys(c, req, ret, err))
		return false;
	make_condition(req, ret);
	return true;
}

bool purge_count(struct pg_conn *c, const struct purge *p, int64_t *ret, struct error *err)
{
	autofree char *sql = xasprintf("SELECT count(*) FROM ONLY %s WHERE %s", p->sql, p->condition);
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 0, NULL);

	*ret = r ? pg_int(r, 0, 0) : 0;
	return r != NULL;
}
