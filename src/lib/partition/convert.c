/* SPDX-License-Identifier: PostgreSQL */
#include "convert.h"

#include <inttypes.h>
#include "grid.h"

/* Begins the CHECK's comment, which keeps the bound for a later run. */
#define COMMENT_PREFIX "dbops partitions convert, up to "

static void convert_release(struct convert *v)
{
	free(v->oid_text);
	free(v->schema);
	free(v->name);
	free(v->partition);
	free(v->table_sql);
	free(v->partition_sql);
	free(v->key_sql);
	free(v->display);
	free(v->key_type);
	free(v->bound);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static char *qualified(const char *schema, const char *name)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	pg_add_qualified(&sb, schema, name);
	return strbuf_detach(&sb);
}

static bool load_table(struct convert *v, char *ret_kind, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid", err);
	_cleanup_strbuf_ struct strbuf display = STRBUF_INIT;

	if (!r)
		return false;
	if (!PQntuples(r))
		return error_set(err, EXIT_NOT_FOUND, "'%s' was dropped in the meantime", v->request->table_text);
	v->schema = xstrdup(pg_value(r, 0, 0));
	v->name = xstrdup(pg_value(r, 0, 1));
	v->table_sql = qualified(v->schema, v->name);
	pg_add_display_name(&display, v->schema, v->name);
	v->display = strbuf_detach(&display);
	*ret_kind = pg_value(r, 0, 2)[0];
	return true;
}

static bool is_free(const struct convert *v, const char *name, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(v->conn, err,
		"SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2", 2,
		(const char *[]){ v->schema, name });

	if (!r || !PQntuples(r))
		return r != NULL;
	error_set(err, EXIT_REFUSED, "there is a relation %s in schema %s already", name, v->schema);
	return error_hint(err, "Give the first partition another name with --partition.");
}

static bool choose_name(struct convert *v, struct error *err)
{
	const char *given = v->request->partition;

	v->partition = given ? xstrdup(given) : xasprintf("%s_old", v->name);
	v->partition_sql = qualified(v->schema, v->partition);
	if (strlen(v->partition) <= 63 && v->partition[0])
		return is_free(v, v->partition, err);
	error_set(err, EXIT_USAGE, "the name '%s' of the first partition must have 1 to 63 bytes", v->partition);
	return error_hint(err, "Give another one with --partition.");
}

static bool load_key(struct convert *v, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	_cleanup_result_ PGresult *r = pg_query(v->conn, err,
		"SELECT a.attnum, a.attnotnull, a.attgenerated <> '', coalesce(nullif(t.typbasetype, 0), t.oid), pg_catalog.format_type(a.atttypid, a.atttypmod)"
		" FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
		" WHERE a.attrelid = $1::oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
		2, (const char *[]){ v->oid_text, v->request->key });

	if (!r)
		return false;
	if (!PQntuples(r))
		return error_set(err, EXIT_USAGE, "table %s has no column '%s'", v->display, v->request->key);
	if (pg_bool(r, 0, 2))
		return error_set(err, EXIT_USAGE, "column '%s' is generated, and a partition key cannot be", v->request->key);
	v->key_number = (int16_t)pg_int(r, 0, 0);
	v->key_not_null = pg_bool(r, 0, 1);
	v->kind = key_kind_of_type(pg_int(r, 0, 3));
	v->key_type = xstrdup(pg_value(r, 0, 4));
	pg_add_ident(&name, v->request->key);
	v->key_sql = strbuf_detach(&name);
	if (v->kind != KEY_OTHER)
		return true;
	error_set(err, EXIT_USAGE, "column '%s' is of type %s", v->request->key, v->key_type);
	return error_hint(err, "Ranges need a date, a timestamp, an integer or a UUID (version 7).");
}

/* --- how far a former run came ----------------------------------------------------------------------------------- */

static bool load_progress(struct convert *v, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT k.convalidated, pg_catalog.obj_description(k.oid, 'pg_constraint'), k.conkey::int2[] = ARRAY[$2::int2] FROM pg_catalog.pg_constraint k"
		" WHERE k.conrelid = $1::oid AND k.conname = '" CONVERT_CONSTRAINT "' AND k.contype = 'c'", err);
	const char *comment = r && PQntuples(r) ? pg_value(r, 0, 1) : "";

	if (!r || !PQntuples(r))
		return r != NULL;
	if (strncmp(comment, COMMENT_PREFIX, strlen(COMMENT_PREFIX)) == 0 && pg_bool(r, 0, 2)) {
		v->checked = true;
		v->validated = pg_bool(r, 0, 0);
		v->bound = xstrdup(comment + strlen(COMMENT_PREFIX));
		return true;
	}
	error_set(err, EXIT_REFUSED, "%s has a constraint " CONVERT_CONSTRAINT " that is not of a conversion by '%s'", v->display, v->request->key);
	return error_hint(err, "To begin anew: ALTER TABLE %s DROP CONSTRAINT " CONVERT_CONSTRAINT, v->table_sql);
}

/* --- the bound --------------------------------------------------------------------------------------------------- */

/* The highest key; false when the table is empty. */
static bool highest_key(const struct convert *v, int64_t *ret, bool *ret_any, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	autofree char *sql = xasprintf("SELECT k::text FROM (SELECT %s AS k FROM %s WHERE %s IS NOT NULL ORDER BY 1 DESC LIMIT 1) s", v->key_sql, v->table_sql, v->key_sql);
	_cleanup_result_ PGresult *r = pg_query(v->conn, &failed, sql, 0, NULL);

	if (!r && strcmp(failed.sqlstate, "57014") == 0) {
		error_move(err, &failed);
		return error_hint(err, "There is no index to tell the highest %s: say with --until where the first partition ends.", v->request->key);
	}
	if (!r)
		return error_move(err, &failed);
	*ret_any = false;
	if (!PQntuples(r))
		return true;

	const struct bound_value value = { .kind = BOUND_VALUE, .text = PQgetvalue(r, 0, 0) };

	if (v->kind == KEY_INTEGER && v->request->unit == EPOCH_NONE)
		*ret = pg_int(r, 0, 0);
	else if (!instant_of_value(&value, v->kind, v->request->unit, ret))
		return error_set(err, EXIT_REFUSED, "the highest %s, %s, is no time", v->request->key, value.text);
	*ret_any = true;
	return true;
}

/* The end of the interval after the one that holds now and the highest key: until then the CHECK refuses no row. */
static bool choose_bound(struct convert *v, struct error *err)
{
	const struct convert_request *q = v->request;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct grid g;
	struct grid_points points = { 0 };
	int64_t now = INT64_MIN, highest = 0, local;
	bool any = false, ok;

	if (!grid_parse(v->conn, q->interval, q->timezone, v->kind, q->unit, &g, err) || (!g.is_number && !grid_now(v->conn, &g, v->kind, NULL, &now, err)) ||
		!highest_key(v, &highest, &any, err))
		return false;
	now = any && highest > now ? highest : now == INT64_MIN ? 0 : now;
	if (now == INSTANT_MAX)
		return error_set(err, EXIT_REFUSED, "the highest %s is infinite, and the first partition must end before it", q->key);
	ok = grid_floor(v->conn, &g, now, &local, err) && grid_points(v->conn, &g, local, 2, &points, err);
	if (ok && points.len == 3 && g.is_number)
		strbuf_addf(&text, "%" PRId64, points.items[2].key);
	else if (ok && points.len == 3)
		instant_add_value(points.items[2].key, v->kind, q->unit, &text);
	else if (ok)
		ok = error_set(err, EXIT_REFUSED, "there is no interval after the highest %s", q->key);
	vec_release(&points);
	v->bound = ok ? strbuf_detach(&text) : NULL;
	return ok;
}

/* What the user says, as the server writes it. */
static bool given_bound(struct convert *v, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	autofree char *sql = xasprintf("SELECT ($1::%s)::text", v->key_type);
	_cleanup_result_ PGresult *r = pg_query(v->conn, &failed, sql, 1, &v->request->until);

	if (r) {
		v->bound = xstrdup(pg_value(r, 0, 0));
		return true;
	}
	if (strncmp(failed.sqlstate, "22", 2) != 0)
		return error_move(err, &failed);
	return error_set(err, EXIT_USAGE, "--until '%s' is not a value of type %s", v->request->until, v->key_type);
}

/* --- the steps --------------------------------------------------------------------------------------------------- */

static void add_check(const struct convert *v, struct partition_plan *plan)
{
	struct plan_step *step = plan_add_step(plan, STEP_TRANSACTION, "say that all rows lie before %s", v->bound);
	_cleanup_strbuf_ struct strbuf bound = STRBUF_INIT, comment = STRBUF_INIT;
	autofree char *words = xasprintf(COMMENT_PREFIX "%s", v->bound);
	struct plan_statement *st;

	pg_add_literal(&bound, v->bound);
	pg_add_literal(&comment, words);
	st = plan_add(step, "holds for new rows at once; old ones are not read yet",
		"ALTER TABLE %s ADD CONSTRAINT " CONVERT_CONSTRAINT " CHECK (%s IS NOT NULL AND %s < %s::%s) NOT VALID", v->table_sql, v->key_sql, v->key_sql, bound.buf,
		v->key_type);
	plan_lock(st, LOCK_ACCESS_EXCLUSIVE, v->oid, v->display);
	st->undo = xasprintf("ALTER TABLE %s DROP CONSTRAINT " CONVERT_CONSTRAINT, v->table_sql);
	plan_add(step, "so that a later run goes on from here", "COMMENT ON CONSTRAINT " CONVERT_CONSTRAINT " ON %s IS %s", v->table_sql, comment.buf);
}

static void add_validate(const struct convert *v, struct partition_plan *plan)
{
	struct plan_step *step = plan_add_step(plan, STEP_ALONE, "prove it, beside readers and writers");

	plan_lock(plan_add(step, "reads the whole table once", "ALTER TABLE %s VALIDATE CONSTRAINT " CONVERT_CONSTRAINT, v->table_sql), LOCK_SHARE_UPDATE_EXCLUSIVE,
		v->oid, v->display);
}

static bool add_steps(struct convert *v, struct partition_plan *plan, struct error *err)
{
	if (!convert_add_indexes(v, plan, err))
		return false;
	if (!v->checked)
		add_check(v, plan);
	if (!v->validated)
		add_validate(v, plan);
	strvec_pushf(&plan->notes, "rows with %s from %s on are refused until there is a partition for them: 'dbops partitions create' makes it", v->request->key, v->bound);
	return convert_add_swap(v, plan, err);
}

static bool refuse(const struct convert *v, struct strbuf *blockers, struct error *err)
{
	strbuf_trim(blockers);
	error_set(err, EXIT_REFUSED, "%s cannot be converted as it is", v->display);
	return error_detail(err, "%s", blockers->buf);
}

static bool make_plan(struct convert *v, struct partition_plan *plan, struct error *err)
{
	_cleanup_strbuf_ struct strbuf blockers = STRBUF_INIT;
	char kind = 0;

	if (!load_table(v, &kind, err))
		return false;
	if (kind == 'p')
		return true;
	if (kind != 'r')
		return error_set(err, EXIT_USAGE, "%s is not an ordinary table", v->display);
	if (!load_key(v, err) || !choose_name(v, err) || !load_progress(v, err) || !convert_find_blockers(v, &blockers, err))
		return false;
	if (blockers.len)
		return refuse(v, &blockers, err);
	if (!v->bound && !(v->request->until ? given_bound(v, err) : choose_bound(v, err)))
		return false;
	return add_steps(v, plan, err);
}

bool partition_plan_convert(struct pg_conn *c, uint32_t table, const struct convert_request *r, struct partition_plan *plan, struct error *err)
{
	_cleanup_(convert_release) struct convert v = { .conn = c, .request = r, .oid = table, .oid_text = xasprintf("%" PRIu32, table) };

	return make_plan(&v, plan, err);
}
