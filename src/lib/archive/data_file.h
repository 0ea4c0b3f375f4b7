/* SPDX-License-Identifier: PostgreSQL
 *
 * data_file.h - one data file of an archive: a table's rows or a large object.
 *
 * Several workers append compressed blocks in any order; each block is recorded with what proves
 * it. The frame around them is codec.h's. The same file goes to one or two storages at once
 * (local folder, S3), byte for byte.
 */
#ifndef DBOPS_DATA_FILE_H
#define DBOPS_DATA_FILE_H

#include <pthread.h>
#include <stdint.h>
#include "codec.h"
#include "error.h"
#include "fingerprint.h"
#include "storage.h"
#include "vec.h"

/* Text bytes per block; a longer row makes a longer block. */
#define BLOCK_RAW_BYTES (1u << 20)

struct block {
	uint32_t stored, raw; /* bytes */
	uint32_t rows;
	uint32_t crc;         /* of the text */
	uint32_t unit;        /* index of the work unit it came from */
	uint8_t sha256[32];   /* of the stored bytes */
};
#define BLOCK_RECORD_BYTES 52 /* in dbops.blocks: the fields in this order, little-endian */
void block_encode(const struct block *b, uint8_t out[BLOCK_RECORD_BYTES]);
void block_decode(const uint8_t in[BLOCK_RECORD_BYTES], struct block *ret);

#define ARCHIVE_MAX_TARGETS 2
struct archive_target {
	struct storage *storage; /* borrowed */
	char *prefix;            /* "<database>/<id>.partial/" */
};
struct archive_targets {
	struct archive_target items[ARCHIVE_MAX_TARGETS];
	unsigned len;
};
/* Writes a whole small file (toc.dat, globals.sql) to all targets. */
bool archive_put(const struct archive_targets *t, const char *name, const void *data, size_t len,
	struct error *err);

/* A stream to all targets at once. */
struct archive_stream {
	struct storage_stream *streams[ARCHIVE_MAX_TARGETS];
	unsigned len;
};
bool archive_stream_open(const struct archive_targets *t, const char *name, struct archive_stream *ret,
	struct error *err);
bool archive_stream_append(struct archive_stream *s, const void *data, size_t len, struct error *err);
bool archive_stream_commit(struct archive_stream *s, struct error *err);
void archive_stream_abort(struct archive_stream *s);

struct data_file {
	char *name;              /* "3353.dat.gz" */
	bool table;              /* else a large object */
	bool opened, finished;
	pthread_mutex_t lock;    /* everything below */
	struct archive_stream stream;
	struct block *items;     /* the blocks, in file order */
	size_t len, alloc;
	uint64_t rows, raw, stored; /* stored: the file's length so far */
	uint32_t crc;
	struct fingerprint fingerprint;
};
void data_file_init(struct data_file *f, const char *name, bool table);
void data_file_release(struct data_file *f); /* aborts an open stream */

/* Compresses blocks for one worker; buffers grow for a long row and shrink again. */
struct block_maker;
struct block_maker *block_maker_new(int level);
void block_maker_free(struct block_maker *m);
DEFINE_CLEANUP(struct block_maker, block_maker_free)

/* Compresses and appends text; b's rows and unit are the caller's, the rest is filled in. */
bool data_file_append(struct data_file *f, const struct archive_targets *t, struct block_maker *m,
	const void *text, size_t len, struct block *b, const struct fingerprint *fingerprint,
	struct error *err);
/* Ends the file (opens it first when it had no block) and makes it durable. */
bool data_file_finish(struct data_file *f, const struct archive_targets *t, struct error *err);

#endif
