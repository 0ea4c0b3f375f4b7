/* SPDX-License-Identifier: PostgreSQL
 *
 * storage_s3.c - opens and closes the storage that is a bucket.
 */
#include "s3_storage.h"

#include <inttypes.h>
#include "clock.h"

enum {
	DEFAULT_PART = 16 << 20,
	DEFAULT_SLOTS = 8,
	MAX_SLOTS = 256,
	DEFAULT_RETRY_MS = 100,
	DEFAULT_STALL_SECONDS = 30,
};

static void close_s3(struct storage *base)
{
	struct s3_storage *s = s3_of(base);

	s3_client_close(s->client);
	credentials_close(s->credentials);
	while (s->free_buffers) {
		struct s3_buffer *b = s->free_buffers;

		s->free_buffers = b->next;
		free(b);
	}
	aws_config_release(&s->config);
	free(s->prefix);
	free(s->sse);
	free(s->sse_kms_key_id);
	free(s->storage_class);
	free(s->base.url);
	free(s);
}

static void stats(struct storage *base, struct storage_stats *ret)
{
	s3_client_stats(s3_of(base)->client, ret);
}

/* 9,000 of the 10,000 parts: an estimate may be wrong. S3 documentation, "Amazon S3 multipart upload limits". */
#define PARTS_PLANNED 9000

static int64_t s3_expect(struct storage *base, int64_t longest_bytes)
{
	struct s3_storage *s = s3_of(base);
	const int64_t mib = 1 << 20, most = 5LL << 30;
	int64_t need = (longest_bytes / PARTS_PLANNED / mib + 1) * mib;

	if (longest_bytes > (int64_t)s->part_size * PARTS_PLANNED)
		s->part_size = (size_t)(need < most ? need : most);
	return (int64_t)s->part_size;
}

static const struct storage_ops s3_ops = {
	.name = "s3",
	.put = s3_put,
	.stream_open = s3_stream_open,
	.stream_append = s3_stream_append,
	.stream_commit = s3_stream_commit,
	.stream_abort = s3_stream_abort,
	.get = s3_get,
	.list = s3_list,
	.remove = s3_remove,
	.stat = s3_stat,
	.uploads = s3_uploads,
	.upload_abort = s3_upload_abort,
	.stats = stats,
	.close = close_s3,
	.expect = s3_expect,
};

static char *copy(const char *s)
{
	return s && *s ? xstrdup(s) : NULL;
}

/* "/a/b/" -> "a/b/", "" -> "" */
static char *clean_prefix(const char *prefix)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, prefix ? prefix + strspn(prefix, "/") : "");
	while (sb.len && sb.buf[sb.len - 1] == '/')
		strbuf_setlen(&sb, sb.len - 1);
	if (sb.len)
		strbuf_addch(&sb, '/');
	return strbuf_detach(&sb);
}

static bool check(const struct s3_options *o, struct error *err)
{
	const int64_t largest = INT64_C(5) << 30;

	if (o->part_size < 0 || o->part_size > largest)
		return error_set(err, EXIT_CONFIG, "part_size must be at most 5 GiB");
	if (o->slots < 0 || o->slots > MAX_SLOTS)
		return error_set(err, EXIT_CONFIG, "slots must be between 1 and %d", MAX_SLOTS);
	if (o->max_rate < 0)
		return error_set(err, EXIT_CONFIG, "max_rate must not be negative");
	return true;
}

static bool connect_parts(struct s3_storage *s, const struct s3_options *o, struct error *err)
{
	struct s3_endpoint endpoint = { 0 };
	const char *ca_file = o->ca_file && *o->ca_file ? o->ca_file : aws_env("AWS_CA_BUNDLE");

	if (!aws_config_load(o->profile && *o->profile ? o->profile : NULL, &s->config, err) ||
		!s3_endpoint_resolve(o, &s->config, &endpoint, err))
		return false;
	s->credentials = credentials_open(&(struct credentials_options){
		.access_key_id = o->access_key_id,
		.secret_access_key = o->secret_access_key,
		.session_token = o->session_token,
		.config = &s->config,
		.region = endpoint.region,
		.ca_file = ca_file,
		.cancel = o->cancel,
	});
	s->client = s3_client_open(
		&(struct s3_client_options){
			.bucket = o->bucket,
			.endpoint = &endpoint,
			.credentials = s->credentials,
			.ca_file = ca_file,
			.slots = (int64_t)s->slots,
			.max_rate = o->max_rate,
			.retry_base_ms = o->retry_base_ms ? o->retry_base_ms : DEFAULT_RETRY_MS,
			.stall_seconds = o->stall_seconds ? o->stall_seconds : DEFAULT_STALL_SECONDS,
			.cancel = o->cancel,
		},
		err);
	s3_endpoint_release(&endpoint);
	return s->client != NULL;
}

struct storage *storage_s3_open(const struct s3_options *o, struct error *err)
{
	if (!check(o, err))
		return NULL;

	struct s3_storage *s = xcalloc(1, sizeof(*s));

	s->base.ops = &s3_ops;
	s->prefix = clean_prefix(o->prefix);
	s->base.url = xasprintf("s3://%s%s%.*s", o->bucket ? o->bucket : "", *s->prefix ? "/" : "",
		(int)(*s->prefix ? strlen(s->prefix) - 1 : 0), s->prefix);
	s->part_size = (size_t)(o->part_size ? o->part_size : DEFAULT_PART);
	s->slots = (size_t)(o->slots ? o->slots : DEFAULT_SLOTS);
	s->content_md5 = o->content_md5;
	s->sse = copy(o->sse);
	s->sse_kms_key_id = copy(o->sse_kms_key_id);
	s->storage_class = copy(o->storage_class);
	if (!connect_parts(s, o, err)) {
		close_s3(&s->base);
		return NULL;
	}
	return &s->base;
}
