/* SPDX-License-Identifier: PostgreSQL */
#include "s3_client.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include "clock.h"
#include "credentials.h"
#include "s3_try.h"
#include "s3_verdict.h"

enum {
	MAX_TRIES = 10,
	MAX_TRIES_UNSEEN = 3, /* of connecting to a store that never answered: likely a wrong name */
	MAX_RETRY_SECONDS = 600,
	MAX_WAIT_SECONDS = 20,
	SLOW_FACTOR = 10,
	LAST_RITES_SECONDS = 10,
};

struct s3_client {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	CURLM *multi;
	struct s3_client_options o;
	struct s3_endpoint endpoint;
	char *bucket, *ca_file;

	/* under the lock */
	struct s3_request *incoming;
	bool stop, cancelled;
	struct storage_stats stats;

	/* the I/O thread's */
	struct s3_request *active; /* all requests between submit and end, oldest first */
	int64_t running, limit, successes;
	int64_t clock_offset;      /* seconds the store's clock is ahead */
	bool answered;             /* the store has answered something */
	double rites_begin;        /* of the current 10 seconds for last rites */
};

void s3_client_lock(struct s3_client *c)
{
	pthread_mutex_lock(&c->lock);
}

void s3_client_unlock(struct s3_client *c)
{
	pthread_mutex_unlock(&c->lock);
}

void s3_client_sleep(struct s3_client *c)
{
	pthread_cond_wait(&c->changed, &c->lock);
}

bool s3_client_alive(struct s3_client *c, struct error *err)
{
	return cancel_check(c->o.cancel, err);
}

void s3_client_stats(struct s3_client *c, struct storage_stats *ret)
{
	s3_client_lock(c);
	*ret = c->stats;
	s3_client_unlock(c);
}

void s3_request_query(struct s3_request *r, const char *name, const char *value)
{
	if (r->n_query == S3_MAX_PAIRS)
		BUG("too many query parameters");
	r->query[r->n_query++] = (struct s3_pair){ name, value };
}

void s3_request_header(struct s3_request *r, const char *name, const char *value)
{
	if (r->n_headers == S3_MAX_PAIRS)
		BUG("too many headers");
	r->headers[r->n_headers++] = (struct s3_pair){ name, value };
}

void s3_request_release(struct s3_request *r)
{
	s3_reply_release(&r->reply);
	error_release(&r->error);
	free(r->code);
	free(r->answer_etag);
	free(r->other_scheme);
	free(r->other_host);
	free(r->other_path);
	free(r->signed_with);
	r->code = r->answer_etag = r->other_scheme = r->other_host = r->other_path = r->signed_with = NULL;
}

/* Ends a request for its owner, who may free it as soon as the lock is released. */
static void finish(struct s3_client *c, struct s3_request *r, bool ok)
{
	struct s3_request **p = &c->active;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	s3_client_lock(c);
	r->ok = ok;
	r->state = S3_DONE;
	if (r->finished)
		r->finished(r, r->finished_data);
	pthread_cond_broadcast(&c->changed);
	s3_client_unlock(c);
}

static void drop_handle(struct s3_client *c, struct s3_request *r)
{
	if (!r->handle)
		return;
	curl_multi_remove_handle(c->multi, r->handle);
	curl_easy_cleanup(r->handle);
	curl_slist_free_all(r->header_list);
	r->handle = NULL;
	r->header_list = NULL;
	c->running--;
}

/* Full jitter: anything between nothing and the exponential. */
static double backoff(const struct s3_client *c, unsigned tries, bool slowly)
{
	double base = (double)c->o.retry_base_ms / 1000 * (slowly ? SLOW_FACTOR : 1);
	double most = fmin(base * pow(2, tries - 1), MAX_WAIT_SECONDS);
	uint32_t random = UINT32_MAX / 2;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = UINT32_MAX / 2;
	return most * ((double)random / UINT32_MAX);
}

static void note_retry(struct s3_client *c, const struct s3_request *r)
{
	s3_client_lock(c);
	c->stats.retries++;
	snprintf(c->stats.last_retry, sizeof(c->stats.last_retry), "%s", r->error.message);
	s3_client_unlock(c);
}

static bool may_retry(const struct s3_client *c, const struct s3_request *r, int curl_code, double now)
{
	bool unseen = !c->answered &&
		      (curl_code == CURLE_COULDNT_CONNECT || curl_code == CURLE_COULDNT_RESOLVE_HOST);

	return r->tries < (unseen ? MAX_TRIES_UNSEEN : MAX_TRIES) &&
	       now - r->first_failure < MAX_RETRY_SECONDS;
}

static bool retry_later(struct s3_client *c, struct s3_request *r, int curl_code, bool slowly)
{
	double now = clock_monotonic();

	if (!r->first_failure)
		r->first_failure = now;
	if (!may_retry(c, r, curl_code, now))
		return false;
	if (slowly) {
		c->limit = c->limit > 1 ? c->limit / 2 : 1;
		c->successes = 0;
	}
	r->not_before = now + backoff(c, r->tries, slowly);
	return true;
}

static bool fix_clock(struct s3_client *c, struct s3_request *r)
{
	time_t date = r->reply.date ? curl_getdate(r->reply.date, NULL) : -1;

	if (r->skew_fixed || date < 0)
		return false;
	r->skew_fixed = true;
	c->clock_offset = (int64_t)date - clock_now_us() / 1000000;
	return true;
}

/* A redirect names the region, or only another place for this one request. */
static bool go_elsewhere(struct s3_client *c, struct s3_request *r)
{
	autofree char *scheme = NULL, *host = NULL, *path = NULL;

	if (r->region_fixed)
		return false;
	r->region_fixed = true;
	if (r->reply.region && strcmp(r->reply.region, c->endpoint.region) != 0) {
		s3_endpoint_set_region(&c->endpoint, r->reply.region);
		return true;
	}
	if (!r->reply.location || !s3_url_split(r->reply.location, &scheme, &host, &path, NULL))
		return false;
	if (strcmp(c->endpoint.scheme, "https") == 0 && strcmp(scheme, "https") != 0)
		return false; /* never from TLS to plain text */
	r->other_scheme = steal(scheme);
	r->other_host = steal(host);
	r->other_path = steal(path);
	return true;
}

static bool refresh(struct s3_client *c, struct s3_request *r)
{
	if (r->refreshed)
		return false;
	r->refreshed = true;
	credentials_expired(c->o.credentials, r->signed_with);
	return true;
}

static void count_success(struct s3_client *c)
{
	if (c->limit < c->o.slots && ++c->successes >= 2 * c->limit) {
		c->limit++;
		c->successes = 0;
	}
}

static bool try_again(struct s3_client *c, struct s3_request *r, enum s3_verdict v, int curl_code)
{
	switch (v) {
	case S3_RETRY:
	case S3_RETRY_SLOWLY:
		return retry_later(c, r, curl_code, v == S3_RETRY_SLOWLY);
	case S3_RETRY_SKEW:
		return fix_clock(c, r);
	case S3_RETRY_REGION:
		return go_elsewhere(c, r);
	case S3_RETRY_REFRESH:
		return refresh(c, r);
	default:
		return false;
	}
}

static void read_info(struct s3_client *c, struct s3_request *r)
{
	curl_off_t up = 0, down = 0, length = -1;
	long status = 0;

	curl_easy_getinfo(r->handle, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(r->handle, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(r->handle, CURLINFO_SIZE_DOWNLOAD_T, &down);
	curl_easy_getinfo(r->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	r->reply.status = (int)status;
	r->reply.content_length = length;
	c->answered = c->answered || status;
	s3_client_lock(c);
	c->stats.bytes_sent += (uint64_t)up;
	c->stats.bytes_received += (uint64_t)down;
	s3_client_unlock(c);
}

static void end_try(struct s3_client *c, struct s3_request *r, CURLcode rc)
{
	read_info(c, r);
	drop_handle(c, r);

	enum s3_verdict v = s3_judge(r, rc, r->curl_text);

	if (v == S3_SUCCESS) {
		count_success(c);
		finish(c, r, true);
	} else if (try_again(c, r, v, rc)) {
		note_retry(c, r);
	} else {
		if (r->tries > 1 && (v == S3_RETRY || v == S3_RETRY_SLOWLY))
			error_prefix(&r->error, "gave up after %u tries", r->tries);
		finish(c, r, false);
	}
}

/* Upload speed is curl's per handle: the total is shared out anew when their number changes. */
static void share_rate(struct s3_client *c)
{
	int64_t n = 0;

	if (!c->o.max_rate)
		return;
	for (struct s3_request *r = c->active; r; r = r->next)
		n += r->handle && r->body_len;
	for (struct s3_request *r = c->active; r; r = r->next)
		if (r->handle && r->body_len)
			curl_easy_setopt(r->handle, CURLOPT_MAX_SEND_SPEED_LARGE,
				(curl_off_t)(c->o.max_rate / n + 1));
}

static void start_try(struct s3_client *c, struct s3_request *r)
{
	_cleanup_credentials_ struct aws_credentials keys = { 0 };

	if (!credentials_get(c->o.credentials, &keys, &r->error)) {
		finish(c, r, false);
		return;
	}
	r->handle = curl_easy_init();
	if (!r->handle)
		BUG("curl has no memory");
	r->tries++;
	free(r->signed_with);
	r->signed_with = xstrdup(keys.access_key_id);
	r->curl_text[0] = '\0';
	curl_easy_setopt(r->handle, CURLOPT_ERRORBUFFER, r->curl_text);
	s3_try_prepare(
		&(struct s3_try){
			.bucket = c->bucket,
			.ca_file = c->ca_file,
			.endpoint = &c->endpoint,
			.credentials = &keys,
			.now = clock_now_us() / 1000000 + c->clock_offset,
			.stall_seconds = c->o.stall_seconds,
		},
		r, r->handle);
	curl_multi_add_handle(c->multi, r->handle);
	c->running++;
	s3_client_lock(c);
	c->stats.requests++;
	s3_client_unlock(c);
	share_rate(c);
}

static void start_due(struct s3_client *c)
{
	double now = clock_monotonic();

	for (struct s3_request *r = c->active, *next; r && c->running < c->limit; r = next) {
		next = r->next;
		if (!r->handle && r->not_before <= now)
			start_try(c, r);
	}
}

/* Moves what callers submitted to the end of the active list. */
static void take_incoming(struct s3_client *c)
{
	struct s3_request **end = &c->active;

	while (*end)
		end = &(*end)->next;
	s3_client_lock(c);
	*end = c->incoming;
	c->incoming = NULL;
	s3_client_unlock(c);

	double now = clock_monotonic();

	for (struct s3_request *r = *end; r; r = r->next) {
		if (!r->last_rites)
			continue;
		if (now - c->rites_begin > 7 * LAST_RITES_SECONDS)
			c->rites_begin = now;
		r->deadline = c->rites_begin + LAST_RITES_SECONDS;
	}
}

/* The reason to end r now, in r->error; false when there is none. Lock held. */
static bool must_end(struct s3_client *c, struct s3_request *r, double now)
{
	_cleanup_error_ struct error reason = ERROR_INIT;

	if (c->cancelled && !r->last_rites)
		cancel_check(c->o.cancel, &reason);
	else if (r->aborted || c->stop)
		error_set(&reason, EXIT_INTERRUPTED, "the request was stopped");
	else if (r->deadline && now > r->deadline)
		error_set(&reason, EXIT_UNAVAILABLE, "S3 did not answer in %d seconds", LAST_RITES_SECONDS);
	else
		return false;
	error_move(&r->error, &reason);
	return true;
}

static void end_stopped(struct s3_client *c)
{
	double now = clock_monotonic();

	for (struct s3_request *r = c->active, *next; r; r = next) {
		next = r->next;
		s3_client_lock(c);

		bool end = must_end(c, r, now);

		s3_client_unlock(c);
		if (!end)
			continue;
		drop_handle(c, r);
		finish(c, r, false);
	}
}

static void note_cancel(struct s3_client *c)
{
	if (c->cancelled || !cancel_requested(c->o.cancel))
		return;
	s3_client_lock(c);
	c->cancelled = true;
	pthread_cond_broadcast(&c->changed);
	s3_client_unlock(c);
}

static bool reap(struct s3_client *c)
{
	CURLMsg *m;
	int left;
	bool any = false;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct s3_request *r = NULL;
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		end_try(c, r, rc);
		any = true;
	}
	if (any)
		share_rate(c);
	return any;
}

/* Sleeps until the network, a caller, a stop request or the next retry wants something. */
static void sleep_until_due(struct s3_client *c)
{
	bool can_wake = !c->o.cancel || c->o.cancel->wake_fd >= 0;
	bool watch = !c->cancelled && c->o.cancel && c->o.cancel->wake_fd >= 0;
	struct curl_waitfd fd = { .fd = watch ? c->o.cancel->wake_fd : -1, .events = CURL_WAIT_POLLIN };
	double now = clock_monotonic(), until = now + (can_wake ? 30 : 0.1);

	for (const struct s3_request *r = c->active; r; r = r->next) {
		if (!r->handle && c->running < c->limit)
			until = fmin(until, r->not_before);
		if (r->deadline)
			until = fmin(until, r->deadline);
	}
	curl_multi_poll(c->multi, watch ? &fd : NULL, watch, (int)(fmax(0, until - now) * 1000) + 1, NULL);
}

static bool step(struct s3_client *c)
{
	int still;

	take_incoming(c);
	note_cancel(c);
	end_stopped(c);
	start_due(c);
	curl_multi_perform(c->multi, &still);
	if (reap(c))
		return true;
	s3_client_lock(c);

	bool done = c->stop && !c->active && !c->incoming;

	s3_client_unlock(c);
	if (!done)
		sleep_until_due(c);
	return !done;
}

static void *io_main(void *data)
{
	while (step(data))
		;
	return NULL;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* The thread takes no signals: they are the main thread's. */
static int start_thread(struct s3_client *c)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);

	int rc = pthread_create(&c->thread, NULL, io_main, c);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void client_free(struct s3_client *c)
{
	curl_multi_cleanup(c->multi);
	s3_endpoint_release(&c->endpoint);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	free(c->bucket);
	free(c->ca_file);
	free(c);
}

struct s3_client *s3_client_open(const struct s3_client_options *o, struct error *err)
{
	pthread_once(&curl_once, init_curl);

	struct s3_client *c = xcalloc(1, sizeof(*c));

	c->o = *o;
	c->bucket = xstrdup(o->bucket);
	c->ca_file = xstrdup(o->ca_file);
	c->limit = o->slots;
	c->rites_begin = -1000;
	s3_endpoint_copy(&c->endpoint, o->endpoint);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	c->multi = curl_multi_init();
	if (!c->multi)
		BUG("curl has no memory");
	curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->slots);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)o->slots + 1);

	int rc = start_thread(c);

	if (rc) {
		error_set_errno(err, EXIT_UNAVAILABLE, rc, "cannot start the S3 thread");
		client_free(c);
		return NULL;
	}
	return c;
}

void s3_client_close(struct s3_client *c)
{
	if (!c)
		return;
	s3_client_lock(c);
	c->stop = true;
	s3_client_unlock(c);
	curl_multi_wakeup(c->multi);
	pthread_join(c->thread, NULL);
	client_free(c);
}

bool s3_client_submit(struct s3_client *c, struct s3_request *r, struct error *err)
{
	_cleanup_credentials_ struct aws_credentials keys = { 0 };

	/* a renewal may be slow: it shall hold up this caller, not the I/O thread */
	if ((!r->last_rites && !s3_client_alive(c, err)) ||
		!credentials_get(c->o.credentials, &keys, err))
		return false;
	if (!r->payload_sha256[0])
		sha256_hex(r->body ? r->body : "", r->body_len, r->payload_sha256);
	r->sink_start = r->sink ? r->sink->len : 0;
	s3_client_lock(c);
	r->state = S3_QUEUED;
	r->next = NULL;

	struct s3_request **end = &c->incoming;

	while (*end)
		end = &(*end)->next;
	*end = r;
	s3_client_unlock(c);
	curl_multi_wakeup(c->multi);
	return true;
}

bool s3_client_wait(struct s3_client *c, struct s3_request *r, struct error *err)
{
	s3_client_lock(c);
	while (r->state == S3_QUEUED)
		s3_client_sleep(c);
	s3_client_unlock(c);
	return r->ok || error_move(err, &r->error);
}

bool s3_client_run(struct s3_client *c, struct s3_request *r, struct error *err)
{
	return s3_client_submit(c, r, err) && s3_client_wait(c, r, err);
}

void s3_client_abort(struct s3_client *c, struct s3_request *r)
{
	s3_client_lock(c);
	r->aborted = true;
	s3_client_unlock(c);
	curl_multi_wakeup(c->multi);
}
