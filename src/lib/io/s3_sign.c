/* SPDX-License-Identifier: PostgreSQL */
#include "s3_sign.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include "error.h"
#include "vec.h"

enum { DIGEST_LEN = 32 };

struct digest {
	unsigned char bytes[DIGEST_LEN];
};

void sha256_hex(const void *data, size_t len, char ret[SHA256_HEX_SIZE])
{
	struct digest d;

	if (!EVP_Digest(data, len, d.bytes, NULL, EVP_sha256(), NULL))
		BUG("SHA-256 is not available");
	for (size_t i = 0; i < DIGEST_LEN; i++) {
		ret[2 * i] = "0123456789abcdef"[d.bytes[i] >> 4];
		ret[2 * i + 1] = "0123456789abcdef"[d.bytes[i] & 15];
	}
	ret[SHA256_HEX_SIZE - 1] = '\0';
}

static struct digest hmac(const void *key, size_t key_len, const char *text)
{
	struct digest d;

	if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), d.bytes,
		    NULL))
		BUG("HMAC-SHA-256 is not available");
	return d;
}

void s3_encode_path(const char *key, struct strbuf *out)
{
	strbuf_add_percent(out, key, "/");
}

void s3_canonical_query(const struct s3_pair *query, size_t n, struct strbuf *out)
{
	_cleanup_strvec_ struct strvec encoded = { 0 };

	for (size_t i = 0; i < n; i++) {
		_cleanup_strbuf_ struct strbuf one = STRBUF_INIT;

		/* the order is by name, then value: a byte below every encoded one separates them */
		strbuf_add_percent(&one, query[i].name, "");
		strbuf_addch(&one, '\1');
		strbuf_add_percent(&one, query[i].value, "");
		strvec_push(&encoded, one.buf);
	}
	strvec_sort(&encoded);
	for (size_t i = 0; i < encoded.len; i++) {
		*strchr(encoded.items[i], '\1') = '=';
		strbuf_addf(out, "%s%s", i ? "&" : "", encoded.items[i]);
	}
}

void s3_amz_date(int64_t time, struct strbuf *out)
{
	time_t t = (time_t)time;
	struct tm tm;

	gmtime_r(&t, &tm);
	strbuf_addf(out, "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Leading and trailing white space goes, a run of it inside becomes one space. */
static void add_trimmed(struct strbuf *out, const char *value)
{
	bool space = false, any = false;

	for (; *value; value++) {
		if (*value == ' ' || *value == '\t') {
			space = true;
			continue;
		}
		if (space && any)
			strbuf_addch(out, ' ');
		strbuf_addch(out, *value);
		space = false;
		any = true;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct s3_pair *x = a, *y = b;

	return strcasecmp(x->name, y->name);
}

static void add_lower(struct strbuf *out, const char *name)
{
	for (; *name; name++)
		strbuf_addch(out, (char)tolower((unsigned char)*name));
}

/* Adds "name:value\n" lines to canonical and "name;name" to names. */
static void canonical_headers(
	const struct s3_sign_input *in, struct strbuf *canonical, struct strbuf *names)
{
	autofree struct s3_pair *sorted = xreallocarray(NULL, in->n_headers, sizeof(*sorted));

	memcpy(sorted, in->headers, in->n_headers * sizeof(*sorted));
	qsort(sorted, in->n_headers, sizeof(*sorted), by_name);
	for (size_t i = 0; i < in->n_headers; i++) {
		add_lower(canonical, sorted[i].name);
		strbuf_addch(canonical, ':');
		add_trimmed(canonical, sorted[i].value);
		strbuf_addch(canonical, '\n');
		if (i)
			strbuf_addch(names, ';');
		add_lower(names, sorted[i].name);
	}
}

static struct digest signing_key(const struct s3_sign_input *in, const char *day)
{
	autofree char *secret = xasprintf("AWS4%s", in->secret_access_key);
	struct digest k = hmac(secret, strlen(secret), day);

	OPENSSL_cleanse(secret, strlen(secret));
	k = hmac(k.bytes, DIGEST_LEN, in->region);
	k = hmac(k.bytes, DIGEST_LEN, in->service);
	return hmac(k.bytes, DIGEST_LEN, "aws4_request");
}

void s3_sign(const struct s3_sign_input *in, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf date = STRBUF_INIT, request = STRBUF_INIT, names = STRBUF_INIT;
	char hash[SHA256_HEX_SIZE];

	s3_amz_date(in->time, &date);
	strbuf_addf(&request, "%s\n%s\n", in->method, in->path);
	s3_canonical_query(in->query, in->n_query, &request);
	strbuf_addch(&request, '\n');
	canonical_headers(in, &request, &names);
	strbuf_addf(&request, "\n%s\n%s", names.buf, in->payload_sha256);
	sha256_hex(request.buf, request.len, hash);

	autofree char *day = xstrndup(date.buf, 8);
	autofree char *scope = xasprintf("%s/%s/%s/aws4_request", day, in->region, in->service);
	autofree char *text = xasprintf("AWS4-HMAC-SHA256\n%s\n%s\n%s", date.buf, scope, hash);
	struct digest key = signing_key(in, day);
	struct digest signature = hmac(key.bytes, DIGEST_LEN, text);

	strbuf_addf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=",
		in->access_key_id, scope, names.buf);
	strbuf_add_hex(out, signature.bytes, DIGEST_LEN);
	OPENSSL_cleanse(&key, sizeof(key));
}
