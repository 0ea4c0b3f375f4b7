/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include "vec.h"

static void test_push(void **state)
{
	VEC(int) v = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		*vec_push(&v) = i;
	assert_int_equal(v.len, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v.items[i], i);
	vec_release(&v);
	assert_null(v.items);
	assert_int_equal(v.len, 0);
}

static void test_push_zeroes(void **state)
{
	struct thing {
		char *name;
		int64_t number;
	};
	VEC(struct thing) v = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct thing *t = vec_push(&v);

		assert_null(t->name);
		assert_int_equal(t->number, 0);
		t->number = i;
	}
	vec_release(&v);
}

static void test_strvec(void **state)
{
	_cleanup_strvec_ struct strvec v = { 0 };

	(void)state;
	strvec_sort(&v);
	assert_false(strvec_contains(&v, "a"));
	strvec_push(&v, "c");
	strvec_push_take(&v, xstrdup("a"));
	strvec_pushf(&v, "b%d", 1);
	assert_null(v.items[3]);
	strvec_sort(&v);
	assert_string_equal(v.items[0], "a");
	assert_string_equal(v.items[1], "b1");
	assert_string_equal(v.items[2], "c");
	assert_null(v.items[3]);
	assert_true(strvec_contains(&v, "b1"));
	assert_false(strvec_contains(&v, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_push_zeroes),
		cmocka_unit_test(test_strvec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
