/* SPDX-License-Identifier: PostgreSQL */
#include "http_call.h"

#include <curl/curl.h>
#include "build_config.h"

enum { MAX_BODY = 1 << 20 };

static void cleanup_curl(CURL **h)
{
	curl_easy_cleanup(*h);
}

static void cleanup_slist(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	return strbuf_add_bounded(data, bytes, size * n, MAX_BODY) ? size * n : 0;
}

static int on_progress(
	void *data, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total, curl_off_t ul)
{
	(void)dl_total, (void)dl, (void)ul_total, (void)ul;
	return cancel_requested(data) != 0;
}

static void set_options(const struct http_call *call, struct strbuf *body, CURL *h)
{
	curl_easy_setopt(h, CURLOPT_URL, call->url);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, call->method);
	if (call->body)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(h, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, call->timeout_ms);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "dbops/" DBOPS_VERSION);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, call->cancel);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	if (call->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, call->ca_file);
	if (call->direct)
		curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
}

static bool once(const struct http_call *call, int *ret_status, struct strbuf *body, struct error *err)
{
	_cleanup_(cleanup_curl) CURL *h = curl_easy_init();
	_cleanup_(cleanup_slist) struct curl_slist *headers = NULL;
	long status = 0;

	if (!h)
		BUG("curl has no memory");
	for (size_t i = 0; call->headers && i < call->headers->len; i++)
		headers = curl_slist_append(headers, call->headers->items[i]);
	set_options(call, body, h);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);

	CURLcode rc = curl_easy_perform(h);

	if (!cancel_check(call->cancel, err))
		return false;
	if (rc != CURLE_OK) /* the URL may hold a token's query: it is not shown */
		return error_set(err, EXIT_UNAVAILABLE, "%s", curl_easy_strerror(rc));
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = (int)status;
	return true;
}

bool http_call(const struct http_call *call, int *ret_status, struct strbuf *body, struct error *err)
{
	size_t before = body->len;

	for (unsigned left = call->tries ? call->tries : 1;; left--) {
		bool ok = once(call, ret_status, body, err);
		bool passing = !ok || *ret_status == 408 || *ret_status == 429 || *ret_status >= 500;

		if (!passing || left == 1 || cancel_requested(call->cancel))
			return ok;
		if (body->len > before)
			strbuf_setlen(body, before);
	}
}
