/* SPDX-License-Identifier: PostgreSQL */
#include "credentials.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include "clock.h"
#include "credentials_sources.h"

#define MINUTES INT64_C(60000000)

struct credentials {
	pthread_mutex_t lock;
	pthread_cond_t renewed;
	struct credentials_options options; /* points into the next members */
	struct aws_credentials given;
	char *region, *ca_file;
	struct aws_credentials current; /* access_key_id NULL: none yet */
	bool expired;                   /* the store said so */
	int64_t try_at, insist_at;      /* when a renewal is due, and when it must work */
	bool renewing;                  /* some thread asks the source */
	unsigned renewals;              /* ended, well or not */
	struct error failure;           /* of the last one */
};

static void wipe(char *s)
{
	if (s)
		OPENSSL_cleanse(s, strlen(s));
	free(s);
}

static char *copy(const char *s)
{
	return s && *s ? xstrdup(s) : NULL;
}

void aws_credentials_copy(struct aws_credentials *to, const struct aws_credentials *from)
{
	*to = *from;
	to->access_key_id = xstrdup(from->access_key_id);
	to->secret_access_key = xstrdup(from->secret_access_key);
	to->session_token = xstrdup(from->session_token);
}

void aws_credentials_release(struct aws_credentials *c)
{
	wipe(c->access_key_id);
	wipe(c->secret_access_key);
	wipe(c->session_token);
	*c = (struct aws_credentials){ 0 };
}

struct credentials *credentials_open(const struct credentials_options *o)
{
	struct credentials *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->renewed, NULL);
	c->failure = (struct error)ERROR_INIT;
	c->given = (struct aws_credentials){
		.access_key_id = copy(o->access_key_id),
		.secret_access_key = copy(o->secret_access_key),
		.session_token = copy(o->session_token),
	};
	c->region = copy(o->region);
	c->ca_file = copy(o->ca_file);
	c->options = *o;
	c->options.access_key_id = c->given.access_key_id;
	c->options.secret_access_key = c->given.secret_access_key;
	c->options.session_token = c->given.session_token;
	c->options.region = c->region;
	c->options.ca_file = c->ca_file;
	return c;
}

void credentials_close(struct credentials *c)
{
	if (!c)
		return;
	aws_credentials_release(&c->current);
	aws_credentials_release(&c->given);
	free(c->region);
	free(c->ca_file);
	error_release(&c->failure);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->renewed);
	free(c);
}

/* When to renew, before the end: AWS's own tools try from 15 minutes and insist from 10. Credentials
 * that live shorter are renewed in the last quarter. The instance metadata service may hand out
 * expired ones while it has trouble: they are used on, and asked for again after a while. */
static void plan_renewal(struct credentials *c, int64_t now)
{
	int64_t left = c->current.expires - now;

	c->try_at = c->insist_at = INT64_MAX;
	if (!c->current.expires)
		return;
	if (left <= 0 && strcmp(c->current.source, "instance metadata") == 0)
		left = 40 * MINUTES;
	c->try_at = now + left - (left > 60 * MINUTES ? 15 * MINUTES : left / 4);
	c->insist_at = now + left - (left > 60 * MINUTES ? 10 * MINUTES : left / 6);
}

static bool search(struct credentials *c, struct aws_credentials *fresh, struct error *err)
{
	switch (credentials_search(&c->options, fresh, err)) {
	case SOURCE_FOUND:
		return true;
	case SOURCE_FAILED:
		return error_prefix(err, "cannot get S3 credentials");
	default:
		error_set(err, EXIT_PERMISSION, "there are no S3 credentials");
		return error_hint(err, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a "
				       "profile of ~/.aws/credentials.");
	}
}

/* Lock held, but not while the source is asked: who still has good ones goes on meanwhile. */
static void renew(struct credentials *c)
{
	struct aws_credentials fresh = { 0 };
	struct error failure = ERROR_INIT;

	c->renewing = true;
	pthread_mutex_unlock(&c->lock);

	bool ok = search(c, &fresh, &failure);

	pthread_mutex_lock(&c->lock);
	c->renewing = false;
	c->renewals++;
	error_move(&c->failure, &failure);
	c->try_at = clock_now_us() + 1 * MINUTES;
	if (ok) {
		aws_credentials_release(&c->current);
		c->current = fresh;
		c->expired = false;
		plan_renewal(c, clock_now_us());
	}
	pthread_cond_broadcast(&c->renewed);
}

static bool last_failure(const struct credentials *c, struct error *err)
{
	error_set(err, c->failure.code, "%s", c->failure.message);
	if (c->failure.detail)
		error_detail(err, "%s", c->failure.detail);
	return c->failure.hint ? error_hint(err, "%s", c->failure.hint) : false;
}

/* Makes c->current good for a request; lock held. One failed renewal answers all who waited for it. */
static bool refresh(struct credentials *c, struct error *err)
{
	unsigned before = c->renewals;

	for (;;) {
		int64_t now = clock_now_us();
		bool must = !c->current.access_key_id || c->expired || now >= c->insist_at;

		if (!must && (now < c->try_at || c->renewing))
			return true;
		if (c->renewals != before) /* what the source gives is the best there is, even if it ends soon */
			return !must || !error_is_set(&c->failure) || last_failure(c, err);
		if (c->renewing)
			pthread_cond_wait(&c->renewed, &c->lock);
		else
			renew(c);
	}
}

bool credentials_get(struct credentials *c, struct aws_credentials *ret, struct error *err)
{
	pthread_mutex_lock(&c->lock);

	bool ok = refresh(c, err);

	if (ok)
		aws_credentials_copy(ret, &c->current);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

void credentials_expired(struct credentials *c, const char *access_key_id)
{
	pthread_mutex_lock(&c->lock);
	if (c->current.access_key_id && strcmp(c->current.access_key_id, access_key_id) == 0)
		c->expired = true;
	pthread_mutex_unlock(&c->lock);
}
