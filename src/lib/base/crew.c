/* SPDX-License-Identifier: PostgreSQL */
#include "crew.h"

#include <sched.h>
#include "thread.h"
#include "xalloc.h"

struct crew_state {
	const struct crew *crew;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned alive;
	struct error error; /* the first one */
	atomic_bool stop;
};

struct member {
	struct crew_state *state;
	unsigned index;
	pthread_t thread;
};

static void fail(struct crew_state *s, struct error *err)
{
	pthread_mutex_lock(&s->lock);
	if (!error_is_set(&s->error))
		error_move(&s->error, err);
	atomic_store(&s->stop, true);
	pthread_mutex_unlock(&s->lock);
}

/* Only from the normal policy: one that somebody chose (chrt, CPUSchedulingPolicy=) stays. Where it is not allowed nothing
 * is lost but time. */
static void become_patient(void)
{
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct crew_state *s = m->state;
	_cleanup_error_ struct error err = ERROR_INIT;

	if (s->crew->patient)
		become_patient();
	if (!s->crew->run(s->crew->data, m->index, &s->stop, &err))
		fail(s, &err);
	pthread_mutex_lock(&s->lock);
	s->alive--;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Waits at most 100 ms; false when nobody is left. */
static bool wait_a_moment(struct crew_state *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->alive)
		thread_wait(&s->ended, &s->lock, 100);

	unsigned alive = s->alive;

	pthread_mutex_unlock(&s->lock);
	return alive > 0;
}

static void supervise(struct crew_state *s, const struct cancel *cancel)
{
	bool interrupted = false;

	while (wait_a_moment(s)) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (!cancel_check(cancel, &err))
			fail(s, &err);
		if (atomic_load(&s->stop) && !interrupted) {
			interrupted = true;
			if (s->crew->interrupt)
				s->crew->interrupt(s->crew->data);
		}
		if (s->crew->tick)
			s->crew->tick(s->crew->data);
	}
	if (s->crew->tick)
		s->crew->tick(s->crew->data);
}

bool crew_run(const struct crew *c, const struct cancel *cancel, struct error *err)
{
	struct crew_state s = { .crew = c, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER,
		.alive = c->threads };
	autofree struct member *members = xcalloc(c->threads, sizeof(*members));
	_cleanup_error_ struct error not_started = ERROR_INIT;
	unsigned started = 0;

	for (; started < c->threads; started++) {
		members[started] = (struct member){ .state = &s, .index = started };
		if (!thread_start(&members[started].thread, member_main, &members[started], &not_started))
			break;
	}
	if (started < c->threads) {
		pthread_mutex_lock(&s.lock);
		s.alive -= c->threads - started;
		pthread_mutex_unlock(&s.lock);
		fail(&s, &not_started);
	}
	supervise(&s, cancel);
	for (unsigned i = 0; i < started; i++)
		pthread_join(members[i].thread, NULL);
	return !error_is_set(&s.error) || error_move(err, &s.error);
}
