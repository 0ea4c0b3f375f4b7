/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_storage.h - what the files of the S3 storage share; storage.h is the way in.
 *
 * Memory: parts are collected in buffers of part_size bytes. There are slots + 1 of them for the
 * whole storage, allocated at first use. An open stream holds at most one that is not full yet;
 * full ones are on their way and come back. So append() can wait for a buffer without ever waiting
 * for ever as long as no more than slots + 1 streams are open: opening one more is refused.
 */
#ifndef DBOPS_S3_STORAGE_H
#define DBOPS_S3_STORAGE_H

#include "credentials.h"
#include "s3_client.h"
#include "storage.h"

struct s3_buffer {
	struct s3_buffer *next;
	size_t len;
	char bytes[]; /* part_size */
};

struct s3_storage {
	struct storage base;
	struct aws_config config;
	struct credentials *credentials;
	struct s3_client *client;
	char *prefix; /* "" or ends with '/' */
	char *sse, *sse_kms_key_id, *storage_class;
	bool content_md5;
	size_t part_size;
	size_t slots;

	/* under the client's lock */
	struct s3_buffer *free_buffers;
	size_t n_buffers, n_streams;
};

static inline struct s3_storage *s3_of(struct storage *s)
{
	return (struct s3_storage *)s;
}

/* The key in the bucket. Caller frees. */
char *s3_full_key(const struct s3_storage *s, const char *key);

/* Headers of a new object: type, encryption and storage class as configured. */
void s3_object_headers(const struct s3_storage *s, struct s3_request *r);

/* Base64 of the MD5 of a body, for Content-MD5. Caller frees. */
char *s3_content_md5(const void *data, size_t len);

/* Aborts a multipart upload; one that is gone is fine. Works after a stop request, for a short while. */
bool s3_abort_upload(
	struct s3_storage *s, const char *full_key, const char *upload_id, struct error *err);

/* Multipart uploads of keys in the bucket that begin with full_prefix. */
bool s3_list_uploads(struct s3_storage *s, const char *full_prefix, bool last_rites,
	struct storage_upload **ret, size_t *n, struct error *err);
void s3_uploads_free(struct storage_upload *u, size_t n);

bool s3_put(struct storage *s, const char *key, const void *data, size_t len, struct error *err);
bool s3_get(struct storage *s, const char *key, uint64_t offset, size_t len, size_t limit,
	struct strbuf *ret, struct error *err);
bool s3_list(struct storage *s, const char *prefix, bool delimiter, struct storage_listing *ret,
	struct error *err);
bool s3_remove(struct storage *s, const char *const *keys, size_t n, struct error *err);
bool s3_stat(struct storage *s, const char *key, struct storage_entry *ret, struct error *err);
/* Size and dbops' own tag of an object (NULL when it has none). Caller frees *ret_tag. */
bool s3_head(struct s3_storage *s, const char *full_key, struct storage_entry *ret, char **ret_tag,
	struct error *err);
bool s3_uploads(struct storage *s, const char *prefix, struct storage_upload **ret, size_t *n,
	struct error *err);
bool s3_upload_abort(struct storage *s, const struct storage_upload *u, struct error *err);

bool s3_stream_open(
	struct storage *s, const char *key, struct storage_stream **ret, struct error *err);
bool s3_stream_append(struct storage_stream *st, const void *data, size_t len, struct error *err);
bool s3_stream_commit(struct storage_stream *st, struct error *err);
void s3_stream_abort(struct storage_stream *st);

#endif
