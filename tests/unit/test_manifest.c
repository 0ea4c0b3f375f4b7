/* SPDX-License-Identifier: PostgreSQL */
/* dbops.json: what is written is read back, field by field; nothing else is accepted. */
#include "unit.h"

#include "fs.h"
#include "manifest.h"

static struct manifest_file *add_table(struct manifest *m)
{
	struct manifest_file *f = vec_push(&m->tables);

	*f = (struct manifest_file){ .schema = xstrdup("odd \"schema\""), .name = xstrdup("t\n1"), .oid = 4294967295,
		.file = xstrdup("3353.dat.gz"), .columns = xstrdup("(a, \"b)\")"), .root = xstrdup("public.r"),
		.condition = xstrdup("WHERE id > 10"), .rows = INT64_MAX, .raw_bytes = 2, .stored_bytes = 3,
		.fingerprint = { .low = 1, .high = UINT64_MAX }, .blocks = 4, .first_block = 5, .unit_pages = 6 };
	return f;
}

/* Every field has a value of its own, so that two that are mixed up show. */
static void fill(struct manifest *m)
{
	*m = (struct manifest){ .format_version = MANIFEST_FORMAT_VERSION, .id = xstrdup("20261120T203616Z-4f9a1c"),
		.label = xstrdup("before \xc3\xbcpdate"), .database = xstrdup("shop"),
		.system_identifier = xstrdup("7710373520244854251"),
		.server_version = xstrdup("15.20"), .dump_version = xstrdup("15.21"), .dbops_version = xstrdup("0.1.0"),
		.archive_version = xstrdup("1.14"), .server_version_num = 150020, .started_at = 1795206976000001,
		.finished_at = 1795206977000002, .snapshot_at = 1795206976500003, .snapshot_lsn = xstrdup("0/1959AE8"),
		.in_recovery = true, .encoding = xstrdup("UTF8"), .collate = xstrdup("C"), .ctype = xstrdup("de_DE.utf8"),
		.locale_provider = xstrdup("i"), .icu_locale = xstrdup("de"), .lc_monetary = xstrdup("en_US"),
		.database_bytes = 11, .table_count = 12, .large_object_count = 13, .rows = 14, .raw_bytes = 15,
		.stored_bytes = 16, .seconds = 1.125, .seconds_locking = 2.25, .seconds_toc = 3.5, .seconds_data = 4.75,
		.seconds_globals = 5.875, .content = xstrdup("full"), .compression = xstrdup("gzip:2"), .jobs = 17,
		.fallback = true };
	add_table(m);
	*vec_push(&m->large_objects) = (struct manifest_file){ .oid = 4711, .file = xstrdup("blob_4711.dat.gz"),
		.raw_bytes = 21, .stored_bytes = 22, .blocks = 23, .first_block = 24 };
	manifest_add_file(m, "toc.dat", "abc", 3);
	manifest_add_exclusion(m, "data", "public.u", "unlogged on a standby");
	manifest_add_exclusion(m, "role passwords", NULL, "no privilege");
	strvec_push(&m->options, "--table=a\"b");
	strvec_push(&m->warnings, "slow");
}

#define SAME_STRING(a, b, member) \
	do { \
		if (!(a)->member || !(b)->member) \
			assert_ptr_equal((a)->member, (b)->member); \
		else \
			assert_string_equal((a)->member, (b)->member); \
	} while (0)
#define SAME(a, b, member) assert_true((a)->member == (b)->member)

static void check_same_text(const struct manifest *a, const struct manifest *b)
{
	SAME_STRING(a, b, id);
	SAME_STRING(a, b, label);
	SAME_STRING(a, b, database);
	SAME_STRING(a, b, system_identifier);
	SAME_STRING(a, b, server_version);
	SAME_STRING(a, b, dump_version);
	SAME_STRING(a, b, dbops_version);
	SAME_STRING(a, b, archive_version);
	SAME_STRING(a, b, snapshot_lsn);
	SAME_STRING(a, b, encoding);
	SAME_STRING(a, b, collate);
	SAME_STRING(a, b, ctype);
	SAME_STRING(a, b, locale_provider);
	SAME_STRING(a, b, icu_locale);
	SAME_STRING(a, b, lc_monetary);
	SAME_STRING(a, b, content);
	SAME_STRING(a, b, compression);
}

static void check_same_numbers(const struct manifest *a, const struct manifest *b)
{
	SAME(a, b, format_version);
	SAME(a, b, server_version_num);
	SAME(a, b, started_at);
	SAME(a, b, finished_at);
	SAME(a, b, snapshot_at);
	SAME(a, b, in_recovery);
	SAME(a, b, database_bytes);
	SAME(a, b, table_count);
	SAME(a, b, large_object_count);
	SAME(a, b, rows);
	SAME(a, b, raw_bytes);
	SAME(a, b, stored_bytes);
	SAME(a, b, seconds);
	SAME(a, b, seconds_locking);
	SAME(a, b, seconds_toc);
	SAME(a, b, seconds_data);
	SAME(a, b, seconds_globals);
	SAME(a, b, jobs);
	SAME(a, b, fallback);
}

static void check_same_file(const struct manifest_file *a, const struct manifest_file *b)
{
	SAME_STRING(a, b, schema);
	SAME_STRING(a, b, name);
	SAME_STRING(a, b, file);
	SAME_STRING(a, b, columns);
	SAME_STRING(a, b, root);
	SAME_STRING(a, b, condition);
	SAME(a, b, oid);
	SAME(a, b, rows);
	SAME(a, b, raw_bytes);
	SAME(a, b, stored_bytes);
	SAME(a, b, blocks);
	SAME(a, b, first_block);
	SAME(a, b, unit_pages);
	assert_true(fingerprint_equal(&a->fingerprint, &b->fingerprint));
}

static void check_parses(const char *text, size_t len, struct manifest *ret)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (!manifest_parse(text, len, ret, &err))
		fail_msg("%s: %s", err.message, err.detail);
}

static void test_round_trip(void **state)
{
	_cleanup_manifest_ struct manifest a, b;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;

	(void)state;
	fill(&a);
	manifest_write(&a, &text);
	check_parses(text.buf, text.len, &b);
	check_same_text(&a, &b);
	check_same_numbers(&a, &b);
	assert_int_equal(b.tables.len, 1);
	check_same_file(a.tables.items, b.tables.items);
	assert_int_equal(b.large_objects.len, 1);
	check_same_file(a.large_objects.items, b.large_objects.items);
	assert_int_equal(b.files.len, 1);
	assert_string_equal(b.files.items[0].name, "toc.dat");
	assert_int_equal(b.files.items[0].bytes, 3);
	assert_string_equal(b.files.items[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_ptr_equal(manifest_find_file(&b, "toc.dat"), &b.files.items[0]);
	assert_null(manifest_find_file(&b, "globals.sql"));
	assert_int_equal(b.exclusions.len, 2);
	SAME_STRING(&a.exclusions.items[0], &b.exclusions.items[0], reason);
	SAME_STRING(&a.exclusions.items[0], &b.exclusions.items[0], kind);
	assert_string_equal(b.exclusions.items[0].name, "public.u");
	assert_null(b.exclusions.items[1].name);
	assert_string_equal(b.options.items[0], "--table=a\"b");
	assert_string_equal(b.warnings.items[0], "slow");
	manifest_write(&b, &again);
	assert_string_equal(text.buf, again.buf);
}

/* The manifest of a real run: reading and writing it changes nothing. */
static void test_seed(void **state)
{
	_cleanup_manifest_ struct manifest m;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;

	(void)state;
	assert_true(fs_read(FUZZ_CORPUS "/manifest/seed.json", 1 << 20, &text, &err));
	check_parses(text.buf, text.len, &m);
	assert_int_equal(m.tables.len, 7);
	assert_int_equal(m.large_objects.len, 1);
	manifest_write(&m, &again);
	assert_string_equal(text.buf, again.buf);
}

/* Parses text with the first "from" replaced; the error must have the code and the detail name the field. */
static void check_refused(const char *from, const char *to, enum exit_code code, const char *field)
{
	_cleanup_manifest_ struct manifest a, b;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, wrong = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *quoted = xasprintf("\"%s\"", field);

	fill(&a);
	manifest_write(&a, &text);

	const char *at = strstr(text.buf, from);

	if (!at)
		fail_msg("no '%s' in the manifest", from);
	strbuf_add(&wrong, text.buf, (size_t)(at - text.buf));
	strbuf_adds(&wrong, to);
	strbuf_adds(&wrong, at + strlen(from));
	if (manifest_parse(wrong.buf, wrong.len, &b, &err))
		fail_msg("'%s' instead of '%s' was accepted", to, from);
	if (err.code != code)
		fail_msg("'%s' instead of '%s': status %d", to, from, (int)err.code);
	if (field[0] && (!err.detail || !strstr(err.detail, quoted)))
		fail_msg("'%s' instead of '%s': %s", to, from, err.detail);
	assert_null(b.tables.items);
}

/* Each required key of the whole document renamed. */
static void test_missing_fields(void **state)
{
	static const char *const required[] = { "format", "format_version", "id", "database", "system_identifier",
		"server_version", "server_version_num", "dump_version", "dbops_version", "archive_version", "started_at",
		"finished_at", "snapshot_at", "in_recovery", "database_bytes", "content", "jobs", "fallback", "table_count",
		"large_object_count", "rows", "raw_bytes", "stored_bytes", "seconds", "seconds_locking", "seconds_toc",
		"seconds_data", "seconds_globals", "options", "warnings", "exclusions", "files", "tables", "large_objects" };

	(void)state;
	for (size_t i = 0; i < LENGTH(required); i++) {
		autofree char *from = xasprintf("\n \"%s\":", required[i]);

		check_refused(from, "\n \"other\":", EXIT_DAMAGED, required[i]);
	}
}

static void test_missing_inner_fields(void **state)
{
	static const struct {
		const char *from, *to, *field;
	} cases[] = {
		{ .from = "{\"schema\":", .to = "{\"x\":", .field = "schema" },
		{ .from = "\"name\":\"t\\n1\"", .to = "\"x\":1", .field = "name" },
		{ .from = "\"oid\":\"4294967295\"", .to = "\"x\":1", .field = "oid" },
		{ .from = "\"file\":\"3353.dat.gz\"", .to = "\"x\":1", .field = "file" },
		{ .from = "\"columns\":", .to = "\"x\":", .field = "columns" },
		{ .from = "\"rows\":9223372036854775807", .to = "\"x\":1", .field = "rows" },
		{ .from = "\"raw_bytes\":2,", .to = "", .field = "raw_bytes" },
		{ .from = "\"stored_bytes\":3,", .to = "", .field = "stored_bytes" },
		{ .from = "\"fingerprint\":", .to = "\"x\":", .field = "fingerprint" },
		{ .from = "\"blocks\":4,", .to = "", .field = "blocks" },
		{ .from = "\"first_block\":5,", .to = "", .field = "first_block" },
		{ .from = "\"unit_pages\":", .to = "\"x\":", .field = "unit_pages" },
		{ .from = "\"oid\":\"4711\",", .to = "", .field = "oid" },
		{ .from = "\"file\":\"blob_4711.dat.gz\",", .to = "", .field = "file" },
		{ .from = "\"raw_bytes\":21,", .to = "", .field = "raw_bytes" },
		{ .from = "\"stored_bytes\":22,", .to = "", .field = "stored_bytes" },
		{ .from = "\"blocks\":23,", .to = "", .field = "blocks" },
		{ .from = "\"first_block\":24", .to = "\"x\":1", .field = "first_block" },
		{ .from = "\"name\":\"toc.dat\",", .to = "", .field = "name" },
		{ .from = "\"bytes\":3,", .to = "", .field = "bytes" },
		{ .from = "\"sha256\":", .to = "\"x\":", .field = "sha256" },
		{ .from = "\"kind\":\"data\",", .to = "", .field = "kind" },
		{ .from = "\"reason\":\"no privilege\"", .to = "\"x\":1", .field = "reason" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		check_refused(cases[i].from, cases[i].to, EXIT_DAMAGED, cases[i].field);
}

static void test_wrong_values(void **state)
{
	static const struct {
		const char *from, *to, *field;
	} cases[] = {
		{ .from = "\"dbops-backup\"", .to = "\"other\"", .field = "format" },
		{ .from = "\"format_version\": 1", .to = "\"format_version\": 0", .field = "format_version" },
		{ .from = "\"format_version\": 1", .to = "\"format_version\": -1", .field = "format_version" },
		{ .from = "\"format_version\": 1", .to = "\"format_version\": \"1\"", .field = "format_version" },
		{ .from = "\"database\": \"shop\"", .to = "\"database\": 1", .field = "database" },
		{ .from = "\"database\": \"shop\"", .to = "\"database\": null", .field = "database" },
		{ .from = "\"label\": \"", .to = "\"label\": 1, \"x\": \"", .field = "label" },
		{ .from = "\"rows\": 14", .to = "\"rows\": -14", .field = "rows" },
		{ .from = "\"rows\": 14", .to = "\"rows\": 14.5", .field = "rows" },
		{ .from = "\"rows\": 14", .to = "\"rows\": \"14\"", .field = "rows" },
		{ .from = "\"fallback\": true", .to = "\"fallback\": 1", .field = "fallback" },
		{ .from = "\"seconds\": 1.125", .to = "\"seconds\": true", .field = "seconds" },
		{ .from = "\"started_at\": \"2026", .to = "\"started_at\": \"26", .field = "started_at" },
		{ .from = "\"oid\":\"4711\"", .to = "\"oid\":4711", .field = "oid" },
		{ .from = "\"oid\":\"4711\"", .to = "\"oid\":\"4711x\"", .field = "oid" },
		{ .from = "\"oid\":\"4711\"", .to = "\"oid\":\"\"", .field = "oid" },
		{ .from = "\"oid\":\"4711\"", .to = "\"oid\":\"-1\"", .field = "oid" },
		{ .from = "\"oid\":\"4711\"", .to = "\"oid\":\" 1\"", .field = "oid" },
		{ .from = "\"oid\":\"4711\"", .to = "\"oid\":\"18446744073709551616\"", .field = "oid" },
		{ .from = "\"fingerprint\":\"ffff", .to = "\"fingerprint\":\"FFFF", .field = "fingerprint" },
		{ .from = "\"slow\"", .to = "1", .field = "warnings" },
		{ .from = "\"tables\": [", .to = "\"tables\": [1, ", .field = "schema" },
		{ .from = "\"files\": [", .to = "\"files\": {}, \"x\": [", .field = "files" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		check_refused(cases[i].from, cases[i].to, EXIT_DAMAGED, cases[i].field);
}

/* Names in a manifest become keys of a storage: none may leave the backup's folder. */
static void test_hostile_names(void **state)
{
	static const char *const names[] = { "../x", "a/b", "", ".x", "..", ".", "/etc/passwd", "a/../../b" };
	static const struct {
		const char *name, *field;
	} places[] = {
		{ .name = "3353.dat.gz", .field = "file" },
		{ .name = "blob_4711.dat.gz", .field = "file" },
		{ .name = "toc.dat", .field = "name" },
		{ .name = "20261120T203616Z-4f9a1c", .field = "id" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(places); i++)
		for (size_t k = 0; k < LENGTH(names); k++) {
			autofree char *from = xasprintf("\"%s\"", places[i].name), *to = xasprintf("\"%s\"", names[k]);

			check_refused(from, to, EXIT_DAMAGED, places[i].field);
		}

	_cleanup_strbuf_ struct strbuf longest = STRBUF_INIT;

	for (int i = 0; i < 256; i++)
		strbuf_addch(&longest, 'x');
	check_refused("toc.dat", longest.buf, EXIT_DAMAGED, "name");
	check_refused("toc.dat", "toc\\u0000dat", EXIT_DAMAGED, "");
}

static void test_not_json(void **state)
{
	(void)state;
	check_refused("{", "[", EXIT_DAMAGED, "");
	check_refused("\"jobs\": 17", "\"jobs\": 17, \"jobs\": 18", EXIT_DAMAGED, "");
	check_refused("slow", "slo\xff", EXIT_DAMAGED, "");
	check_refused("\"dbops-backup\"", "null", EXIT_DAMAGED, "format");
}

/* What a later dbops writes is not guessed at. */
static void test_newer_version(void **state)
{
	(void)state;
	check_refused("\"format_version\": 1", "\"format_version\": 2", EXIT_REFUSED, "");
	check_refused("\"format_version\": 1", "\"format_version\": 9223372036854775807", EXIT_REFUSED, "");
}

static void test_truncated(void **state)
{
	_cleanup_manifest_ struct manifest a;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	(void)state;
	fill(&a);
	manifest_write(&a, &text);
	for (size_t len = 0; len < text.len - 1; len++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_manifest_ struct manifest m;

		assert_false(manifest_parse(text.buf, len, &m, &err));
		assert_int_equal(err.code, EXIT_DAMAGED);
	}
}

static void test_verification(void **state)
{
	static const char *const wrong[] = { "", "{", "[]", "{}", "{\"depth\": 1, \"at\": null}",
		"{\"depth\": \"full\", \"at\": \"yesterday\"}", "{\"depth\": \"full\"}" };
	const struct verification v = { .at = 1795206976000000, .depth = "restore", .ok = true, .seconds = 1.5,
		.restore_seconds = 2.25 };
	struct verification back;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	(void)state;
	verification_write(&v, "20261120T203616Z-4f9a1c", &text);
	assert_true(verification_parse(text.buf, text.len, &back));
	assert_memory_equal(&v.at, &back.at, sizeof(v.at));
	assert_string_equal(back.depth, "restore");
	assert_true(back.ok);
	assert_true(back.seconds == v.seconds && back.restore_seconds == v.restore_seconds);
	for (size_t i = 0; i < LENGTH(wrong); i++)
		if (verification_parse(wrong[i], strlen(wrong[i]), &back))
			fail_msg("'%s' was read as a verification", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_missing_fields),
		cmocka_unit_test(test_missing_inner_fields),
		cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_newer_version),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_verification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
