/* SPDX-License-Identifier: PostgreSQL */
/* The table that a user means by a name. */
#include "model.h"

/* A name that does not parse is not found, either; to_regclass() raises an error for it. */
static bool is_syntax_error(const struct error *err)
{
	return strcmp(err->sqlstate, "42602") == 0 || strcmp(err->sqlstate, "42601") == 0 || strcmp(err->sqlstate, "0A000") == 0;
}

/* A table whose name is the very text, letter by letter. */
static bool suggest(struct pg_conn *c, const char *name, struct error *err)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;
	_cleanup_result_ PGresult *r = pg_query(c, &ignored,
		"SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE pg_catalog.lower(c.relname) = pg_catalog.lower($1) AND c.relkind IN ('p', 'r', 'f')"
		" ORDER BY c.relname = $1 DESC, n.nspname LIMIT 1",
		1, &name);

	if (!r || PQntuples(r) == 0)
		return error_hint(err, "Name it as in SQL: schema.table, with double quotes around names in mixed case.");
	pg_add_display_name(&shown, pg_value(r, 0, 0), pg_value(r, 0, 1));
	return error_hint(err, "There is a table %s; on a shell's command line write it in single quotes: '%s'.", shown.buf, shown.buf);
}

bool partition_resolve(struct pg_conn *c, const char *name, uint32_t *ret_oid, char *ret_kind, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	_cleanup_result_ PGresult *r = pg_query(c, &failed,
		"SELECT c.oid, c.relkind FROM pg_catalog.pg_class c"
		" WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind IN ('p', 'r', 'f')",
		1, &name);

	if (!r && !is_syntax_error(&failed))
		return error_move(err, &failed);
	if (!r || PQntuples(r) != 1) {
		error_set(err, EXIT_NOT_FOUND, "there is no table '%s' in database '%s'", name, c->database);
		return suggest(c, name, err);
	}
	*ret_oid = (uint32_t)pg_int(r, 0, 0);
	*ret_kind = pg_value(r, 0, 1)[0];
	return true;
}

static bool name_parent(struct pg_conn *c, const char *name, uint32_t oid, struct error *err)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;
	autofree char *table = xasprintf("%u", oid);
	_cleanup_result_ PGresult *r = pg_query(c, &ignored,
		"SELECT n.nspname, c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.inhrelid = $1::oid AND c.relkind = 'p'",
		1, (const char *[]){ table });

	error_set(err, EXIT_NOT_FOUND, "'%s' is not a partitioned table", name);
	if (!r || PQntuples(r) != 1)
		return error_hint(err, "'dbops partitions list' shows the partitioned tables of the database.");
	pg_add_display_name(&shown, pg_value(r, 0, 0), pg_value(r, 0, 1));
	return error_hint(err, "It is a partition of %s.", shown.buf);
}

bool partition_resolve_parent(struct pg_conn *c, const char *name, uint32_t *ret_oid, struct error *err)
{
	char kind = 0;

	if (!partition_resolve(c, name, ret_oid, &kind, err))
		return false;
	return kind == 'p' || name_parent(c, name, *ret_oid, err);
}
