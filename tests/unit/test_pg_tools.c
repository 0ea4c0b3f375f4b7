/* SPDX-License-Identifier: PostgreSQL
 *
 * Which folder is chosen is tested with folders full of small scripts that answer --version.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "fs.h"
#include "tools.h"

static void test_parse_version(void **state)
{
	static const struct {
		const char *text, *version;
		int major;
	} cases[] = {
		{ "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18", 15 },
		{ "postgres (PostgreSQL) 17.0", "17.0", 17 },
		{ "initdb (PostgreSQL) 18beta1", "18beta1", 18 },
		{ "pg_dump (PostgreSQL) 19devel", "19devel", 19 },
		{ "pg_dump (PostgreSQL) 9.6.24", "9.6.24", 9 },
		{ "pg_dump (PostgreSQL) 16.4\n", "16.4", 16 },
		{ "pg_dump (EnterpriseDB) 15.2", NULL, 0 },
		{ "pg_dump (PostgreSQL) ", NULL, 0 },
		{ "pg_dump (PostgreSQL) x15", NULL, 0 },
		{ "pg_dump (PostgreSQL) 99999999999999999999", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autofree char *version = NULL;
		int major = 0;

		assert_int_equal(pg_tools_parse_version(cases[i].text, &version, &major),
			cases[i].version != NULL);
		assert_int_equal(major, cases[i].major);
		if (cases[i].version)
			assert_string_equal(version, cases[i].version);
	}
}

/* <root>/<version>/pg_dump, which prints its version. */
static char *add_fake(const char *root, const char *version)
{
	autofree char *dir = fs_join(root, version);
	autofree char *path = fs_join(dir, "pg_dump");
	autofree char *script = xasprintf("#!/bin/sh\necho 'pg_dump (PostgreSQL) %s'\n", version);

	assert_true(fs_mkdirs(dir, NULL));
	assert_true(fs_write_atomic(path, script, strlen(script), NULL));
	assert_int_equal(chmod(path, 0700), 0);
	return steal(dir);
}

/* PATH is searched first, so these majors, which nobody has installed, decide. */
static int make_fakes(void **state)
{
	char *root = fs_make_temp_dir("/tmp", "dbops-unit-", NULL);
	autofree char *newer = add_fake(root, "903.2");
	autofree char *older = add_fake(root, "901.7");
	autofree char *path = xasprintf("relative:%s:%s:%s/none:/usr/bin:/bin", newer, older, root);

	*state = root;
	return setenv("PATH", path, 1);
}

static int remove_fakes(void **state)
{
	fs_remove_tree(*state, NULL);
	free(*state);
	return 0;
}

static const char *const pg_dump[] = { "pg_dump", NULL };

static void test_find_exact_else_next(void **state)
{
	static const struct {
		int min, max;
		const char *version;
	} cases[] = {
		{ 901, 0, "901.7" },
		{ 902, 0, "903.2" },
		{ 903, 903, "903.2" },
		{ 900, 902, "901.7" },
		{ 902, 902, NULL },
		{ 904, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_tools_ struct pg_tools t = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;

		assert_int_equal(pg_tools_find(NULL, pg_dump, cases[i].min, cases[i].max, &t, &err),
			cases[i].version != NULL);
		if (cases[i].version) {
			assert_string_equal(t.version, cases[i].version);
			continue;
		}
		assert_int_equal(err.code, EXIT_UNAVAILABLE);
		assert_non_null(strstr(err.detail, "903.2 in "));
		assert_non_null(strstr(err.hint, "postgresql-client-"));
	}
}

static void test_find_in_bindir_only(void **state)
{
	_cleanup_tools_ struct pg_tools t = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *dir = fs_join(*state, "901.7");

	assert_true(pg_tools_find(dir, pg_dump, 900, 0, &t, &err));
	assert_string_equal(t.bindir, dir);

	autofree char *path = pg_tools_path(&t, "pg_dump");

	assert_true(fs_is_executable(path));
	assert_false(pg_tools_find(dir, pg_dump, 902, 0, &t, &err));
	assert_int_equal(err.code, EXIT_UNAVAILABLE);
	assert_non_null(strstr(err.message, dir));
}

static void test_all_programs_needed(void **state)
{
	static const char *const both[] = { "pg_dump", "pg_restore", NULL };
	_cleanup_tools_ struct pg_tools t = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *dir = fs_join(*state, "901.7");

	assert_false(pg_tools_find(dir, both, 900, 0, &t, &err));
	assert_string_not_equal(err.message, "");
}

/* Debian's /usr/bin/pg_dump leads to pg_wrapper, which is not the program. */
static void test_wrapper_is_passed_over(void **state)
{
	_cleanup_tools_ struct pg_tools t = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *dir = add_fake(*state, "905.1");
	autofree char *program = fs_join(dir, "pg_dump");
	autofree char *wrapper = fs_join(dir, "pg_wrapper");

	assert_int_equal(rename(program, wrapper), 0);
	assert_int_equal(symlink("pg_wrapper", program), 0);
	assert_false(pg_tools_find(dir, pg_dump, 900, 0, &t, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_version),
		cmocka_unit_test(test_find_exact_else_next),
		cmocka_unit_test(test_find_in_bindir_only),
		cmocka_unit_test(test_all_programs_needed),
		cmocka_unit_test(test_wrapper_is_passed_over),
	};

	return cmocka_run_group_tests(tests, make_fakes, remove_fakes);
}
