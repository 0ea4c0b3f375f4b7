/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_ops.c - whole objects: put, get, stat.
 */
#include "s3_storage.h"

#include <curl/curl.h>
#include <openssl/evp.h>

char *s3_full_key(const struct s3_storage *s, const char *key)
{
	return xasprintf("%s%s", s->prefix, key);
}

void s3_object_headers(const struct s3_storage *s, struct s3_request *r)
{
	s3_request_header(r, "content-type", "application/octet-stream");
	if (s->sse)
		s3_request_header(r, "x-amz-server-side-encryption", s->sse);
	if (s->sse_kms_key_id)
		s3_request_header(
			r, "x-amz-server-side-encryption-aws-kms-key-id", s->sse_kms_key_id);
	if (s->storage_class)
		s3_request_header(r, "x-amz-storage-class", s->storage_class);
}

char *s3_content_md5(const void *data, size_t len)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;
	char *text = xcalloc(1, 4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1);

	if (!EVP_Digest(data, len, digest, &digest_len, EVP_md5(), NULL)) {
		free(text); /* a FIPS provider has none */
		return NULL;
	}
	EVP_EncodeBlock((unsigned char *)text, digest, (int)digest_len);
	return text;
}

bool s3_put(struct storage *base, const char *key, const void *data, size_t len, struct error *err)
{
	struct s3_storage *s = s3_of(base);
	autofree char *full = s3_full_key(s, key);
	autofree char *md5 = s->content_md5 ? s3_content_md5(data, len) : NULL;
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "PUT",
		.key = full,
		.body = data ? data : "",
		.body_len = len,
	};

	s3_object_headers(s, &r);
	if (md5)
		s3_request_header(&r, "content-md5", md5);
	return s3_client_run(s->client, &r, err);
}

/* The end of the object is where a read "to the end" begins: nothing to read, and no error. */
static bool nothing_there(const struct s3_request *r)
{
	return r->range_len == SIZE_MAX && r->reply.status == 416;
}

bool s3_get(struct storage *base, const char *key, uint64_t offset, size_t len, size_t limit,
	struct strbuf *ret, struct error *err)
{
	struct s3_storage *s = s3_of(base);
	autofree char *full = s3_full_key(s, key);
	size_t before = ret->len;
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "GET",
		.key = full,
		.sink = ret,
		.sink_limit = limit,
		.range_first = offset,
		.range_len = len,
	};

	if (len == 0)
		return true;
	if (len != SIZE_MAX)
		strbuf_grow(ret, len);

	bool ok = s3_client_run(s->client, &r, err) || nothing_there(&r);

	if (ok && len != SIZE_MAX && ret->len - before != len)
		ok = error_set(err, EXIT_DAMAGED, "\"%s\" ends %zu bytes too early", key,
			len - (ret->len - before));
	if (!ok && ret->len > before)
		strbuf_setlen(ret, before);
	return ok;
}

static bool head_once(struct s3_storage *s, const char *full_key, struct storage_entry *ret,
	char **ret_tag, int *status, struct error *err)
{
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "HEAD",
		.key = full_key,
	};
	bool ok = s3_client_run(s->client, &r, err);

	*status = r.reply.status;
	if (!ok)
		return false;
	if (r.reply.content_length < 0)
		return error_set(err, EXIT_DAMAGED, "S3 did not tell the size of \"%s\"", full_key);

	time_t modified = r.reply.last_modified ? curl_getdate(r.reply.last_modified, NULL) : -1;

	*ret = (struct storage_entry){
		.size = r.reply.content_length,
		.mtime = modified > 0 ? (int64_t)modified * 1000000 : 0,
	};
	if (ret_tag)
		*ret_tag = steal(r.reply.upload_tag);
	return true;
}

/* The answer to a HEAD has no body that could say what is wrong; that to a GET has. */
static bool ask_why(struct s3_storage *s, const char *full_key, struct error *err)
{
	_cleanup_strbuf_ struct strbuf byte = STRBUF_INIT;
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "GET",
		.key = full_key,
		.sink = &byte,
		.sink_limit = 1,
		.range_len = 1,
	};

	return s3_client_run(s->client, &r, err);
}

bool s3_head(struct s3_storage *s, const char *full_key, struct storage_entry *ret, char **ret_tag,
	struct error *err)
{
	int status = 0;

	if (head_once(s, full_key, ret, ret_tag, &status, err))
		return true;
	if (status < 400 || status >= 500 || status == 404)
		return status == 404 ? error_set(err, EXIT_NOT_FOUND, "there is no object \"%s\"", full_key)
				     : false;
	return ask_why(s, full_key, err) && head_once(s, full_key, ret, ret_tag, &status, err);
}

bool s3_stat(struct storage *s, const char *key, struct storage_entry *ret, struct error *err)
{
	autofree char *full = s3_full_key(s3_of(s), key);

	if (!s3_head(s3_of(s), full, ret, NULL, err))
		return false;
	ret->key = xstrdup(key);
	return true;
}
