/* SPDX-License-Identifier: PostgreSQL */
/* Drops a table that is, row by row and at this moment, what its archive holds; or without an archive, but no other table. */
#include "archive.h"

#include <inttypes.h>
#include "copy_rows.h"
#include "patience.h"
#include "session.h"

struct drop {
	struct pg_conn *c;
	const struct archive_subject *s;
	const struct archive_proof *proof;
	const struct archive_drop_options *o;
	int64_t read_bytes;
};

static bool changed(const struct drop *d, const char *what, struct error *err)
{
	error_set(err, EXIT_BUSY, "'%s' is not what %s any more; it was not dropped", d->s->shown, d->proof ? "was archived" : "the plan was made for");
	error_detail(err, "%s.", what);
	if (!d->proof)
		return error_hint(err, "Look at it, then repeat the command.");
	return error_hint(err, "Archive '%s' is whole and holds the state of its snapshot. Find out who writes to the table, then archive it again.",
		d->proof->id);
}

/* --- locks ------------------------------------------------------------------------------------------------- */

/* Runs a statement that takes locks, in a savepoint, again and again until max_wait is used up: waiting without end would queue
 * everybody behind us. */
static bool run_patiently(const struct drop *d, const char *sql, const char *what, struct error *err)
{
	struct patience patience = patience_begin(d->o->max_wait_ms);

	for (;;) {
		_cleanup_error_ struct error failed = ERROR_INIT;

		if (!pg_exec(d->c, err, "SAVEPOINT dbops"))
			return false;
		if (pg_exec(d->c, &failed, sql))
			return pg_exec(d->c, err, "RELEASE SAVEPOINT dbops");
		if (!patience_helps(&failed) || patience_over(&patience)) {
			error_prefix(&failed, "cannot %s '%s'", what, d->s->shown);
			if (patience_helps(&failed)) {
				failed.code = EXIT_BUSY;
				error_hint(&failed, "Somebody uses the table. It was not dropped; archive it again later, or allow more time.");
			}
			if (strcmp(failed.sqlstate, "2BP01") == 0) /* the server recommends CASCADE */
				error_hint(&failed, "Nothing is dropped with CASCADE: change or drop those first.");
			return error_move(err, &failed);
		}
		log_info(d->o->log, "archive.wait", "cannot %s '%s' yet: %s", what, d->s->shown, failed.message);
		if (!pg_exec(d->c, err, "ROLLBACK TO SAVEPOINT dbops") || !patience_pause(&patience, d->o->cancel, err))
			return false;
	}
}

/* --- reading ----------------------------------------------------------------------------------------------- */

struct reading {
	struct drop *d;
	bool skip; /* the next row is a header */
	int64_t rows;
	struct fingerprint fingerprint;
};

static bool read_row(void *data, const char *text, size_t len, struct error *err)
{
	struct reading *r = data;
	struct drop *d = r->d;

	(void)err;
	if (!r->skip) {
		fingerprint_add_line(&r->fingerprint, text, len - 1);
		r->rows++;
	}
	r->skip = false;
	d->read_bytes += (int64_t)len;
	if ((r->rows & 1023) == 0)
		log_progress(d->o->log, "compare", d->read_bytes, d->proof->raw_bytes);
	return true;
}

static bool compare_one(struct drop *d, const struct archive_check *check, struct error *err)
{
	struct reading r = { .d = d, .skip = check->header };

	if (!copy_rows(d->c, check->copy, check->shown, d->o->cancel, read_row, &r, err))
		return false;
	if (r.rows == check->rows && fingerprint_equal(&r.fingerprint, &check->fingerprint))
		return true;

	autofree char *what = r.rows == check->rows ? xasprintf("Rows of %s were changed since", check->shown) :
		xasprintf("Table %s has %" PRId64 " rows, the archive %" PRId64, check->shown, r.rows, check->rows);

	return changed(d, what, err);
}

/* A branch without a single partition has no room for rows. */
static bool has_rows(const struct archive_subject *s)
{
	for (size_t i = 0; i < s->tables.len; i++)
		if (s->tables.items[i].kind != 'p')
			return true;
	return false;
}

static bool compare(struct drop *d, struct error *err)
{
	autofree char *what = NULL;

	if (!archive_subject_compare(d->c, d->s, &what, err))
		return false;
	if (what)
		return changed(d, what, err);
	if (!d->proof)
		return true;
	for (size_t i = 0; i < d->proof->checks.len; i++)
		if (!compare_one(d, &d->proof->checks.items[i], err))
			return false;
	return d->proof->checks.len > 0 || !has_rows(d->s) || error_set(err, EXIT_BUG, "there is nothing to compare '%s' with", d->s->shown);
}

/* --- the transaction --------------------------------------------------------------------------------------- */

static bool begin(const struct drop *d, struct error *err)
{
	return session_pin(d->c, d->proof ? d->proof->encoding : NULL, err) &&
	       /* READ COMMITTED: what is read after the lock is everything that was ever committed */
	       pg_execf(d->c, err, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = %" PRId64,
		       d->o->lock_timeout_ms);
}

static bool is_attached(const struct drop *d, bool *ret, struct error *err)
{
	autofree char *sql = xasprintf("SELECT relispartition FROM pg_catalog.pg_class WHERE oid = %" PRIu32
				       " UNION ALL SELECT false LIMIT 1", d->s->oid);
	autofree char *value = pg_query_value(d->c, err, sql);

	*ret = value && value[0] == 't';
	return value != NULL;
}

static bool lock_and_compare(struct drop *d, struct error *err)
{
	/* SHARE stops every writer and lets readers be; DROP takes the rest at the end */
	autofree char *lock = xasprintf("LOCK TABLE %s IN %s MODE", d->s->sql, d->proof ? "SHARE" : "ACCESS EXCLUSIVE");
	bool attached;

	if (!begin(d, err) || !run_patiently(d, lock, "lock", err) || !is_attached(d, &attached, err))
		return false;
	if (attached)
		return changed(d, "It is attached to a partitioned table", err);
	return (!d->o->agree || d->o->agree(d->o->data, err)) && compare(d, err);
}

/* A lock on a table does not keep its schema from being renamed, so the name may be another table's by now. */
static bool check_gone(struct drop *d, struct error *err)
{
	autofree char *sql = xasprintf("SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = %" PRIu32 ")", d->s->oid);
	autofree char *value = pg_query_value(d->c, err, sql);

	return value && (value[0] == 'f' || changed(d, "Another table has its name now", err));
}

static bool commit(struct drop *d, bool *ret_unknown, struct error *err)
{
	if (pg_exec(d->c, err, "COMMIT"))
		return true;
	if (PQstatus(d->c->pg) != CONNECTION_BAD)
		return false;
	*ret_unknown = true;
	return error_hint(err, "The connection broke while the drop was committed: look whether '%s' is still there.%s%s%s", d->s->shown,
		d->proof ? " Archive '" : "", d->proof ? d->proof->id : "", d->proof ? "' is whole." : "");
}

bool archive_drop(struct pg_conn *c, const struct archive_subject *s, const struct archive_proof *proof,
	const struct archive_drop_options *o, bool *ret_unknown, struct error *err)
{
	struct drop d = { .c = c, .s = s, .proof = proof, .o = o };
	/* never CASCADE: what depends on the table is somebody's */
	autofree char *drop = xasprintf("DROP TABLE %s", s->sql);
	_cleanup_error_ struct error ignored = ERROR_INIT;

	*ret_unknown = false;
	if (proof)
		log_info(o->log, "archive.compare", "comparing '%s' with archive %s under a lock", s->shown, proof->id);
	if (lock_and_compare(&d, err) && (o->keep || (run_patiently(&d, drop, "drop", err) && check_gone(&d, err))) && commit(&d, ret_unknown, err))
		return true;
	pg_exec(c, &ignored, "ROLLBACK");
	return false;
}
