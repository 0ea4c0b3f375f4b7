/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include "error.h"

static void test_set(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	(void)state;
	assert_false(error_is_set(&err));
	assert_false(error_set(&err, EXIT_USAGE, "bad %s", "word"));
	assert_true(error_is_set(&err));
	assert_int_equal(err.code, 64);
	assert_string_equal(err.message, "bad word");
	assert_false(error_detail(&err, "line %d", 3));
	assert_false(error_hint(&err, "Do."));
	assert_false(error_prefix(&err, "while %s", "reading"));
	assert_string_equal(err.message, "while reading: bad word");
	assert_string_equal(err.detail, "line 3");
	assert_string_equal(err.hint, "Do.");
	error_set(&err, EXIT_BUSY, "other");
	assert_null(err.detail);
	assert_null(err.hint);
}

static void test_text_of_itself(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, EXIT_BUSY, "first");
	error_set(&err, EXIT_BUSY, "second after %s", err.message);
	assert_string_equal(err.message, "second after first");
}

static void test_errno(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	(void)state;
	error_set_errno(&err, EXIT_CANNOT_WRITE, ENOSPC, "cannot write '%s'", "x");
	assert_string_equal(err.message, "cannot write 'x': No space left on device");
}

static void test_nobody_listens(void **state)
{
	(void)state;
	assert_false(error_set(NULL, EXIT_BUG, "x"));
	assert_false(error_detail(NULL, "x"));
	assert_false(error_hint(NULL, "x"));
	assert_false(error_prefix(NULL, "x"));
}

static void test_move(void **state)
{
	_cleanup_error_ struct error a = ERROR_INIT, b = ERROR_INIT;

	(void)state;
	error_set(&a, EXIT_BUG, "old");
	error_set(&b, EXIT_DAMAGED, "new");
	memcpy(b.sqlstate, "XX001", 6);
	assert_false(error_move(&a, &b));
	assert_string_equal(a.message, "new");
	assert_string_equal(a.sqlstate, "XX001");
	assert_int_equal(a.code, EXIT_DAMAGED);
	assert_false(error_is_set(&b));
	error_move(&a, &a);
	assert_string_equal(a.message, "new");
}

/* The table is a promise to scripts: no number twice, none that a shell cannot report. */
static void test_exit_codes(void **state)
{
	const char *name, *sentence;
	int number;

	(void)state;
	for (unsigned i = 0; exit_code_at(i, &number, &name, &sentence); i++) {
		const char *other_name, *other_sentence;
		int other;

		assert_in_range(number, 0, 255);
		assert_string_equal(exit_code_name(number), name);
		assert_string_equal(exit_code_sentence(number), sentence);
		assert_int_equal(sentence[strlen(sentence) - 1], '.');
		for (unsigned k = 0; k < i; k++) {
			exit_code_at(k, &other, &other_name, &other_sentence);
			assert_int_not_equal(other, number);
			assert_string_not_equal(other_name, name);
		}
	}
	assert_string_equal(exit_code_name(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_text_of_itself),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
