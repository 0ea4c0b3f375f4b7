/* SPDX-License-Identifier: PostgreSQL */
/* What --table and --schema bring along, on the real table of contents of tests/fuzz/corpus/toc. */
#include "unit.h"

#include "fs.h"
#include "select.h"

struct fixture {
	struct toc toc;
	struct strvec tables, schemas;
	struct error err;
	bool *selected;
	size_t left_out;
	bool *companion;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!fs_read(FUZZ_CORPUS "/toc/pg15.dat", 1 << 20, &text, &f->err) ||
		!toc_parse(text.buf, text.len, TOC_KEEP_ALL, true, &f->toc, &f->err))
		fail_msg("%s", f->err.message);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	toc_release(&f->toc);
	strvec_release(&f->tables);
	strvec_release(&f->schemas);
	error_release(&f->err);
	free(f->selected);
	free(f->companion);
	free(f);
	return 0;
}

static void apply(struct fixture *f)
{
	f->selected = select_entries(&f->toc, &f->tables, &f->schemas, &f->companion, &f->left_out, &f->err);
	if (!f->selected)
		fail_msg("%s", f->err.message);
}

/* Whether an entry "DESC tag" is there and selected. */
static bool has(const struct fixture *f, const char *desc, const char *tag)
{
	for (size_t i = 0; i < f->toc.len; i++)
		if (strcmp(f->toc.items[i].desc, desc) == 0 && strcmp(f->toc.items[i].tag, tag) == 0)
			return f->selected[i];
	fail_msg("no %s \"%s\"", desc, tag);
	return false;
}

static size_t count(const struct fixture *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->toc.len; i++)
		n += f->selected[i];
	return n;
}

struct member {
	const char *desc, *tag;
};

static const struct member parent_members[] = {
	{ "ENCODING", "ENCODING" }, { "STDSTRINGS", "STDSTRINGS" }, { "SEARCHPATH", "SEARCHPATH" },
	{ "TYPE", "mood" }, { "TABLE", "parent" }, { "COMMENT", "TABLE parent" }, { "SEQUENCE", "parent_id_seq" },
	{ "SEQUENCE OWNED BY", "parent_id_seq" }, { "DEFAULT", "parent id" }, { "TABLE DATA", "parent" },
	{ "SEQUENCE SET", "parent_id_seq" }, { "CONSTRAINT", "parent parent_pkey" }, { "INDEX", "parent_note" },
};
static const struct member child_members[] = {
	{ "ENCODING", "ENCODING" }, { "STDSTRINGS", "STDSTRINGS" }, { "SEARCHPATH", "SEARCHPATH" },
	{ "TABLE", "child" }, { "TABLE DATA", "child" }, { "CONSTRAINT", "child child_pkey" },
};
static const struct member odd_members[] = {
	{ "ENCODING", "ENCODING" }, { "STDSTRINGS", "STDSTRINGS" }, { "SEARCHPATH", "SEARCHPATH" },
	{ "SCHEMA", "odd schema" }, { "TABLE", "we)ird \"table" }, { "SEQUENCE", "we)ird \"table_e f_seq" },
	{ "TABLE DATA", "we)ird \"table" }, { "SEQUENCE SET", "we)ird \"table_e f_seq" },
};

static const struct member uses_shared_members[] = {
	{ "ENCODING", "ENCODING" }, { "STDSTRINGS", "STDSTRINGS" }, { "SEARCHPATH", "SEARCHPATH" },
	{ "FUNCTION", "touch()" }, { "SEQUENCE", "shared" }, { "TABLE", "uses_shared" }, { "TABLE DATA", "uses_shared" },
	{ "SEQUENCE SET", "shared" }, { "TRIGGER", "uses_shared touch" },
};

/* Exactly these. */
static void check_members(const struct fixture *f, const struct member *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!has(f, members[i].desc, members[i].tag))
			fail_msg("%s \"%s\" is not selected", members[i].desc, members[i].tag);
	for (size_t i = 0; count(f) != n && i < f->toc.len; i++) {
		bool known = false;

		for (size_t k = 0; k < n; k++)
			known |= strcmp(members[k].desc, f->toc.items[i].desc) == 0 && strcmp(members[k].tag, f->toc.items[i].tag) == 0;
		if (f->selected[i] && !known)
			fail_msg("%s \"%s\" came along", f->toc.items[i].desc, f->toc.items[i].tag);
	}
	assert_int_equal(count(f), n);
}

static void test_everything(void **state)
{
	struct fixture *f = *state;

	apply(f);
	assert_int_equal(count(f), f->toc.len);
	assert_int_equal(f->left_out, 0);
}

/* Its sequence, type, index, rows, comment; not the table that refers to it. */
static void test_table_brings_its_own(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "public.parent");
	apply(f);
	check_members(f, parent_members, LENGTH(parent_members));
	assert_int_equal(f->left_out, 0);
}

/* The sequence of an identity column, which no SEQUENCE OWNED BY tells of. */
static void test_identity(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "we)ird \"table");
	apply(f);
	check_members(f, odd_members, LENGTH(odd_members));
}

/* What a default and a trigger need and the table does not own: a sequence, a function. */
static void test_needed_objects(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "uses_*");
	apply(f);
	check_members(f, uses_shared_members, LENGTH(uses_shared_members));
	assert_int_equal(f->left_out, 0);
}

static void test_foreign_key_stays_out(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "child");
	apply(f);
	check_members(f, child_members, LENGTH(child_members));
	assert_int_equal(f->left_out, 1); /* and it is said */
}

/* A key that refers to the selected table is not one of its own, even when the names begin alike. */
static void test_foreign_key_of_another(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->toc.len; i++)
		if (strcmp(f->toc.items[i].tag, "child child_parent_id_fkey") == 0) {
			free(f->toc.items[i].tag);
			f->toc.items[i].tag = xstrdup("parents_child parents_child_fkey");
		}
	strvec_push(&f->tables, "parent");
	apply(f);
	assert_int_equal(f->left_out, 0);
}

static void test_foreign_key_between_selected(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "child");
	strvec_push(&f->tables, "parent");
	apply(f);
	assert_true(has(f, "FK CONSTRAINT", "child child_parent_id_fkey"));
	assert_int_equal(count(f), LENGTH(parent_members) + LENGTH(child_members) - 3 + 1);
}

static void test_names(void **state)
{
	static const char *const names[] = { "we)ird \"table", "odd schema.we)ird \"table", "odd schema.*", "*ird \"table" };

	for (size_t i = 0; i < LENGTH(names); i++) {
		struct fixture *f = *state;

		strvec_push(&f->tables, names[i]);
		apply(f);
		assert_true(has(f, "TABLE DATA", "we)ird \"table"));
		assert_false(has(f, "TABLE DATA", "parent"));
		teardown(state);
		setup(state);
	}
}

static void test_schema(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->schemas, "odd schema");
	apply(f);
	check_members(f, odd_members, LENGTH(odd_members));
}

/* The other schema and large objects, which belong to none, stay out. */
static void test_schema_public(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->schemas, "publi?");
	apply(f);
	assert_true(has(f, "FK CONSTRAINT", "child child_parent_id_fkey"));
	assert_true(has(f, "VIEW", "v"));
	assert_true(has(f, "TABLE ATTACH", "h0"));
	assert_true(has(f, "TABLE DATA", "no_columns"));
	assert_false(has(f, "TABLE", "we)ird \"table"));
	assert_false(has(f, "SCHEMA", "odd schema"));
	assert_false(has(f, "BLOBS", "BLOBS"));
	assert_false(has(f, "BLOB", "4711"));
}

static void test_table_and_schema(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "child");
	strvec_push(&f->schemas, "odd schema");
	apply(f);
	assert_int_equal(count(f), LENGTH(child_members) + LENGTH(odd_members) - 3);
}

/* A view without its table cannot be created: asked for by name, that is an error, which says what is missing. */
static void test_view_alone(void **state)
{
	struct fixture *f = *state;

	strvec_push(&f->tables, "v");
	assert_null(select_entries(&f->toc, &f->tables, &f->schemas, &f->companion, &f->left_out, &f->err));
	assert_int_equal(f->err.code, EXIT_USAGE);
	assert_non_null(strstr(f->err.message, "\"public.v\""));
	assert_non_null(strstr(f->err.detail, "TABLE \"parent\""));
	strvec_push(&f->tables, "parent");
	apply(f);
	assert_true(has(f, "VIEW", "v"));
}

static void test_partitions(void **state)
{
	static const struct member members[] = {
		{ "ENCODING", "ENCODING" }, { "STDSTRINGS", "STDSTRINGS" }, { "SEARCHPATH", "SEARCHPATH" }, { "TYPE", "mood" },
		{ "TABLE", "h" }, { "TABLE", "h0" }, { "TABLE", "h1" }, { "TABLE ATTACH", "h0" }, { "TABLE ATTACH", "h1" },
		{ "TABLE DATA", "h0" }, { "TABLE DATA", "h1" },
	};
	struct fixture *f = *state;

	strvec_push(&f->tables, "public.h");
	apply(f);
	check_members(f, members, LENGTH(members));
	assert_int_equal(f->left_out, 0);
}

static void test_not_found(void **state)
{
	static const struct {
		const char *table, *schema, *words;
	} cases[] = {
		{ .table = "missing", .words = "no table \"missing\"" },
		{ .table = "other.parent", .words = "no table \"other.parent\"" },
		{ .table = "parent_note", .words = "no table \"parent_note\"" }, /* an index */
		{ .table = "", .words = "no table \"\"" },
		{ .schema = "pub", .words = "no schema \"pub\"" },
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct fixture *f = *state;

		if (cases[i].table)
			strvec_push(&f->tables, cases[i].table);
		if (cases[i].schema)
			strvec_push(&f->schemas, cases[i].schema);
		assert_null(select_entries(&f->toc, &f->tables, &f->schemas, &f->companion, &f->left_out, &f->err));
		assert_int_equal(f->err.code, EXIT_NOT_FOUND);
		if (!strstr(f->err.message, cases[i].words))
			fail_msg("%s", f->err.message);
		teardown(state);
		setup(state);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_everything),
		CASE(test_table_brings_its_own),
		CASE(test_identity),
		CASE(test_needed_objects),
		CASE(test_foreign_key_stays_out),
		CASE(test_foreign_key_of_another),
		CASE(test_foreign_key_between_selected),
		CASE(test_names),
		CASE(test_schema),
		CASE(test_schema_public),
		CASE(test_table_and_schema),
		CASE(test_view_alone),
		CASE(test_partitions),
		CASE(test_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
