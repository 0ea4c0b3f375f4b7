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

struct drop {
	const struct toc_entry *entry;
	bool done, deferred;
};

/* Tries one; false + err only when the session itself failed. */
static bool try_drop(struct pg_conn *c, struct drop *d, bool if_exists, struct error *refused, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (!pg_exec(c, err, "SAVEPOINT drop_one"))
		return false;
	if (pg_exec(c, &failed, d->entry->drop_stmt)) {
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
	size_t in_transaction = 0;
	bool ok = pg_exec(c, err, "BEGIN");

	*ret_left = *ret_dropped = 0;
	for (size_t i = 0; ok && i < n; i++) {
		if (drops[i].done)
			continue;
		ok = try_drop(c, &drops[i], if_exists, refused, err);
		*ret_left += !drops[i].done;
		*ret_dropped += drops[i].done;
		if (++in_transaction == DROPS_PER_TRANSACTION) {
			ok = ok && pg_exec(c, err, "COMMIT; BEGIN");
			in_transaction = 0;
		}
	}
	return ok && pg_exec(c, err, "COMMIT");
}

bool restore_drop(const struct restore_source *src, struct pg_conn *c, bool if_exists, struct error *err)
{
	autofree const struct toc_entry **list = NULL;
	size_t n = restore_drop_statements(src, &list), left = n, dropped = 1;
	autofree struct drop *drops = xcalloc(n, sizeof(*drops));
	_cleanup_conn_ struct pg_conn *session = pg_clone(c, NULL, NULL, err);

	if (!session || !session_pin(session, NULL, err))
		return false;
	for (size_t i = 0; i < n; i++)
		drops[i].entry = list[i];
	/* the constraint of a partition cannot go before its parent's: such ones wait for a later pass */
	while (left && dropped) {
		_cleanup_error_ struct error refused = ERROR_INIT;

		if (!drop_pass(session, drops, n, if_exists, &left, &dropped, &refused, err))
			return false;
		if (left && !dropped)
			return error_move(err, &refused);
	}
	return true;
}
