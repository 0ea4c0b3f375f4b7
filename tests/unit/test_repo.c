/* SPDX-License-Identifier: PostgreSQL */
/* How backups are named, and how they are found again in a storage. */
#include "unit.h"

#include "clock.h"
#include "fs.h"
#include "repo.h"

static void test_series(void **state)
{
	static const struct {
		const char *database, *series;
	} cases[] = {
		{ "shop", "shop" },
		{ "Shop_2.0-x~y", "Shop_2.0-x~y" },
		{ "..", "%2E." },
		{ ".", "%2E" },
		{ ".hidden", "%2Ehidden" },
		{ "../../etc", "%2E.%2F..%2Fetc" },
		{ "a/b", "a%2Fb" },
		{ "a b", "a%20b" },
		{ "100%", "100%25" },
		{ "%2E", "%252E" },
		{ "a\nb", "a%0Ab" },
		{ "caf\xc3\xa9", "caf%C3%A9" },
		{ "\xff", "%FF" },
		{ "a\\b\"c'd", "a%5Cb%22c%27d" },
		{ "~", "~" },
		{ "-rf", "-rf" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		autofree char *series = repo_series(cases[i].database), *back = repo_database(series);
		autofree char *prefix = repo_prefix(cases[i].database, "ID"), *want = xasprintf("%s/ID/", cases[i].series);

		assert_string_equal(series, cases[i].series);
		assert_string_equal(back, cases[i].database);
		assert_string_equal(prefix, want);
	}
}

/* Every byte that a database name can have. */
static void test_series_bytes(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char name[] = { (char)c, 'x', (char)c, '\0' };
		autofree char *series = repo_series(name), *back = repo_database(series);

		assert_string_equal(back, name);
		assert_null(strchr(series, '/'));
		assert_true(series[0] != '.');
	}
}

/* A folder that dbops did not make is shown as it is. */
static void test_foreign_folder(void **state)
{
	static const char *const names[] = { "%", "%2", "%zz", "a%2f", "100%" };

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		autofree char *back = repo_database(names[i]);

		assert_string_equal(back, names[i]);
	}
}

static void test_new_id(void **state)
{
	const int64_t at = INT64_C(1795206976999999); /* 2026-11-20T20:36:16.999999Z */
	autofree char *a = repo_new_id(at), *b = repo_new_id(at), *later = repo_new_id(at + 1);
	int64_t back = 0;

	(void)state;
	assert_int_equal(strncmp(a, "20261120T203616Z-", 17), 0);
	assert_int_equal(strlen(a), 26);
	assert_string_not_equal(a, b); /* 16 random bits */
	assert_true(strcmp(a, later) < 0);
	assert_true(repo_id_time(a, &back));
	assert_int_equal(back, at / 1000000 * 1000000);
}

static void test_id_time(void **state)
{
	static const char *const wrong[] = { "", "latest", "20261120T203616Z", "20261120T203616Z-", "20261120T203616Z-x",
		"20261120T203616Z-4F", "20261120T203616Z-4f.partial", "20261120 203616Z-4f", "20261120T203616z-4f",
		"2026112T0203616Z-4f", "+0261120T203616Z-4f", "20261120T203616Z_4f", " 0261120T203616Z-4f",
		"20261320T203616Z-4f", "20260230T203616Z-4f", "20260001T203616Z-4f", "20261100T203616Z-4f", "20261120T243616Z-4f",
		"20261120T206016Z-4f", "20261120T203661Z-4f", "../20261120T203616Z-4f" };
	int64_t us = 0;

	(void)state;
	assert_true(repo_id_time("19700101T000001Z-0", &us));
	assert_int_equal(us, 1000000);
	assert_true(repo_id_time("20240229T235959Z-abcdef0123456789", &us));
	for (size_t i = 0; i < LENGTH(wrong); i++)
		if (repo_id_time(wrong[i], &us))
			fail_msg("'%s' was read as an id", wrong[i]);
}

struct fixture {
	char *folder;
	struct storage *s;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->folder = fs_make_temp_dir(NULL, "dbops-repo-", &f->err);
	f->s = storage_file_open(f->folder, true, &f->err);
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	storage_close(f->s);
	fs_remove_tree(f->folder, NULL);
	error_release(&f->err);
	free(f->folder);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *key, const char *text, size_t len)
{
	if (!storage_put(f->s, key, text, len, &f->err))
		fail_msg("%s", f->err.message);
}

/* A backup with nothing in it but globals.sql ("abc"). */
static void add_backup(struct fixture *f, const char *database, const char *id)
{
	_cleanup_manifest_ struct manifest m;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *prefix = repo_prefix(database, id);
	autofree char *manifest = xasprintf("%s%s", prefix, MANIFEST_NAME), *globals = xasprintf("%sglobals.sql", prefix);

	assert_true(fs_read(FUZZ_CORPUS "/manifest/seed.json", 1 << 20, &text, &err));
	assert_true(manifest_parse(text.buf, text.len, &m, &err));
	free(m.id);
	m.id = xstrdup(id);
	free(m.files.items[3].sha256);
	free(m.files.items[3].name);
	m.files.len = 3;
	manifest_add_file(&m, "globals.sql", "abc", 3);
	strbuf_reset(&text);
	manifest_write(&m, &text);
	put(f, manifest, text.buf, text.len);
	put(f, globals, "abc", 3);
}

#define ID_1 "20260101T000000Z-aaaaaa"
#define ID_2 "20260102T000000Z-aaaaaa"
#define ID_3 "20260103T000000Z-bbbbbb"
#define ID_4 "20260104T000000Z-cccccc"

/* Two complete ones in two series, one without a manifest, one being written, one damaged, and what is not ours. */
static void fill(struct fixture *f)
{
	add_backup(f, "shop", ID_1);
	add_backup(f, "a/b", ID_2);
	put(f, "shop/" ID_3 "/toc.dat", "x", 1);
	put(f, "shop/" ID_4 ".partial/" MANIFEST_NAME, "x", 1);
	put(f, "shop/20250101T000000Z-dddddd/" MANIFEST_NAME, "{}", 2);
	put(f, "shop/readme/" MANIFEST_NAME, "x", 1);
	put(f, "shop/file", "x", 1);
	put(f, "file", "x", 1);
}

static void test_catalog(void **state)
{
	static const struct {
		const char *id, *series;
		bool complete, unfinished;
	} want[] = {
		{ .id = "20250101T000000Z-dddddd", .series = "shop" },
		{ .id = ID_1, .series = "shop", .complete = true },
		{ .id = ID_2, .series = "a%2Fb", .complete = true },
		{ .id = ID_3, .series = "shop", .unfinished = true },
		{ .id = ID_4 ".partial", .series = "shop", .unfinished = true },
	};
	struct fixture *f = *state;
	_cleanup_catalog_ struct catalog c;

	fill(f);
	assert_true(catalog_load(f->s, &c, &f->err));
	assert_int_equal(c.len, LENGTH(want));
	for (size_t i = 0; i < LENGTH(want); i++) {
		assert_string_equal(c.items[i].id, want[i].id);
		assert_string_equal(c.items[i].series, want[i].series);
		assert_int_equal(c.items[i].complete, want[i].complete);
		assert_int_equal(c.items[i].unfinished, want[i].unfinished);
		assert_int_equal(!c.items[i].problem, want[i].complete);
		assert_int_equal(c.items[i].manifest.tables.len, 0);
	}
}

static void test_find(void **state)
{
	static const struct {
		const char *series, *operand, *id; /* series: the database; id NULL: refused with code */
		enum exit_code code;
	} cases[] = {
		{ .operand = ID_1, .id = ID_1 },
		{ .operand = "20260101", .id = ID_1 },
		{ .operand = "latest", .code = EXIT_USAGE }, /* of which database? */
		{ .series = "a/b", .operand = "latest", .id = ID_2 }, /* newer ones are not complete */
		{ .series = "shop", .operand = "latest", .id = ID_1 },
		{ .series = "none", .operand = "latest", .code = EXIT_NOT_FOUND },
		{ .operand = "2026010", .code = EXIT_USAGE },
		{ .operand = "2027", .code = EXIT_NOT_FOUND },
		{ .operand = "", .code = EXIT_NOT_FOUND },
		{ .operand = ID_3, .code = EXIT_DAMAGED },
		{ .operand = ID_4, .code = EXIT_DAMAGED }, /* the prefix of the partial one */
		{ .operand = "2025", .code = EXIT_DAMAGED },
	};
	struct fixture *f = *state;

	fill(f);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_entry_ struct backup_entry e;
		bool found = catalog_find(f->s, cases[i].series, cases[i].operand, &e, &f->err);

		if (found != !!cases[i].id)
			fail_msg("'%s': %s", cases[i].operand, found ? e.id : f->err.message);
		if (found) {
			assert_string_equal(e.id, cases[i].id);
			assert_int_equal(e.manifest.tables.len, 7);
		} else if (f->err.code != cases[i].code) {
			fail_msg("'%s': status %d, %s", cases[i].operand, (int)f->err.code, f->err.message);
		}
	}
}

/* Plain files are proven by size and hash, whether they are kept or only looked at. */
static void test_files(void **state)
{
	static const struct {
		const char *content; /* NULL: removed */
		bool sound;
	} cases[] = {
		{ "abc", true }, { "abd", false }, { "abcd", false }, { "ab", false }, { "", false }, { NULL, false },
	};
	struct fixture *f = *state;

	fill(f);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_entry_ struct backup_entry e;
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		_cleanup_error_ struct error other = ERROR_INIT;
		static const char *const key[] = { "shop/" ID_1 "/globals.sql" };

		assert_true(storage_remove(f->s, key, 1, &f->err));
		if (cases[i].content)
			put(f, key[0], cases[i].content, strlen(cases[i].content));
		assert_true(catalog_find(f->s, NULL, ID_1, &e, &f->err));
		assert_int_equal(backup_read_file(f->s, &e, "globals.sql", &text, &f->err), cases[i].sound);

		/* only looking reads as many bytes as expected: a longer file is found by its size (--quick) */
		bool longer = cases[i].content && strlen(cases[i].content) > 3;
		const struct manifest_plain *plain = manifest_find_file(&e.manifest, "globals.sql");

		assert_int_equal(backup_check_file(f->s, &e, plain, &other), cases[i].sound || longer);
		if (cases[i].sound)
			continue;
		assert_int_equal(f->err.code, EXIT_DAMAGED);
		assert_non_null(strstr(f->err.message, "globals.sql"));
		if (!longer)
			assert_int_equal(other.code, EXIT_DAMAGED);
	}
}

static void test_unknown_file(void **state)
{
	struct fixture *f = *state;
	_cleanup_entry_ struct backup_entry e;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	fill(f);
	put(f, "shop/" ID_1 "/extra", "x", 1);
	assert_true(catalog_find(f->s, NULL, ID_1, &e, &f->err));
	assert_false(backup_read_file(f->s, &e, "extra", &text, &f->err)); /* nothing proves it */
	assert_int_equal(f->err.code, EXIT_NOT_FOUND);
}

static void test_verification(void **state)
{
	const struct verification v = { .at = 1795206976000000, .depth = "full", .ok = true, .seconds = 1.5 };
	struct fixture *f = *state;
	_cleanup_catalog_ struct catalog c;
	_cleanup_entry_ struct backup_entry e;

	fill(f);
	assert_true(catalog_find(f->s, NULL, ID_1, &e, &f->err));
	assert_int_equal(e.verified.at, 0);
	assert_true(backup_store_verification(f->s, &e, &v, &f->err));
	assert_true(catalog_load(f->s, &c, &f->err));
	assert_int_equal(c.items[1].verified.at, v.at);
	assert_string_equal(c.items[1].verified.depth, "full");
	assert_int_equal(c.items[2].verified.at, 0);
}

static void test_open_root(void **state)
{
	struct fixture *f = *state;
	autofree char *path = xasprintf("%s/shop/%s", f->folder, ID_1), *empty = xasprintf("%s/shop/%s", f->folder, ID_3);
	_cleanup_entry_ struct backup_entry e, none;

	fill(f);

	_cleanup_storage_ struct storage *s = storage_file_open(path, false, &f->err);
	_cleanup_storage_ struct storage *t = storage_file_open(empty, false, &f->err);

	assert_true(catalog_open_root(s, &e, &f->err));
	assert_string_equal(e.id, ID_1);
	assert_string_equal(e.prefix, "");
	assert_false(catalog_open_root(t, &none, &f->err));
	assert_int_equal(f->err.code, EXIT_DAMAGED);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_series_bytes),
		cmocka_unit_test(test_foreign_folder),
		cmocka_unit_test(test_new_id),
		cmocka_unit_test(test_id_time),
		CASE(test_catalog),
		CASE(test_find),
		CASE(test_files),
		CASE(test_unknown_file),
		CASE(test_verification),
		CASE(test_open_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
