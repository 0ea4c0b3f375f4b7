/* SPDX-License-Identifier: PostgreSQL */
#include "generic_plan.h"

#include <inttypes.h>
#include <string.h>

#define PREPARED "dbops_explain"

void generic_plan_release(struct generic_plan *p)
{
	strvec_release(&p->lines);
	free(p->search_path);
	p->search_path = NULL;
}

/* Row security and what planning evaluates are then those of the role, and not a superuser's. */
static bool become(struct inspector *in, int64_t userid, const char *role, bool *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	_cleanup_result_ PGresult *r = NULL;

	strbuf_addf(&sql, "SELECT pg_catalog.pg_has_role(r.oid, '%s') FROM pg_catalog.pg_roles r WHERE r.oid = %" PRId64,
		in->conn->version >= 160000 ? "SET" : "MEMBER", userid);
	r = pg_query(in->conn, err, sql.buf, 0, NULL);
	if (!r)
		return false;
	*ret = PQntuples(r) > 0 && pg_bool(r, 0, 0);
	if (!*ret)
		return true;
	strbuf_reset(&sql);
	strbuf_adds(&sql, "SET LOCAL ROLE ");
	pg_add_ident(&sql, role);
	return pg_exec(in->conn, err, sql.buf);
}

/* The planner runs functions that are not volatile, and they can undo SET ROLE: a function of somebody else would have our
 * rights. Those of superusers, and our own, have them anyway. */
static bool runs_only_trusted_code(struct inspector *in, const char *role, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	if (!in->probe.is_superuser && strcmp(role, in->probe.session_user) == 0)
		return true; /* it runs them all the time */

	_cleanup_result_ PGresult *r = pg_query(in->conn, err,
		"SELECT n.nspname, p.proname, o.rolname"
		" FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
		" LEFT JOIN pg_catalog.pg_roles o ON o.oid = p.proowner"
		" WHERE p.provolatile <> 'v' AND o.rolsuper IS NOT TRUE AND o.rolname IS DISTINCT FROM session_user LIMIT 1", 0, NULL);

	if (!r || !PQntuples(r))
		return r;
	pg_add_display_name(&name, pg_value(r, 0, 0), pg_value(r, 0, 1));
	error_set(err, EXIT_REFUSED, "planning it could run functions of other roles, such as %s of role %s, with the rights of %s", name.buf,
		pg_value(r, 0, 2), in->probe.session_user);
	return error_hint(err, "The planner runs functions that are not volatile. Connect as the statement's role: -U '%s'", role);
}

/* "EXPLAIN EXECUTE dbops_explain(NULL, NULL)" */
static PGresult *explain_execute(struct inspector *in, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	_cleanup_result_ PGresult *r = pg_query(in->conn, err,
		"SELECT pg_catalog.cardinality(parameter_types) FROM pg_catalog.pg_prepared_statements WHERE name = '" PREPARED "'", 0, NULL);
	int64_t n = r && PQntuples(r) ? pg_int(r, 0, 0) : 0;

	if (!r)
		return NULL;
	strbuf_adds(&sql, "EXPLAIN EXECUTE " PREPARED);
	for (int64_t i = 0; i < n; i++)
		strbuf_adds(&sql, i ? ", NULL" : "(NULL");
	strbuf_adds(&sql, n ? ")" : "");
	return pg_query(in->conn, err, sql.buf, 0, NULL);
}

/* A prepared statement outlives the transaction, so it goes before its end, also after a failure. */
static PGresult *explain_prepared(struct inspector *in, const char *text, struct error *err)
{
	autofree char *sql = xasprintf("PREPARE " PREPARED " AS %s", text);
	_cleanup_result_ PGresult *prepared = pg_query(in->conn, err, sql, 0, NULL);
	PGresult *plan;

	if (!prepared || !pg_exec(in->conn, err, "SET LOCAL plan_cache_mode = force_generic_plan; SAVEPOINT dbops_explain"))
		return NULL;
	plan = explain_execute(in, err);
	pg_exec(in->conn, NULL, "ROLLBACK TO SAVEPOINT dbops_explain; DEALLOCATE " PREPARED);
	return plan;
}

static bool plan_in_transaction(struct inspector *in, const char *text, int64_t userid, const char *role, struct generic_plan *ret,
	struct error *err)
{
	if (!pg_execf(in->conn, err, "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = %" PRId64 "; SET LOCAL lock_timeout = %" PRId64,
		    in->statement_timeout, in->lock_timeout) ||
		!runs_only_trusted_code(in, role, err) || !become(in, userid, role, &ret->as_role, err))
		return false;
	ret->search_path = pg_query_value(in->conn, err, "SELECT pg_catalog.current_setting('search_path')");
	if (!ret->search_path)
		return false;

	_cleanup_result_ PGresult *r = explain_prepared(in, text, err);

	if (!r)
		return error_prefix(err, "the statement cannot be planned");
	for (int i = 0; i < PQntuples(r); i++)
		strvec_push(&ret->lines, pg_value(r, i, 0));
	return true;
}

bool generic_plan(struct inspector *in, const char *text, int64_t userid, const char *role, struct generic_plan *ret,
	struct error *err)
{
	bool ok = plan_in_transaction(in, text, userid, role, ret, err);

	pg_exec(in->conn, NULL, "ROLLBACK");
	return ok;
}
