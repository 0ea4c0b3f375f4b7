/* SPDX-License-Identifier: PostgreSQL */
#include "purge.h"

#include <inttypes.h>
#include "clock.h"
#include "patience.h"

struct run {
	struct pg_conn *c;
	const struct purge *p;
	const struct purge_options *o;
	struct purge_result *ret;
};

/* --- one batch --------------------------------------------------------------------------------------------- */

/* The condition stands inside and outside: a row that was changed between the look and the lock is looked at again. tableoid: a table
 * that has taken the name since is another one. */
static char *batch_sql(const struct run *r, int64_t from_page, int64_t pages)
{
	const struct purge *p = r->p;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "DELETE FROM ONLY %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY %s WHERE %s", p->sql, p->sql, p->condition);
	if (p->by_index)
		strbuf_addf(&sb, " ORDER BY %s LIMIT %" PRId64, p->column, r->o->batch);
	else
		strbuf_addf(&sb, " AND ctid >= '(%" PRId64 ",0)'::pg_catalog.tid AND ctid < '(%" PRId64 ",0)'::pg_catalog.tid", from_page,
			from_page + pages);
	strbuf_addf(&sb, " FOR UPDATE SKIP LOCKED)) AND tableoid = '%" PRIu32 "'::pg_catalog.oid AND %s", p->oid, p->condition);
	return strbuf_detach(&sb);
}

static bool is_transient(const struct error *err)
{
	return patience_helps(err) || strcmp(err->sqlstate, "40001") == 0;
}

static bool run_batch(struct run *r, const char *sql, int64_t *ret_rows, struct error *err)
{
	struct patience patience = patience_begin(r->o->max_wait_ms);

	for (;;) {
		_cleanup_error_ struct error failed = ERROR_INIT;
		_cleanup_result_ PGresult *result = pg_query(r->c, &failed, sql, 0, NULL);

		if (result) {
			*ret_rows = strtoll(PQcmdTuples(result), NULL, 10);
			r->ret->rows += *ret_rows;
			r->ret->batches += *ret_rows > 0;
			return true;
		}
		if (!is_transient(&failed) || patience_over(&patience)) {
			if (is_transient(&failed))
				failed.code = EXIT_BUSY;
			error_prefix(&failed, "purging '%s'", r->p->shown);
			return error_move(err, &failed);
		}
		r->ret->lock_waits++;
		if (!patience_pause(&patience, r->o->cancel, err))
			return false;
	}
}

/* --- between batches --------------------------------------------------------------------------------------- */

/* Bytes the slowest standby has not replayed. Without pg_monitor the positions of others are NULL. */
static bool look_at_standbys(struct run *r, int64_t *ret_lag, struct error *err)
{
	_cleanup_result_ PGresult *result = pg_query(r->c, err,
		"SELECT coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)), 0)::int8,"
		" count(*) FILTER (WHERE replay_lsn IS NULL AND state IS DISTINCT FROM 'backup') FROM pg_catalog.pg_stat_replication",
		0, NULL);

	if (!result)
		return false;
	*ret_lag = pg_int(result, 0, 0);
	r->ret->lag_unknown = r->ret->lag_unknown || pg_int(result, 0, 1) > 0;
	return true;
}

static bool wait_for_standbys(struct run *r, struct error *err)
{
	struct patience patience = patience_begin(r->o->max_wait_ms);
	int64_t lag = 0;

	while (r->o->max_lag) {
		if (!look_at_standbys(r, &lag, err))
			return false;
		if (lag <= r->o->max_lag)
			return true;
		if (patience_over(&patience)) {
			error_set(err, EXIT_BUSY, "a standby is too far behind to purge on");
			error_detail(err, "%" PRId64 " bytes; %" PRId64 " are allowed.", lag, r->o->max_lag);
			return error_hint(err, "What is purged stays purged; the next run goes on. --max-lag and --max-wait allow more.");
		}
		if (!r->ret->lag_waits++)
			log_info(r->o->log, "purge.lag", "waiting for a standby that is %" PRId64 " bytes behind", lag);
		if (!patience_pause(&patience, r->o->cancel, err))
			return false;
	}
	return true;
}

static bool between_batches(struct run *r, struct error *err)
{
	return wait_for_standbys(r, err) && cancel_pause(r->o->cancel, r->o->pause_ms, err);
}

/* --- the whole --------------------------------------------------------------------------------------------- */

static bool run_by_index(struct run *r, struct error *err)
{
	autofree char *sql = batch_sql(r, 0, 0);
	int64_t rows = 0;

	do {
		if (!between_batches(r, err) || !run_batch(r, sql, &rows, err))
			return false;
		log_progress(r->o->log, "rows purged", r->ret->rows, 0);
	} while (rows > 0);
	return true;
}

static bool run_by_pages(struct run *r, struct error *err)
{
	int64_t step = (int64_t)((double)r->o->batch / r->p->rows_per_page);
	int64_t rows = 0;

	step = step < 1 ? 1 : step;
	for (int64_t page = 0; page < r->p->pages; page += step) {
		autofree char *sql = batch_sql(r, page, step);

		if (!between_batches(r, err) || !run_batch(r, sql, &rows, err))
			return false;
		log_progress(r->o->log, "pages", page, r->p->pages);
	}
	return true;
}

/* Rows that were locked, that a trigger kept, or that moved behind us. */
static bool look_for_rest(struct run *r, struct error *err)
{
	autofree char *sql = xasprintf("SELECT EXISTS (SELECT FROM ONLY %s WHERE %s)", r->p->sql, r->p->condition);
	autofree char *value = pg_query_value(r->c, err, sql);

	r->ret->remaining = value && value[0] == 't';
	return value != NULL;
}

bool purge_run(struct pg_conn *c, const struct purge *p, const struct purge_options *o, struct purge_result *ret, struct error *err)
{
	struct run r = { c, p, o, ret };
	double started = clock_monotonic();
	bool ok;

	*ret = (struct purge_result){ 0 };
	ok = pg_execf(c, err, "SET lock_timeout = %" PRId64 "; SET statement_timeout = '10min'", o->lock_timeout_ms) &&
	     (p->by_index ? run_by_index(&r, err) : run_by_pages(&r, err)) && look_for_rest(&r, err);
	ret->seconds = clock_monotonic() - started;
	return ok;
}
