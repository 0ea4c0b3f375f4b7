/* SPDX-License-Identifier: PostgreSQL */
/* Carries the plan of maintain out, item by item. */
#include "maintain.h"

#include "codec.h"
#include "destination.h"
#include "ledger.h"
#include "partition_apply.h"

static bool apply(struct maintain *m, struct partition_plan *plan, struct error *err)
{
	const struct apply_options o = { .log = &m->app->log, .cancel = m->app->cancel, .max_wait_ms = m->args->change.max_wait,
		.blocker_age_ms = 5000 };

	return partition_apply(m->c, plan, &o, err);
}

/* The source document's column, where there is one. */
static void note_in_table(struct maintain *m, const struct policy *p)
{
	_cleanup_subject_ struct archive_subject table = { 0 };
	_cleanup_error_ struct error failed = ERROR_INIT;
	autofree char *sql = NULL;

	if (!p->from_table || !pg_exec(m->c, &failed, "RESET search_path") || !load_subject(m->c, m->args->policies, &table, &failed) ||
		!strstr(table.tables.items[0].shape, "last_archived_at"))
		return;
	sql = xasprintf("UPDATE %s SET last_archived_at = pg_catalog.now() WHERE table_name = $1", table.sql);

	_cleanup_result_ PGresult *r = pg_query(m->c, &failed, sql, 1, &p->r.table);

	if (!r)
		log_warning(&m->app->log, "maintain.policies", "last_archived_at of '%s' could not be set: %s", p->r.table, failed.message);
}

static bool archive(struct maintain *m, struct maintain_item *i, struct error *err)
{
	const char *to = maintain_archive_to(m, i->policy);
	_cleanup_storage_ struct storage *storage = NULL;
	_cleanup_proof_ struct archive_proof proof = { 0 };
	struct archive_options o = {
		.server = server_params(m->app, "dbops partitions maintain"),
		.jobs = m->args->jobs,
		.level = CODEC_LEVEL_MIN,
		.lock_timeout_ms = m->args->change.max_wait ? m->args->change.max_wait : 1,
		.bindir = m->args->bindir,
	};
	autofree char *id = NULL;
	bool ok;

	if (!(storage = open_destination(m->app, to, true, o.jobs + 1, &o.remote, err)))
		return false;
	o.storage = storage;
	if (!archive_export(&o, &i->subject, m->c, &m->app->log, m->app->cancel, &id, err) ||
		!archive_prove(storage, m->c->database, id, &i->subject, o.jobs, &m->app->log, m->app->cancel, &proof, err))
		return false;
	i->archive = xstrdup(proof.url);
	i->rows = proof.rows;
	i->removal.proof = &proof;
	ok = removal_run(&i->removal, err);
	i->removal.proof = NULL;
	if (ok)
		note_in_table(m, i->policy);
	return ok;
}

static bool purge(struct maintain *m, struct maintain_item *i, struct error *err)
{
	const struct purge_options o = {
		.batch = i->policy->r.batch,
		.lock_timeout_ms = m->args->change.lock_timeout,
		.max_wait_ms = m->args->change.max_wait,
		.max_lag = m->args->max_lag,
		.pause_ms = 10,
		.log = &m->app->log,
		.cancel = m->app->cancel,
	};
	struct purge_result result = { 0 };
	bool ok = purge_with_ledger(m->app, m->c, &i->purge, &o, m->args->ledger, i->policy->r.name, &result, err);

	i->rows = result.rows;
	return ok;
}

static bool run_item(struct maintain *m, struct maintain_item *i, struct error *err)
{
	if (i->oid && !maintain_check_pending(m, i->oid, err))
		return false;
	switch (i->action) {
	case MAINTAIN_ARCHIVE:
		return archive(m, i, err);
	case MAINTAIN_DROP:
		return removal_run(&i->removal, err);
	case MAINTAIN_PURGE:
		return purge(m, i, err);
	default:
		return apply(m, &i->plan, err);
	}
}

/* One that fails does not keep the others: not creating a partition because an old one is in use would be the greater harm. */
void maintain_run(struct maintain *m)
{
	for (size_t k = 0; k < m->items.len; k++) {
		struct maintain_item *i = m->items.items[k];

		if (i->state != STATE_PLANNED)
			continue;
		if (!cancel_check(m->app->cancel, &i->error)) {
			i->state = STATE_FAILED;
			continue;
		}
		i->state = run_item(m, i, &i->error) ? STATE_DONE : STATE_FAILED;
		if (i->state == STATE_FAILED)
			log_warning(&m->app->log, "maintain.failed", "%s %s: %s%s%s", maintain_action_name(i->action), i->object, i->error.message,
				i->error.detail ? ": " : "", i->error.detail ? i->error.detail : "");
	}
}
