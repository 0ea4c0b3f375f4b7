/* SPDX-License-Identifier: PostgreSQL */
/* Data files: block records, many writers of one file, and the same bytes in every target. */
#include "unit.h"

#include <zlib.h>
#include "data_file.h"
#include "fs.h"

struct fixture {
	char *folder;
	struct archive_targets targets;
	struct error err;
};

static int setup(void **state)
{
	static const char *const names[] = { "local", "remote" };
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->folder = fs_make_temp_dir(NULL, "dbops-data-", &f->err);
	for (size_t i = 0; i < LENGTH(names); i++) {
		autofree char *path = fs_join(f->folder, names[i]);

		f->targets.items[i].storage = storage_file_open(path, true, &f->err);
		f->targets.items[i].prefix = xasprintf("p%zu/", i);
		assert_non_null(f->targets.items[i].storage);
	}
	f->targets.len = 2;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < f->targets.len; i++) {
		storage_close(f->targets.items[i].storage);
		free(f->targets.items[i].prefix);
	}
	fs_remove_tree(f->folder, NULL);
	error_release(&f->err);
	free(f->folder);
	free(f);
	return 0;
}

static void check(struct fixture *f, bool ok)
{
	if (!ok)
		fail_msg("%s", f->err.message);
}

static char *path_of(const struct fixture *f, const char *name)
{
	return xasprintf("%s/local/p0/%s", f->folder, name);
}

static void test_block_record(void **state)
{
	static const uint8_t record[BLOCK_RECORD_BYTES] = { 4, 3, 2, 1, 8, 7, 6, 5, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x80, 1, 0, 0, 0,
		10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
		39, 40, 41 };
	struct block b;
	uint8_t out[BLOCK_RECORD_BYTES];

	(void)state;
	block_decode(record, &b);
	assert_true(b.stored == 0x01020304 && b.raw == 0x05060708 && b.rows == UINT32_MAX);
	assert_true(b.crc == 0x80000000 && b.unit == 1 && b.sha256[0] == 10 && b.sha256[31] == 41);
	block_encode(&b, out);
	assert_memory_equal(out, record, sizeof(record));
}

/* Text of a whole file as zlib reads it. */
static void read_text(const struct fixture *f, const char *name, struct strbuf *ret)
{
	autofree char *path = path_of(f, name);
	gzFile z = gzopen(path, "rb");
	char chunk[8192];
	int n;

	assert_non_null(z);
	while ((n = gzread(z, chunk, sizeof(chunk))) > 0)
		strbuf_add(ret, chunk, (size_t)n);
	assert_int_equal(n, 0);
	assert_int_equal(gzclose(z), Z_OK);
}

static void check_targets_equal(const struct fixture *f, const char *name, uint64_t len)
{
	_cleanup_strbuf_ struct strbuf local = STRBUF_INIT, remote = STRBUF_INIT;
	autofree char *a = path_of(f, name), *b = xasprintf("%s/remote/p1/%s", f->folder, name);
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_true(fs_read(a, 1 << 28, &local, &err) && fs_read(b, 1 << 28, &remote, &err));
	assert_int_equal(local.len, len);
	assert_int_equal(remote.len, len);
	assert_memory_equal(local.buf, remote.buf, len);
}

/* Each block of the file alone, at the offset that the records add up to. */
static void check_blocks(const struct fixture *f, const struct data_file *file)
{
	_cleanup_strbuf_ struct strbuf stored = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *path = path_of(f, file->name);
	size_t offset = GZIP_HEADER_LEN;
	struct fingerprint sum = { 0 };
	uint64_t rows = 0;

	assert_true(fs_read(path, 1 << 28, &stored, &err));
	for (size_t i = 0; i < file->len; i++) {
		const struct block *b = &file->items[i];
		autofree char *raw = xmalloc(b->raw + 1);
		uint8_t hash[32];

		codec_sha256(stored.buf + offset, b->stored, hash);
		assert_memory_equal(hash, b->sha256, sizeof(hash));
		assert_true(inflate_block(stored.buf + offset, b->stored, raw, b->raw));
		assert_int_equal(codec_crc32(0, raw, b->raw), b->crc);
		assert_int_equal(fingerprint_add_text(&sum, raw, b->raw), b->rows);
		rows += b->rows;
		offset += b->stored;
	}
	assert_int_equal(rows, file->rows);
	assert_true(fingerprint_equal(&sum, &file->fingerprint));
}

/* Appends n rows "<who> <i>" as one block. */
static bool append_rows(struct data_file *file, const struct archive_targets *t, struct block_maker *m, unsigned who, unsigned n,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct block b = { .rows = n, .unit = who };
	struct fingerprint f = { 0 };

	for (unsigned i = 0; i < n; i++)
		strbuf_addf(&text, "%u\t%u\n", who, i);
	fingerprint_add_text(&f, text.buf, text.len);
	return data_file_append(file, t, m, text.buf, text.len, &b, &f, err);
}

static void test_table(void **state)
{
	struct fixture *f = *state;
	_cleanup_(block_maker_freep) struct block_maker *m = block_maker_new(2);
	_cleanup_(data_file_release) struct data_file file;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	data_file_init(&file, "1.dat.gz", true);
	check(f, append_rows(&file, &f->targets, m, 0, 3, &f->err));
	check(f, append_rows(&file, &f->targets, m, 1, 2, &f->err));
	check(f, data_file_finish(&file, &f->targets, &f->err));
	read_text(f, "1.dat.gz", &text);
	assert_string_equal(text.buf, "0\t0\n0\t1\n0\t2\n1\t0\n1\t1\n\\.\n\n\n");
	assert_int_equal(file.rows, 5);
	assert_int_equal(file.raw, 20);
	assert_int_equal(file.len, 2);
	assert_int_equal(file.items[1].unit, 1);
	check_blocks(f, &file);
	check_targets_equal(f, "1.dat.gz", file.stored);
}

static void test_empty(void **state)
{
	static const struct {
		const char *name, *text;
		bool table;
	} cases[] = {
		{ .name = "empty.dat.gz", .table = true, .text = "\\.\n\n\n" },
		{ .name = "blob_1.dat.gz", .table = false, .text = "" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_(data_file_release) struct data_file file;
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		data_file_init(&file, cases[i].name, cases[i].table);
		check(f, data_file_finish(&file, &f->targets, &f->err));
		read_text(f, cases[i].name, &text);
		assert_string_equal(text.buf, cases[i].text);
		check_targets_equal(f, cases[i].name, file.stored);
	}
}

#define WRITERS 4
#define BLOCKS  25

struct writer {
	struct fixture *f;
	struct data_file *file;
	unsigned index;
	bool ok;
	pthread_t thread;
};

static void *write_blocks(void *arg)
{
	struct writer *w = arg;
	_cleanup_(block_maker_freep) struct block_maker *m = block_maker_new(1);
	_cleanup_error_ struct error err = ERROR_INIT;

	w->ok = true;
	for (unsigned i = 0; w->ok && i < BLOCKS; i++)
		w->ok = append_rows(w->file, &w->f->targets, m, w->index, 100 + i, &err);
	return NULL;
}

/* Several workers on one table: every row is there once, in blocks that can be found again. */
static void test_many_writers(void **state)
{
	struct fixture *f = *state;
	struct writer writers[WRITERS];
	_cleanup_(data_file_release) struct data_file file;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct fingerprint all = { 0 };

	data_file_init(&file, "2.dat.gz", true);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .f = f, .file = &file, .index = i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_blocks, &writers[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		assert_true(writers[i].ok);
	}
	check(f, data_file_finish(&file, &f->targets, &f->err));
	assert_int_equal(file.len, WRITERS * BLOCKS);
	assert_int_equal(file.rows, WRITERS * (BLOCKS * 100 + BLOCKS * (BLOCKS - 1) / 2));
	check_blocks(f, &file);
	check_targets_equal(f, "2.dat.gz", file.stored);
	read_text(f, "2.dat.gz", &text);
	assert_int_equal(text.len, file.raw + strlen(GZIP_TABLE_TEXT_TAIL));
	fingerprint_add_text(&all, text.buf, file.raw);
	assert_true(fingerprint_equal(&all, &file.fingerprint));
}

/* A row longer than a block makes a longer block; the next ones are as before. */
static void test_long_row(void **state)
{
	struct fixture *f = *state;
	static const size_t lengths[] = { 10, 5 * BLOCK_RAW_BYTES, 10, 2 * BLOCK_RAW_BYTES + 1, 10 };
	_cleanup_(block_maker_freep) struct block_maker *m = block_maker_new(9);
	_cleanup_(data_file_release) struct data_file file;

	data_file_init(&file, "3.dat.gz", true);
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		autofree char *row = xmalloc(lengths[i]);
		struct block b = { .rows = 1 };
		struct fingerprint fp = { 0 };

		memset(row, 'a' + (int)i, lengths[i]);
		row[lengths[i] - 1] = '\n';
		fingerprint_add_text(&fp, row, lengths[i]);
		check(f, data_file_append(&file, &f->targets, m, row, lengths[i], &b, &fp, &f->err));
		assert_int_equal(b.raw, lengths[i]);
	}
	check(f, data_file_finish(&file, &f->targets, &f->err));
	check_blocks(f, &file);
}

/* A run that fails leaves no data file behind. */
static void test_abort(void **state)
{
	struct fixture *f = *state;
	_cleanup_(block_maker_freep) struct block_maker *m = block_maker_new(1);
	autofree char *path = path_of(f, "4.dat.gz");
	struct data_file file;

	data_file_init(&file, "4.dat.gz", true);
	check(f, append_rows(&file, &f->targets, m, 0, 3, &f->err));
	data_file_release(&file);
	assert_false(fs_exists(path));
	data_file_release(&file); /* once more does nothing */
}

/* The second target cannot be written: an error, and nothing stays in the first. */
static void test_one_target_fails(void **state)
{
	struct fixture *f = *state;
	_cleanup_(block_maker_freep) struct block_maker *m = block_maker_new(1);
	autofree char *path = path_of(f, "5.dat.gz");
	_cleanup_(data_file_release) struct data_file file;

	check(f, storage_put(f->targets.items[1].storage, "p1/5.dat.gz", "x", 1, &f->err)); /* a stream never overwrites */
	data_file_init(&file, "5.dat.gz", true);
	assert_false(append_rows(&file, &f->targets, m, 0, 3, &f->err));
	assert_true(error_is_set(&f->err));
	assert_int_equal(file.len, 0);
	assert_false(fs_exists(path));
}

static void test_put(void **state)
{
	struct fixture *f = *state;

	check(f, archive_put(&f->targets, "toc.dat", "abc", 3, &f->err));
	check_targets_equal(f, "toc.dat", 3);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_record),
		CASE(test_table),
		CASE(test_empty),
		CASE(test_many_writers),
		CASE(test_long_row),
		CASE(test_abort),
		CASE(test_one_target_fails),
		CASE(test_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
