/* SPDX-License-Identifier: PostgreSQL */
#include "remove.h"

#include <inttypes.h>
#include "attach.h"
#include "destination.h"
#include "detach.h"
#include "ledger.h"
#include "partition_apply.h"
#include "record.h"

void removal_release(struct removal *r)
{
	partition_plan_release(&r->plan);
}

/* --- planning ---------------------------------------------------------------------------------------------- */

/* A foreign key to the table, or a view on it, would refuse the drop after all the work. */
static bool check_dependents(struct removal *r, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, r->subject->oid);
	_cleanup_strbuf_ struct strbuf list = STRBUF_INIT;
	_cleanup_result_ PGresult *q = pg_query(r->c, err,
		"SELECT DISTINCT n.nspname, c.relname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid"
		" JOIN pg_catalog.pg_class c ON c.oid = w.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid"
		" AND c.oid <> d.refobjid UNION SELECT n.nspname, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND k.confrelid = $1::oid AND k.conrelid <> $1::oid"
		" AND k.conparentid = 0 ORDER BY 1, 2",
		1, (const char *[]){ oid });

	for (int i = 0; q && i < PQntuples(q); i++) {
		strbuf_adds(&list, i ? ", " : "");
		pg_add_display_name(&list, pg_value(q, i, 0), pg_value(q, i, 1));
	}
	if (!q || !list.len)
		return q != NULL;
	error_set(err, EXIT_REFUSED, "'%s' is needed by others and cannot be dropped", r->subject->shown);
	error_detail(err, "Views or foreign keys of %s.", list.buf);
	return error_hint(err, "Nothing is dropped with CASCADE: change or drop those first.");
}

static bool plan_detach(struct removal *r, struct error *err)
{
	const struct partition_load load = { .table = r->plan.table };
	const struct detach_request request = { .allow_plain = r->allow_plain, .wait_ms = r->change->max_wait };
	_cleanup_model_ struct partition_model m = { 0 };
	_cleanup_error_ struct error ignored = ERROR_INIT;
	const struct partition *p;
	bool ok;

	if (!r->subject->attached)
		return true;
	ok = partition_begin(r->c, err) && partition_model_load(r->c, &load, &m, err);
	p = ok ? partition_by_oid(&m, r->subject->oid) : NULL;
	if (ok && !p)
		ok = error_set(err, EXIT_BUSY, "'%s' was detached in the meantime", r->subject->shown);
	ok = ok && partition_plan_detach(r->c, &m, p, &request, &r->plan, err);
	return partition_end(r->c, ok ? err : &ignored) && ok;
}

/* With a table its foreign keys go, and their triggers on the tables they refer to. */
static bool lock_referenced(struct removal *r, struct plan_statement *st, struct error *err)
{
	_cleanup_strbuf_ struct strbuf oids = STRBUF_INIT;
	_cleanup_result_ PGresult *q = NULL;

	for (size_t i = 0; i < r->subject->tables.len; i++)
		strbuf_addf(&oids, "%s%" PRIu32, i ? "," : "{", r->subject->tables.items[i].oid);
	strbuf_addch(&oids, '}');
	q = pg_query(r->c, err,
		"SELECT DISTINCT c.oid, n.nspname, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.confrelid"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND k.conrelid = ANY ($1::oid[])"
		" AND k.confrelid <> ALL ($1::oid[]) ORDER BY 2, 3",
		1, (const char *[]){ oids.buf });
	for (int i = 0; q && i < PQntuples(q); i++) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		pg_add_display_name(&name, pg_value(q, i, 1), pg_value(q, i, 2));
		plan_lock(st, LOCK_ACCESS_EXCLUSIVE, (uint32_t)pg_int(q, i, 0), name.buf);
	}
	return q != NULL;
}

static bool plan_drop(struct removal *r, bool with_archive, struct error *err)
{
	const struct archive_subject *s = r->subject;
	struct plan_step *step = plan_add_step(&r->plan, STEP_TRANSACTION,
		with_archive ? "drop %s if its rows are those of the archive" : "drop %s without an archive", s->shown);
	struct plan_statement *st;

	step->compares = with_archive;
	st = with_archive ? plan_add(step, "writers stop, readers go on", "LOCK TABLE %s IN SHARE MODE", s->sql) :
			    plan_add(step, "from here on it is known to be that table", "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", s->sql);
	plan_lock(st, with_archive ? LOCK_SHARE : LOCK_ACCESS_EXCLUSIVE, s->oid, s->shown);
	for (size_t i = 0; with_archive && i < s->tables.len; i++) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		if (s->tables.items[i].kind != 'r')
			continue;
		pg_add_qualified(&name, s->tables.items[i].schema, s->tables.items[i].name);
		plan_add(step, "every row is compared with the archive; nothing is dropped if one differs", "COPY %s TO STDOUT", name.buf);
	}
	st = plan_add(step, "never CASCADE: what depends on the table is somebody's", "DROP TABLE %s", s->sql);
	plan_lock(st, LOCK_ACCESS_EXCLUSIVE, s->oid, s->shown);
	return lock_referenced(r, st, err);
}

bool removal_plan(struct removal *r, const char *command, const struct change_target *t, const char *to, struct error *err)
{
	change_plan(&r->plan, command, r->change, t);
	r->plan.place = xstrdup(to);
	if (!check_holds(r->app, r->c, r->subject, err) || !check_dependents(r, err) ||
		!plan_detach(r, err))
		return false;
	return plan_drop(r, to != NULL, err);
}

bool removal_agree(struct removal *r, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char digest[PLAN_DIGEST_SIZE];

	if (r->change->sql) {
		plan_add_script(&r->plan, &text);
		if (fwrite(text.buf, 1, text.len, r->app->report.out) != text.len || fflush(r->app->report.out) != 0)
			return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
		return false;
	}
	plan_add_summary(&r->plan, &text);
	plan_digest(&r->plan, digest);
	return confirm_plan(r->app, text.buf, digest, r->change->apply, err);
}

/* --- doing ------------------------------------------------------------------------------------------------- */

static bool record(struct removal *r, const char *phase, const char *detail, struct error *err)
{
	const struct archive_subject *s = r->subject;
	_cleanup_strbuf_ struct strbuf parent = STRBUF_INIT, bounds = STRBUF_INIT;
	autofree char *path = ledger_path(r->ledger);

	if (s->parent_name)
		pg_add_display_name(&parent, s->parent_schema, s->parent_name);
	bound_add_display(&bounds, &s->bound);

	const struct ledger_entry e = {
		.phase = phase,
		.action = "drop",
		.table = s->shown,
		.parent = s->parent_name ? parent.buf : NULL,
		.bounds = s->parent_name ? bounds.buf : NULL,
		.policy = r->policy,
		.rows = r->proof ? r->proof->rows : -1,
		.archive = r->proof ? r->proof->url : NULL,
		.manifest_sha256 = r->proof ? r->proof->manifest_sha256 : NULL,
		.fingerprint = r->proof ? &r->proof->fingerprint : NULL,
		.detail = detail,
	};

	return ledger_append(path, r->c, &e, err);
}

/* The last step is the drop, which is not partition_apply()'s: it compares. */
static bool detach(struct removal *r, struct error *err)
{
	const struct apply_options o = { .log = &r->app->log, .cancel = r->app->cancel, .max_wait_ms = r->change->max_wait,
		.blocker_age_ms = r->change->blocker_age ? r->change->blocker_age : 5000 };
	bool ok;

	if (r->plan.steps.len < 2)
		return true;
	r->plan.steps.len--;
	ok = partition_apply(r->c, &r->plan, &o, err);
	r->plan.steps.len++;
	r->detached = ok;
	return ok;
}

static bool plan_attach(struct removal *r, struct pg_conn *c, struct partition_plan *plan, struct error *err)
{
	const struct partition_load load = { .table = r->subject->parent_oid };
	const struct attach_request request = { .table = r->subject->oid, .scan_ms = r->change->lock_timeout };
	_cleanup_record_ struct detach_record was = { 0 };
	_cleanup_model_ struct partition_model m = { 0 };

	return partition_begin(c, err) && partition_model_load(c, &load, &m, err) && detach_record_load(c, r->subject->oid, &was, err) &&
	       partition_plan_attach(c, &m, &request, &was, plan, err) && partition_end(c, err);
}

/* On a session of its own: the first one may be broken, or in the middle of a COPY. A stop request does not stop this: the table
 * shall not be left half way. */
static bool attach_again(struct removal *r, struct error *err)
{
	struct pg_params params = server_params(r->app, r->plan.command);
	const struct apply_options o = { .log = &r->app->log, .max_wait_ms = r->change->max_wait };
	_cleanup_plan_ struct partition_plan plan = { .command = xstrdup(r->plan.command), .table = r->plan.table,
		.table_name = xstrdup(r->plan.table_name), .lock_timeout_ms = r->change->lock_timeout };
	_cleanup_conn_ struct pg_conn *c = NULL;

	params.cancel = NULL;
	c = pg_connect(&params, &r->app->log, err);
	return c && plan_attach(r, c, &plan, err) && partition_apply(c, &plan, &o, err);
}

/* Whoever reads through the parent shall not miss rows because of a removal that did not happen. */
static void undo_detach(struct removal *r)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (!r->detached)
		return;
	if (attach_again(r, &failed)) {
		r->detached = false;
		log_info(&r->app->log, "partitions.attached", "'%s' is attached again", r->subject->shown);
		return;
	}
	log_warning(&r->app->log, "partitions.detached",
		"'%s' is detached and could not be attached again: %s. Repeat that with: dbops partitions attach '%s'", r->subject->shown, failed.message,
		r->subject->shown);
}

/* Of the rows that are there now, which nobody can change any more. Conditions of holds are written for the session's own search_path. */
static bool look_at_holds(void *data, struct error *err)
{
	struct removal *r = data;

	return pg_exec(r->c, err, "SET LOCAL search_path TO DEFAULT") && check_holds(r->app, r->c, r->subject, err) &&
	       pg_exec(r->c, err, "SET LOCAL search_path = ''");
}

static bool drop(struct removal *r, bool *ret_unknown, struct error *err)
{
	const struct archive_drop_options o = {
		.log = &r->app->log,
		.cancel = r->app->cancel,
		.lock_timeout_ms = r->change->lock_timeout,
		.max_wait_ms = r->change->max_wait,
		.agree = look_at_holds,
		.data = r,
	};

	return archive_drop(r->c, r->subject, r->proof, &o, ret_unknown, err);
}

static void record_end(struct removal *r, const char *phase, const char *detail)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (record(r, phase, detail, &failed))
		return;
	log_warning(&r->app->log, "ledger.failed", "%s", failed.message);
	r->app->status = EXIT_WARNING;
}

bool removal_run(struct removal *r, struct error *err)
{
	bool unknown = false;

	if (!record(r, "intent", NULL, err))
		return false;
	r->dropped = detach(r, err) && drop(r, &unknown, err);
	if (!r->dropped && !unknown)
		undo_detach(r);
	record_end(r, r->dropped ? "done" : unknown ? "unknown" : "kept", r->dropped ? NULL : err->message);
	return r->dropped;
}

/* --- rows -------------------------------------------------------------------------------------------------- */

static void warn_of_rest(struct app *app, const struct purge_options *o, const struct purge_result *result)
{
	bool blind = result->lag_unknown && o->max_lag;

	if (result->remaining)
		log_warning(&app->log, "purge.remaining", "rows are left that somebody has locked, or that a trigger keeps");
	if (blind)
		log_warning(&app->log, "purge.lag_unknown",
			"this role does not see how far the standbys are (it needs pg_monitor), so nothing waited for them");
	if (result->remaining || blind)
		app->status = EXIT_WARNING;
}

bool purge_with_ledger(struct app *app, struct pg_conn *c, const struct purge *p, const struct purge_options *o, const char *path,
	const char *policy, struct purge_result *ret, struct error *err)
{
	autofree char *ledger = ledger_path(path);
	struct ledger_entry entry = { .phase = "intent", .action = "purge", .table = p->shown, .policy = policy, .condition = p->condition, .rows = -1 };
	_cleanup_error_ struct error unrecorded = ERROR_INIT;
	bool ok;

	if (!ledger_append(ledger, c, &entry, err))
		return false;
	ok = purge_run(c, p, o, ret, err);
	entry.phase = ok ? "done" : "stopped";
	entry.rows = ret->rows;
	entry.detail = ok ? NULL : err->message;
	if (!ledger_append(ledger, c, &entry, &unrecorded)) {
		log_warning(&app->log, "ledger.failed", "%s", unrecorded.message);
		app->status = EXIT_WARNING;
	}
	if (ok)
		warn_of_rest(app, o, ret);
	else
		log_warning(&app->log, "purge.stopped", "%" PRId64 " rows were deleted before it stopped", ret->rows);
	return ok;
}
