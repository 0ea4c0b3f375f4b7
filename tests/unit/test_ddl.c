/* SPDX-License-Identifier: PostgreSQL */
/* Statements and the locks they take, from the text alone; test_lock_forecast.py compares with real servers. */
#include "unit.h"

#include "ddl.h"
#include "strbuf.h"

static char *locks_of(const struct ddl_statement *s)
{
	static const char *const scopes[] = { "", "*", " table", " parent", " default", " referenced", " referencing",
		"+", " parent's default", " readers" };
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (s->problem)
		return xasprintf("? %s", s->problem);
	for (size_t i = 0; i < s->locks.len; i++) {
		const struct ddl_lock *l = &s->locks.items[i];

		strbuf_addf(&sb, "%s%s%s%s%s %s", i ? ", " : "", l->name, scopes[l->scope], l->constraint ? " by " : "",
			l->constraint ? l->constraint : "", lock_mode_name(l->mode));
	}
	return strbuf_detach(&sb);
}

static const struct {
	const char *sql, *locks;
	bool rewrite, scan, concurrently;
} known[] = {
	{ "ALTER TABLE t ADD COLUMN c int", "t* ACCESS EXCLUSIVE", false, false, false },
	{ "alter table only Public.\"T \"\"x\" add c int", "Public.\"T \"\"x\" ACCESS EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ADD c timestamptz DEFAULT now()", "t* ACCESS EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ADD c uuid DEFAULT gen_random_uuid()", "t* ACCESS EXCLUSIVE", true, false, false },
	{ "ALTER TABLE t ADD c bigserial", "t* ACCESS EXCLUSIVE", true, false, false },
	{ "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a + 1) STORED", "t* ACCESS EXCLUSIVE", true, false, false },
	{ "ALTER TABLE t ADD c int REFERENCES s.u (id), SET (fillfactor = 70)", "t* ACCESS EXCLUSIVE, s.u SHARE ROW EXCLUSIVE, t SHARE UPDATE EXCLUSIVE",
		false, false, false },
	{ "ALTER TABLE t ALTER a SET STATISTICS 100", "t* SHARE UPDATE EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ALTER COLUMN a TYPE bigint USING a::bigint", "t* ACCESS EXCLUSIVE", true, false, false },
	{ "ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL", "t* ACCESS EXCLUSIVE", false, true, false },
	{ "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES u NOT VALID", "t+ SHARE ROW EXCLUSIVE, u SHARE ROW EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u", "t+ SHARE ROW EXCLUSIVE, u SHARE ROW EXCLUSIVE", false, true, false },
	{ "ALTER TABLE t VALIDATE CONSTRAINT Fk", "t* by fk SHARE UPDATE EXCLUSIVE, t referenced by fk ROW SHARE", false, true, false },
	{ "ALTER TABLE t ADD CHECK (a > 0) NOT VALID", "t* ACCESS EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", "t ACCESS EXCLUSIVE, t* ACCESS EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ENABLE TRIGGER ALL", "t+ SHARE ROW EXCLUSIVE", false, false, false },
	{ "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1, 2)", "t SHARE UPDATE EXCLUSIVE, t default ACCESS EXCLUSIVE, p* ACCESS EXCLUSIVE",
		false, true, false },
	{ "CREATE UNIQUE INDEX i ON ONLY t (a)", "t SHARE", false, true, false },
	{ "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", "t SHARE UPDATE EXCLUSIVE", false, true, true },
	{ "DROP INDEX i, j", "i table ACCESS EXCLUSIVE, i* ACCESS EXCLUSIVE, j table ACCESS EXCLUSIVE, j* ACCESS EXCLUSIVE", false, false, false },
	{ "TRUNCATE a, ONLY b", "a* ACCESS EXCLUSIVE, b ACCESS EXCLUSIVE", false, false, false },
	{ "VACUUM (FULL, ANALYZE) t", "t* ACCESS EXCLUSIVE", true, false, false },
	{ "VACUUM FULL t", "t* ACCESS EXCLUSIVE", true, false, false },
	{ "VACUUM (FULL false) t (a, b), u", "t* SHARE UPDATE EXCLUSIVE, u* SHARE UPDATE EXCLUSIVE", false, false, false },
	{ "REFRESH MATERIALIZED VIEW CONCURRENTLY m", "m EXCLUSIVE", false, false, false },
	{ "LOCK TABLE t, u IN SHARE ROW EXCLUSIVE MODE NOWAIT", "t* SHARE ROW EXCLUSIVE, u* SHARE ROW EXCLUSIVE", false, false, false },
	{ "LOCK t", "t* ACCESS EXCLUSIVE", false, false, false },
	{ "CREATE TRIGGER x BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f('on')", "t+ SHARE ROW EXCLUSIVE", false, false, false },
	{ "COMMENT ON COLUMN s.t.c IS 'x'", "s.t SHARE UPDATE EXCLUSIVE", false, false, false },
	{ "/* a /* nested */ */ -- comment\nSET lock_timeout = '2s'", "", false, false, false },
	{ "CREATE TABLE n (a int REFERENCES u, FOREIGN KEY (a) REFERENCES v (id))", "u SHARE ROW EXCLUSIVE, v SHARE ROW EXCLUSIVE", false, false, false },
	{ "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ SELECT 1; DROP TABLE t $x$", "", false, false, false },
	{ "ALTER TABLE t FROBNICATE", "? this form of ALTER TABLE is not known", false, false, false },
	{ "ALTER TABLE", "? there is no name of a table", false, false, false },
	{ "GRANT ALL ON t TO x", "? this statement is not known", false, false, false },
	{ "UPDATE t SET a = 1", "? this statement is not known", false, false, false },
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(known); i++) {
		_cleanup_ddl_script_ struct ddl_script script = { 0 };

		assert_true(ddl_parse(known[i].sql, &script, NULL));
		assert_int_equal(script.statements.len, 1);

		const struct ddl_statement *s = &script.statements.items[0];
		autofree char *locks = locks_of(s);

		assert_string_equal(locks, known[i].locks);
		assert_int_equal(s->rewrite != NULL, known[i].rewrite);
		assert_int_equal(s->scan != NULL, known[i].scan);
		assert_int_equal(s->concurrently, known[i].concurrently);
	}
}

static void test_script(void **state)
{
	_cleanup_ddl_script_ struct ddl_script script = { 0 };

	(void)state;
	assert_true(ddl_parse(";;BEGIN; CREATE TABLE n (a text DEFAULT ';');\nDROP TABLE IF EXISTS o; ALTER TABLE n ADD b int; DROP VIEW v;COMMIT", &script, NULL));
	assert_int_equal(script.statements.len, 6);
	assert_string_equal(script.statements.items[2].text, "DROP TABLE IF EXISTS o");
	assert_true(ddl_script_may_miss(&script, "n"));
	assert_true(ddl_script_may_miss(&script, "o"));
	assert_false(ddl_script_may_miss(&script, "v"));
}

static void test_no_sql(void **state)
{
	static const char *const texts[] = { "", " -- x", ";", "SELECT 'x", "SELECT \"x", "/* x", "SELECT $a$ x $b$", "SELECT E'\\'" };

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		_cleanup_ddl_script_ struct ddl_script script = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_false(ddl_parse(texts[i], &script, &err));
		assert_int_equal(err.code, EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_no_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
