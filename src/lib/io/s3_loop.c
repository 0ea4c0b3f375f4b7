/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_loop.c - the I/O thread: starts requests that are due, moves bytes, ends requests.
 */
#include <math.h>
#include <stdio.h>
#include "clock.h"
#include "credentials.h"
#include "s3_client_private.h"
#include "s3_try.h"

enum { LAST_RITES_SECONDS = 10, LEAST_SPEED = 1024 };

/* Ends a request for its owner, who may free it as soon as the lock is released. */
static void finish(struct s3_client *c, struct s3_request *r, bool ok)
{
	struct s3_request **p = &c->active;

	while (*p && *p != r)
		p = &(*p)->next;
	if (!*p)
		BUG("a request ended twice");
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

static void note_retry(struct s3_client *c, const struct s3_request *r)
{
	s3_client_lock(c);
	c->stats.retries++;
	snprintf(c->stats.last_retry, sizeof(c->stats.last_retry), "%s", r->error.message);
	s3_client_unlock(c);
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
		s3_count_success(c);
		finish(c, r, true);
	} else if (s3_try_again(c, r, v, rc)) {
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

/* A limited rate, shared by all slots, must not look like a stalled transfer. */
static int64_t least_speed(const struct s3_client *c)
{
	int64_t share = c->o.max_rate / c->o.slots / 4;

	return !c->o.max_rate || share > LEAST_SPEED ? LEAST_SPEED : share + 1;
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
			.least_speed = least_speed(c),
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

void *s3_io_main(void *data)
{
	while (step(data))
		;
	return NULL;
}
