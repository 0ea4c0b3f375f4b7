/* SPDX-License-Identifier: PostgreSQL */
#include "workers.h"

#include "clock.h"
#include "copy_out.h"
#include "crew.h"
#include "session.h"
#include "thread.h"
#include "xalloc.h"

#define RECONNECTS_PER_UNIT 5

struct pool {
	struct plan *plan;
	struct leader *leader;
	const struct archive_targets *targets;
	const struct backup_options *options;
	const char *encoding;
	pthread_mutex_t lock;    /* the members below */
	pthread_cond_t changed;
	unsigned running;        /* workers that still take units */
	struct workers_stats stats;
	int64_t done_bytes;
	atomic_llong raw_bytes;
	struct worker *workers;  /* jobs of them and the leader's */
	bool leader_busy;        /* it reads a refused unit */
	bool leader_interrupted;
	struct log *log;
};

struct worker {
	struct pool *pool;
	struct pg_conn *conn;    /* under pool->lock: interrupt_all() uses it */
	const atomic_bool *stop;
	struct copier copier;
	bool is_leader;
};

static void worker_disconnect(struct worker *w)
{
	pthread_mutex_lock(&w->pool->lock);

	struct pg_conn *conn = steal(w->conn);

	pthread_mutex_unlock(&w->pool->lock);
	pg_close(conn);
	w->copier.conn = NULL;
	w->copier.locked = NULL;
}

static bool worker_connect(struct worker *w, struct error *err)
{
	struct pool *p = w->pool;
	_cleanup_conn_ struct pg_conn *conn = pg_clone(p->leader->conn, NULL, NULL, err);

	if (!conn || !session_pin(conn, p->encoding, err) || !session_widen_input(conn, err) ||
		!session_begin_snapshot(conn, p->leader->snapshot, err) || !pg_exec(conn, err, "SAVEPOINT unit"))
		return false;
	pthread_mutex_lock(&p->lock);
	w->conn = steal(conn);
	pthread_mutex_unlock(&p->lock);
	w->copier.conn = w->conn;
	return true;
}

static enum copy_result copy_unit(struct worker *w, struct plan_unit u, struct unit_state *state,
	size_t *next_object, struct error *err)
{
	if (!w->conn && !worker_connect(w, err))
		return err->code == EXIT_UNAVAILABLE || err->code == EXIT_BUSY ? COPY_LOST : COPY_FAILED;
	if (u.job->large_objects)
		return copy_large_objects(&w->copier, w->pool->plan, u.job, next_object, err);
	return copy_table_unit(&w->copier, u, state, err);
}

/* One that restarts needs a moment. interrupt_all() ends it early. */
static void pause_for_server(struct worker *w, int ms)
{
	struct pool *p = w->pool;
	double until = clock_monotonic() + ms / 1000.0;

	pthread_mutex_lock(&p->lock);
	while (!atomic_load(w->stop)) {
		int64_t left = (int64_t)((until - clock_monotonic()) * 1000);

		if (left <= 0 || !thread_wait(&p->changed, &p->lock, left))
			break;
	}
	pthread_mutex_unlock(&p->lock);
}

/* True: the session was given up and may be opened again. The leader's own cannot: its snapshot
 * is gone with it. */
static bool may_reconnect(struct worker *w, int attempt)
{
	if (w->is_leader || attempt >= RECONNECTS_PER_UNIT || atomic_load(w->stop))
		return false;
	worker_disconnect(w);
	pthread_mutex_lock(&w->pool->lock);
	w->pool->stats.reconnects++;
	pthread_mutex_unlock(&w->pool->lock);
	pause_for_server(w, 100 << attempt);
	return !atomic_load(w->stop);
}

/* Finishes the unit or fails; a refused one counts as handled. */
static bool work_unit(struct worker *w, struct plan_unit u, struct error *err)
{
	struct pool *p = w->pool;
	struct unit_state state = { 0 };
	size_t next_object = 0;
	enum copy_result result = COPY_FAILED;

	for (int attempt = 0;; attempt++) {
		error_release(err);
		result = copy_unit(w, u, &state, &next_object, err);
		if (result != COPY_LOST || !may_reconnect(w, attempt))
			break;
	}
	if (result == COPY_REFUSED && !w->is_leader) {
		error_release(err);
		plan_refuse(p->plan, u);
		pthread_mutex_lock(&p->lock);
		p->stats.refused++;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
		return true;
	}
	if (result != COPY_DONE)
		return false;
	if (plan_done(p->plan, u) && !u.job->large_objects && !data_file_finish(&u.job->file, p->targets, err))
		return false;
	pthread_mutex_lock(&p->lock);
	p->done_bytes += plan_unit_bytes(&u);
	pthread_mutex_unlock(&p->lock);
	return true;
}

static void worker_prepare(struct worker *w)
{
	w->copier = (struct copier){
		.conn = w->conn,
		.targets = w->pool->targets,
		.maker = block_maker_new((int)w->pool->options->level),
		.text = STRBUF_INIT,
		.is_leader = w->is_leader,
		.raw_bytes = &w->pool->raw_bytes,
		.stop = w->stop,
	};
}

static bool worker_run(struct worker *w, struct error *err)
{
	struct pool *p = w->pool;
	struct plan_unit u;
	bool ok = true;

	worker_prepare(w);
	while (ok && !atomic_load(w->stop) && plan_next(p->plan, &u))
		ok = work_unit(w, u, err);
	copier_release(&w->copier);
	worker_disconnect(w);
	pthread_mutex_lock(&p->lock);
	p->running--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return ok;
}

/* Waits at most half a second for a refused unit; *ret_over when there will be none any more. */
static bool wait_refused(struct worker *w, struct plan_unit *ret, bool *ret_over)
{
	struct pool *p = w->pool;

	pthread_mutex_lock(&p->lock);

	bool found = plan_next_refused(p->plan, ret);

	*ret_over = !found && (!p->running || atomic_load(w->stop));
	if (!found && !*ret_over)
		thread_wait(&p->changed, &p->lock, 500);
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void set_leader_busy(struct pool *p, bool busy)
{
	pthread_mutex_lock(&p->lock);
	p->leader_busy = busy;
	pthread_mutex_unlock(&p->lock);
}

/* The leader's connection holds the locks that a worker could not get. */
static bool leader_run(struct worker *w, struct error *err)
{
	struct plan_unit u;
	bool ok = true, over = false;

	while (ok && !over) {
		if (!wait_refused(w, &u, &over)) {
			ok = leader_is_alive(w->pool->leader, err);
			continue;
		}
		if (!w->copier.maker)
			worker_prepare(w);
		set_leader_busy(w->pool, true);
		ok = work_unit(w, u, err);
		set_leader_busy(w->pool, false);
	}
	copier_release(&w->copier);
	return ok;
}

static bool member_run(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct pool *p = data;
	struct worker *w = &p->workers[index];

	w->stop = stop;
	return w->is_leader ? leader_run(w, err) : worker_run(w, err);
}

static void interrupt_all(void *data)
{
	struct pool *p = data;

	pthread_mutex_lock(&p->lock);
	for (int64_t i = 0; i <= p->options->jobs; i++) {
		/* an idle leader is left alone: its health tells why the others failed */
		if (!p->workers[i].conn || (p->workers[i].is_leader && !p->leader_busy))
			continue;
		p->leader_interrupted |= p->workers[i].is_leader;
		pg_interrupt(p->workers[i].conn);
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void report_progress(void *data)
{
	struct pool *p = data;

	pthread_mutex_lock(&p->lock);

	int64_t done = p->done_bytes;

	pthread_mutex_unlock(&p->lock);
	log_progress(p->log, "data", done, p->plan->total_bytes);
}

bool workers_run(struct plan *plan, struct leader *l, const struct archive_targets *t,
	const struct backup_options *o, const char *encoding, struct log *log, const struct cancel *cancel,
	struct workers_stats *ret, struct error *err)
{
	size_t n = (size_t)o->jobs;
	autofree struct worker *workers = xcalloc(n + 1, sizeof(*workers));
	struct pool p = { .plan = plan, .leader = l, .targets = t, .options = o, .encoding = encoding, .log = log,
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .running = (unsigned)n,
		.workers = workers };
	const struct crew crew = { .threads = (unsigned)n + 1, .patient = true, .data = &p, .run = member_run,
		.interrupt = interrupt_all, .tick = report_progress };

	for (size_t i = 0; i <= n; i++)
		workers[i].pool = &p;
	workers[n].is_leader = true;
	workers[n].conn = l->conn;

	bool ok = crew_run(&crew, cancel, err);
	_cleanup_error_ struct error lost = ERROR_INIT;

	*ret = p.stats;
	/* whatever a worker met after the leader was gone, that is its cause */
	if (!ok && !p.leader_interrupted && err->code != EXIT_INTERRUPTED && err->code != EXIT_TERMINATED &&
		!leader_is_alive(l, &lost))
		error_move(err, &lost);
	return ok;
}
