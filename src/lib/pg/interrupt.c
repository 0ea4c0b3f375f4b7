/* SPDX-License-Identifier: PostgreSQL
 *
 * interrupt.c - stops what a session does, from another thread.
 *
 * PQcancel() opens a connection of its own and waits for it as long as the kernel does, minutes
 * when the network is gone. So it runs in a thread that may be left behind: whoever comes last,
 * that thread or the one that waits for it, frees the job.
 */
#include <pthread.h>
#include <sys/socket.h>

#include "internal.h"
#include "thread.h"

enum { PATIENCE_SECONDS = 3 };

struct job {
	PGcancel *cancel;
	pthread_mutex_t mutex;
	pthread_cond_t done_cond;
	bool done, left; /* the request is through; nobody waits any more */
};

static struct job *job_new(PGcancel *cancel)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->cancel = cancel;
	pthread_mutex_init(&job->mutex, NULL);
	pthread_cond_init(&job->done_cond, NULL);
	return job;
}

static void job_free(struct job *job)
{
	pthread_cond_destroy(&job->done_cond);
	pthread_mutex_destroy(&job->mutex);
	PQfreeCancel(job->cancel);
	free(job);
}

static void send_request(const struct job *job)
{
	char ignored[256];

	PQcancel(job->cancel, ignored, sizeof(ignored));
}

static void *run_job(void *data)
{
	struct job *job = data;

	send_request(job);
	pthread_mutex_lock(&job->mutex);
	job->done = true;
	pthread_cond_signal(&job->done_cond);

	bool left = job->left;

	pthread_mutex_unlock(&job->mutex);
	if (left)
		job_free(job);
	return NULL;
}

static void wait_for_job(struct job *job)
{
	pthread_mutex_lock(&job->mutex);
	while (!job->done && thread_wait(&job->done_cond, &job->mutex, PATIENCE_SECONDS * 1000))
		;

	bool done = job->done;

	job->left = true;
	pthread_mutex_unlock(&job->mutex);
	if (done)
		job_free(job);
}

static void request_cancel(PGcancel *cancel)
{
	struct job *job = job_new(cancel);
	pthread_t thread;

	if (thread_start(&thread, run_job, job, NULL)) {
		pthread_detach(thread);
		wait_for_job(job);
		return;
	}
	send_request(job);
	job_free(job);
}

void pg_interrupt(struct pg_conn *c)
{
	PGcancel *cancel = atomic_exchange(&c->session->cancel, NULL);

	atomic_store(&c->session->interrupted, true);
	if (cancel)
		request_cancel(cancel);
	if (c->session->socket >= 0)
		shutdown(c->session->socket, SHUT_RDWR);
}
