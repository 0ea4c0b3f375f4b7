/* SPDX-License-Identifier: PostgreSQL */
/* Tables of contents of real pg_dump runs (tests/fuzz/corpus/toc), and what was made of them by force. */
#include "unit.h"

#include "fs.h"
#include "toc.h"

/* A database with a serial, an enum, an index, a foreign key, a hash-partitioned table, a trigger, odd names and one
 * large object. */
static const struct seed {
	const char *file;
	int version;
	const char *dump_version;
	size_t kept, all; /* entries */
} seeds[] = {
	{ .file = "pg15.dat", .version = 0x010e00, .dump_version = "15.20", .kept = 9, .all = 41 },
	{ .file = "pg17.dat", .version = 0x011000, .dump_version = "17", .kept = 9, .all = 41 },
};

static void load(const char *name, struct strbuf *ret)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *path = xasprintf("%s/toc/%s", FUZZ_CORPUS, name);

	if (!fs_read(path, 1 << 20, ret, &err))
		fail_msg("%s", err.message);
}

static void parse(const struct strbuf *text, int keep, struct toc *ret)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (!toc_parse(text->buf, text->len, keep, true, ret, &err))
		fail_msg("%s", err.message);
}

static void check_refused(const void *data, size_t len, enum exit_code code, const char *why)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_toc_ struct toc t;
	/* a copy of the exact size, so that AddressSanitizer sees a byte read too much */
	autofree char *copy = xmemdup(data, len ? len : 1);

	if (toc_parse(copy, len, TOC_KEEP_ALL, true, &t, &err))
		fail_msg("%s: accepted", why);
	if (err.code != code)
		fail_msg("%s: status %d, %s", why, (int)err.code, err.message);
	assert_null(t.items);
}

static const struct toc_entry *entry(const struct toc *t, const char *desc, const char *tag)
{
	for (size_t i = 0; i < t->len; i++)
		if (strcmp(t->items[i].desc, desc) == 0 && strcmp(t->items[i].tag, tag) == 0)
			return &t->items[i];
	fail_msg("no %s \"%s\"", desc, tag);
	return NULL;
}

static void check_entries(const struct toc *t)
{
	const struct toc_entry *table = entry(t, "TABLE", "parent"), *rows = entry(t, "TABLE DATA", "parent");
	const struct toc_entry *odd = entry(t, "TABLE DATA", "we)ird \"table"), *leaf = entry(t, "TABLE DATA", "h0");

	assert_string_equal(table->schema, "public");
	assert_string_equal(table->owner, "postgres");
	assert_int_equal(table->section, TOC_SECTION_PRE_DATA);
	assert_false(table->has_data);
	assert_non_null(strstr(table->defn, "CREATE TABLE public.parent"));
	assert_string_equal(table->drop_stmt, "DROP TABLE public.parent;\n");
	assert_true(table->n_deps > 0);
	assert_true(toc_is_table_data(rows));
	assert_int_equal(rows->section, TOC_SECTION_DATA);
	assert_int_equal(rows->oid, table->oid);
	assert_string_equal(rows->copy_stmt, "COPY public.parent (id, m, note) FROM stdin;\n");
	assert_string_equal(strrchr(rows->filename, '.'), ".dat");
	assert_ptr_equal(toc_find(t, rows->dump_id), rows);
	assert_null(toc_find(t, 1 << 30));
	assert_string_equal(odd->schema, "odd schema");
	assert_null(entry(t, "SCHEMA", "odd schema")->schema);
	assert_string_equal(toc_load_via_root(leaf), "public.h");
	assert_null(toc_load_via_root(rows));
	assert_int_equal(entry(t, "INDEX", "parent_note")->section, TOC_SECTION_POST_DATA);
}

static void test_seeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(seeds); i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		_cleanup_toc_ struct toc t;
		size_t blobs = 0;

		load(seeds[i].file, &text);
		parse(&text, TOC_KEEP_ALL, &t);
		assert_int_equal(t.version, seeds[i].version);
		assert_int_equal(t.format, 3);
		assert_string_equal(t.database, "seed");
		assert_string_equal(t.encoding, "UTF8");
		assert_int_equal(strncmp(t.dump_version, seeds[i].dump_version, 2), 0);
		assert_int_equal(strncmp(t.server_version, seeds[i].dump_version, 2), 0);
		assert_int_equal(t.len, seeds[i].all);
		assert_int_equal(t.bytes, text.len);
		check_entries(&t);
		for (size_t k = 0; k < t.len; k++)
			blobs += toc_is_blobs(&t.items[k]);
		assert_int_equal(blobs, 1);
	}
}

/* What a backup keeps in memory: rows, large objects, and no definition but the root of a partition. */
static void test_keep_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(seeds); i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		_cleanup_toc_ struct toc t;

		load(seeds[i].file, &text);
		parse(&text, TOC_KEEP_DATA, &t);
		assert_int_equal(t.len, seeds[i].kept);
		assert_string_equal(t.encoding, "UTF8");
		assert_string_equal(toc_load_via_root(entry(&t, "TABLE DATA", "h1")), "public.h");
		for (size_t k = 0; k < t.len; k++) {
			const struct toc_entry *e = &t.items[k];

			assert_null(e->owner);
			assert_null(e->drop_stmt);
			if (toc_is_table_data(e) && !toc_load_via_root(e))
				assert_null(e->defn);
		}
	}
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(seeds); i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		load(seeds[i].file, &text);
		for (size_t len = 0; len < text.len; len++) {
			autofree char *why = xasprintf("%s cut to %zu bytes", seeds[i].file, len);

			check_refused(text.buf, len, EXIT_DAMAGED, why);
		}
	}
}

static void test_longer(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_toc_ struct toc t;
	size_t len;

	(void)state;
	load("pg15.dat", &text);
	len = text.len;
	strbuf_addch(&text, 'x');
	check_refused(text.buf, text.len, EXIT_DAMAGED, "a byte more");
	/* the head of a custom-format archive is followed by data */
	assert_true(toc_parse(text.buf, text.len, TOC_KEEP_ALL, false, &t, &err));
	assert_int_equal(t.bytes, len);
}

static void test_version(void **state)
{
	static const struct {
		unsigned char major, minor;
		enum exit_code code;
	} cases[] = {
		{ .major = 1, .minor = 13, .code = EXIT_REFUSED },
		{ .major = 1, .minor = 17, .code = EXIT_REFUSED },
		{ .major = 2, .minor = 0, .code = EXIT_REFUSED },
		{ .major = 0, .minor = 15, .code = EXIT_REFUSED },
		{ .major = 255, .minor = 255, .code = EXIT_REFUSED },
	};
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	(void)state;
	load("pg15.dat", &text);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		autofree char *why = xasprintf("version %u.%u", cases[i].major, cases[i].minor);

		text.buf[5] = (char)cases[i].major;
		text.buf[6] = (char)cases[i].minor;
		check_refused(text.buf, text.len, cases[i].code, why);
	}
}

/* 1.15 (PostgreSQL 16) differs from 1.14 by one byte for the compression instead of an integer. */
static void test_version_1_15(void **state)
{
	_cleanup_strbuf_ struct strbuf old = STRBUF_INIT, text = STRBUF_INIT;
	_cleanup_toc_ struct toc t;

	(void)state;
	load("pg15.dat", &old);
	strbuf_add(&text, "PGDMP\1\17\0", 8);
	strbuf_add(&text, old.buf + 8, 3);
	strbuf_addch(&text, 1);
	strbuf_add(&text, old.buf + 11 + 5, old.len - 11 - 5);
	parse(&text, TOC_KEEP_ALL, &t);
	assert_int_equal(t.version, 0x010f00);
	assert_int_equal(t.len, seeds[0].all);
	check_entries(&t);
}

static void test_damaged_header(void **state)
{
	static const struct {
		const char *why;
		int at, value;
	} cases[] = {
		{ .why = "magic", .at = 0, .value = 'p' },
		{ .why = "integers of 0 bytes", .at = 8, .value = 0 },
		{ .why = "integers of 33 bytes", .at = 8, .value = 33 },
		{ .why = "integers of 3 bytes", .at = 8, .value = 3 },
		{ .why = "custom format without its fields", .at = 10, .value = 1 },
	};
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	(void)state;
	load("pg15.dat", &text);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		char saved = text.buf[cases[i].at];

		text.buf[cases[i].at] = (char)cases[i].value;
		check_refused(text.buf, text.len, EXIT_DAMAGED, cases[i].why);
		text.buf[cases[i].at] = saved;
	}
}

/* Every byte of the file set to 0xff: read or refused, never a crash; a length of 2^31 - 1 allocates nothing. */
static void test_any_byte(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	(void)state;
	load("pg17.dat", &text);
	for (size_t i = 0; i < text.len; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_toc_ struct toc t;
		char saved = text.buf[i];

		text.buf[i] = '\xff';
		if (!toc_parse(text.buf, text.len, TOC_KEEP_DATA, true, &t, &err))
			assert_true(err.code == EXIT_DAMAGED || err.code == EXIT_REFUSED);
		text.buf[i] = saved;
	}
}

static void test_copy_statement(void **state)
{
	static const struct {
		const char *statement, *relation, *columns;
	} cases[] = {
		{ "COPY public.t (a, b) FROM stdin;\n", "public.t", "(a, b)" },
		{ "COPY public.t  FROM stdin;\n", "public.t", "" },
		{ "COPY public.t FROM stdin;\n", "public.t", "" },
		{ "COPY \"odd schema\".\"t (x) FROM stdin\" (a) FROM stdin;\n", "\"odd schema\".\"t (x) FROM stdin\"", "(a)" },
		{ "COPY s.\"we)ird \"\"table\" (\"a)b\", \"c\"\"d\", \"e f\", \"g\nh\") FROM stdin;\n", "s.\"we)ird \"\"table\"",
			"(\"a)b\", \"c\"\"d\", \"e f\", \"g\nh\")" },
		{ "COPY s.t (\"\"\"\"\"\") FROM stdin;\n", "s.t", "(\"\"\"\"\"\")" },
		{ "COPY s.t (a) TO stdout;\n", "s.t", NULL },
		{ "COPY s.t (a FROM stdin;\n", "s.t", NULL },
		{ "COPY s.t (\"a) FROM stdin;\n", "s.t", NULL },
		{ "COPY s.t", "s.t", NULL },
		{ "COPY ", "", NULL },
		{ "INSERT INTO t", NULL, NULL },
		{ "", NULL, NULL },
		{ NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		autofree char *relation = toc_copy_relation(cases[i].statement);
		autofree char *columns = toc_copy_columns(cases[i].statement);

		if (!!relation != !!cases[i].relation || (relation && strcmp(relation, cases[i].relation) != 0))
			fail_msg("'%s': relation '%s'", cases[i].statement, relation);
		if (!!columns != !!cases[i].columns || (columns && strcmp(columns, cases[i].columns) != 0))
			fail_msg("'%s': columns '%s'", cases[i].statement, columns);
	}
}

static void test_object_groups(void **state)
{
	char groups[] = "BLOB METADATA", single[] = "BLOB", lines[] = "16385\n16390\r\n4294967295";
	struct toc_entry group = { .desc = groups, .defn = lines };
	static const uint32_t expected[] = { 16385, 16390, 4294967295 };
	const char *at = NULL;
	uint32_t oid = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(expected); i++) {
		assert_true(toc_next_object(&group, &at, &oid));
		assert_int_equal(oid, expected[i]);
	}
	assert_false(toc_next_object(&group, &at, &oid));

	group.defn = NULL; /* not kept */
	at = NULL;
	assert_false(toc_next_object(&group, &at, &oid));

	group = (struct toc_entry){ .desc = single, .defn = lines };
	assert_false(toc_next_object(&group, &at, &oid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_keep_data),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_longer),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_version_1_15),
		cmocka_unit_test(test_damaged_header),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_copy_statement),
		cmocka_unit_test(test_object_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
