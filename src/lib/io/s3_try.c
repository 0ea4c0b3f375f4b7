/* SPDX-License-Identifier: PostgreSQL */
#include "s3_try.h"

#include <inttypes.h>
#include <strings.h>
#include "build_config.h"

enum {
	MAX_BODY = 16 << 20, /* a list of 1000 keys of 1024 bytes, escaped, is below 8 MiB */
	MAX_HEADER = 4096,
	BUFFER = 512 << 10,
};

void s3_reply_release(struct s3_reply *reply)
{
	free(reply->etag);
	free(reply->date);
	free(reply->last_modified);
	free(reply->region);
	free(reply->location);
	free(reply->upload_tag);
	free(reply->request_id);
	strbuf_release(&reply->body);
	*reply = (struct s3_reply){ .content_length = -1, .body = STRBUF_INIT };
}

static const struct {
	const char *name;
	size_t offset;
} kept_headers[] = {
	{ "etag", offsetof(struct s3_reply, etag) },
	{ "date", offsetof(struct s3_reply, date) },
	{ "last-modified", offsetof(struct s3_reply, last_modified) },
	{ "x-amz-bucket-region", offsetof(struct s3_reply, region) },
	{ "location", offsetof(struct s3_reply, location) },
	{ "x-amz-meta-dbops-id", offsetof(struct s3_reply, upload_tag) },
	{ "x-amz-request-id", offsetof(struct s3_reply, request_id) },
};

static size_t on_header(char *line, size_t size, size_t n, void *data)
{
	struct s3_request *r = data;
	size_t len = size * n;
	const char *colon = memchr(line, ':', len);
	struct strbuf value = STRBUF_INIT;

	if (!colon || len > MAX_HEADER)
		return len;
	for (size_t i = 0; i < sizeof(kept_headers) / sizeof(kept_headers[0]); i++) {
		const char *name = kept_headers[i].name;

		if (strlen(name) != (size_t)(colon - line) || strncasecmp(name, line, strlen(name)) != 0)
			continue;

		char **member = (char **)((char *)&r->reply + kept_headers[i].offset);

		strbuf_add(&value, colon + 1, len - (size_t)(colon + 1 - line));
		strbuf_trim(&value);
		free(*member);
		*member = strbuf_detach(&value);
	}
	return len;
}

/* The first bytes of an answer to a range decide whether they continue what is there. */
static bool sink_fits(struct s3_request *r, long status)
{
	bool other_object = r->answer_etag && r->reply.etag &&
			    strcmp(r->answer_etag, r->reply.etag) != 0;

	r->started_sink = true;
	if (r->range_first && status == 200) {
		r->range_ignored = true;
		return false;
	}
	if (r->sink->len > r->sink_start && (status == 200 || other_object)) {
		strbuf_setlen(r->sink, r->sink_start);
		if (other_object) {
			free(r->answer_etag);
			r->answer_etag = NULL;
			return false; /* the next try asks for all of it */
		}
	}
	if (!r->answer_etag)
		r->answer_etag = xstrdup(r->reply.etag);
	return true;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	struct s3_request *r = data;
	size_t len = size * n;
	long status = 0;

	curl_easy_getinfo(r->handle, CURLINFO_RESPONSE_CODE, &status);
	if (!r->sink || status < 200 || status > 299)
		return strbuf_add_bounded(&r->reply.body, bytes, len, MAX_BODY) ? len : 0;
	if (!r->started_sink && !sink_fits(r, status))
		return 0;
	if (len > r->sink_limit || r->sink->len - r->sink_start > r->sink_limit - len) {
		r->sink_overflow = true;
		return 0;
	}
	strbuf_add(r->sink, bytes, len);
	return len;
}

static void add_line(struct s3_request *r, const char *name, const char *value)
{
	/* curl leaves a header with an empty value out unless it is written with ';' */
	autofree char *line = *value ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name);
	struct curl_slist *list = curl_slist_append(r->header_list, line);

	if (!list)
		BUG("curl has no memory");
	r->header_list = list;
}

static char *range_value(const struct s3_request *r)
{
	uint64_t got = r->sink ? r->sink->len - r->sink_start : 0, first = r->range_first + got;

	if (r->range_len == SIZE_MAX)
		return first ? xasprintf("bytes=%" PRIu64 "-", first) : NULL;
	if (r->range_len == 0)
		return NULL;
	return xasprintf("bytes=%" PRIu64 "-%" PRIu64, first, r->range_first + r->range_len - 1);
}

/* Signs and fills r->header_list. */
static void add_headers(const struct s3_try *t, struct s3_request *r, const char *host, const char *path)
{
	struct s3_pair headers[S3_MAX_PAIRS + 6];
	_cleanup_strbuf_ struct strbuf date = STRBUF_INIT, authorization = STRBUF_INIT;
	autofree char *range = range_value(r);
	size_t n = 0;

	s3_amz_date(t->now, &date);
	headers[n++] = (struct s3_pair){ "host", host };
	headers[n++] = (struct s3_pair){ "x-amz-content-sha256", r->payload_sha256 };
	headers[n++] = (struct s3_pair){ "x-amz-date", date.buf };
	if (t->credentials->session_token)
		headers[n++] = (struct s3_pair){ "x-amz-security-token", t->credentials->session_token };
	if (range)
		headers[n++] = (struct s3_pair){ "range", range };
	for (size_t i = 0; i < r->n_headers; i++)
		headers[n++] = r->headers[i];
	s3_sign(&(struct s3_sign_input){
			.method = r->method,
			.path = path,
			.query = r->query,
			.n_query = r->n_query,
			.headers = headers,
			.n_headers = n,
			.payload_sha256 = r->payload_sha256,
			.access_key_id = t->credentials->access_key_id,
			.secret_access_key = t->credentials->secret_access_key,
			.region = t->endpoint->region,
			.service = "s3",
			.time = t->now,
		},
		&authorization);
	for (size_t i = 1; i < n; i++) /* host is curl's own, from the same URL */
		add_line(r, headers[i].name, headers[i].value);
	add_line(r, "Authorization", authorization.buf);
	if (r->body)
		curl_slist_append(r->header_list, "Expect:");
}

static void set_method(struct s3_request *r, CURL *h)
{
	if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
		return;
	}
	if (r->body) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, r->body);
	}
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_connection(const struct s3_try *t, const struct s3_request *r, CURL *h)
{
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(h, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, (long)BUFFER);
	curl_easy_setopt(h, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "dbops/" DBOPS_VERSION);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, 10L);
	/* S3 may take minutes for a Complete, and sends nothing but a space now and then */
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT,
		r->slow_answer || !r->body_len ? 1L : (long)t->least_speed);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME,
		r->slow_answer ? (long)t->stall_seconds * 20 : (long)t->stall_seconds);
	/* when a kept connection dies unanswered, libcurl sends again on a new one and tells nobody */
	curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, r->only_once ? 1L : 0L);
	if (t->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, t->ca_file);
	if (t->endpoint->local)
		curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
}

void s3_try_prepare(const struct s3_try *t, struct s3_request *r, CURL *handle)
{
	_cleanup_strbuf_ struct strbuf url = STRBUF_INIT, host = STRBUF_INIT, path = STRBUF_INIT,
				       query = STRBUF_INIT;

	s3_reply_release(&r->reply);
	r->started_sink = r->sink_overflow = r->range_ignored = false;
	if (r->other_host) {
		strbuf_adds(&host, r->other_host);
		strbuf_adds(&path, r->other_path);
	} else {
		s3_endpoint_locate(t->endpoint, t->bucket, r->key, &host, &path);
	}
	s3_canonical_query(r->query, r->n_query, &query);
	strbuf_addf(&url, "%s://%s%s%s%s", r->other_scheme ? r->other_scheme : t->endpoint->scheme,
		host.buf, path.buf, query.len ? "?" : "", query.buf);
	add_headers(t, r, host.buf, path.buf);
	set_connection(t, r, handle);
	set_method(r, handle);
	curl_easy_setopt(handle, CURLOPT_URL, url.buf);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, r->header_list);
	curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(handle, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(handle, CURLOPT_PRIVATE, r);
}
