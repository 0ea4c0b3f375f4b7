/* SPDX-License-Identifier: PostgreSQL */
/* Finds the archive of a table, and brings the table back. */
#include "archive_restore.h"

#include <ctype.h>
#include <inttypes.h>

#define RECORD_MAX_BYTES ((size_t)1 << 20)

/* --- finding ----------------------------------------------------------------------------------------------- */

/* Whether operand names the table with this display name: as it is, in lower case (SQL folds it), or without the schema. */
static bool is_named(const char *shown, const char *operand)
{
	autofree char *folded = xstrdup(operand);
	size_t n = strlen(shown), m = strlen(operand);

	for (char *p = folded; *p && !strchr(operand, '"'); p++)
		*p = (char)tolower((unsigned char)*p);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? folded : operand;

		if (strcmp(shown, name) == 0 || (m && n > m && strcmp(shown + n - m, name) == 0 && shown[n - m - 1] == '.'))
			return true;
	}
	return false;
}

static bool is_candidate(const struct backup_entry *e, const char *series, const char *operand)
{
	static const char prefix[] = "partition ";

	return e->complete && manifest_is_partition(&e->manifest) && strcmp(e->series, series) == 0 && e->manifest.label &&
	       strncmp(e->manifest.label, prefix, strlen(prefix)) == 0 && is_named(e->manifest.label + strlen(prefix), operand);
}

static bool not_found(const struct storage *storage, const char *database, const char *operand, struct error *err)
{
	error_set(err, EXIT_NOT_FOUND, "there is no archive of '%s'", operand);
	error_detail(err, "%s holds none of a table with this name in database '%s'.", storage->url, database);
	return error_hint(err, "'dbops list' shows what is there; the label of an archive names its table. --database names another source database.");
}

/* The newest archive of the table; an id is taken as it is. */
static bool find(struct storage *storage, const char *database, const char *operand, struct backup_entry *ret, struct error *err)
{
	autofree char *series = repo_series(database);
	_cleanup_catalog_ struct catalog c = { 0 };
	const struct backup_entry *found = NULL;
	int64_t ignored;

	if (repo_id_time(operand, &ignored))
		return catalog_find(storage, database, operand, ret, err);
	if (!catalog_load(storage, &c, err))
		return false;
	for (size_t i = 0; i < c.len; i++) {
		const struct backup_entry *e = &c.items[i];

		if (!is_candidate(e, series, operand))
			continue;
		if (found && strcmp(found->manifest.label, e->manifest.label) != 0) {
			error_set(err, EXIT_USAGE, "'%s' is not clear: there are archives of several tables of this name", operand);
			error_detail(err, "Among them '%s' and '%s'.", found->manifest.label, e->manifest.label);
			return error_hint(err, "Name the schema, too, or give the id of the archive.");
		}
		found = e;
	}
	return found ? catalog_find(storage, database, found->id, ret, err) : not_found(storage, database, operand, err);
}

void archive_found_release(struct archive_found *a)
{
	backup_entry_release(&a->entry);
	archive_subject_release(&a->subject);
}

bool archive_find(struct storage *storage, const char *database, const char *operand, struct archive_found *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!find(storage, database, operand, &ret->entry, err))
		return false;
	if (!manifest_is_partition(&ret->entry.manifest)) {
		error_set(err, EXIT_NOT_FOUND, "'%s' is no archive of a partition", operand);
		return error_hint(err, "'dbops restore' restores backups.");
	}
	return backup_read_file(storage, &ret->entry, PARTITION_NAME, &text, err) &&
	       archive_record_parse(text.buf, text.len, &ret->subject, err);
}

/* --- restoring --------------------------------------------------------------------------------------------- */

bool archive_check_target(struct pg_conn *c, const struct archive_subject *s, struct error *err)
{
	const char *values[] = { s->schema, s->name };
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1),"
		" EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		"  WHERE n.nspname = $1 AND c.relname = $2)",
		2, values);

	if (!r)
		return false;
	if (!pg_bool(r, 0, 0)) {
		error_set(err, EXIT_NOT_FOUND, "there is no schema '%s' in database '%s'", s->schema, c->database);
		return error_hint(err, "Create it first: the table goes where it came from.");
	}
	if (!pg_bool(r, 0, 1))
		return true;
	error_set(err, EXIT_REFUSED, "'%s' exists already", s->shown);
	return error_hint(err, "Nothing is overwritten. Rename or drop what is there, or restore into another database.");
}

/* At least 2 when both things that e attaches to each other are in the archive; dependencies come several times. */
static unsigned count_sides(const struct toc *t, const struct toc_entry *e)
{
	bool table = strcmp(e->desc, "TABLE ATTACH") == 0;
	int first = 0;
	unsigned n = 0;

	for (size_t d = 0; d < e->n_deps; d++) {
		const struct toc_entry *on = toc_find(t, e->deps[d]);
		bool side = on && (strcmp(on->desc, "TABLE") == 0) == table && (table || strcmp(on->desc, "INDEX") == 0 || strcmp(on->desc, "CONSTRAINT") == 0);

		if (side && on->dump_id != first) {
			first = on->dump_id;
			n++;
		}
	}
	return n;
}

/* ATTACH of the archived table itself or of its indexes: its parent is not in the archive, and attaching is a step of its
 * own. Those of the partitions below it have both sides in the archive. */
static void leave_out_attach(struct restore_source *src)
{
	for (size_t i = 0; i < src->toc.len; i++) {
		const struct toc_entry *e = &src->toc.items[i];

		if (strcmp(e->desc, "TABLE ATTACH") == 0 || strcmp(e->desc, "INDEX ATTACH") == 0)
			src->selected[i] = src->selected[i] && count_sides(&src->toc, e) >= 2;
	}
}

static bool judge(const struct archive_found *a, const struct restore_result *r, struct error *err)
{
	if (!r->differences.len && !r->unchecked && r->rows == a->entry.manifest.rows)
		return true;
	error_set(err, EXIT_DAMAGED, "'%s' is there again, but it is not proven to be what was archived", a->subject.shown);
	if (r->differences.len)
		error_detail(err, "%s.", r->differences.items[0]);
	else
		error_detail(err, "%" PRId64 " of %" PRId64 " rows were loaded, %" PRId64 " tables could not be compared.", r->rows,
			a->entry.manifest.rows, r->unchecked);
	return error_hint(err, "It was not attached. Run 'dbops verify' on the archive.");
}

bool archive_restore(struct storage *storage, const struct archive_found *a, struct pg_conn *c, const struct restore_options *o,
	struct log *log, const struct cancel *cancel, struct restore_result *ret, struct error *err)
{
	_cleanup_source_ struct restore_source src = { 0 };

	if (!restore_open(&src, storage, &a->entry, NULL, o, err))
		return false;
	if (src.foreign) {
		error_set(err, EXIT_REFUSED, "archive '%s' has no fingerprints to prove it by", a->entry.id);
		return error_hint(err, "'dbops restore %s' leaves it to pg_restore.", a->entry.id);
	}
	leave_out_attach(&src);
	if (!restore_run(&src, c, o, log, cancel, ret, err))
		return error_hint(err, "Drop '%s' if it is there in part, then repeat.", a->subject.shown);
	return judge(a, ret, err);
}
