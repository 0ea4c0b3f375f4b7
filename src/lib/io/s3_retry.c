/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_retry.c - whether, when and how a failed try is repeated.
 */
#include <math.h>
#include <sys/random.h>
#include "clock.h"
#include "credentials.h"
#include "s3_client_private.h"

enum {
	MAX_TRIES = 10,
	MAX_TRIES_UNSEEN = 3, /* of connecting to a store that never answered: likely a wrong name */
	MAX_RETRY_SECONDS = 600,
	MAX_WAIT_SECONDS = 20,
	SLOW_FACTOR = 10,
};

void s3_count_success(struct s3_client *c)
{
	if (c->limit < c->o.slots && ++c->successes >= 2 * c->limit) {
		c->limit++;
		c->successes = 0;
	}
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

bool s3_try_again(struct s3_client *c, struct s3_request *r, enum s3_verdict v, int curl_code)
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
