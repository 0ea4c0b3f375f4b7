/* SPDX-License-Identifier: PostgreSQL */
#include "pgss.h"

#include <inttypes.h>
#include <string.h>

#define NAME "pg_stat_statements"

void pgss_release(struct pgss *p)
{
	free(p->problem);
	free(p->cure);
	free(p->text_problem);
	free(p->track);
	*p = (struct pgss){ 0 };
}

int pgss_version(const char *text)
{
	char *end;
	long major = strtol(text, &end, 10), minor;

	if (end == text || *end != '.' || major < 0 || major > 99)
		return 0;
	text = end + 1;
	minor = strtol(text, &end, 10);
	return end == text || minor < 0 || minor > 99 ? 0 : (int)(major * 100 + minor);
}

static void add_function(struct strbuf *sql, const struct extension *e, const char *name)
{
	pg_add_qualified(sql, e->schema, name);
}

static void add_from(struct strbuf *sql, const struct extension *e, bool with_text)
{
	strbuf_adds(sql, "  FROM ");
	add_function(sql, e, NAME);
	strbuf_addf(sql, "(%s) s\n", with_text ? "true" : "false");
}

/* Rows, whole view, settings. */
static void add_sql(struct strbuf *sql, const struct extension *e, int version, bool with_text)
{
	strbuf_adds(sql, "SELECT s.*, d.datname AS dbops_database, pg_catalog.pg_get_userbyid(s.userid) AS dbops_role,\n"
			 "       d.datname IS NOT DISTINCT FROM pg_catalog.current_database() AS dbops_here");
	if (version >= 111)
		strbuf_adds(sql, ",\n       (EXTRACT(epoch FROM s.stats_since) * 1000000)::int8 AS dbops_since");
	strbuf_addch(sql, '\n');
	add_from(sql, e, with_text);
	strbuf_adds(sql, "  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid;\n");
	if (version >= 109) {
		strbuf_adds(sql, "SELECT dealloc, (EXTRACT(epoch FROM stats_reset) * 1000000)::int8 AS reset_us FROM ");
		add_function(sql, e, NAME "_info");
		strbuf_adds(sql, "();\n");
	} else {
		strbuf_adds(sql, "SELECT NULL AS dealloc, NULL AS reset_us;\n");
	}
}

static char *copy(const PGresult *r, const char *name)
{
	const char *value = pg_text(r, 0, PQfnumber(r, name));

	return value ? xstrdup(value) : NULL;
}

static bool problem(struct pgss *p, const char *text)
{
	p->problem = xstrdup(text);
	return true;
}

void pgss_add_preload(struct strbuf *out, const char *now)
{
	strbuf_adds(out, "ALTER SYSTEM SET shared_preload_libraries = ");
	for (const char *s = now ? now : ""; *s;) {
		size_t blank = strspn(s, " ,\""), len = strcspn(s + blank, ",\"");
		autofree char *library = xstrndup(s + blank, len);

		for (size_t i = len; i-- > 0 && library[i] == ' ';)
			library[i] = '\0';
		/* each is a literal of its own: 'a, b' would be one library called "a, b" */
		if (len) {
			pg_add_literal(out, library);
			strbuf_adds(out, ", ");
		}
		s += blank + len;
	}
	strbuf_adds(out, "'" NAME "'; -- then restart the server");
}

static void not_loaded(struct pgss *p, const PGresult *settings)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	const char *now = pg_text(settings, 0, PQfnumber(settings, "preload"));

	if (!now)
		strbuf_adds(&sql, "-- as a superuser: add " NAME " to shared_preload_libraries and restart the server");
	else
		pgss_add_preload(&sql, now);
	p->cure = strbuf_detach(&sql);
}

/* The first of a few other databases that has the extension; NULL = none that we may look into. */
static char *find_elsewhere(struct inspector *in)
{
	_cleanup_result_ PGresult *names = inspector_query(in, sql_databases, NULL);

	for (int i = 0; names && i < PQntuples(names); i++) {
		_cleanup_conn_ struct pg_conn *c = pg_clone(in->conn, pg_value(names, i, 0), NULL, NULL);
		_cleanup_result_ PGresult *r = !c ? NULL : pg_query(c, NULL,
			"SELECT 1 FROM pg_catalog.pg_extension WHERE extname = '" NAME "'", 0, NULL);

		if (r && PQntuples(r))
			return xstrdup(pg_value(names, i, 0));
	}
	return NULL;
}

static bool not_created(struct inspector *in, struct pgss *p, struct error *err)
{
	_cleanup_result_ PGresult *settings = inspector_query(in, sql_statement_settings, err);

	if (!settings)
		return false;

	bool loaded = !pg_is_null(settings, 0, PQfnumber(settings, "track"));
	autofree char *elsewhere = loaded ? find_elsewhere(in) : NULL;

	if (!loaded) {
		not_loaded(p, settings);
		p->problem = xasprintf(NAME " is not loaded into the server, and not created in database \"%s\"", in->conn->database);
		return true;
	}
	p->cure = xstrdup(in->probe.in_recovery ? "CREATE EXTENSION " NAME "; -- on the primary" : "CREATE EXTENSION " NAME ";");
	p->problem = !elsewhere ? xasprintf(NAME " is not created in database \"%s\"", in->conn->database) :
		xasprintf(NAME " is not created in database \"%s\", but in \"%s\": connected there, --all-databases shows all",
			in->conn->database, elsewhere);
	return true;
}

static void no_privilege(struct inspector *in, const struct extension *e, struct pgss *p)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "GRANT USAGE ON SCHEMA ");
	pg_add_ident(&sql, e->schema);
	strbuf_adds(&sql, " TO ");
	pg_add_ident(&sql, in->probe.current_user);
	strbuf_adds(&sql, "; GRANT EXECUTE ON FUNCTION ");
	add_function(&sql, e, NAME);
	strbuf_adds(&sql, "(boolean)");
	if (pgss_version(e->version) >= 109) {
		strbuf_adds(&sql, ", ");
		add_function(&sql, e, NAME "_info");
		strbuf_adds(&sql, "()");
	}
	strbuf_adds(&sql, " TO ");
	pg_add_ident(&sql, in->probe.current_user);
	strbuf_addch(&sql, ';');
	p->cure = strbuf_detach(&sql);
	problem(p, "this role may not read " NAME);
}

/* A text is not valid in this database's encoding, or cannot be converted to it: then the function gives no row at all. */
static bool is_about_text(const struct error *err)
{
	return strcmp(err->sqlstate, "22021") == 0 || strcmp(err->sqlstate, "22P05") == 0;
}

static void note_text_problem(struct pgss *p, struct error *err)
{
	free(p->text_problem);
	p->text_problem = xasprintf("the server cannot read them: %s", err->message);
	error_release(err);
}

/* A failure that has a name; false = it is another one. */
static bool explain_failure(struct inspector *in, const struct extension *e, struct pgss *p, struct error *err)
{
	if (strcmp(err->sqlstate, "42501") == 0) {
		error_release(err);
		no_privilege(in, e, p);
		return true;
	}
	if (strcmp(err->sqlstate, "55000") != 0)
		return false;
	error_release(err);

	_cleanup_result_ PGresult *settings = inspector_query(in, sql_statement_settings, err);

	if (!settings)
		return false;
	not_loaded(p, settings);
	return problem(p, NAME " is created, but not loaded into the server");
}

static bool too_old(struct pgss *p, const struct extension *e)
{
	p->problem = xasprintf(NAME " is of version %s, older than 1.2", e->version);
	p->cure = xstrdup("ALTER EXTENSION " NAME " UPDATE;");
	return true;
}

static void read_settings(struct pgss *p, const PGresult *r)
{
	autofree char *planning = copy(r, "track_planning");

	p->track = copy(r, "track");
	p->track_planning = planning && strcmp(planning, "on") == 0;
	p->entries_max = pg_int(r, 0, PQfnumber(r, "entries_max"));
}

static bool ask(struct inspector *in, const struct extension *e, int version, bool with_text, PGresult *ret[3], struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	add_sql(&sql, e, version, with_text);
	strbuf_adds(&sql, sql_statement_settings);
	return inspector_batch_as_is(in, sql.buf, ret, 3, err);
}

bool pgss_read(struct inspector *in, bool with_text, struct pgss *ret, struct statements *statements, struct error *err)
{
	const struct extension *e = probe_extension(&in->probe, NAME);
	_cleanup_error_ struct error why = ERROR_INIT;
	PGresult *r[3];
	bool ok;

	*ret = (struct pgss){ .version = e ? pgss_version(e->version) : 0 };
	*statements = (struct statements){ 0 };
	if (!e)
		return not_created(in, ret, err);
	if (ret->version < 102)
		return too_old(ret, e);
	ok = ask(in, e, ret->version, with_text, r, &why);
	if (!ok && with_text && is_about_text(&why)) {
		note_text_problem(ret, &why);
		ok = ask(in, e, ret->version, false, r, &why);
	}
	if (!ok)
		return explain_failure(in, e, ret, &why) || error_move(err, &why);
	statements_read(statements, r[0], r[1]);
	read_settings(ret, r[2]);
	for (size_t i = 0; i < 3; i++)
		PQclear(r[i]);
	return true;
}

static struct statement *find(struct statements *s, int64_t userid, int64_t dbid, int64_t query_id)
{
	for (size_t i = 0; i < s->items.len; i++) {
		struct statement *item = &s->items.items[i];

		if (item->query_id == query_id && item->userid == userid && item->dbid == dbid && !item->hidden && !item->text)
			return item;
	}
	return NULL;
}

static void take_texts(struct statements *s, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++) {
		struct statement *item = find(s, pg_int(r, i, 0), pg_int(r, i, 1), pg_int(r, i, 2));
		const char *text = pg_text(r, i, 3);

		if (item && text)
			item->text = xstrdup(text);
	}
}

bool pgss_read_texts(struct inspector *in, struct pgss *p, struct statements *s, struct error *err)
{
	const struct extension *e = probe_extension(&in->probe, NAME);
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	_cleanup_error_ struct error why = ERROR_INIT;
	PGresult *r;
	bool any = false;

	strbuf_adds(&sql, "SELECT s.userid, s.dbid, s.queryid, s.query\n");
	add_from(&sql, e, true);
	strbuf_adds(&sql, " WHERE (s.userid, s.dbid, s.queryid) IN (");
	for (size_t i = 0; i < s->items.len; i++) {
		const struct statement *item = &s->items.items[i];

		if (item->hidden || item->text)
			continue;
		strbuf_addf(&sql, "%s(%" PRId64 "::oid, %" PRId64 "::oid, '%" PRId64 "'::int8)", any ? ", " : "", item->userid,
			item->dbid, item->query_id);
		any = true;
	}
	strbuf_adds(&sql, ")");
	if (!any || p->text_problem)
		return true;
	if (inspector_batch_as_is(in, sql.buf, &r, 1, &why)) {
		take_texts(s, r);
		PQclear(r);
		return true;
	}
	if (!is_about_text(&why))
		return error_move(err, &why) || error_prefix(err, "reading the texts of statements");
	note_text_problem(p, &why);
	return true;
}
