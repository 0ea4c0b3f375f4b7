/* SPDX-License-Identifier: PostgreSQL */
#include "backup.h"

#include <inttypes.h>
#include "backup_run.h"
#include "build_config.h"
#include "clock.h"
#include "dump_toc.h"
#include "fallback.h"
#include "repo.h"
#include "workers.h"
#include "xalloc.h"

static void run_release(struct run *r)
{
	leader_release(&r->leader);
	pg_tools_release(&r->tools);
	plan_release(&r->plan);
	toc_release(&r->toc);
	strbuf_release(&r->toc_text);
	for (unsigned i = 0; i < r->targets.len; i++)
		free(r->targets.items[i].prefix);
}
#define _cleanup_run_ _cleanup_(run_release)

static bool choose_tools(struct run *r, struct error *err)
{
	const char *const programs[] = { "pg_dump", "pg_dumpall", NULL };
	int major = r->leader.conn->version / 10000;

	if (!pg_tools_find(r->o->bindir, programs, major, 0, &r->tools, err))
		return false;
	r->m->dump_version = xstrdup(r->tools.version);
	if (r->tools.major == major)
		return true;
	log_warning(r->log, "backup.tools", "pg_dump %s writes archives that only pg_restore %d and newer reads",
		r->tools.version, r->tools.major);
	strvec_pushf(&r->m->warnings, "dumped by pg_dump %d: pg_restore %d or newer is needed", r->tools.major,
		r->tools.major);
	return true;
}

/* Snapshot, locks, TOC. With filters the tables are known only from the TOC and locked then; a
 * table that changed in between asks for a new snapshot. */
static bool take_snapshot_once(struct run *r, bool *ret_stale, struct error *err)
{
	double before = clock_monotonic();

	*ret_stale = false;
	if (!leader_begin(&r->leader, r->o, r->log, r->cancel, err))
		return false;
	r->m->seconds_locking = clock_monotonic() - before;
	strbuf_reset(&r->toc_text);
	if (!dump_toc(r->o, &r->tools, r->leader.conn, r->leader.snapshot, r->cancel, &r->toc_text, err))
		return false;
	r->m->seconds_toc = clock_monotonic() - before - r->m->seconds_locking;
	return true;
}

static bool make_plan(struct run *r, bool *ret_stale, struct error *err)
{
	VEC(struct leader_table) tables = { 0 };

	if (!plan_make(&r->plan, &r->toc, r->leader.conn, r->o, err))
		return false;
	for (size_t i = 0; i < r->plan.len; i++) {
		const struct plan_job *job = &r->plan.items[i];

		if (!job->large_objects)
			*vec_push(&tables) = (struct leader_table){ job->oid, job->schema, job->name };
	}

	bool ok = leader_lock(&r->leader, tables.items, tables.len, r->o, r->cancel, ret_stale, err);

	vec_release(&tables);
	return ok;
}

static bool parse_toc(struct run *r, bool *ret_unknown, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	*ret_unknown = false;
	if (toc_parse(r->toc_text.buf, r->toc_text.len, TOC_KEEP_DATA, true, &r->toc, &failed))
		return true;
	if (failed.code != EXIT_REFUSED)
		return error_move(err, &failed);
	*ret_unknown = true;
	log_warning(r->log, "backup.fallback", "%s: pg_dump does the whole dump", failed.message);
	return true;
}

/* True with *ret_fallback when dbops must leave the data to pg_dump. */
static bool prepare(struct run *r, bool *ret_fallback, struct error *err)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		bool stale = false;

		if (!take_snapshot_once(r, &stale, err) || !parse_toc(r, ret_fallback, err))
			return false;
		if (*ret_fallback)
			return true;

		_cleanup_error_ struct error failed = ERROR_INIT;

		if (!make_plan(r, &stale, &failed)) {
			if (failed.code != EXIT_REFUSED || failed.sqlstate[0])
				return error_move(err, &failed);
			log_warning(r->log, "backup.fallback", "%s: pg_dump does the whole dump", failed.message);
			*ret_fallback = true;
			return true;
		}
		if (!stale)
			return true;
		log_info(r->log, "backup.snapshot", "a table changed while the dump was planned: new snapshot");
		plan_release(&r->plan);
		toc_release(&r->toc);
		if (!leader_rollback(&r->leader, err))
			return false;
	}
	error_set(err, EXIT_BUSY, "tables are truncated or rewritten again and again");
	return error_hint(err, "Try again when no migration is running.");
}

static bool copy_data(struct run *r, struct error *err)
{
	double before = clock_monotonic();
	struct workers_stats stats = { 0 };

	/* never more sessions than there is work */
	struct backup_options o = *r->o;
	int64_t units = 0;

	for (size_t i = 0; i < r->plan.len; i++)
		units += r->plan.items[i].units;
	o.jobs = units < o.jobs ? units : o.jobs;
	if (units && !workers_run(&r->plan, &r->leader, &r->targets, &o, r->toc.encoding, r->log, r->cancel, &stats, err))
		return false;
	if (stats.reconnects) {
		log_warning(r->log, "backup.reconnect", "%u lost connections were replaced on the same snapshot",
			stats.reconnects);
		strvec_pushf(&r->m->warnings, "%u lost connections were replaced on the same snapshot", stats.reconnects);
	}
	r->m->seconds_data = clock_monotonic() - before;
	return true;
}

static bool store_attachments(struct run *r, struct error *err)
{
	for (size_t i = 0; i < r->o->n_attachments; i++) {
		const struct backup_attachment *a = &r->o->attachments[i];

		if (!archive_put(&r->targets, a->name, a->data, a->len, err))
			return false;
		manifest_add_file(r->m, a->name, a->data, a->len);
	}
	return true;
}

static bool store(struct run *r, bool fallback, struct error *err)
{
	_cleanup_globals_ struct globals globals;
	bool ok;

	globals_start(&globals, r);
	if (fallback)
		ok = fallback_run(r->o, &r->tools, r->leader.conn, r->leader.snapshot, &r->targets, r->cancel, r->m, err);
	else
		ok = store_toc(r, err) && copy_data(r, err) && leader_confirm(&r->leader, err) && store_object_lists(r, err);
	if (ok && !fallback) {
		ok = store_blocks(r, err);
		if (ok)
			describe_data(r);
	}
	return ok && globals_finish(&globals, err) && store_attachments(r, err) && (describe_totals(r->m), true) && store_commit(r, err);
}

static bool run_all(struct run *r, struct error *err)
{
	const struct backup_options *o = r->o;
	struct manifest *m = r->m;
	bool fallback = false;

	m->format_version = MANIFEST_FORMAT_VERSION;
	m->started_at = clock_now_us();
	m->id = repo_new_id(m->started_at);
	m->label = xstrdup(o->label);
	m->dbops_version = xstrdup(DBOPS_VERSION);
	m->content = xstrdup(o->schema_only ? "schema" : o->data_only ? "data" : "full");
	m->compression = xasprintf("gzip:%" PRId64, o->level);
	m->jobs = o->jobs;
	if (!leader_connect(&r->leader, o, r->log, m, err) || !choose_tools(r, err))
		return false;
	log_info(r->log, "backup.start", "backup %s of database \"%s\" begins (PostgreSQL %s, %" PRId64 " jobs)", m->id,
		m->database, m->server_version, o->jobs);
	if (!prepare(r, &fallback, err))
		return false;
	m->snapshot_lsn = xstrdup(r->leader.lsn);
	m->snapshot_at = r->leader.snapshot_at;
	m->archive_version = xasprintf("%d.%d", r->toc_text.buf[5], r->toc_text.buf[6]);
	m->fallback = fallback;
	describe_exclusions(r);
	store_targets(r);
	return store(r, fallback, err);
}

bool backup_run(const struct backup_options *o, struct log *log, const struct cancel *cancel, struct manifest *ret,
	struct error *err)
{
	*ret = (struct manifest){ 0 };

	_cleanup_run_ struct run r = { .o = o, .log = log, .cancel = cancel, .toc_text = STRBUF_INIT, .m = ret,
		.started = clock_monotonic() };

	pthread_mutex_init(&r.plan.lock, NULL);
	if (run_all(&r, err))
		return true;
	store_discard(&r);
	manifest_release(ret);
	return false;
}
