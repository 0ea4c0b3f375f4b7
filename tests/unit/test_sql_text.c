/* SPDX-License-Identifier: PostgreSQL */
/* Statements as pg_stat_statements keeps them, and what PostgreSQL's lexer makes of odd ones. */
#include "unit.h"

#include "sql_text.h"

static const struct {
	const char *text, *normal;
} cases[] = {
	{ "", "" },
	{ ";", "" },
	{ "SELECT 1", "select $" },
	{ "  select\t$1 ;\n", "select $" },
	/* constants */
	{ "SELECT 'it''s', E'a\\'b', B'01', x'1F', N'n', U&'\\0061'", "select $ , $ , $ , $ , $ , $" },
	{ "SELECT $$a$b$$, $tag$ $$ '; -- $tag$ , 1", "select $ , $ , $" },
	{ "SELECT 1, 1.5, .5, 1e10, 1e-10, 0x1F, 1_000, 7.", "select $ , $ , $ , $ , $ , $ , $ , $" },
	{ "SELECT a1, $1::int4, \"A b\", t.\"x\"\"y\"", "select a1 , $ :: int4 , \"A b\" , t . \"x\"\"y\"" },
	{ "SELECT U&\"d\\0061t\", e'x', each", "select U&\"d\\0061t\" , $ , each" },
	{ "a = -1 AND b > +2 AND c - 1 > d-1 AND e*-1 < f(-1, -1)", "a = $ and b > $ and c - $ > d - $ and e * $ < f ( $ , $ )" },
	{ "a=-1", "a = $" },
	{ "a <> -1 AND b::int >= -2", "a <> $ and b :: int >= $" },
	{ "SELECT -a, (-a)", "select - a , ( - a )" },
	/* comments */
	{ "/* app:web */ SELECT a -- b\n FROM /* /* nested */ */ t -- end", "select a from t" },
	{ "SELECT a+--x\n1, b*/*x*/2", "select a + $ , b * $" },
	{ "SELECT /* not closed", "select" },
	{ "SELECT 'not closed", "select $" },
	{ "SELECT \"not closed", "select \"not closed" },
	{ "SELECT $a$ not closed $", "select $" },
	{ "SELECT E'ends with \\", "select $" },
	/* operators */
	{ "a->>'b' @> c || d !~~* e", "a ->> $ @> c || d !~~* e" },
	{ "a @- 1, b ?| c", "a @- $ , b ?| c" },
	/* lists */
	{ "x IN (1, 2, 3)", "x in ( $ )" },
	{ "x in ($1 /*, ... */)", "x in ( $ )" },
	{ "x IN ($1, $2) AND y NOT IN ('a','b','c')", "x in ( $ ) and y not in ( $ )" },
	{ "x IN ($1::int, $2::int)", "x in ( $ :: int )" },
	{ "x IN (-1, 2)", "x in ( $ )" },
	{ "x IN ((1, 'a'), (2, 'b'))", "x in ( ( $ , $ ) )" },
	{ "x IN (1, a, 2, 3)", "x in ( $ , a , $ )" },
	{ "x IN (a, a)", "x in ( a , a )" },
	{ "x IN (SELECT a, 1, 1 FROM t)", "x in ( select a , $ , $ from t )" },
	{ "x = ANY (ARRAY[1, 2, 3])", "x = any ( array [ $ ] )" },
	{ "ARRAY[[1,2],[3,4]]", "array [ [ $ , $ ] ]" },
	{ "f(1, 2, 3)", "f ( $ , $ , $ )" },
	{ "x IN (f(1, 2), f(3, 4))", "x in ( f ( $ , $ ) )" },
	{ "x IN ()", "x in ( )" },
	{ "x IN (VALUES (1), (2), (3))", "x in ( values ( $ ) )" },
	{ "x IN (VALUES (1, a), (2, b), (3, b))", "x in ( values ( $ , a ) , ( $ , b ) )" },
	/* rows */
	{ "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, DEFAULT)", "insert into t values ( $ , $ ) , ( $ , default )" },
	{ "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT (a, b) DO NOTHING",
		"insert into t ( a , b ) values ( $ , $ ) on conflict ( a , b ) do nothing" },
	{ "VALUES (now()), (now())", "values ( now ( ) ) , ( now ( ) )" },
	{ "SELECT * FROM (VALUES (1, 2), (3, 4)) v, (SELECT 1), (SELECT 1)", "select * from ( values ( $ , $ ) ) v , ( select $ ) , ( select $ )" },
	{ "VALUES (1, (SELECT 2)), (3, (SELECT 4))", "values ( $ , ( select $ ) )" },
	/* words */
	{ "SELECT Größe FROM Äpfel", "select größe from Äpfel" },
	{ ")))((([[[", ") ) ) ( ( ( [ [ [" },
	{ ",,,", ", , ," },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

		sql_text_normalise(&out, cases[i].text);
		assert_string_equal(out.buf, cases[i].normal);
	}
}

/* The normal form of a normal form is itself, so a text that was normalised once more groups with the first. */
static void test_stable(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_strbuf_ struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;

		sql_text_normalise(&once, cases[i].text);
		sql_text_normalise(&twice, once.buf);
		if (!strstr(cases[i].text, "not closed"))
			assert_string_equal(once.buf, twice.buf);
	}
}

static void test_fingerprint(void **state)
{
	(void)state;
	assert_true(sql_text_fingerprint("SELECT 1") == sql_text_fingerprint("select  $7;"));
	assert_true(sql_text_fingerprint("SELECT a") != sql_text_fingerprint("SELECT b"));
	/* a value that must never change: it stands in people's dashboards */
	assert_true(sql_text_fingerprint("SELECT total FROM orders WHERE id = 1") == 0xded44753f05bd35f);
}

static void test_deep(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < 200000; i++)
		strbuf_adds(&text, "IN (1,");
	sql_text_normalise(&out, text.buf);
	assert_true(out.len > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_stable), cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
