/* SPDX-License-Identifier: PostgreSQL
 *
 * archive_reader.h - reads the blocks of a backup and proves each of them.
 *
 * Blocks are fetched in runs ("segments") of a few MiB by ranged reads, so that several workers
 * share one table. Nothing read from a storage is used before its SHA-256 matched the block list,
 * whose own hash stands in the manifest.
 */
#ifndef DBOPS_ARCHIVE_READER_H
#define DBOPS_ARCHIVE_READER_H

#include <pthread.h>
#include "data_file.h"
#include "repo.h"

struct segment {
	uint32_t file;        /* index: tables first, then large objects */
	uint32_t blocks;
	uint64_t first_block; /* in the block list */
	uint64_t offset;      /* in the data file */
	uint64_t stored, raw;
	uint32_t number, of;  /* within its file, from 0 */
};

struct archive_reader {
	struct storage *storage;
	const struct backup_entry *entry;
	struct strbuf block_list; /* records of BLOCK_RECORD_BYTES */
	struct { struct segment *items; size_t len, alloc; } segments;
	size_t next;
	pthread_mutex_t lock;
};

/* Loads the block list (proven) and cuts every data file that wanted() accepts (NULL = all) into
 * segments of at most segment_raw bytes of text, at least one block each; a file without blocks
 * gives one empty segment. EXIT_DAMAGED when list and manifest contradict each other. */
bool archive_reader_open(struct archive_reader *r, struct storage *s, const struct backup_entry *e,
	uint64_t segment_raw, bool (*wanted)(const struct manifest_file *f, bool table, void *data), void *data,
	struct error *err);
void archive_reader_close(struct archive_reader *r);
#define _cleanup_reader_ _cleanup_(archive_reader_close)

/* The next segment; false when none is left. Thread-safe. */
bool archive_reader_next(struct archive_reader *r, struct segment *ret);

const struct manifest_file *archive_reader_file(const struct archive_reader *r, uint32_t file, bool *ret_table);
void archive_reader_block(const struct archive_reader *r, uint64_t index, struct block *ret);

/* Fetches the stored bytes of a segment into *stored. */
bool archive_reader_fetch(const struct archive_reader *r, const struct segment *s, struct strbuf *stored,
	struct error *err);
/* Inflates block b (already fetched, at stored) into *raw and proves hash, length and CRC.
 * EXIT_DAMAGED naming file, block and table. */
bool archive_reader_inflate(const struct archive_reader *r, const struct segment *s, uint32_t block_in_segment,
	const void *stored, const struct block *b, struct strbuf *raw, struct error *err);
/* Fetches a segment and proves all its blocks; *stored then holds their bytes, *raw is room for the work. Errors as of both. */
bool archive_reader_prove(const struct archive_reader *r, const struct segment *s, struct strbuf *stored,
	struct strbuf *raw, struct error *err);

#endif
