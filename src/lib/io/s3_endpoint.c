/* SPDX-License-Identifier: PostgreSQL */
#include "s3_endpoint.h"

#include <ctype.h>
#include <curl/curl.h>
#include <strings.h>
#include "s3_sign.h"

static const char *first(const char *a, const char *b)
{
	return a && *a ? a : b;
}

static void cleanup_url(CURLU **u)
{
	curl_url_cleanup(*u);
}

static char *url_part(CURLU *u, CURLUPart part, unsigned flags)
{
	char *text = NULL;

	if (curl_url_get(u, part, &text, flags) != CURLUE_OK)
		return NULL;

	char *copy = xstrdup(text);

	curl_free(text);
	return copy;
}

bool s3_url_split(const char *url, char **scheme, char **host, char **path, struct error *err)
{
	_cleanup_(cleanup_url) CURLU *u = curl_url();
	bool has_scheme = strstr(url, "://") != NULL;
	autofree char *whole = has_scheme ? xstrdup(url) : xasprintf("https://%s", url);

	if (!u || curl_url_set(u, CURLUPART_URL, whole, CURLU_PATH_AS_IS) != CURLUE_OK)
		return error_set(err, EXIT_CONFIG, "\"%s\" is not an endpoint URL",
			strchr(url, '@') ? "(hidden)" : url); /* it may hold a password */

	autofree char *s = url_part(u, CURLUPART_SCHEME, 0);
	autofree char *h = url_part(u, CURLUPART_HOST, 0);
	autofree char *port = url_part(u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
	autofree char *p = url_part(u, CURLUPART_PATH, 0);
	autofree char *user = url_part(u, CURLUPART_USER, 0);

	if (!s || !h || (strcmp(s, "https") != 0 && strcmp(s, "http") != 0))
		return error_set(err, EXIT_CONFIG, "an endpoint URL begins with https:// or http://");
	if (user)
		return error_set(err, EXIT_CONFIG, "an endpoint URL has no user name or password in it");
	*scheme = steal(s);
	*host = port ? xasprintf("%s:%s", h, port) : steal(h);
	*path = p ? steal(p) : xstrdup("/");
	return true;
}

static bool is_local(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
	       (strcspn(host, ":") == 9 && strncasecmp(host, "localhost", 9) == 0);
}

static const char *setting(const struct aws_config *c, const char *name)
{
	return aws_config_get(c, c->profile, name);
}

/* The endpoint in the profile's "services" section, else in the profile. */
static const char *profile_endpoint(const struct aws_config *c)
{
	const char *services = setting(c, "services"), *url = NULL;

	if (services) {
		autofree char *section = xasprintf("services %s", services);

		url = aws_ini_get(&c->config, section, "s3.endpoint_url");
	}
	return first(url, setting(c, "endpoint_url"));
}

static const char *configured_endpoint(const struct s3_options *o, const struct aws_config *c)
{
	if (o->endpoint && *o->endpoint)
		return o->endpoint;
	if (aws_env_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return NULL;
	return first(aws_env("AWS_ENDPOINT_URL_S3"),
		first(aws_env("AWS_ENDPOINT_URL"), profile_endpoint(c)));
}

static bool want_path_style(
	const struct s3_options *o, const struct aws_config *c, const struct s3_endpoint *e)
{
	const char *style = setting(c, "s3.addressing_style");

	if (o->path_style >= 0)
		return o->path_style != 0;
	if (style && strcmp(style, "path") == 0)
		return true;
	if (style && strcmp(style, "virtual") == 0)
		return false;
	/* a certificate for *.s3.… does not cover a bucket with a dot in its name */
	return !e->aws || strchr(o->bucket, '.') != NULL;
}

static void set_aws_host(struct s3_endpoint *e)
{
	free(e->host);
	e->host = xasprintf("s3.%s.amazonaws.com%s", e->region,
		strncmp(e->region, "cn-", 3) == 0 ? ".cn" : "");
}

/* Both become part of a host name, and a region may come from a server's answer. */
static bool token_ok(const char *s, const char *punctuation)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(punctuation, *s))
			return false;
	return true;
}

static bool check_names(const struct s3_options *o, const struct s3_endpoint *e, struct error *err)
{
	if (!o->bucket || !*o->bucket)
		return error_set(err, EXIT_CONFIG, "the S3 bucket is not given");
	if (!token_ok(o->bucket, "-._"))
		return error_set(err, EXIT_CONFIG, "\"%s\" is not a bucket name", o->bucket);
	if (!token_ok(e->region, "-_"))
		return error_set(err, EXIT_CONFIG, "\"%s\" is not a region", e->region);
	return true;
}

bool s3_endpoint_resolve(const struct s3_options *o, const struct aws_config *c,
	struct s3_endpoint *ret, struct error *err)
{
	const char *url = configured_endpoint(o, c);
	const char *region = first(o->region, first(aws_env("AWS_REGION"),
		first(aws_env("AWS_DEFAULT_REGION"), first(setting(c, "region"), "us-east-1"))));

	*ret = (struct s3_endpoint){ .region = xstrdup(region), .aws = !url };
	if (!check_names(o, ret, err) ||
		(url && !s3_url_split(url, &ret->scheme, &ret->host, &ret->base_path, err))) {
		s3_endpoint_release(ret);
		return false;
	}
	if (!url) {
		ret->scheme = xstrdup("https");
		ret->base_path = xstrdup("");
		set_aws_host(ret);
	}

	size_t len = strlen(ret->base_path);

	while (len && ret->base_path[len - 1] == '/')
		ret->base_path[--len] = '\0';
	ret->path_style = want_path_style(o, c, ret);
	ret->local = is_local(ret->host);
	return true;
}

void s3_endpoint_copy(struct s3_endpoint *to, const struct s3_endpoint *from)
{
	*to = *from;
	to->scheme = xstrdup(from->scheme);
	to->host = xstrdup(from->host);
	to->base_path = xstrdup(from->base_path);
	to->region = xstrdup(from->region);
}

void s3_endpoint_release(struct s3_endpoint *e)
{
	free(e->scheme);
	free(e->host);
	free(e->base_path);
	free(e->region);
	*e = (struct s3_endpoint){ 0 };
}

void s3_endpoint_set_region(struct s3_endpoint *e, const char *region)
{
	if (!token_ok(region, "-_"))
		return;

	char *copy = xstrdup(region);

	free(e->region);
	e->region = copy;
	if (e->aws)
		set_aws_host(e);
}

void s3_endpoint_locate(const struct s3_endpoint *e, const char *bucket, const char *key,
	struct strbuf *host, struct strbuf *path)
{
	strbuf_adds(path, e->base_path);
	if (e->path_style) {
		strbuf_adds(host, e->host);
		strbuf_addch(path, '/');
		strbuf_add_percent(path, bucket, "");
	} else {
		strbuf_addf(host, "%s.%s", bucket, e->host);
	}
	if (key || !e->path_style)
		strbuf_addch(path, '/');
	if (key)
		s3_encode_path(key, path);
}
