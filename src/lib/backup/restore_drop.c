/* SPDX-License-Identifier: PostgreSQL */
#include "restore_drop.h"

#include "session.h"
#include "xalloc.h"

/* Locks of one transaction are limited (max_locks_per_transaction): commit now and then. */
#define DROPS_PER_TRANSACTION 500

static bool is_droppable(const struct toc_entry *e)
{
	/* the database itself stays, and so does the schema that every database has */
	if (strncmp(e->desc, "DATABASE", 8) == 0 || (strcmp(e->desc, "SCHEMA") == 0 && strcmp(e->tag, "public") == 0))
		return false;
	return e->drop_stmt && e->drop_stmt[0] && e->section != TOC_SECTION_DATA;
}

size_t restore_drop_statements(const struct restore_source *src, const struct toc_entry ***ret)
{
	VEC(const struct toc_entry *) list = { 0 };

	for (size_t i = src->toc.len; i-- > 0;)
		if (src->selected[i] && is_droppable(&src->toc.items[i]))
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

static bool drop_one(struct pg_conn *c, const struct toc_entry *e, bool if_exists, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (!pg_exec(c, err, "SAVEPOINT drop_one"))
		return false;
	if (pg_exec(c, &failed, e->drop_stmt))
		return pg_exec(c, err, "RELEASE SAVEPOINT drop_one");
	if (!if_exists || !is_missing(failed.sqlstate)) {
		error_move(err, &failed);
		error_prefix(err, "--clean cannot drop %s \"%s\"", e->desc, e->tag);
		if (is_missing(err->sqlstate))
			error_hint(err, "Use --if-exists to pass over what is not there.");
		return false;
	}
	return pg_exec(c, err, "ROLLBACK TO SAVEPOINT drop_one");
}

bool restore_drop(const struct restore_source *src, struct pg_conn *c, bool if_exists, struct error *err)
{
	const struct toc_entry **list;
	size_t n = restore_drop_statements(src, &list);
	autofree const struct toc_entry **owner = list;
	_cleanup_conn_ struct pg_conn *session = pg_clone(c, NULL, NULL, err);
	bool ok = session && session_pin(session, NULL, err);

	for (size_t i = 0; ok && i < n; i++) {
		if (i % DROPS_PER_TRANSACTION == 0)
			ok = pg_exec(session, err, i ? "COMMIT; BEGIN" : "BEGIN");
		ok = ok && drop_one(session, list[i], if_exists, err);
	}
	return ok && (!n || pg_exec(session, err, "COMMIT"));
}
