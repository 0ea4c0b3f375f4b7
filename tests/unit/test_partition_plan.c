/* SPDX-License-Identifier: PostgreSQL */
/* Plans: the script is what runs, the digest covers exactly that; names and conditions that plans are made of. */
#include "unit.h"

#include "condition.h"
#include "create.h"
#include "partition_plan.h"

static void make(struct partition_plan *p, const char *sql, const char *reason)
{
	struct plan_step *s;

	p->command = xstrdup("dbops partitions test");
	p->table = 4711;
	p->table_name = xstrdup("public.\"a\nb\"");
	p->lock_timeout_ms = 250;
	s = plan_add_step(p, STEP_TRANSACTION, "first %s", "step");
	plan_lock(plan_add(s, reason, "%s", sql), LOCK_SHARE_UPDATE_EXCLUSIVE, 4711, "public.\"a\nb\"");
	s = plan_add_step(p, STEP_DETACH, "second");
	s->wait_ms = 7000;
	plan_add(s, "why", "DETACH CONCURRENTLY")->undo = xstrdup("ATTACH");
	plan_add(s, "end", "FINALIZE");
}

static void test_script(void **state)
{
	static const char expected[] =
		"SET lock_timeout = 250;\n\n-- == first step\nBEGIN;\n-- because ; DROP TABLE x\n"
		"-- locks: SHARE UPDATE EXCLUSIVE on public.\"a b\"\nSELECT 1;\nCOMMIT;\n"
		"\n-- == second\nSET lock_timeout = 7000;\n-- why\n-- undo: ATTACH\nDETACH CONCURRENTLY;\n"
		"-- if that is interrupted, the detach stays pending, and this ends it: FINALIZE\nSET lock_timeout = 250;\n";
	_cleanup_plan_ struct partition_plan p = { 0 };
	_cleanup_strbuf_ struct strbuf script = STRBUF_INIT;
	const char *body;

	(void)state;
	make(&p, "SELECT 1", "because\n; DROP TABLE x"); /* a newline in a comment would end it */
	plan_add_script(&p, &script);
	assert_non_null(strstr(script.buf, "-- table: public.\"a b\"\n"));
	body = strstr(script.buf, "SET lock_timeout = 250;\n\n");
	assert_non_null(body);
	assert_string_equal(body, expected);
}

static void digest_of(const char *sql, const char *reason, int64_t lock_timeout_ms, uint32_t table, char ret[PLAN_DIGEST_SIZE])
{
	_cleanup_plan_ struct partition_plan p = { 0 };

	make(&p, sql, reason);
	p.lock_timeout_ms = lock_timeout_ms;
	p.table = table;
	plan_digest(&p, ret);
}

static void test_digest(void **state)
{
	char one[PLAN_DIGEST_SIZE], other[PLAN_DIGEST_SIZE];

	(void)state;
	digest_of("SELECT 1", "because", 250, 1, one);
	assert_int_equal(strspn(one, "0123456789abcdef"), 64);
	digest_of("SELECT 1", "for another reason", 250, 1, other);
	assert_string_equal(one, other);
	digest_of("SELECT 2", "because", 250, 1, other);
	assert_string_not_equal(one, other);
	digest_of("SELECT 1", "because", 251, 1, other);
	assert_string_not_equal(one, other);
	digest_of("SELECT 1", "because", 250, 2, other);
	assert_string_not_equal(one, other);
}

static void test_names(void **state)
{
	static const struct {
		const char *pattern, *name; /* NULL = is refused */
	} cases[] = {
		{ "{table}_%Y_%m", "t%_2024_12" }, { "%G_w%V", "2025_w01" }, { "%y%q%j%d", "24436530" }, { "%%{from}%H%M%S", "%2024-12-30060708" },
		{ "x{to}", "x2025-01-06" }, { "{table", NULL }, { "{values}", NULL }, { "{remainder}", NULL }, { "%", NULL }, { "%B", NULL }, { "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		/* Monday of the first ISO week of 2025 */
		struct candidate cand = { .local = (INT64_C(1735516800) + 6 * 3600 + 7 * 60 + 8) * 1000000 };
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_true(bound_parse("FOR VALUES FROM ('2024-12-30') TO ('2025-01-06')", &cand.bound, NULL));
		assert_int_equal(create_name(cases[i].pattern, "t%", &cand, &err), cases[i].name != NULL);
		if (cases[i].name)
			assert_string_equal(cand.name, cases[i].name);
		else
			assert_int_equal(err.code, EXIT_USAGE);
		free(cand.name);
		bound_release(&cand.bound);
	}
}

static void test_conditions(void **state)
{
	static const struct {
		const char *bound, *sql; /* NULL = cannot be written */
	} cases[] = {
		{ "FOR VALUES FROM ('1') TO ('2')", "\"K\"\"\" IS NOT NULL AND \"K\"\"\" >= '1'::integer AND \"K\"\"\" < '2'::integer" },
		{ "FOR VALUES FROM (MINVALUE) TO ('2')", "\"K\"\"\" IS NOT NULL AND \"K\"\"\" < '2'::integer" },
		{ "FOR VALUES IN ('1')", "\"K\"\"\" IS NOT NULL AND \"K\"\"\" = '1'::integer" },
		{ "FOR VALUES IN ('1', NULL, '2')", "\"K\"\"\" IS NULL OR \"K\"\"\" = ANY (ARRAY['1'::integer, '2'::integer])" },
		{ "FOR VALUES IN (NULL)", "\"K\"\"\" IS NULL" },
		{ "FOR VALUES WITH (modulus 4, remainder 3)", "pg_catalog.satisfies_hash_partition('99'::oid, 4, 3, \"K\"\"\")" },
		{ "FOR VALUES FROM ('1', '2') TO ('3', MINVALUE)", NULL },
		{ "DEFAULT", NULL },
	};
	char name[] = "K\"", type[] = "integer";
	struct key_column column = { name, type, KEY_INTEGER };
	struct partition parent = { .oid = 99, .key = { .columns = { &column, 1, 1 } } };

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_bound_ struct bound b = { 0 };
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

		assert_true(bound_parse(cases[i].bound, &b, NULL));
		assert_int_equal(condition_add(&sql, &parent, &b), cases[i].sql != NULL);
		assert_string_equal(sql.buf, cases[i].sql ? cases[i].sql : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
