/* SPDX-License-Identifier: PostgreSQL */
/* What is archived: a table and the partitions below it, as the catalog has them. */
#include "archive.h"

#include <inttypes.h>
#include "record.h"

static void release_tables(struct archive_subject *s)
{
	for (size_t i = 0; i < s->tables.len; i++) {
		free(s->tables.items[i].schema);
		free(s->tables.items[i].name);
		free(s->tables.items[i].shape);
	}
	vec_release(&s->tables);
}

void archive_subject_release(struct archive_subject *s)
{
	free(s->schema);
	free(s->name);
	free(s->shown);
	free(s->sql);
	free(s->parent_schema);
	free(s->parent_name);
	free(s->parent_key);
	free(s->database);
	free(s->system_identifier);
	bound_release(&s->bound);
	release_tables(s);
	*s = (struct archive_subject){ 0 };
}

/* Only a partitioned table has its rows below it; children of plain inheritance are tables of their own. */
static const char tables_sql[] =
	"WITH RECURSIVE tree AS (SELECT $1::oid AS oid UNION ALL SELECT i.inhrelid FROM tree t"
	" JOIN pg_catalog.pg_class p ON p.oid = t.oid AND p.relkind = 'p' JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)"
	"SELECT c.oid, n.nspname, c.relname, c.relkind,"
	" (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, pg_catalog.quote_ident(a.attname),"
	"  pg_catalog.format_type(a.atttypid, a.atttypmod), nullif(a.attgenerated, '')), ', ' ORDER BY a.attnum)"
	"  FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"
	" FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" ORDER BY c.oid <> $1::oid, c.oid";

static bool load_tables(struct pg_conn *c, struct archive_subject *s, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, s->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err, tables_sql, 1, (const char *[]){ oid });

	for (int i = 0; r && i < PQntuples(r); i++)
		*vec_push(&s->tables) = (struct archive_table){
			.oid = (uint32_t)pg_int(r, i, 0),
			.schema = xstrdup(pg_value(r, i, 1)),
			.name = xstrdup(pg_value(r, i, 2)),
			.kind = pg_value(r, i, 3)[0],
			.shape = xstrdup(pg_value(r, i, 4)),
		};
	return r != NULL;
}

/* pg_get_expr() gets no table: see model.c. */
static bool load_bound(struct pg_conn *c, struct archive_subject *s, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, s->oid);
	autofree char *sql = xasprintf(
		"SELECT i.inhparent, n.nspname, p.relname, pg_catalog.pg_get_partkeydef(p.oid), pg_catalog.pg_get_expr(c.relpartbound, 0), %s"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid"
		" JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'"
		" JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace WHERE c.oid = $1::oid AND c.relpartbound IS NOT NULL",
		c->version >= 140000 ? "i.inhdetachpending" : "false");
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 1, (const char *[]){ oid });

	if (!r || PQntuples(r) == 0)
		return r != NULL;
	s->attached = true;
	s->parent_oid = (uint32_t)pg_int(r, 0, 0);
	s->parent_schema = xstrdup(pg_value(r, 0, 1));
	s->parent_name = xstrdup(pg_value(r, 0, 2));
	s->parent_key = xstrdup(pg_value(r, 0, 3));
	s->detach_pending = pg_bool(r, 0, 5);
	return bound_parse(pg_value(r, 0, 4), &s->bound, err);
}

/* What "dbops partitions detach" wrote into the comment of a table that is detached by now. */
static bool load_record(struct pg_conn *c, struct archive_subject *s, struct error *err)
{
	_cleanup_record_ struct detach_record record = { 0 };

	if (s->attached)
		return true;
	if (!detach_record_load(c, s->oid, &record, err))
		return false;
	if (!record.bounds)
		return true;
	s->parent_schema = xstrdup(record.parent_schema);
	s->parent_name = xstrdup(record.parent_name);
	return bound_parse(record.bounds, &s->bound, err);
}

static bool refuse(const struct archive_subject *s, const char *why, const char *hint, struct error *err)
{
	error_set(err, EXIT_REFUSED, "'%s' cannot be archived", s->shown);
	error_detail(err, "%s", why);
	return error_hint(err, "%s", hint);
}

/* COPY would fail under row_security = off; this says it before anything is written. */
static bool check_visibility(struct pg_conn *c, const struct archive_subject *s, struct error *err)
{
	for (size_t i = 0; i < s->tables.len; i++) {
		autofree char *oid = xasprintf("%" PRIu32, s->tables.items[i].oid);
		_cleanup_result_ PGresult *r = pg_query(c, err, "SELECT pg_catalog.row_security_active($1::oid)", 1, (const char *[]){ oid });

		if (!r)
			return false;
		if (pg_bool(r, 0, 0)) {
			refuse(s, "Row-level security hides rows of it from this role, so an archive would not be whole.",
				"Use a role that sees every row: the owner (without FORCE ROW LEVEL SECURITY), or one with BYPASSRLS.", err);
			err->code = EXIT_PERMISSION;
			return false;
		}
	}
	return true;
}

static bool check_kinds(const struct archive_subject *s, struct error *err)
{
	for (size_t i = 0; i < s->tables.len; i++)
		if (s->tables.items[i].kind != 'r' && s->tables.items[i].kind != 'p')
			return refuse(s, s->tables.items[i].kind == 'f' ? "There is a foreign table in it, whose rows live on another server." :
									  "It is not a table.",
				"Archive its other partitions one by one.", err);
	return true;
}

static bool load(struct pg_conn *c, struct archive_subject *s, struct error *err)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT, sql = STRBUF_INIT;

	if (!load_tables(c, s, err) || !load_bound(c, s, err) || !load_record(c, s, err))
		return false;
	if (!s->tables.len)
		return error_set(err, EXIT_NOT_FOUND, "the table vanished");
	s->schema = xstrdup(s->tables.items[0].schema);
	s->name = xstrdup(s->tables.items[0].name);
	s->kind = s->tables.items[0].kind;
	pg_add_display_name(&shown, s->schema, s->name);
	pg_add_qualified(&sql, s->schema, s->name);
	s->shown = strbuf_detach(&shown);
	s->sql = strbuf_detach(&sql);
	return check_kinds(s, err) && check_visibility(c, s, err);
}

bool archive_subject_load(struct pg_conn *c, uint32_t oid, struct archive_subject *ret, struct error *err)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;

	ret->oid = oid;
	if (partition_begin(c, err) && load(c, ret, err) && partition_end(c, err))
		return true;
	partition_end(c, &ignored);
	return false;
}

static char *difference(const struct archive_table *a, const struct archive_table *b)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	pg_add_display_name(&name, a->schema, a->name);
	if (a->oid != b->oid || a->kind != b->kind)
		return xasprintf("%s is another table now, or has other partitions", name.buf);
	if (strcmp(a->schema, b->schema) != 0 || strcmp(a->name, b->name) != 0)
		return xasprintf("%s was renamed or moved", name.buf);
	return strcmp(a->shape, b->shape) == 0 ? NULL : xasprintf("the columns of %s changed", name.buf);
}

bool archive_subject_compare(struct pg_conn *c, const struct archive_subject *s, char **ret_what, struct error *err)
{
	_cleanup_subject_ struct archive_subject now = { .oid = s->oid };

	*ret_what = NULL;
	if (!load_tables(c, &now, err))
		return false;
	if (now.tables.len != s->tables.len)
		*ret_what = xasprintf("%s has other partitions now, or is gone", s->shown);
	for (size_t i = 0; !*ret_what && i < s->tables.len && i < now.tables.len; i++)
		*ret_what = difference(&s->tables.items[i], &now.tables.items[i]);
	return true;
}
