/* SPDX-License-Identifier: PostgreSQL */
/* Deflate blocks and the gzip member around them, read back by dbops, by zlib and by gzip. */
#include "unit.h"

#include <string.h>
#include <zlib.h>
#include "codec.h"
#include "fs.h"
#include "proc.h"

/* The text of one block. */
struct text {
	char *data;
	size_t len;
};

static char *noise(size_t len)
{
	char *data = xmalloc(len);
	uint64_t x = 88172645463325252;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (char)(x >> 32);
	}
	return data;
}

static char *rows(size_t len)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (int i = 0; sb.len < len; i++)
		strbuf_addf(&sb, "%d\tname %d\t\\N\n", i, i % 97);
	return strbuf_detach(&sb);
}

/* The member made of the texts as blocks; appends to file. */
static void write_member(struct deflate *d, const struct text *texts, size_t n, bool table, struct strbuf *file)
{
	uint8_t header[GZIP_HEADER_LEN], trailer[GZIP_TRAILER_MAX];
	uint64_t raw = 0;
	uint32_t crc = 0;

	gzip_header(header);
	strbuf_add(file, header, sizeof(header));
	for (size_t i = 0; i < n; i++) {
		size_t cap = deflate_bound(texts[i].len);
		autofree uint8_t *out = xmalloc(cap);

		strbuf_add(file, out, deflate_block(d, texts[i].data, texts[i].len, out, cap));
		crc = codec_crc32_combine(crc, codec_crc32(0, texts[i].data, texts[i].len), texts[i].len);
		raw += texts[i].len;
	}
	strbuf_add(file, trailer, gzip_trailer(trailer, table, crc, raw));
}

static void check_gzip(const char *path)
{
	_cleanup_strbuf_ struct strbuf errors = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	const char *const argv[] = { "/bin/gzip", "-t", path, NULL };
	const struct proc_spec spec = { .argv = argv, .errors = &errors };
	int status = -1;

	if (!proc_run(&spec, NULL, &status, &err) || status != 0)
		fail_msg("gzip -t: status %d, %s%s", status, errors.buf, err.message ? err.message : "");
}

/* What zlib reads must be the texts, the tail, and nothing more. */
static void check_gzread(const char *path, const struct text *texts, size_t n, const char *tail)
{
	_cleanup_strbuf_ struct strbuf want = STRBUF_INIT;
	gzFile f = gzopen(path, "rb");

	for (size_t i = 0; i < n; i++)
		strbuf_add(&want, texts[i].data, texts[i].len);
	strbuf_adds(&want, tail);

	autofree char *got = xmalloc(want.len + 1);

	assert_non_null(f);
	assert_int_equal(gzread(f, got, (unsigned)want.len + 1), want.len);
	assert_false(gzdirect(f));
	assert_int_equal(gzclose(f), Z_OK);
	assert_memory_equal(got, want.buf, want.len);
}

static void check_member(struct deflate *d, const struct text *texts, size_t n, bool table)
{
	_cleanup_strbuf_ struct strbuf file = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *folder = fs_make_temp_dir(NULL, "dbops-codec-", &err);
	autofree char *path = fs_join(folder, "1.dat.gz");

	write_member(d, texts, n, table, &file);
	assert_true(fs_write_atomic(path, file.buf, file.len, &err));
	check_gzip(path);
	check_gzread(path, texts, n, table ? "\\.\n\n\n" : "");
	assert_true(fs_remove_tree(folder, &err));
}

static void check_block(struct deflate *d, const struct text *t)
{
	size_t cap = deflate_bound(t->len);
	autofree uint8_t *out = xmalloc(cap);
	autofree char *back = xmalloc(t->len + 1);
	size_t n = deflate_block(d, t->data, t->len, out, cap);

	assert_true(n <= cap);
	assert_true(inflate_block(out, n, back, t->len));
	assert_memory_equal(back, t->data, t->len);
}

static void test_levels(void **state)
{
	autofree char *text = rows(300000), *big = noise(3 << 20);
	struct text texts[] = {
		{ text, 200000 }, { text + 200000, 1 }, { text, 0 }, { big, 3 << 20 }, { text + 200001, 99999 },
	};

	(void)state;
	for (int level = CODEC_LEVEL_MIN; level <= CODEC_LEVEL_MAX; level++) {
		_cleanup_(deflate_freep) struct deflate *d = deflate_new(level);

		for (size_t i = 0; i < LENGTH(texts); i++)
			check_block(d, &texts[i]);
		check_member(d, texts, LENGTH(texts), true);
		check_member(d, texts, LENGTH(texts), false);
	}
}

/* A table without rows, a large object without bytes. */
static void test_empty_member(void **state)
{
	_cleanup_(deflate_freep) struct deflate *d = deflate_new(1);

	(void)state;
	check_member(d, NULL, 0, true);
	check_member(d, NULL, 0, false);
}

/* Blocks refer to nothing before them: any order of them is a sound member. */
static void test_blocks_in_any_order(void **state)
{
	autofree char *text = rows(400000);
	struct text texts[] = { { text + 200000, 200000 }, { text, 200000 }, { text, 200000 } };

	(void)state;
	for (int level = CODEC_LEVEL_MIN; level <= CODEC_LEVEL_MAX; level += 4) {
		_cleanup_(deflate_freep) struct deflate *d = deflate_new(level);

		check_member(d, texts, LENGTH(texts), true);
	}
}

struct stored_block {
	uint8_t *data;
	size_t len, raw_len;
};

static void block_release(struct stored_block *b)
{
	free(b->data);
}

static struct stored_block make_block(int level, const char *text, size_t len, size_t extra)
{
	_cleanup_(deflate_freep) struct deflate *d = deflate_new(level);
	struct stored_block b = { xmalloc(deflate_bound(len) + extra), 0, len };

	b.len = deflate_block(d, text, len, b.data, deflate_bound(len));
	return b;
}

static void test_wrong_length(void **state)
{
	autofree char *text = rows(5000), *back = xmalloc(6000);

	(void)state;
	for (int level = 1; level <= 9; level++) {
		_cleanup_(block_release) struct stored_block b = make_block(level, text, 5000, 0);

		assert_true(inflate_block(b.data, b.len, back, 5000));
		assert_false(inflate_block(b.data, b.len, back, 4999));
		assert_false(inflate_block(b.data, b.len, back, 5001));
		assert_false(inflate_block(b.data, b.len, back, 0));
		assert_false(inflate_block(b.data, b.len - 5, back, 5001));
		assert_false(inflate_block(b.data, b.len / 2, back, 5000));
		assert_false(inflate_block(b.data, 0, back, 5000));
	}
}

static void test_trailing_bytes(void **state)
{
	static const int levels[] = { 1, 3, 9 };
	autofree char *text = rows(500), *back = xmalloc(500);

	(void)state;
	for (size_t i = 0; i < LENGTH(levels) * 256 * 20; i++) {
		size_t extra = 1 + i % 20;
		int level = levels[i / 20 / 256], value = (int)(i / 20 % 256);
		_cleanup_(block_release) struct stored_block b = make_block(level, text, 500, extra);

		memset(b.data + b.len, value, extra);
		if (inflate_block(b.data, b.len + extra, back, 500))
			fail_msg("level %d: %zu bytes 0x%02x after a block were accepted", level, extra, (unsigned)value);
	}
}

/* The final block of a stream is the frame's own, never a data block. */
static void test_final_block(void **state)
{
	autofree char *text = rows(500), *back = xmalloc(500);
	uint8_t out[1000];
	z_stream z = { .next_in = (Bytef *)text, .avail_in = 500, .next_out = out, .avail_out = sizeof(out) };

	(void)state;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&z), Z_OK);
	assert_false(inflate_block(out, sizeof(out) - z.avail_out, back, 500));
}

/* Deflate itself has no checksum: a flipped bit is refused, or shows in the CRC. */
static void test_bit_flip(void **state)
{
	autofree char *text = rows(3000), *back = xmalloc(3000);
	_cleanup_(block_release) struct stored_block b = make_block(1, text, 3000, 0);
	uint32_t crc = codec_crc32(0, text, 3000);
	size_t refused = 0, noticed = 0;

	(void)state;
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!inflate_block(b.data, b.len, back, 3000))
			refused++;
		else if (codec_crc32(0, back, 3000) != crc)
			noticed++;
		else if (memcmp(back, text, 3000) != 0)
			fail_msg("bit %zu: other text, same CRC", bit);
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(refused > 0);
	assert_true(noticed > 0);
	/* some bits decide nothing: padding before a byte boundary */
	assert_true(refused + noticed > b.len * 8 - 16);
}

static void test_crc(void **state)
{
	autofree char *data = noise(100000);
	static const size_t cuts[] = { 0, 1, 4095, 65536, 99999, 100000 };

	(void)state;
	assert_int_equal(codec_crc32(0, "123456789", 9), 0xcbf43926); /* the check value of CRC-32 */
	assert_int_equal(codec_crc32(0, "", 0), 0);
	for (size_t i = 0; i < LENGTH(cuts); i++) {
		uint32_t a = codec_crc32(0, data, cuts[i]);
		uint32_t b = codec_crc32(0, data + cuts[i], 100000 - cuts[i]);

		assert_int_equal(codec_crc32_combine(a, b, 100000 - cuts[i]), crc32(0, (Bytef *)data, 100000));
		assert_int_equal(codec_crc32(a, data + cuts[i], 100000 - cuts[i]), crc32(0, (Bytef *)data, 100000));
	}
}

static void test_sha256(void **state)
{
	/* FIPS 180-4 example "abc" */
	static const uint8_t abc[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d,
		0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
		0x15, 0xad };
	uint8_t hash[32];

	(void)state;
	codec_sha256("abc", 3, hash);
	assert_memory_equal(hash, abc, 32);
}

/* Level 1 takes the Huffman codes of earlier blocks: other text must not suffer from that, and noise must not grow. */
static void test_codes_follow_the_text(void **state)
{
	enum { LEN = 300000 };
	autofree char *text = rows(LEN), *other = noise(LEN);
	size_t cap = deflate_bound(LEN), fresh[2];
	autofree uint8_t *out = xmalloc(cap);
	_cleanup_(deflate_freep) struct deflate *d = deflate_new(1);

	(void)state;
	for (size_t i = 0; i < LEN; i += 2)
		other[i] = (char)('a' + (other[i] & 7)); /* half noise, half letters */
	for (int i = 0; i < 2; i++) {
		_cleanup_(deflate_freep) struct deflate *first = deflate_new(1);

		fresh[i] = deflate_block(first, i ? other : text, LEN, out, cap);
	}
	for (int i = 0; i < 40; i++) {
		size_t len = deflate_block(d, i / 3 % 2 ? other : text, LEN, out, cap);

		assert_in_range(len, fresh[i / 3 % 2] * 9 / 10, fresh[i / 3 % 2] * 11 / 10);
	}

	autofree char *pure = noise(LEN);

	assert_in_range(deflate_block(d, pure, LEN, out, cap), LEN, LEN + LEN / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_empty_member),
		cmocka_unit_test(test_blocks_in_any_order),
		cmocka_unit_test(test_wrong_length),
		cmocka_unit_test(test_trailing_bytes),
		cmocka_unit_test(test_final_block),
		cmocka_unit_test(test_bit_flip),
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_codes_follow_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
