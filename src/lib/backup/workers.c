/* SPDX-License-Identifier: PostgreSQL */
#include "workers.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include "copy_out.h"
#include "session.h"
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
	unsigned alive;          /* threads that have not ended */
	struct workers_stats stats;
	int64_t done_bytes;
	struct error error;      /* the first failure */
	atomic_bool stop;
	atomic_llong raw_bytes;
};

struct worker {
	struct pool *pool;
	pthread_t thread;
	struct pg_conn *conn;    /* under pool->lock: pool_stop() interrupts it */
	struct copier copier;
	bool is_leader;
};

static void pool_fail(struct pool *p, struct error *err)
{
	pthread_mutex_lock(&p->lock);
	if (!error_is_set(&p->error))
		error_move(&p->error, err);
	atomic_store(&p->stop, true);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

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

	if (!conn || !session_pin(conn, p->encoding, err) ||
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

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* True: the session was given up and may be opened again. The leader's own cannot: its snapshot
 * is gone with it. */
static bool may_reconnect(struct worker *w, int attempt)
{
	if (w->is_leader || attempt >= RECONNECTS_PER_UNIT || atomic_load(&w->pool->stop))
		return false;
	worker_disconnect(w);
	pthread_mutex_lock(&w->pool->lock);
	w->pool->stats.reconnects++;
	pthread_mutex_unlock(&w->pool->lock);
	pause_ms(100L << attempt);
	return true;
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
		.stop = &w->pool->stop,
	};
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct plan_unit u;

	worker_prepare(w);
	while (!atomic_load(&p->stop) && plan_next(p->plan, &u))
		if (!work_unit(w, u, &err)) {
			pool_fail(p, &err);
			break;
		}
	copier_release(&w->copier);
	worker_disconnect(w);
	pthread_mutex_lock(&p->lock);
	p->running--;
	p->alive--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Waits for a refused unit; false when there will be none any more. */
static bool wait_refused(struct pool *p, struct plan_unit *ret)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	while (!atomic_load(&p->stop) && !(found = plan_next_refused(p->plan, ret)) && p->running)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return found;
}

/* The leader's connection holds the locks that a worker could not get. */
static void *leader_main(void *arg)
{
	struct worker *w = arg;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct plan_unit u;

	while (wait_refused(w->pool, &u)) {
		if (!w->copier.maker)
			worker_prepare(w);
		if (!work_unit(w, u, &err)) {
			pool_fail(w->pool, &err);
			break;
		}
	}
	copier_release(&w->copier);
	pthread_mutex_lock(&w->pool->lock);
	w->pool->alive--;
	pthread_cond_broadcast(&w->pool->changed);
	pthread_mutex_unlock(&w->pool->lock);
	return NULL;
}

/* Workers never see signals: the main thread's handler does. */
static bool start_thread(struct worker *w, void *(*main)(void *), struct error *err)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 || error_set_errno(err, EXIT_UNAVAILABLE, r, "cannot start a thread");
}

static void interrupt_all(struct pool *p, struct worker *workers, size_t n)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++)
		if (workers[i].conn)
			pg_interrupt(workers[i].conn);
	pthread_mutex_unlock(&p->lock);
}

/* Until all threads ended: passes on a stop, reports progress. */
static void supervise(struct pool *p, struct worker *workers, size_t n, struct log *log, const struct cancel *cancel)
{
	bool interrupted = false;
	unsigned alive;

	do {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100 * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_lock(&p->lock);
		if (p->alive)
			pthread_cond_timedwait(&p->changed, &p->lock, &until);
		alive = p->alive;

		int64_t done = p->done_bytes;

		pthread_mutex_unlock(&p->lock);
		if (cancel_requested(cancel)) {
			_cleanup_error_ struct error err = ERROR_INIT;

			cancel_check(cancel, &err);
			pool_fail(p, &err);
		}
		if (atomic_load(&p->stop) && !interrupted) {
			interrupted = true;
			interrupt_all(p, workers, n);
		}
		log_progress(log, "data", done, p->plan->total_bytes);
	} while (alive);
}

bool workers_run(struct plan *plan, struct leader *l, const struct archive_targets *t,
	const struct backup_options *o, const char *encoding, struct log *log, const struct cancel *cancel,
	struct workers_stats *ret, struct error *err)
{
	struct pool p = { .plan = plan, .leader = l, .targets = t, .options = o, .encoding = encoding,
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	size_t n = (size_t)o->jobs, started = 0;
	autofree struct worker *workers = xcalloc(n + 1, sizeof(*workers));

	for (size_t i = 0; i <= n; i++)
		workers[i].pool = &p;
	workers[n].is_leader = true;
	workers[n].conn = l->conn;
	p.running = (unsigned)n;
	p.alive = (unsigned)n + 1;
	while (started <= n && start_thread(&workers[started], started < n ? worker_main : leader_main, err))
		started++;
	if (started <= n) {
		pthread_mutex_lock(&p.lock);
		p.alive -= (unsigned)(n + 1 - started);
		p.running = p.alive;
		pthread_mutex_unlock(&p.lock);
		pool_fail(&p, err);
	}
	supervise(&p, workers, n + 1, log, cancel);
	for (size_t i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	*ret = p.stats;
	return !error_is_set(&p.error) || error_move(err, &p.error);
}
