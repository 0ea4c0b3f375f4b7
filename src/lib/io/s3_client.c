/* SPDX-License-Identifier: PostgreSQL */
#include "s3_client_private.h"

#include "credentials.h"
#include "s3_try.h"
#include "thread.h"

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

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
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
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)o->slots + 1);
	if (thread_start(&c->thread, s3_io_main, c, err))
		return c;
	client_free(c);
	return NULL;
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
