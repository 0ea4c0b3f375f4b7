/* SPDX-License-Identifier: PostgreSQL */
/* Who else looks after partitions here, and whether that works: jobs of pg_cron, sets of pg_partman, plain inheritance. */
#include "check.h"

/* --- pg_cron ------------------------------------------------------------------------------------------------- */

/* A schedule proves nothing: what counts is the last run that came to an end. Other jobs are none of our business. */
static const char cron_sql[] =
	"SELECT coalesce(j.jobname, 'job ' || j.jobid), j.jobid, j.active, d.status, d.return_message, d.end_time::text,"
	" (SELECT count(*) FROM cron.job_run_details f WHERE f.jobid = j.jobid AND f.status = 'failed' AND f.runid >"
	"  coalesce((SELECT max(s.runid) FROM cron.job_run_details s WHERE s.jobid = j.jobid AND s.status = 'succeeded'), 0))"
	" FROM cron.job j"
	" LEFT JOIN LATERAL (SELECT r.* FROM cron.job_run_details r WHERE r.jobid = j.jobid AND r.status IN ('succeeded', 'failed')"
	"  ORDER BY r.runid DESC LIMIT 1) d ON true"
	" WHERE j.database = pg_catalog.current_database()"
	" AND j.command ~* 'partition|partman|retention|archiv|attach|detach'"
	" ORDER BY j.jobid";

static void job_failing(const PGresult *r, int i, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf evidence = STRBUF_INIT;
	struct json j = JSON_INIT(&evidence, 0);
	struct finding *f = answer_finding(a, &(struct finding){ .id = "partitions.job_failing", .severity = SEVERITY_WARNING });

	jsonw_object_begin(&j, NULL);
	jsonw_int_string(&j, "job", (uint64_t)pg_int(r, i, 1));
	jsonw_string(&j, "message", pg_text(r, i, 4));
	jsonw_string(&j, "ended", pg_text(r, i, 5));
	jsonw_int(&j, "failures", pg_int(r, i, 6));
	jsonw_object_end(&j);
	f->object = xasprintf("pg_cron %s", pg_value(r, i, 0));
	f->message = xasprintf("its last run failed (%s failures in a row): %s", pg_value(r, i, 6), pg_value(r, i, 4));
	f->evidence = strbuf_detach(&evidence);
}

static void job_inactive(const PGresult *r, int i, struct answer *a)
{
	struct finding *f = answer_finding(a, &(struct finding){ .id = "partitions.job_inactive", .severity = SEVERITY_WARNING });

	f->object = xasprintf("pg_cron %s", pg_value(r, i, 0));
	f->message = xstrdup("it is switched off");
	f->fix = xasprintf("SELECT cron.alter_job(%s, active => true);", pg_value(r, i, 1));
	f->undo = xasprintf("SELECT cron.alter_job(%s, active => false);", pg_value(r, i, 1));
}

static void job_not_run(const PGresult *r, int i, struct answer *a)
{
	struct finding *f = answer_finding(a, &(struct finding){ .id = "partitions.job_not_run", .severity = SEVERITY_INFO });

	f->object = xasprintf("pg_cron %s", pg_value(r, i, 0));
	f->message = xstrdup("no run of it is recorded");
}

static void judge_jobs(const PGresult *r, struct answer *a)
{
	for (int i = 0; i < PQntuples(r); i++) {
		if (!pg_bool(r, i, 2))
			job_inactive(r, i, a);
		else if (pg_is_null(r, i, 3))
			job_not_run(r, i, a);
		else if (strcmp(pg_value(r, i, 3), "failed") == 0)
			job_failing(r, i, a);
	}
}

/* What the extension's own tables do not let us see is a gap; anything else is a failure. */
static bool gap_or_failure(struct answer *a, const char *what, const char *grant, struct error *failed, struct error *err)
{
	if (strcmp(failed->sqlstate, "42501") == 0)
		answer_gap(a, true, what, "this role may not read its tables", grant);
	else if (strcmp(failed->sqlstate, "55P03") == 0)
		answer_gap(a, true, what, "its tables are locked by another session", NULL);
	else if (failed->sqlstate[0] == '4' && failed->sqlstate[1] == '2') /* a version whose tables look otherwise */
		answer_gap(a, false, what, "this version of the extension has no such tables", NULL);
	else
		return error_move(err, failed);
	return true;
}

static bool check_cron(struct inspector *in, struct answer *a, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf grant = STRBUF_INIT;

	if (!probe_extension(&in->probe, "pg_cron"))
		return true;

	_cleanup_result_ PGresult *r = check_ask(in, cron_sql, in->statement_timeout, false, &failed);

	strbuf_adds(&grant, "GRANT USAGE ON SCHEMA cron TO ");
	pg_add_ident(&grant, in->probe.current_user);
	strbuf_adds(&grant, "; GRANT SELECT ON cron.job, cron.job_run_details TO ");
	pg_add_ident(&grant, in->probe.current_user);
	strbuf_addch(&grant, ';');
	if (!r)
		return gap_or_failure(a, "jobs of pg_cron", grant.buf, &failed, err);
	judge_jobs(r, a);
	if (!in->probe.is_superuser)
		answer_gap(a, false, "jobs of pg_cron", "its policies show a role its own jobs only", NULL);
	return true;
}

/* --- pg_partman ---------------------------------------------------------------------------------------------- */

static char *partman_query(const struct extension *e)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "SELECT s.parent_table, s.premake, s.automatic_maintenance, pg_catalog.to_regclass(s.parent_table)::oid FROM ");
	pg_add_qualified(&sql, e->schema, "part_config");
	strbuf_adds(&sql, " s ORDER BY s.parent_table");
	return strbuf_detach(&sql);
}

static struct finding *partman_finding(struct answer *a, const char *id, const PGresult *r, int i)
{
	struct finding *f = answer_finding(a, &(struct finding){ .id = id, .severity = SEVERITY_WARNING });

	f->object = xstrdup(pg_value(r, i, 0));
	return f;
}

static void partman_orphan(const struct extension *e, const PGresult *r, int i, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f = partman_finding(a, "partitions.partman_orphan", r, i);

	strbuf_adds(&sql, "DELETE FROM ");
	pg_add_qualified(&sql, e->schema, "part_config");
	strbuf_adds(&sql, " WHERE parent_table = ");
	pg_add_literal(&sql, pg_value(r, i, 0));
	strbuf_addch(&sql, ';');
	f->message = xstrdup("pg_partman is to maintain it, but there is no such table");
	f->fix = strbuf_detach(&sql);
}

static int64_t partitions_ahead(const struct check *c, const struct partition *parent, int64_t now)
{
	int64_t n = 0, from, to;

	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p))
		n += !p->detach_pending && partition_span(parent, p, c->options.epoch, &from, &to) && from > now;
	return n;
}

static void partman_behind(const struct check *c, const struct extension *e, const PGresult *r, int i, struct answer *a)
{
	const struct partition *parent = check_find(c, (uint32_t)pg_int(r, i, 3));
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f;
	int64_t now, ahead;

	if (!parent || !check_key_now(c, parent, &now))
		return;
	ahead = partitions_ahead(c, parent, now);
	if (ahead >= pg_int(r, i, 1))
		return;
	f = partman_finding(a, "partitions.partman_behind", r, i);
	f->message = xasprintf("pg_partman is to keep %s partitions ahead, there %s %lld: its maintenance has not done that", pg_value(r, i, 1),
		ahead == 1 ? "is" : "are", (long long)ahead);
	strbuf_adds(&sql, "SELECT ");
	pg_add_qualified(&sql, e->schema, "run_maintenance");
	strbuf_addch(&sql, '(');
	pg_add_literal(&sql, pg_value(r, i, 0));
	strbuf_adds(&sql, ");");
	f->fix = strbuf_detach(&sql);
}

static bool check_partman(struct inspector *in, const struct check *c, struct answer *a, struct error *err)
{
	const struct extension *e = probe_extension(&in->probe, "pg_partman");
	_cleanup_error_ struct error failed = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf grant = STRBUF_INIT;

	if (!e)
		return true;

	autofree char *sql = partman_query(e);
	_cleanup_result_ PGresult *r = check_ask(in, sql, in->statement_timeout, false, &failed);

	strbuf_adds(&grant, "GRANT USAGE ON SCHEMA ");
	pg_add_ident(&grant, e->schema);
	strbuf_adds(&grant, " TO ");
	pg_add_ident(&grant, in->probe.current_user);
	strbuf_adds(&grant, "; GRANT SELECT ON ");
	pg_add_qualified(&grant, e->schema, "part_config");
	strbuf_adds(&grant, " TO ");
	pg_add_ident(&grant, in->probe.current_user);
	strbuf_addch(&grant, ';');
	if (!r)
		return gap_or_failure(a, "sets of pg_partman", grant.buf, &failed, err);
	for (int i = 0; i < PQntuples(r); i++) {
		if (pg_is_null(r, i, 3) && c->whole_database)
			partman_orphan(e, r, i, a);
		else if (strcmp(pg_value(r, i, 2), "on") == 0)
			partman_behind(c, e, r, i, a);
	}
	return true;
}

/* --- inheritance --------------------------------------------------------------------------------------------- */

static bool check_inherited(struct inspector *in, struct answer *a, struct error *err)
{
	_cleanup_result_ PGresult *r = inspector_query(in, sql_inherited_tables, err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		bool hypertable = pg_bool(r, i, 3);
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
		struct finding *f = answer_finding(a, &(struct finding){
			.id = hypertable ? "partitions.hypertable" : "partitions.inheritance", .severity = SEVERITY_INFO });

		pg_add_display_name(&name, pg_value(r, i, 0), pg_value(r, i, 1));
		f->object = strbuf_detach(&name);
		f->message = hypertable ? xasprintf("a hypertable with %s chunks, which TimescaleDB looks after; it is not judged here", pg_value(r, i, 2))
					: xasprintf("%s tables inherit from it; that is no partitioned table and is not judged here", pg_value(r, i, 2));
	}
	return r != NULL;
}

bool check_jobs(struct inspector *in, const struct check *c, struct answer *a, struct error *err)
{
	return check_partman(in, c, a, err) && (!c->whole_database || (check_cron(in, a, err) && check_inherited(in, a, err)));
}
