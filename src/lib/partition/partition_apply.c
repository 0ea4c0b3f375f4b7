/* SPDX-License-Identifier: PostgreSQL */
#include "partition_apply.h"

#include <inttypes.h>
#include "clock.h"
#include "patience.h"

#define LOCK_CLASS 0x64625070 /* "dbPp": first half of our advisory locks */

bool partition_lock_table(struct pg_conn *c, uint32_t table, const char *name, struct error *err)
{
	autofree char *sql = xasprintf("SELECT pg_catalog.pg_try_advisory_lock(%d, %" PRId32 ")", LOCK_CLASS, (int32_t)table);
	autofree char *got = pg_query_value(c, err, sql);

	if (!got)
		return false;
	if (got[0] == 't')
		return true;
	error_set(err, EXIT_BUSY, "another run of dbops is changing the partitions of '%s'", name);
	return error_hint(err, "Try again when it is done.");
}

/* --- blockers ---------------------------------------------------------------------------------------------- */

/* Modes of pg_locks that conflict with mode, as a text array. */
static char *conflicting_modes(enum lock_mode mode)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (enum lock_mode m = LOCK_ACCESS_SHARE; m <= LOCK_ACCESS_EXCLUSIVE; m++)
		if (lock_modes_conflict(mode, m))
			strbuf_addf(&sb, "%s%s", sb.len ? "," : "{", lock_mode_catalog_name(m));
	strbuf_addch(&sb, '}');
	return strbuf_detach(&sb);
}

static void add_blocker(struct strbuf *out, const PGresult *r, int row)
{
	strbuf_addf(out, "%spid %s (", out->len ? "\n" : "", pg_value(r, row, 0));
	plan_add_one_line(out, pg_value(r, row, 1));
	strbuf_addf(out, "), %s", pg_value(r, row, 2));
	if (!PQgetisnull(r, row, 3)) {
		strbuf_adds(out, ", in a transaction for ");
		duration_format(strtod(pg_value(r, row, 3), NULL), out);
	}
	strbuf_addf(out, ", holds %s on ", pg_value(r, row, 4));
	plan_add_one_line(out, pg_value(r, row, 5));
}

bool partition_add_blockers(struct pg_conn *c, uint32_t table, enum lock_mode mode, unsigned max, struct strbuf *out,
	struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, table), *modes = conflicting_modes(mode), *limit = xasprintf("%u", max);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT l.pid, coalesce(nullif(a.usename, '') || coalesce(', ' || nullif(a.application_name, ''), ''), 'prepared transaction'),"
		" coalesce(a.state, 'state not visible'), extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start), l.mode, l.relation::regclass"
		" FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
		" WHERE l.locktype = 'relation' AND l.granted AND l.relation = $1::oid AND l.mode = ANY ($2::text[])"
		" AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
		" AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() ORDER BY a.xact_start NULLS LAST, l.pid LIMIT $3::int8",
		3, (const char *[]){ oid, modes, limit });

	for (int i = 0; r && i < PQntuples(r); i++)
		add_blocker(out, r, i);
	return r != NULL;
}

/* Replaces the bare "lock timeout" by who is in the way now. */
static void explain_lock(struct pg_conn *c, const struct plan_step *s, struct error *err)
{
	_cleanup_strbuf_ struct strbuf blockers = STRBUF_INIT;
	_cleanup_error_ struct error ignored = ERROR_INIT;

	for (size_t i = 0; i < s->statements.len; i++)
		for (size_t k = 0; k < s->statements.items[i].locks.len; k++) {
			const struct plan_lock *l = &s->statements.items[i].locks.items[k];

			partition_add_blockers(c, l->oid, l->mode, 5, &blockers, &ignored);
		}
	error_prefix(err, "%s", s->title);
	err->code = EXIT_BUSY;
	if (blockers.len && !err->detail)
		error_detail(err, "in the way: %s", blockers.buf);
	error_hint(err, "Try again when those sessions are done, or allow more time with --max-wait and --lock-timeout. What was done before "
			"stays; the next run does the rest.");
}

/* --- steps ------------------------------------------------------------------------------------------------- */

struct run {
	struct pg_conn *c;
	const struct apply_options *o;
	const char *proof_table; /* of the step that runs */
	bool implied;            /* ATTACH said that constraints prove its rows */
};

/* The text is in the server's language, the name of the function that speaks is not. */
static void on_notice(void *data, const PGresult *r)
{
	struct run *run = data;
	const char *function = PQresultErrorField(r, PG_DIAG_SOURCE_FUNCTION), *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED),
		   *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (function && message && strcmp(function, "QueuePartitionConstraintValidation") == 0)
		run->implied |= run->proof_table && strstr(message, run->proof_table);
	else if (severity && message && strcmp(severity, "WARNING") == 0)
		log_warning(run->o->log, "partitions.server", "the server warns: %s", message);
}

static bool prove(struct run *run, const struct plan_step *s, struct error *err)
{
	if (!s->proof_table || run->implied)
		return true;
	error_set(err, EXIT_REFUSED, "%s: the server would read the whole table under the lock", s->title);
	return error_hint(err, "Its constraints do not prove that all rows are within the bounds. Nothing was attached.");
}

static bool run_statements(struct run *run, const struct plan_step *s, struct error *err)
{
	for (size_t i = 0; i < s->statements.len; i++)
		if (!pg_exec(run->c, err, s->statements.items[i].sql))
			return false;
	return prove(run, s, err) && pg_exec(run->c, err, "COMMIT");
}

static bool run_transaction(struct run *run, const struct plan_step *s, struct error *err)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;

	run->implied = false;
	run->proof_table = s->proof_table;
	if (!pg_exec(run->c, err, "BEGIN"))
		return false;
	if (run_statements(run, s, err))
		return true;
	pg_exec(run->c, &ignored, "ROLLBACK");
	return false;
}

/* Whether the partition is still there, and pending detach. */
static bool look_at_detach(struct pg_conn *c, const struct plan_step *s, bool *ret_attached, bool *ret_pending, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, s->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = $1::oid", 1, (const char *[]){ oid });

	*ret_attached = r && PQntuples(r) == 1;
	*ret_pending = *ret_attached && pg_bool(r, 0, 0);
	return r != NULL;
}

/* Who uses a partition or its parent. Without the privilege to see other roles' sessions `since` is NULL; pg_locks itself shows everything
 * to everybody. Autovacuum gives way by itself. */
#define USERS_SQL                                                                                                                        \
	" FROM pg_catalog.pg_locks l CROSS JOIN LATERAL (SELECT l.pid::text AS pid,"                                                      \
	" coalesce(nullif(a.usename, '') || coalesce(', ' || nullif(a.application_name, ''), ''), a.backend_type, 'session') AS who,"     \
	" coalesce(a.state, 'state not visible') AS state, a.xact_start AS since FROM pg_catalog.pg_stat_activity a"                      \
	" WHERE a.pid = l.pid AND a.backend_type IS DISTINCT FROM 'autovacuum worker'"                                                    \
	/* the virtual transaction of a prepared one is its session's or -1, so its lock on itself must tell */                          \
	" UNION ALL SELECT 'of prepared transaction', p.gid, 'prepared', p.prepared FROM pg_catalog.pg_prepared_xacts p"                  \
	" JOIN pg_catalog.pg_locks t ON t.locktype = 'transactionid' AND t.transactionid = p.transaction AND t.pid IS NULL"               \
	" WHERE l.pid IS NULL AND l.virtualtransaction = t.virtualtransaction) w"                                                         \
	" WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY ($1::oid[])"                                                   \
	" AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()"                                                                         \
	" AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"

/* Transactions whose age cannot be seen, as an array; those that are still there after blocker_age are old. */
static char *find_hidden(struct run *run, const char *oids, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(run->c, err,
		"SELECT coalesce(pg_catalog.array_agg(DISTINCT l.virtualtransaction), '{}')" USERS_SQL " AND w.since IS NULL", 1, &oids);

	if (!r)
		return NULL;
	if (strcmp(pg_value(r, 0, 0), "{}") != 0 && !cancel_pause(run->o->cancel, run->o->blocker_age_ms, err))
		return NULL;
	return xstrdup(pg_value(r, 0, 0));
}

/* Transactions that CONCURRENTLY would wait for, if they are old enough to be likely to last. */
static bool find_old_transactions(struct run *run, const struct plan_step *s, struct strbuf *out, struct error *err)
{
	autofree char *oids = xasprintf("{%" PRIu32 ",%" PRIu32 "}", s->parent, s->oid), *age = xasprintf("%" PRId64, run->o->blocker_age_ms);
	autofree char *hidden = find_hidden(run, oids, err);

	if (!hidden)
		return false;

	_cleanup_result_ PGresult *r = pg_query(run->c, err,
		"SELECT DISTINCT ON (w.since, w.pid) w.pid, w.who, w.state, extract(epoch FROM pg_catalog.clock_timestamp() - w.since), l.mode,"
		" l.relation::regclass" USERS_SQL
		" AND (w.since < pg_catalog.clock_timestamp() - $2::int8 * interval '1 millisecond'"
		" OR (w.since IS NULL AND l.virtualtransaction = ANY ($3::text[])))"
		" ORDER BY w.since, w.pid, l.mode LIMIT 5",
		3, (const char *[]){ oids, age, hidden });

	for (int i = 0; r && i < PQntuples(r); i++)
		add_blocker(out, r, i);
	return r != NULL;
}

static bool refuse_to_begin(struct run *run, const struct plan_step *s, struct error *err)
{
	_cleanup_strbuf_ struct strbuf blockers = STRBUF_INIT;

	if (!find_old_transactions(run, s, &blockers, err))
		return false;
	if (!blockers.len)
		return true;
	error_set(err, EXIT_BUSY, "open transactions would hold the detach up");
	memcpy(err->sqlstate, "55P03", 6); /* as if their locks had been waited for: tried again */
	return error_detail(err, "in the way: %s", blockers.buf);
}

static bool run_alone(struct run *run, const struct plan_step *s, size_t statement, struct error *err)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;
	autofree char *before = pg_query_value(run->c, err, "SHOW lock_timeout");

	if (!before || !pg_execf(run->c, err, "SET lock_timeout = %" PRId64, s->wait_ms))
		return false;

	bool ok = pg_exec(run->c, err, s->statements.items[statement].sql);

	return pg_execf(run->c, ok ? err : &ignored, "SET lock_timeout = '%s'", before) && ok;
}

/* A detach that was interrupted before is not begun again but ended. */
static bool run_detach(struct run *run, const struct plan_step *s, struct error *err)
{
	bool attached, pending;

	if (!look_at_detach(run->c, s, &attached, &pending, err))
		return false;
	if (!attached)
		return true;
	return (pending || refuse_to_begin(run, s, err)) && run_alone(run, s, pending ? 1 : 0, err);
}

static bool attempt(struct run *run, const struct plan_step *s, struct error *err)
{
	switch (s->kind) {
	case STEP_TRANSACTION:
		return (!s->oid || refuse_to_begin(run, s, err)) && run_transaction(run, s, err);
	case STEP_DETACH:
		return run_detach(run, s, err);
	default:
		return pg_exec(run->c, err, s->statements.items[0].sql);
	}
}

static bool run_step(struct run *run, struct plan_step *s, struct error *err)
{
	struct patience patience = patience_begin(run->o->max_wait_ms);
	double start = clock_monotonic();

	for (;;) {
		_cleanup_error_ struct error failed = ERROR_INIT;

		if (!cancel_check(run->o->cancel, err))
			return false;
		s->attempts++;
		s->done = attempt(run, s, &failed);
		s->seconds = clock_monotonic() - start;
		if (s->done)
			return true;
		if (!patience_helps(&failed)) {
			if (strcmp(failed.sqlstate, "57014") == 0)
				error_hint(&failed, "The time that the plan allows for this statement was used up; nothing of this step was done.");
			if (failed.code != EXIT_INTERRUPTED && failed.code != EXIT_TERMINATED)
				error_prefix(&failed, "%s", s->title);
			return error_move(err, &failed);
		}
		if (patience_over(&patience)) {
			explain_lock(run->c, s, &failed);
			return error_move(err, &failed);
		}
		log_info(run->o->log, "partitions.retry", "%s: %s; trying again (attempt %u)", s->title, failed.message, s->attempts + 1);
		if (!patience_pause(&patience, run->o->cancel, err))
			return false;
	}
}

/* An interrupted detach has left something that only FINALIZE ends: nobody should have to find that out. One that
 * never began has left a record of what did not happen. */
static void clean_up_detach(struct pg_conn *c, const struct partition_plan *p, size_t i, struct error *err)
{
	const struct plan_step *s = &p->steps.items[i], *before = i ? s - 1 : NULL;
	_cleanup_error_ struct error ignored = ERROR_INIT;
	bool attached = false, pending = false;

	if (s->kind != STEP_DETACH)
		return;
	/* a stop request has ended the session: then nobody can look */
	if (!look_at_detach(c, s, &attached, &pending, &ignored) || pending)
		error_hint(err, "The detach is %spending: queries of the parent no longer see the partition, and inserts into its range fail. "
				"Repeat the command to end it, or run: %s", error_is_set(&ignored) ? "possibly " : "", s->statements.items[1].sql);
	else if (attached && before && before->oid == s->oid && before->statements.items[0].undo)
		pg_exec(c, &ignored, before->statements.items[0].undo);
}

bool partition_apply(struct pg_conn *c, struct partition_plan *p, const struct apply_options *o, struct error *err)
{
	_cleanup_strbuf_ struct strbuf settings = STRBUF_INIT;
	struct run run = { .c = c, .o = o };
	PQnoticeReceiver before;
	bool ok;

	plan_add_settings(p, &settings);
	if (!pg_exec(c, err, settings.buf))
		return false;
	before = PQsetNoticeReceiver(c->pg, on_notice, &run);
	ok = true;
	for (size_t i = 0; ok && i < p->steps.len; i++) {
		struct plan_step *s = &p->steps.items[i];

		ok = run_step(&run, s, err);
		if (ok)
			log_info(o->log, "partitions.step", "%s: done", s->title);
		else
			clean_up_detach(c, p, i, err);
	}
	PQsetNoticeReceiver(c->pg, before, NULL);
	return ok;
}
