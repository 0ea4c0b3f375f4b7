/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_upload.h - a stream's inside, and the begin and the end of its multipart upload.
 */
#ifndef DBOPS_S3_UPLOAD_H
#define DBOPS_S3_UPLOAD_H

#include "s3_storage.h"

struct s3_part {
	struct s3_part *next;
	struct s3_stream *stream;
	struct s3_buffer *buffer;
	struct s3_request request;
	unsigned number;
	char number_text[12];
	char *md5;
};

struct s3_stream {
	struct storage_stream base;
	char *key;             /* in the bucket */
	char *upload_id;       /* NULL until the first part is sent */
	char tag[33];          /* tells this upload from any other one of the same key */
	bool begun_twice;      /* Initiate was repeated: the store may have a second, orphaned upload */
	struct s3_buffer *filling;
	struct s3_part *parts;    /* newest first */
	unsigned n_parts;

	/* under the client's lock */
	size_t in_flight;
	struct error failure;  /* of the first part that failed */
};

static inline struct s3_storage *s3_stream_store(struct s3_stream *st)
{
	return s3_of(st->base.storage);
}

/* Begins the upload: sets st->upload_id. */
bool s3_upload_begin(struct s3_stream *st, struct error *err);

/* Makes the object of the parts, all of which have arrived. */
bool s3_upload_complete(struct s3_stream *st, struct error *err);

/* Aborts the uploads of this key other than `except` (NULL: all): a repeated begin leaves one behind. */
void s3_upload_abort_others(struct s3_stream *st, const char *except);

#endif
