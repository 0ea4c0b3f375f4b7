/* SPDX-License-Identifier: PostgreSQL
 *
 * storage.h - where backups live: one small interface, two implementations (file, s3) that pass
 * the same tests.
 *
 * Keys are relative, '/'-separated, never start with '/', never contain "." or ".." segments and
 * are made by backup/repo.c from safe characters. All functions may be called from several
 * threads at once on one storage; a stream belongs to one caller at a time (callers lock).
 *
 * Errors: EXIT_UNAVAILABLE (unreachable), EXIT_PERMISSION (credentials, 403, EACCES), EXIT_NOT_FOUND
 * (no such key, bucket, folder), EXIT_CANNOT_WRITE (disk full), EXIT_REFUSED (the store said no),
 * EXIT_CONFIG, EXIT_DAMAGED (an answer that is not S3), EXIT_INTERRUPTED/TERMINATED.
 *
 * After a stop request (s3_options.cancel) everything fails at once with the last two; but
 * stream_abort, upload_abort, and a list or remove that is begun then, work for up to 10 more
 * seconds in all, so that a stopped run can clean up.
 */
#ifndef DBOPS_STORAGE_H
#define DBOPS_STORAGE_H

#include <stdint.h>
#include "cancel.h"
#include "error.h"
#include "strbuf.h"
#include "vec.h"

struct storage;
struct storage_stream;

struct storage_entry {
	char *key;     /* relative to the storage's root, as given to the other calls */
	int64_t size;  /* bytes; -1 for a common prefix ("folder", key ends with '/') */
	int64_t mtime; /* microseconds since 1970 UTC; 0 unknown */
};
struct storage_listing {
	struct storage_entry *items;
	size_t len, alloc;
};
void storage_listing_release(struct storage_listing *l);
#define _cleanup_listing_ _cleanup_(storage_listing_release)

/* A multipart upload that was begun and never ended. */
struct storage_upload {
	char *key, *upload_id;
	int64_t started; /* microseconds */
};

struct storage_stats {
	uint64_t requests, retries, bytes_sent, bytes_received;
	char last_retry[160]; /* why, for people; "" */
};

struct storage_ops {
	const char *name; /* "file" or "s3" */

	/* Stores a whole object; replaces. Durable when it returns true. */
	bool (*put)(struct storage *s, const char *key, const void *data, size_t len, struct error *err);

	/* An object written piece by piece. Nothing is visible under key before commit (s3), or it
	 * is durable only after commit (file; its name with the next put into the same folder). append copies data; it may block while all upload
	 * slots are busy. commit ends and frees the stream in every case; abort too, removing what
	 * was stored (multipart upload aborted, file unlinked). */
	bool (*stream_open)(struct storage *s, const char *key, struct storage_stream **ret, struct error *err);
	bool (*stream_append)(struct storage_stream *st, const void *data, size_t len, struct error *err);
	bool (*stream_commit)(struct storage_stream *st, struct error *err);
	void (*stream_abort)(struct storage_stream *st);

	/* Appends len bytes from offset to ret; exactly len, or an error (EXIT_DAMAGED when the
	 * object is shorter). len SIZE_MAX = to the end (at most limit bytes, more: EXIT_DAMAGED). */
	bool (*get)(struct storage *s, const char *key, uint64_t offset, size_t len, size_t limit,
		struct strbuf *ret, struct error *err);

	/* All keys that start with prefix (any number of pages), sorted bytewise. delimiter true:
	 * only up to the next '/', deeper keys are shown once as "folder/" with size -1. Keys that break
	 * the rules above (others' objects in the same bucket) are left out. */
	bool (*list)(struct storage *s, const char *prefix, bool delimiter, struct storage_listing *ret,
		struct error *err);

	/* Removes keys, in batches where the store can; a key that is not there is fine. The file
	 * storage also removes folders that became empty. */
	bool (*remove)(struct storage *s, const char *const *keys, size_t n, struct error *err);

	/* Size of one object. */
	bool (*stat)(struct storage *s, const char *key, struct storage_entry *ret, struct error *err);

	/* Makes everything below "<from>/" appear below "<to>/" at once (file: rename + fsync of the
	 * parent). NULL where a store cannot (s3): there the writer uses the final name and the
	 * manifest as last object is the commit. */
	bool (*publish)(struct storage *s, const char *from, const char *to, struct error *err);

	/* Multipart uploads below prefix; abort of one. NULL for file. */
	bool (*uploads)(struct storage *s, const char *prefix, struct storage_upload **ret, size_t *n,
		struct error *err);
	bool (*upload_abort)(struct storage *s, const struct storage_upload *u, struct error *err);

	/* Says before the first stream how long the longest object may become: s3 raises its part size
	 * when the most parts an upload may have would not hold it. Returns the part size in force.
	 * NULL for file. */
	int64_t (*expect)(struct storage *s, int64_t longest_bytes);

	void (*stats)(struct storage *s, struct storage_stats *ret);
	void (*close)(struct storage *s);
};

struct storage {
	const struct storage_ops *ops;
	char *url; /* file:///path or s3://bucket/prefix, for messages; no secrets */
};

/* Thin calls: storage_put(s, …) is s->ops->put(s, …) with the URL put before an error's detail. */
bool storage_put(struct storage *s, const char *key, const void *data, size_t len, struct error *err);
bool storage_stream_open(struct storage *s, const char *key, struct storage_stream **ret, struct error *err);
bool storage_stream_append(struct storage_stream *st, const void *data, size_t len, struct error *err);
bool storage_stream_commit(struct storage_stream *st, struct error *err);
void storage_stream_abort(struct storage_stream *st); /* NULL is fine */
bool storage_get(struct storage *s, const char *key, uint64_t offset, size_t len, struct strbuf *ret,
	struct error *err);
/* A whole object of at most limit bytes. */
bool storage_get_all(struct storage *s, const char *key, size_t limit, struct strbuf *ret, struct error *err);
bool storage_list(struct storage *s, const char *prefix, bool delimiter, struct storage_listing *ret,
	struct error *err);
bool storage_remove(struct storage *s, const char *const *keys, size_t n, struct error *err);
bool storage_stat(struct storage *s, const char *key, struct storage_entry *ret, struct error *err);
void storage_close(struct storage *s); /* NULL is fine */
DEFINE_CLEANUP(struct storage, storage_close)
#define _cleanup_storage_ _cleanup_(storage_closep)

/* Every implementation's stream starts with this. */
struct storage_stream {
	struct storage *storage;
	char *key;
	uint64_t bytes; /* appended so far */
};

/* path need not exist when create; without create a missing path is EXIT_NOT_FOUND. */
struct storage *storage_file_open(const char *path, bool create, struct error *err);

/* All strings are copied; NULL = from the environment/AWS files, else the default. */
struct s3_options {
	const char *bucket, *prefix; /* prefix without slashes at its ends, or NULL */
	const char *region, *endpoint, *profile;
	int path_style;              /* 1, 0, or -1: path style for custom endpoints */
	bool content_md5;            /* add Content-MD5 to puts (object lock) */
	const char *sse, *sse_kms_key_id, *storage_class;
	const char *ca_file;
	const char *access_key_id, *secret_access_key, *session_token; /* from config *_file keys */
	int64_t part_size;           /* bytes, 0 = 16 MiB */
	int64_t slots;               /* parts and requests in flight, 0 = 8 */
	int64_t max_rate;            /* bytes/s upload, 0 = unlimited */
	int64_t retry_base_ms;       /* first wait before a retry, 0 = 100 */
	int64_t stall_seconds;       /* a transfer that does not move for so long is begun anew, 0 = 30 */
	const struct cancel *cancel;
};
/* Starts the I/O thread. Does not contact the store yet. */
struct storage *storage_s3_open(const struct s3_options *o, struct error *err);

#endif
