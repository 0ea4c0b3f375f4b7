/* SPDX-License-Identifier: PostgreSQL */
#include "archive_reader.h"

#include <inttypes.h>
#include "xalloc.h"

const struct manifest_file *archive_reader_file(const struct archive_reader *r, uint32_t file, bool *ret_table)
{
	const struct manifest *m = &r->entry->manifest;

	if (ret_table)
		*ret_table = file < m->tables.len;
	return file < m->tables.len ? &m->tables.items[file] : &m->large_objects.items[file - m->tables.len];
}

void archive_reader_block(const struct archive_reader *r, uint64_t index, struct block *ret)
{
	block_decode((const uint8_t *)r->block_list.buf + index * BLOCK_RECORD_BYTES, ret);
}

static bool contradiction(const struct archive_reader *r, const struct manifest_file *f, const char *what,
	struct error *err)
{
	error_set(err, EXIT_DAMAGED, "backup \"%s\" is damaged", r->entry->id);
	return error_detail(err, "The manifest and the block list contradict each other in %s of file \"%s\".", what,
		f->file);
}

/* Cuts one file into segments and checks that its blocks add up to what the manifest says. */
static bool add_file(struct archive_reader *r, uint32_t index, uint64_t segment_raw, struct error *err)
{
	bool table;
	const struct manifest_file *f = archive_reader_file(r, index, &table);
	size_t first_segment = r->segments.len;
	uint64_t rows = 0, raw = 0, offset = GZIP_HEADER_LEN;
	uint8_t trailer[GZIP_TRAILER_MAX];
	struct segment s = { .file = index, .first_block = (uint64_t)f->first_block, .offset = offset };

	if ((uint64_t)f->first_block + (uint64_t)f->blocks > r->block_list.len / BLOCK_RECORD_BYTES)
		return contradiction(r, f, "the number of blocks", err);
	for (uint64_t i = 0; i < (uint64_t)f->blocks; i++) {
		struct block b;

		archive_reader_block(r, (uint64_t)f->first_block + i, &b);
		if (s.blocks && s.raw + b.raw > segment_raw) {
			*vec_push(&r->segments) = s;
			s = (struct segment){ .file = index, .first_block = (uint64_t)f->first_block + i, .offset = offset };
		}
		s.blocks++;
		s.stored += b.stored;
		s.raw += b.raw;
		offset += b.stored;
		rows += b.rows;
		raw += b.raw;
	}
	*vec_push(&r->segments) = s;
	for (size_t i = first_segment; i < r->segments.len; i++) {
		r->segments.items[i].number = (uint32_t)(i - first_segment);
		r->segments.items[i].of = (uint32_t)(r->segments.len - first_segment);
	}
	if (rows != (uint64_t)f->rows)
		return contradiction(r, f, "the rows", err);
	if (raw != (uint64_t)f->raw_bytes)
		return contradiction(r, f, "the bytes of text", err);
	if (offset + gzip_trailer(trailer, table, 0, 0) != (uint64_t)f->stored_bytes)
		return contradiction(r, f, "the stored bytes", err);
	return true;
}

bool archive_reader_open(struct archive_reader *r, struct storage *s, const struct backup_entry *e,
	uint64_t segment_raw, bool (*wanted)(const struct manifest_file *f, bool table, void *data), void *data,
	struct error *err)
{
	size_t files = e->manifest.tables.len + e->manifest.large_objects.len;

	*r = (struct archive_reader){ .storage = s, .entry = e, .block_list = STRBUF_INIT };
	pthread_mutex_init(&r->lock, NULL);
	if (!backup_read_file(s, e, BLOCKS_NAME, &r->block_list, err))
		return false;
	for (uint32_t i = 0; i < files; i++) {
		bool table;
		const struct manifest_file *f = archive_reader_file(r, i, &table);

		if ((!wanted || wanted(f, table, data)) && !add_file(r, i, segment_raw, err))
			return false;
	}
	return true;
}

void archive_reader_close(struct archive_reader *r)
{
	strbuf_release(&r->block_list);
	vec_release(&r->segments);
	if (r->storage)
		pthread_mutex_destroy(&r->lock);
	r->storage = NULL;
}

bool archive_reader_next(struct archive_reader *r, struct segment *ret)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	if (r->next < r->segments.len) {
		*ret = r->segments.items[r->next++];
		found = true;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

bool archive_reader_fetch(const struct archive_reader *r, const struct segment *s, struct strbuf *stored, struct error *err)
{
	const struct manifest_file *f = archive_reader_file(r, s->file, NULL);
	autofree char *key = backup_key(r->entry, f->file);

	strbuf_reset(stored);
	if (!s->stored || storage_get(r->storage, key, s->offset, s->stored, stored, err))
		return true;
	if (err->code != EXIT_NOT_FOUND && err->code != EXIT_DAMAGED)
		return error_prefix(err, "file \"%s\"", f->file);
	err->code = EXIT_DAMAGED;
	return error_prefix(err, "file \"%s\" is missing or cut short", f->file);
}

static void name_place(const struct archive_reader *r, const struct segment *s, uint32_t block, struct strbuf *out)
{
	bool table;
	const struct manifest_file *f = archive_reader_file(r, s->file, &table);

	strbuf_addf(out, "file \"%s\", block %" PRIu64, f->file, s->first_block - (uint64_t)f->first_block + block);
	if (table)
		strbuf_addf(out, ", table \"%s.%s\"", f->schema, f->name);
	else
		strbuf_addf(out, ", large object %" PRIu64, f->oid);
}

static bool damaged(const struct archive_reader *r, const struct segment *s, uint32_t block, const char *what,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf place = STRBUF_INIT;

	name_place(r, s, block, &place);
	return error_set(err, EXIT_DAMAGED, "%s: %s", place.buf, what);
}

bool archive_reader_inflate(const struct archive_reader *r, const struct segment *s, uint32_t block_in_segment,
	const void *stored, const struct block *b, struct strbuf *raw, struct error *err)
{
	uint8_t hash[32];

	codec_sha256(stored, b->stored, hash);
	if (memcmp(hash, b->sha256, sizeof(hash)) != 0)
		return damaged(r, s, block_in_segment, "its SHA-256 differs from the manifest's", err);
	/* deflate writes at most 258 bytes for two bits: a record that promises more is no reason to allocate it */
	if (b->raw / 1032 > b->stored)
		return damaged(r, s, block_in_segment, "it cannot hold as much text as the manifest says", err);
	strbuf_reset(raw);
	strbuf_grow(raw, b->raw);
	if (!inflate_block(stored, b->stored, raw->buf, b->raw))
		return damaged(r, s, block_in_segment, "it cannot be decompressed", err);
	strbuf_setlen(raw, b->raw);
	if (codec_crc32(0, raw->buf, b->raw) != b->crc)
		return damaged(r, s, block_in_segment, "its CRC differs", err);
	return true;
}

bool archive_reader_prove(const struct archive_reader *r, const struct segment *s, struct strbuf *stored,
	struct strbuf *raw, struct error *err)
{
	if (!archive_reader_fetch(r, s, stored, err))
		return false;

	const char *at = stored->buf;

	for (uint32_t i = 0; i < s->blocks; i++) {
		struct block b;

		archive_reader_block(r, s->first_block + i, &b);
		if (!archive_reader_inflate(r, s, i, at, &b, raw, err))
			return false;
		at += b.stored;
	}
	return true;
}
