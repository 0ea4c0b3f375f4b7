/* SPDX-License-Identifier: PostgreSQL */
#include "verify_restore.h"

#include "clock.h"
#include "fs.h"
#include "proc.h"
#include "schema_compare.h"
#include "scratch.h"
#include "xalloc.h"

#define SCRATCH_DATABASE "verify"

/* The restored database, its WAL and the indexes being sorted; the source knew its size. */
static int64_t needed_bytes(const struct manifest *m)
{
	int64_t bytes = m->database_bytes < INT64_MAX / 4 ? m->database_bytes : INT64_MAX / 4;

	return bytes + bytes / 10 + (1LL << 30);
}

static bool extensions_available(const struct restore_source *src, struct pg_conn *c, struct error *err)
{
	_cleanup_strbuf_ struct strbuf missing = STRBUF_INIT;

	for (size_t i = 0; i < src->toc.len; i++) {
		const struct toc_entry *e = &src->toc.items[i];
		const char *values[] = { e->tag };

		if (strcmp(e->desc, "EXTENSION") != 0)
			continue;

		_cleanup_result_ PGresult *r = pg_query(
			c, err, "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = $1", 1, values);

		if (!r)
			return false;
		if (!PQntuples(r))
			strbuf_addf(&missing, "%s%s", missing.len ? ", " : "", e->tag);
	}
	if (!missing.len)
		return true;
	error_set(err, EXIT_UNAVAILABLE, "the restore cannot be proven on this machine");
	error_detail(err, "Extensions that are not installed here: %s. This says nothing about the backup.", missing.buf);
	return error_hint(err, "Install the packages of these extensions, or verify on a machine that has them.");
}

static struct pg_conn *create_database(struct scratch *scratch, const struct manifest *m, struct log *log,
	struct error *err)
{
	const struct scratch_database db = {
		.name = SCRATCH_DATABASE,
		.encoding = m->encoding,
		.collate = m->collate,
		.ctype = m->ctype,
		.icu_locale = m->icu_locale,
		.locale_provider = m->locale_provider ? m->locale_provider[0] : 'c',
	};
	_cleanup_conn_ struct pg_conn *c = scratch_create_database(scratch, &db, log, err);

	if (!c)
		return NULL;
	if (m->lc_monetary) {
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
		_cleanup_error_ struct error unknown = ERROR_INIT;

		/* money is written in it; a host without that locale shows it as C does */
		strbuf_adds(&sql, "ALTER DATABASE " SCRATCH_DATABASE " SET lc_monetary = ");
		pg_add_literal(&sql, m->lc_monetary);
		if (!pg_exec(c, &unknown, sql.buf))
			log_warning(log, "verify.locale", "%s", unknown.message);
	}
	return steal(c);
}

/* The end of the statement that begins at s: a semicolon outside quotes; NULL = none. */
static const char *statement_end(const char *s)
{
	bool quoted = false;

	for (; *s; s++) {
		quoted ^= *s == '"';
		if (*s == ';' && !quoted)
			return s;
	}
	return NULL;
}

/* Policies and user mappings name roles, which are the server's and not the database's. Of
 * globals.sql only CREATE ROLE is wanted here: no passwords, no attributes, no logins. */
static bool create_roles(struct storage *s, const struct backup_entry *e, struct pg_conn *c, struct error *err)
{
	static const char begin[] = "CREATE ROLE ";
	_cleanup_strbuf_ struct strbuf globals = STRBUF_INIT;

	if (!manifest_find_file(&e->manifest, "globals.sql"))
		return true;
	if (!backup_read_file(s, e, "globals.sql", &globals, err))
		return false;
	for (const char *p = globals.buf; p && *p;) {
		const char *end = strncmp(p, begin, sizeof(begin) - 1) == 0 ? statement_end(p) : NULL;

		if (end) {
			_cleanup_error_ struct error failed = ERROR_INIT;
			autofree char *sql = xstrndup(p, (size_t)(end - p));

			if (!pg_exec(c, &failed, sql) && strcmp(failed.sqlstate, "42710") != 0)
				return error_move(err, &failed);
			p = end;
		}
		p = strchr(p, '\n');
		p += p != NULL;
	}
	return true;
}

static void add_differences(const struct restore_result *r, struct verify_result *ret)
{
	for (size_t i = 0; i < r->differences.len; i++)
		verify_add_problem(ret, "", NULL, -1, r->differences.items[i]);
}

/* The scratch server takes whatever PostgreSQL takes: what it refuses is wrong with the backup. Lost
 * connections, full disks and stop requests are not. */
static bool is_backups_fault(const struct error *err)
{
	switch (err->code) {
	case EXIT_REFUSED:
	case EXIT_DAMAGED:
	case EXIT_NOT_FOUND:
	case EXIT_PERMISSION:
		return true;
	default:
		return false;
	}
}

static bool prove(struct restore_source *src, struct scratch *scratch, const struct restore_options *ro,
	struct log *log, const struct cancel *cancel, struct verify_result *ret, double *ret_restore_seconds,
	struct error *err)
{
	const struct manifest *m = &src->entry->manifest;
	_cleanup_conn_ struct pg_conn *c = create_database(scratch, m, log, err);
	_cleanup_restore_result_ struct restore_result result = { 0 };

	if (!c || !extensions_available(src, c, err) || !create_roles(src->storage, src->entry, c, err))
		return false;
	if (!restore_run(src, c, ro, log, cancel, &result, err)) {
		if (!is_backups_fault(err))
			return error_prefix(err, "the restore could not be proven");

		autofree char *what = xasprintf("it does not restore: %s%s%s", err->message, err->detail ? ": " : "",
			err->detail ? err->detail : "");

		verify_add_problem(ret, "", NULL, -1, what);
		error_release(err);
		return true;
	}
	*ret_restore_seconds = result.seconds - result.seconds_check;
	ret->rows = result.rows;
	ret->raw_bytes = result.raw_bytes;
	ret->files = result.tables;
	add_differences(&result, ret);
	if (strcmp(m->content, "data") == 0)
		return true;
	return schema_compare(src, c, scratch_tools(scratch), log, cancel, ret, err);
}

bool verify_restore(struct storage *s, const struct backup_entry *e, const struct verify_restore_options *o,
	struct log *log, const struct cancel *cancel, struct verify_result *ret, double *ret_restore_seconds,
	struct error *err)
{
	const struct manifest *m = &e->manifest;
	const struct scratch_options so = {
		.bindir = o->bindir,
		.major = (int)(m->server_version_num / 10000),
		.run_as = o->run_as,
		.dir = o->dir,
		.needed_bytes = needed_bytes(m),
		.jobs = o->jobs,
		.keep = o->keep,
	};
	double started = clock_monotonic();
	struct restore_options ro = { .jobs = o->jobs, .bindir = o->bindir, .no_owner = true, .no_privileges = true,
		.no_tablespaces = true, .no_subscriptions = true,
		.schema_only = strcmp(m->content, "schema") == 0 };
	_cleanup_source_ struct restore_source src = { 0 };

	*ret = (struct verify_result){ 0 };
	*ret_restore_seconds = 0;
	if (strcmp(m->content, "data") == 0) {
		error_set(err, EXIT_USAGE, "backup \"%s\" has rows without definitions: it cannot be restored alone", m->id);
		return error_hint(err, "Use the default depth of \"dbops verify\" for it.");
	}
	if (!restore_open(&src, s, e, NULL, &ro, err))
		return false;

	_cleanup_scratch_ struct scratch *scratch = scratch_start(&so, log, cancel, err);
	bool ok = scratch && prove(&src, scratch, &ro, log, cancel, ret, ret_restore_seconds, err);

	ret->seconds = clock_monotonic() - started;
	return ok;
}
