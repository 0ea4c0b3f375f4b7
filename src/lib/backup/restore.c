/* SPDX-License-Identifier: PostgreSQL */
#include "restore.h"

#include <inttypes.h>
#include "clock.h"
#include "compare.h"
#include "fs.h"
#include "load.h"
#include "restore_drop.h"
#include "restore_tool.h"
#include "verify.h"
#include "xalloc.h"

void restore_result_release(struct restore_result *r)
{
	strvec_release(&r->differences);
	*r = (struct restore_result){ 0 };
}

bool restore_count_relations(struct pg_conn *c, int64_t *ret_relations, struct error *err)
{
	autofree char *n = pg_query_value(c, err,
		"SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
		" AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = c.oid"
		" AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)");

	if (!n)
		return false;
	*ret_relations = strtoll(n, NULL, 10);
	return true;
}

/* What stands behind the name in pg_dump's "CREATE DATABASE name WITH …;", or NULL. */
static char *database_options(const struct restore_source *src)
{
	for (size_t i = 0; i < src->toc.len; i++) {
		const struct toc_entry *e = &src->toc.items[i];
		_cleanup_strbuf_ struct strbuf head = STRBUF_INIT;
		const char *with;

		if (strcmp(e->desc, "DATABASE") != 0 || !e->defn || !(with = strstr(e->defn, " WITH TEMPLATE = template0")))
			continue;
		strbuf_adds(&head, with);
		strbuf_trim(&head);
		if (head.len && head.buf[head.len - 1] == ';')
			strbuf_setlen(&head, head.len - 1);
		return strbuf_detach(&head);
	}
	return NULL;
}

bool restore_create_database(struct pg_conn *c, const char *name, const struct restore_source *src, struct log *log,
	struct error *err)
{
	autofree char *options = database_options(src);
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	_cleanup_error_ struct error failed = ERROR_INIT;

	strbuf_adds(&sql, "CREATE DATABASE ");
	pg_add_ident(&sql, name);

	size_t bare = sql.len;

	if (options) {
		strbuf_addf(&sql, " %s", options);
		if (pg_exec(c, &failed, sql.buf))
			return true;
		if (strcmp(failed.sqlstate, "42P04") == 0 || failed.code == EXIT_PERMISSION)
			return error_move(err, &failed);
		log_warning(log, "restore.locale", "the server does not know the source's locale: %s", failed.message);
		strbuf_setlen(&sql, bare);
	}
	strbuf_adds(&sql, " TEMPLATE template0");
	if (src->toc.encoding) {
		strbuf_adds(&sql, " ENCODING ");
		pg_add_literal(&sql, src->toc.encoding);
	}
	return pg_exec(c, err, sql.buf);
}

/* Rows that were there before a --data-only restore make a table incomparable. */
static bool find_filled_tables(struct restore_source *src, struct pg_conn *c, struct strvec *ret, struct error *err)
{
	for (size_t i = 0; i < src->toc.len; i++) {
		const struct toc_entry *e = &src->toc.items[i];

		if (!toc_is_table_data(e) || !src->selected[i])
			continue;

		autofree char *relation = toc_copy_relation(e->copy_stmt);
		autofree char *sql = xasprintf("SELECT EXISTS (SELECT FROM %s)", relation);
		autofree char *filled = pg_query_value(c, err, sql);

		if (!filled)
			return false;
		if (filled[0] == 't')
			strvec_push(ret, relation);
	}
	return true;
}

struct phases {
	struct restore_source *src;
	struct pg_conn *c;
	const struct restore_options *o;
	struct log *log;
	const struct cancel *cancel;
	struct restore_result *ret;
	struct strvec filled;
};

static bool run_tool(struct phases *p, const char *section, bool without_table_data, int64_t jobs, struct error *err)
{
	const struct restore_part part = { section, without_table_data, jobs };

	return restore_tool_run(p->src, p->c, p->o, &part, p->log, p->cancel, err);
}

/* Nothing of a live database is dropped for a backup that cannot replace it. */
static bool prove_before_drop(struct phases *p, struct error *err)
{
	_cleanup_verify_ struct verify_result found = { 0 };

	if (p->o->no_verify || !p->src->entry)
		return true;
	log_info(p->log, "restore.verify", "proving the backup before anything is dropped");
	if (!verify_full(p->src->storage, p->src->entry, p->o->jobs, p->log, p->cancel, &found, err))
		return false;
	if (!found.problems.len)
		return true;
	error_set(err, EXIT_DAMAGED, "backup \"%s\" is damaged: nothing was dropped", p->src->entry->manifest.id);
	error_detail(err, "%zu problems; first: file \"%s\": %s.", found.problems.len, found.problems.items[0].file,
		found.problems.items[0].what);
	return error_hint(err, "Choose another backup; \"dbops verify\" names all problems of this one.");
}

static bool clean(struct phases *p, struct error *err)
{
	return prove_before_drop(p, err) && restore_drop(p->src, p->c, p->o->if_exists, err);
}

static const char *existence_query(const char *desc)
{
	if (strcmp(desc, "SCHEMA") == 0)
		return "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1 AND $2 = '')";
	if (strcmp(desc, "TYPE") == 0 || strcmp(desc, "DOMAIN") == 0)
		return "SELECT pg_catalog.to_regtype(pg_catalog.format('%I.%I', $2::text, $1::text)) IS NOT NULL";
	if (strcmp(desc, "FUNCTION") == 0 || strcmp(desc, "PROCEDURE") == 0 || strcmp(desc, "AGGREGATE") == 0)
		return "SELECT pg_catalog.to_regprocedure(pg_catalog.quote_ident($2) || '.' || $1) IS NOT NULL";
	return NULL;
}

/* Asks the server whether an object of the archive is there already. */
static bool exists(struct pg_conn *c, const struct toc_entry *e, bool *ret, struct error *err)
{
	const char *values[] = { e->tag, e->schema ? e->schema : "" };
	const char *sql = existence_query(e->desc);

	*ret = false;
	if (!sql)
		return true;

	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 2, values);

	*ret = r && pg_bool(r, 0, 0);
	return r != NULL;
}

/* A selection meets a database that has the schema, type or function it needs: those stay as they
 * are. */
static bool keep_existing(struct phases *p, struct error *err)
{
	const struct toc *t = &p->src->toc;

	for (size_t i = 0; p->src->companion && i < t->len; i++) {
		bool schema = strcmp(t->items[i].desc, "SCHEMA") == 0, there = false;

		if (!p->src->selected[i] || !(p->src->companion[i] || schema))
			continue;
		if (!exists(p->c, &t->items[i], &there, err))
			return false;
		if (there)
			p->src->selected[i] = false;
	}
	return true;
}

static bool definitions(struct phases *p, struct error *err)
{
	double before = clock_monotonic();

	if (p->o->data_only)
		return p->o->no_check || find_filled_tables(p->src, p->c, &p->filled, err);
	if ((p->o->clean && !clean(p, err)) || !keep_existing(p, err))
		return false;
	log_info(p->log, "restore.definitions", "creating the definitions");

	bool ok = run_tool(p, "pre-data", true, 1, err);

	p->ret->seconds_pre = clock_monotonic() - before;
	return ok;
}

static bool rows(struct phases *p, struct error *err)
{
	double before = clock_monotonic();

	if (p->o->schema_only)
		return true;
	log_info(p->log, "restore.rows", "loading the rows with %" PRId64 " connections", p->o->jobs);

	bool ok = load_rows(p->src, p->c, p->o, p->log, p->cancel, p->ret, err) &&
		  /* --data-only also creates large objects, which up to 1.15 belong to pre-data */
		  run_tool(p, p->o->data_only ? NULL : "data", true, 1, err);

	p->ret->seconds_data = clock_monotonic() - before;
	return ok;
}

static bool indexes(struct phases *p, struct error *err)
{
	double before = clock_monotonic();

	if (p->o->data_only)
		return true;
	log_info(p->log, "restore.indexes", "building indexes and constraints");

	bool ok = run_tool(p, "post-data", true, p->o->jobs, err);

	p->ret->seconds_post = clock_monotonic() - before;
	return ok;
}

static bool check(struct phases *p, struct error *err)
{
	double before = clock_monotonic();

	if (p->o->schema_only || p->o->no_check)
		return true;
	log_info(p->log, "restore.check", "reading the rows back");

	bool ok = compare_rows(p->src, p->c, p->o, p->o->data_only ? &p->filled : NULL, p->log, p->cancel, p->ret, err);

	p->ret->seconds_check = clock_monotonic() - before;
	return ok;
}

/* Says how far it came: nothing was undone. */
static bool tell_progress(const struct phases *p, const char *where, struct error *err)
{
	autofree char *detail = steal(err->detail);

	error_detail(err, "%s%sStopped while %s; done before: %s%" PRId64 " tables with %" PRId64 " rows. Nothing was undone.",
		detail ? detail : "", detail ? "\n" : "", where,
		p->ret->seconds_pre > 0 && strcmp(where, "creating the definitions") != 0 ? "the definitions, " : "",
		p->ret->tables, p->ret->rows);
	return false;
}

static bool run_phases(struct phases *p, struct error *err)
{
	if (!definitions(p, err))
		return tell_progress(p, "creating the definitions", err);
	if (!rows(p, err))
		return tell_progress(p, "loading the rows", err);
	if (!indexes(p, err))
		return tell_progress(p, "building indexes and constraints", err);
	return check(p, err) || tell_progress(p, "reading the rows back", err);
}

/* Everything by pg_restore, in one run. */
static bool run_foreign(struct phases *p, struct error *err)
{
	const struct restore_options *o = p->o;

	log_info(p->log, "restore.foreign", "pg_restore does the whole restore: this archive has no row counts to check");
	if (o->clean && p->src->selected && !o->data_only && !clean(p, err))
		return false;
	return run_tool(p, NULL, false, o->jobs, err);
}

bool restore_run(struct restore_source *src, struct pg_conn *c, const struct restore_options *o, struct log *log,
	const struct cancel *cancel, struct restore_result *ret, struct error *err)
{
	struct phases p = { src, c, o, log, cancel, ret, { 0 } };
	double started = clock_monotonic();

	*ret = (struct restore_result){ 0 };

	bool ok = src->foreign ? run_foreign(&p, err) : run_phases(&p, err);

	ret->seconds = clock_monotonic() - started;
	strvec_release(&p.filled);
	return ok;
}
