/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops.blocks and the blocks themselves: any records are cut into segments that cover them or are refused, and any bytes
 * under any record are inflated to what the record says or refused.
 *
 * Input: two bytes that say how the records are shared between two tables and a large object, then the records. The blocks
 * are read from the same bytes, at whatever offset the records add up to.
 */
#include <stdint.h>
#include "archive_reader.h"

#define HEAD 2

struct memory {
	struct storage storage;
	const uint8_t *data;
	size_t size;
};

/* "dbops.blocks" is the input; of any other file the input again and again. */
static bool get(struct storage *s, const char *key, uint64_t offset, size_t len, size_t limit, struct strbuf *ret,
	struct error *err)
{
	struct memory *m = (struct memory *)s;

	if (strcmp(key, BLOCKS_NAME) == 0) {
		strbuf_add(ret, m->data, m->size);
		return true;
	}
	if (len > 1 << 16 || len > limit || !m->size)
		return error_set(err, EXIT_DAMAGED, "too short");
	for (size_t i = 0; i < len; i++)
		strbuf_addch(ret, (char)m->data[(offset + i) % m->size]);
	return true;
}

static const struct storage_ops ops = { .name = "memory", .get = get };

/* One data file of n blocks whose sums are right, so that the cutting is reached. */
static void add_file(struct manifest *m, bool table, const uint8_t *records, int64_t first, int64_t n)
{
	struct manifest_file f = { .file = xasprintf("%lld.dat.gz", (long long)first), .first_block = first, .blocks = n };
	uint8_t trailer[GZIP_TRAILER_MAX];

	f.stored_bytes = (int64_t)(GZIP_HEADER_LEN + gzip_trailer(trailer, table, 0, 0));
	for (int64_t i = 0; i < n; i++) {
		struct block b;

		block_decode(records + (size_t)(first + i) * BLOCK_RECORD_BYTES, &b);
		f.rows += b.rows;
		f.raw_bytes += b.raw;
		f.stored_bytes += b.stored;
	}
	if (!table) {
		*vec_push(&m->large_objects) = f;
		return;
	}
	f.schema = xstrdup("s");
	f.name = xstrdup("t");
	f.columns = xstrdup("");
	*vec_push(&m->tables) = f;
}

static void check_segment(struct archive_reader *r, const struct segment *s)
{
	_cleanup_strbuf_ struct strbuf stored = STRBUF_INIT, raw = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	uint64_t at = 0;

	if (!archive_reader_fetch(r, s, &stored, &err))
		return;
	for (uint32_t i = 0; i < s->blocks; i++) {
		struct block b;

		archive_reader_block(r, s->first_block + i, &b);
		if (at + b.stored > stored.len)
			BUG("block %u ends at %llu of %zu bytes", i, (unsigned long long)(at + b.stored), stored.len);
		if (archive_reader_inflate(r, s, i, stored.buf + at, &b, &raw, &err) && raw.len != b.raw)
			BUG("%zu bytes instead of %u", raw.len, b.raw);
		at += b.stored;
	}
}

static void read_all(struct memory *m, struct backup_entry *e, uint64_t segment_raw, uint64_t records)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_reader_ struct archive_reader r;
	uint64_t blocks = 0;
	struct segment s;

	if (!archive_reader_open(&r, &m->storage, e, segment_raw, NULL, NULL, &err))
		BUG("%s: %s", err.message, err.detail);
	while (archive_reader_next(&r, &s)) {
		blocks += s.blocks;
		check_segment(&r, &s);
	}
	if (blocks != records)
		BUG("%llu of %llu blocks", (unsigned long long)blocks, (unsigned long long)records);
	/* the manifest says something else */
	e->manifest.tables.items[0].rows++;
	archive_reader_close(&r);
	if (archive_reader_open(&r, &m->storage, e, segment_raw, NULL, NULL, &err) || err.code != EXIT_DAMAGED)
		BUG("a contradiction was not found");
}

/* The first record's length, the bytes as they are: the inflater alone, which the hash guards otherwise. */
static void inflate_alone(const uint8_t *data, size_t size)
{
	size_t raw_len = size > 2 ? (size_t)data[0] << 8 | data[1] : 0;
	autofree uint8_t *raw = xmalloc(raw_len + 1);

	if (size > 2)
		inflate_block(data + 2, size - 2, raw, raw_len);
}

static void check_records(const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct block b;
		uint8_t again[BLOCK_RECORD_BYTES];

		block_decode(data + i * BLOCK_RECORD_BYTES, &b);
		block_encode(&b, again);
		if (memcmp(again, data + i * BLOCK_RECORD_BYTES, sizeof(again)) != 0)
			BUG("record %zu is not written as it was read", i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_entry_ struct backup_entry e = { .id = xstrdup("id"), .series = xstrdup("s"), .prefix = xstrdup("") };
	static char url[] = "memory:";

	inflate_alone(data, size);
	if (size < HEAD)
		return 0;

	struct memory m = { { &ops, url }, data + HEAD, size - HEAD };
	int64_t n = (int64_t)(m.size / BLOCK_RECORD_BYTES), a = data[0] % (n + 1), b = a + data[1] % (n - a + 1);

	check_records(m.data, (size_t)n);
	add_file(&e.manifest, true, m.data, 0, a);
	add_file(&e.manifest, true, m.data, a, b - a);
	add_file(&e.manifest, false, m.data, b, n - b);
	manifest_add_file(&e.manifest, BLOCKS_NAME, m.data, m.size);
	read_all(&m, &e, (uint64_t)data[0] << 16, (uint64_t)n);
	return 0;
}
