/* SPDX-License-Identifier: PostgreSQL */
/* The judgement of indexes audit on constructed rows. */
#include "unit.h"

#include <math.h>
#include "indexes.h"
#include "indexes_expect.h"

#define DAY 86400000000LL
#define NOW (1000 * DAY)

/* A database of one table, t, that is read; statistics of 90 days. */
static struct index_model model(void)
{
	struct index_model m = { .now = NOW, .version = 160000, .block_size = 8192, .node.since = NOW - 90 * DAY };

	*vec_push(&m.tables) = (struct table_info){ .oid = 10, .schema = "public", .name = "t", .kind = 'r', .selected = true,
		.rows = 1000, .index_scans = 100, .inserts = 1000 };
	return m;
}

/* Columns are given as in "1 2 -3": attribute numbers, negative = DESC NULLS FIRST. */
static struct index_info *add_index(struct index_model *m, const char *name, const char *method, const char *columns)
{
	struct index_info *i = vec_push(&m->indexes);
	int attnum, used;

	*i = (struct index_info){ .oid = 100 + (uint32_t)m->indexes.len, .table_oid = 10, .name = name, .method = method, .kind = 'i', .valid = true,
		.ready = true, .live = true, .immediate = true, .pages = 10, .size = -1 };
	i->keys = xcalloc(8, sizeof(*i->keys));
	for (; sscanf(columns, "%d%n", &attnum, &used) == 1; columns += used)
		i->keys[i->key_count++] = (struct index_key){ .attnum = abs(attnum), .option = attnum < 0 ? 3 : 0, .opclass = 1 };
	i->column_count = i->key_count;
	return i;
}

/* "id index; …" in the order of the findings. */
static char *names(const struct index_findings *f)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (size_t k = 0; k < f->items.len; k++)
		strbuf_addf(&text, "%s%s %s %s", k ? "; " : "", f->items.items[k].id, f->items.items[k].index->name,
			index_verdict_names[f->items.items[k].verdict]);
	return strbuf_detach(&text);
}

static void check_duplicates(struct index_model *m, const char *expected)
{
	_cleanup_index_findings_ struct index_findings f = { 0 };

	indexes_model_link(m);
	indexes_judge_duplicates(m, &f);

	autofree char *got = names(&f);

	assert_string_equal(got, expected);
	indexes_model_release(m);
}

static void test_vector_indexes_differ_by_their_options(void **state)
{
	struct index_model m = model();

	(void)state;
	add_index(&m, "h16", "hnsw", "1")->options = "m=16";
	add_index(&m, "h32", "hnsw", "1")->options = "m=32";
	add_index(&m, "h32b", "hnsw", "1")->options = "m=32";
	add_index(&m, "ivf", "ivfflat", "1")->options = "lists=100";
	add_index(&m, "bt", "btree", "1");
	check_duplicates(&m, "indexes.duplicate h32b CANDIDATE");
}

static void test_fillfactor_makes_no_other_btree(void **state)
{
	struct index_model m = model();

	(void)state;
	add_index(&m, "a", "btree", "1")->options = "fillfactor=70";
	add_index(&m, "b", "btree", "1");
	check_duplicates(&m, "indexes.duplicate b CANDIDATE");
}

static void test_opclass_collation_and_expression_matter(void **state)
{
	struct index_model m = model();

	(void)state;
	add_index(&m, "a", "btree", "1");
	add_index(&m, "b", "btree", "1")->keys[0].opclass = 2;
	add_index(&m, "c", "btree", "1")->keys[0].collation = 950;
	add_index(&m, "d", "btree", "0")->keys[0].expression = xstrdup("lower(x)");
	add_index(&m, "e", "btree", "0")->keys[0].expression = xstrdup("upper(x)");
	check_duplicates(&m, "");
}

static void test_mirrored(void **state)
{
	struct index_model m = model();

	(void)state;
	add_index(&m, "up", "btree", "1 2");
	add_index(&m, "down", "btree", "-1 -2");
	add_index(&m, "mixed", "btree", "1 -2");
	check_duplicates(&m, "indexes.mirrored down REVIEW");
}

static void test_opaque_invalid_and_extension(void **state)
{
	struct index_model m = model();

	(void)state;
	add_index(&m, "a", "btree", "1");
	add_index(&m, "locked", "btree", "1")->opaque = true;
	add_index(&m, "invalid", "btree", "1")->valid = false;
	add_index(&m, "theirs", "btree", "1")->extension = true;
	check_duplicates(&m, "indexes.duplicate a CANDIDATE");
}

/* The one that stays: constraint, replica identity, foreign keys, clustered, unique, recent, used, small, old. */
static void test_which_one_stays(void **state)
{
	struct index_model m = model();

	(void)state;
	add_index(&m, "old", "btree", "1");
	add_index(&m, "used", "btree", "1")->scans = 5;
	add_index(&m, "recent", "btree", "1")->last_scan = NOW;
	add_index(&m, "unique", "btree", "1")->unique = true;
	check_duplicates(&m, "indexes.duplicate old CANDIDATE; indexes.duplicate used CANDIDATE; indexes.duplicate recent CANDIDATE");
}

/* Whatever else covers it, a primary key stays; a constraint goes only after a look when nothing else is one. */
static void test_constraints_are_more_than_indexes(void **state)
{
	struct index_model m = model();
	struct index_info *i;

	(void)state;
	i = add_index(&m, "pk", "btree", "1");
	i->unique = i->primary = true;
	i->constraint_type = 'p';
	i = add_index(&m, "uq", "btree", "2");
	i->unique = true;
	i->constraint_type = 'u';
	i = add_index(&m, "pk_b", "btree", "1 2");
	i->unique = true;
	i->key_count = 1;
	i = add_index(&m, "uq_b", "btree", "2 1");
	i->unique = true;
	i->key_count = 1;
	check_duplicates(&m, "indexes.redundant uq REVIEW");
}

static void test_primary_key_stays_beside_an_attached_one(void **state)
{
	struct index_model m = model();
	struct index_info *i;

	(void)state;
	i = add_index(&m, "pk", "btree", "1");
	i->unique = i->primary = true;
	i->constraint_type = 'p';
	i = add_index(&m, "attached", "btree", "1");
	i->unique = true;
	i->parent_oid = 5000;
	check_duplicates(&m, "");
}

static void test_tables_of_extensions_are_left_alone(void **state)
{
	struct index_model m = model();

	(void)state;
	m.tables.items[0].extension = true;
	add_index(&m, "a", "btree", "1");
	add_index(&m, "b", "btree", "1");
	check_duplicates(&m, "");
}

static char *unused(struct index_model *m)
{
	_cleanup_index_findings_ struct index_findings f = { 0 };

	indexes_model_link(m);
	indexes_judge_unused(m, 30 * DAY, false, &f);
	return names(&f);
}

static void check_unused(struct index_model *m, const char *expected)
{
	autofree char *got = unused(m);

	assert_string_equal(got, expected);
	indexes_model_release(m);
}

static void test_unused(void **state)
{
	struct index_model m = model();
	struct index_info *i;

	(void)state;
	add_index(&m, "never", "btree", "1");
	i = add_index(&m, "long_ago", "btree", "2");
	i->scans = 1000000;
	i->reads = 1e9;
	i->last_scan = NOW - 31 * DAY;
	i = add_index(&m, "yesterday", "btree", "3");
	i->scans = 1000;
	i->reads = 1000;
	i->last_scan = NOW - DAY;
	i = add_index(&m, "probed", "btree", "4");
	i->scans = 3;
	i->reads = 4;
	i->last_scan = NOW - DAY;
	i = add_index(&m, "few_but_real", "btree", "5");
	i->scans = 3;
	i->reads = 3000;
	i->last_scan = NOW - DAY;
	add_index(&m, "vector", "hnsw", "6");
	add_index(&m, "standby", "btree", "7")->standby_scans = 500;
	add_index(&m, "primary", "btree", "8")->primary = true;
	add_index(&m, "referenced", "btree", "9")->fkeys = 1;
	add_index(&m, "other", "btree", "10")->superfluous = true;
	check_unused(&m, "indexes.unused never CANDIDATE; indexes.unused long_ago CANDIDATE; indexes.unused probed REVIEW; "
			 "indexes.unused vector REVIEW");
}

/* An index of a partition may go because the one attached to the parent's stays: then that one must stay. */
static void test_parent_of_what_is_relied_on(void **state)
{
	_cleanup_index_findings_ struct index_findings f = { 0 };
	struct index_model m = model();
	struct index_info *i;

	(void)state;
	*vec_push(&m.tables) = (struct table_info){ .oid = 9, .schema = "public", .name = "p", .kind = 'p', .selected = true };
	m.tables.items[0].parent_oid = 9;
	i = add_index(&m, "root", "btree", "1");
	i->kind = 'I';
	i->table_oid = 9;
	add_index(&m, "attached", "btree", "1")->parent_oid = 101;
	add_index(&m, "own", "btree", "1")->scans = 1000;
	indexes_model_link(&m);
	indexes_judge_duplicates(&m, &f);
	indexes_judge_unused(&m, 30 * DAY, false, &f);

	autofree char *got = names(&f);

	assert_string_equal(got, "indexes.duplicate own CANDIDATE; indexes.unused root REVIEW");
	indexes_model_release(&m);
}

static void check_fkey_index(bool period, const char *expected)
{
	_cleanup_index_findings_ struct index_findings f = { 0 };
	struct index_model m = model();
	struct fkey_info fk = { .period = period };

	strvec_push(&fk.names, "id");
	strvec_push(&fk.names, "valid");
	indexes_add(&f, INDEX_FKEY, "indexes.foreign_key", SEVERITY_INFO, VERDICT_CREATE, NULL, &m.tables.items[0], xstrdup(""))->fkey = &fk;
	indexes_add_sql(&m, &f);
	assert_string_equal(f.items.items[0].fix, expected);
	strvec_release(&fk.names);
	indexes_model_release(&m);
}

/* Only a GiST index serves a foreign key with PERIOD. */
static void test_index_of_a_foreign_key(void **state)
{
	(void)state;
	check_fkey_index(false, "CREATE INDEX CONCURRENTLY \"t_id_valid_idx\" ON \"public\".\"t\" (\"id\", \"valid\");\n");
	check_fkey_index(true, "CREATE INDEX CONCURRENTLY \"t_id_valid_idx\" ON \"public\".\"t\" USING gist (\"id\", \"valid\");\n");
}

static void check_no_verdict(struct index_model m, const char *part)
{
	autofree char *why = indexes_no_verdict(&m, 30 * DAY);

	if (!part) {
		assert_null(why);
		return;
	}
	assert_non_null(why);
	assert_non_null(strstr(why, part));
}

static void test_no_verdict(void **state)
{
	(void)state;
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - 30 * DAY }, NULL);
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - 29 * DAY }, "began 29 days ago, --min-age asks for 30 days");
	check_no_verdict((struct index_model){ .now = NOW }, "not known");
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - 90 * DAY, .standbys = 2, .sampled = 1 }, "1 standby of this server was not");
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - 90 * DAY, .standbys = 2, .sampled = 2 }, NULL);
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - 90 * DAY, .in_recovery = true }, "this is a standby");
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - DAY, .promoted = NOW - DAY }, "when this server was promoted");
	check_no_verdict((struct index_model){ .now = NOW, .node.since = NOW - DAY, .compared_since = NOW - 31 * DAY }, NULL);
}

static void test_implied_predicates(void **state)
{
	struct fkey_info f = { 0 };

	(void)state;
	strvec_push(&f.names, "a");
	strvec_push(&f.names, "b \"c\"");
	assert_true(indexes_predicate_is_implied("(a IS NOT NULL)", &f));
	assert_true(indexes_predicate_is_implied("((a IS NOT NULL) AND (\"b \"\"c\"\"\" IS NOT NULL))", &f));
	assert_false(indexes_predicate_is_implied("(x IS NOT NULL)", &f));
	assert_false(indexes_predicate_is_implied("((a IS NOT NULL) AND (x IS NOT NULL))", &f));
	assert_false(indexes_predicate_is_implied("((a IS NOT NULL) OR (a > 5))", &f));
	assert_false(indexes_predicate_is_implied("(ab IS NOT NULL)", &f));
	assert_false(indexes_predicate_is_implied("(a IS NULL)", &f));
	strvec_release(&f.names);
}

static void test_strings_with_lengths(void **state)
{
	_cleanup_strvec_ struct strvec v = { 0 };

	(void)state;
	assert_true(indexes_read_strings("0:3:a:b2:cd", &v));
	assert_int_equal(v.len, 3);
	assert_string_equal(v.items[1], "a:b");
	assert_string_equal(v.items[2], "cd");
	assert_false(indexes_read_strings("5:abc", &v));
	assert_false(indexes_read_strings("x", &v));
	assert_false(indexes_read_strings("99999999999999999999:a", &v));
}

static void test_names_are_cut(void **state)
{
	char base[100], suffix[100];
	_cleanup_strbuf_ struct strbuf plain = STRBUF_INIT, both = STRBUF_INIT, umlaut = STRBUF_INIT;

	(void)state;
	memset(base, 'b', 99);
	memset(suffix, 's', 99);
	base[99] = suffix[99] = '\0';
	indexes_cut_name(&plain, "t", "_a_idx");
	assert_string_equal(plain.buf, "t_a_idx");
	indexes_cut_name(&both, base, suffix);
	assert_int_equal(both.len, 63);
	memcpy(base + 56, "é", 2);
	indexes_cut_name(&umlaut, base, "_a_idx");
	assert_int_equal(umlaut.len, 56 + 6);
}

static void test_bloat_estimate(void **state)
{
	(void)state;
	/* 8 header + 8 key + 4 pointer = 20; (8192 - 40) * 0.9 / 20 = 366 a page: 274 leaves, 1 root, 1 meta */
	assert_int_equal(indexes_expected_pages(100000, 4, false, 90, 8192), 276);
	assert_true(isnan(indexes_expected_pages(100, 4000, false, 90, 8192)));
}

static void test_mentions(void **state)
{
	(void)state;
	assert_true(indexes_mentions("SELECT * FROM Orders WHERE id = $1", "orders"));
	assert_true(indexes_mentions("SELECT * FROM public.\"orders\"", "orders"));
	assert_false(indexes_mentions("SELECT * FROM orders_old", "orders"));
	assert_false(indexes_mentions("SELECT 1", "orders"));
}

static void check_form(const char *a, const char *b, bool same)
{
	_cleanup_expected_ struct expected_indexes e = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_true(indexes_expect_add(&e, a, &err));
	assert_true(indexes_expect_add(&e, b, &err));
	assert_int_equal(e.items.len, 2);
	if (same)
		assert_string_equal(e.items.items[0].form, e.items.items[1].form);
	else
		assert_string_not_equal(e.items.items[0].form, e.items.items[1].form);
}

static void test_expected_forms(void **state)
{
	(void)state;
	check_form("create index on t(a)", "CREATE INDEX i ON public.t USING btree (a ASC NULLS LAST)", true);
	check_form("create index on t(a desc)", "CREATE INDEX i ON t USING btree (a DESC NULLS FIRST)", true);
	check_form("create index on t(a desc)", "CREATE INDEX i ON t USING btree (a DESC NULLS LAST)", false);
	check_form("create index on t(lower(c))", "CREATE INDEX i ON t USING btree (lower((c)::text))", true);
	check_form("create index on t(a) where b in ('x', 'y')",
		"CREATE INDEX i ON t USING btree (a) WHERE ((b)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))", true);
	check_form("create index on t(a) where b = 'X'", "CREATE INDEX i ON t USING btree (a) WHERE (b = 'x'::text)", false);
	check_form("create index on t(a) with (fillfactor = 70) tablespace fast", "CREATE INDEX i ON t USING btree (a)", true);
	check_form("create index on t(\"A\")", "CREATE INDEX i ON t USING btree (a)", false);
	check_form("create index on t(a, b)", "CREATE INDEX i ON t (a) INCLUDE (b)", false);
}

static void check_wrong(const char *text)
{
	_cleanup_expected_ struct expected_indexes e = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;

	assert_false(indexes_expect_add(&e, text, &err));
	assert_int_equal(err.code, EXIT_USAGE);
}

static void test_expected_mistakes(void **state)
{
	(void)state;
	check_wrong("DROP INDEX i");
	check_wrong("CREATE");
	check_wrong("CREATE INDEX");
	check_wrong("CREATE INDEX i");
	check_wrong("CREATE INDEX i ON");
	check_wrong("CREATE INDEX i ON t");
	check_wrong("CREATE INDEX IF");
	check_wrong("CREATE INDEX i ON t USING");
	check_wrong("CREATE INDEX \"i");
	check_wrong("CREATE INDEX i ON t (a::)[ 'x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector_indexes_differ_by_their_options),
		cmocka_unit_test(test_fillfactor_makes_no_other_btree),
		cmocka_unit_test(test_opclass_collation_and_expression_matter),
		cmocka_unit_test(test_mirrored),
		cmocka_unit_test(test_opaque_invalid_and_extension),
		cmocka_unit_test(test_which_one_stays),
		cmocka_unit_test(test_constraints_are_more_than_indexes),
		cmocka_unit_test(test_primary_key_stays_beside_an_attached_one),
		cmocka_unit_test(test_tables_of_extensions_are_left_alone),
		cmocka_unit_test(test_parent_of_what_is_relied_on),
		cmocka_unit_test(test_index_of_a_foreign_key),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_no_verdict),
		cmocka_unit_test(test_implied_predicates),
		cmocka_unit_test(test_strings_with_lengths),
		cmocka_unit_test(test_names_are_cut),
		cmocka_unit_test(test_bloat_estimate),
		cmocka_unit_test(test_mentions),
		cmocka_unit_test(test_expected_forms),
		cmocka_unit_test(test_expected_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
