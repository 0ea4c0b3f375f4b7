/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include "nearest.h"

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },          { "a", "", 1 },           { "", "abc", 3 },      { "same", "same", 0 },
		{ "kitten", "sitting", 3 }, { "verison", "version", 1 }, { "jobs", "jbos", 1 }, { "ca", "abc", 3 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_int_equal(edit_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(edit_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
	assert_true(edit_distance("a123456789012345678901234567890123456789012345678901234567890123", "a") ==
		    SIZE_MAX);
}

static void test_choice(void **state)
{
	static const char *const words[] = { "backup", "list", "restore", "partitions", "verify", NULL };
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{ "bakcup", "backup" }, { "lsit", "list" },     { "retsore", "restore" }, { "part", "partitions" },
		{ "verfy", "verify" },  { "xyzzy", NULL },      { "", NULL },             { "l", NULL },
		{ "dump", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *near = nearest_choice(cases[i].word, words);

		if (cases[i].nearest)
			assert_string_equal(near, cases[i].nearest);
		else
			assert_null(near);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
