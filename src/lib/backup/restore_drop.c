/* SPDX-License-Identifier: PostgreSQL */
#include "restore_drop.h"

#include "session.h"
#include "xalloc.h"

static bool is_droppable(const struct toc_entry *e)
{
	if (toc_is_object_group(e)) /* archive 1.16: pg_restore itself drops the objects that its lines name */
		return e->defn != NULL;
	/* the database itself stays, and so does the schema that every database has */
	if (strncmp(e->desc, "DATABASE", 8) == 0 || (strcmp(e->desc, "SCHEMA") == 0 && strcmp(e->tag, "public") == 0))
		return false;
	return e->drop_stmt && e->drop_stmt[0] && e->section != TOC_SECTION_DATA;
}

size_t restore_drop_statements(const struct restore_source *src, const struct toc_entry ***ret)
{
	VEC(const struct toc_entry *) list = { 0 };

	for (size_t i = src->toc.len; i-- > 0;)
		if (src->selected[i] && !(src->companion && src->companion[i]) && is_droppable(&src->toc.items[i]))
			*vec_push(&list) = &src->toc.items[i];
	*ret = list.items;
	return list.len;
}

/* undefined table, object, function, schema, column; invalid catalog name */
static bool is_missing(const char *sqlstate)
{
	static const char *const codes[] = { "42P01", "42704", "42883", "3F000", "42703", NULL };

	for (const char *const *c = codes; *c; c++)
		if (strcmp(sqlstate, *c) == 0)
			return true;
	return false;
}

struct drop {
	const struct toc_entry *entry;
	bool done, deferred;
};

/* From archive 1.16 on large objects come in groups, and their drop statement is no statement. */
static char *drop_statement(const struct toc_entry *e)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	const char *at = NULL;
	uint32_t oid;

	if (!toc_is_object_group(e))
		return xstrdup(e->drop_stmt);
	strbuf_adds(&sql, "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY ('{");

	size_t head = sql.len;

	while (toc_next_object(e, &at, &oid))
		strbuf_addf(&sql, "%s%u", sql.len > head ? "," : "", oid);
	strbuf_adds(&sql, "}'::pg_catalog.oid[])");
	return strbuf_detach(&sql);
}

/* Tries one; false + err only when the session itself failed. */
static bool try_drop(struct pg_conn *c, struct drop *d, bool if_exists, struct error *refused, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	autofree char *sql = drop_statement(d->entry);

	if (!pg_exec(c, err, "SAVEPOINT drop_one"))
		return false;
	if (pg_exec(c, &failed, sql)) {
		d->done = true;
		return pg_exec(c, err, "RELEASE SAVEPOINT drop_one");
	}
	/* what is gone after it was refused once went with something else */
	d->done = is_missing(failed.sqlstate) && (if_exists || d->deferred);
	d->deferred = true;
	if (!d->done) {
		error_move(refused, &failed);
		error_prefix(refused, "--clean cannot drop %s \"%s\"", d->entry->desc, d->entry->tag);
		if (is_missing(refused->sqlstate))
			error_hint(refused, "Use --if-exists to pass over what is not there.");
	}
	return pg_exec(c, err, "ROLLBACK TO SAVEPOINT drop_one; RELEASE SAVEPOINT drop_one");
}

/* One pass over what is left. */
static bool drop_pass(struct pg_conn *c, struct drop *drops, size_t n, bool if_exists, size_t *ret_left,
	size_t *ret_dropped, struct error *refused, struct error *err)
{
	bool ok = true;

	*ret_left = *ret_dropped = 0;
	for (size_t i = 0; ok && i < n; i++) {
		if (drops[i].done)
			continue;
		ok = try_drop(c, &drops[i], if_exists, refused, err);
		*ret_left += !drops[i].done;
		*ret_dropped += drops[i].done;
	}
	return ok;
}

/* The constraint of a partition cannot go before its parent's: such ones wait for a later pass. */
static bool drop_all(struct pg_conn *c, struct drop *drops, size_t n, bool if_exists, struct error *err)
{
	size_t left = n, dropped = 1;

	while (left && dropped) {
		_cleanup_error_ struct error refused = ERROR_INIT;

		if (!drop_pass(c, drops, n, if_exists, &left, &dropped, &refused, err))
			return false;
		if (left && !dropped)
			return error_move(err, &refused);
	}
	return true;
}

bool restore_drop(const struct restore_source *src, struct pg_conn *c, bool if_exists, struct error *err)
{
	autofree const struct toc_entry **list = NULL;
	size_t n = restore_drop_statements(src, &list);
	autofree struct drop *drops = xcalloc(n, sizeof(*drops));
	_cleanup_conn_ struct pg_conn *session = pg_clone(c, NULL, NULL, err);

	if (!session || !session_pin(session, NULL, err) || !pg_exec(session, err, "BEGIN"))
		return false;
	for (size_t i = 0; i < n; i++)
		drops[i].entry = list[i];
	/* one transaction: either everything goes or nothing does; closing the session rolls back */
	if (drop_all(session, drops, n, if_exists, err))
		return pg_exec(session, err, "COMMIT");
	if (strcmp(err->sqlstate, "53200") == 0)
		error_hint(err, "Raise max_locks_per_transaction, or restore into a new database instead of --clean.");
	return error_prefix(err, "nothing was dropped");
}
