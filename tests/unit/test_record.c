/* SPDX-License-Identifier: PostgreSQL */
/* What a detach leaves in a table's comment, behind whatever the user wrote there. */
#include "unit.h"

#include "record.h"

static void test_round_trip(void **state)
{
	static const char *const comments[] = { NULL, "mine", "two\nlines", "", "dbops.detached ", "dbops.detached {}\nx", "\n" };

	(void)state;
	for (size_t i = 0; i < LENGTH(comments); i++) {
		_cleanup_record_ struct detach_record r = { 0 }, back = { 0 };

		r.comment = xstrdup(comments[i]);
		r.parent_schema = xstrdup("S \"x\"");
		r.parent_name = xstrdup("a\nb");
		r.bounds = xstrdup("FOR VALUES IN ('it''s\n')");
		strvec_push(&r.triggers, "t\n1");

		autofree char *text = detach_record_write(&r);

		detach_record_parse(text, &back);
		if (comments[i])
			assert_string_equal(back.comment, comments[i]);
		else
			assert_null(back.comment);
		assert_string_equal(back.parent_schema, r.parent_schema);
		assert_string_equal(back.parent_name, r.parent_name);
		assert_string_equal(back.bounds, r.bounds);
		assert_null(back.constraint);
		assert_int_equal(back.triggers.len, 1);
		assert_string_equal(back.triggers.items[0], "t\n1");
		assert_int_equal(back.publications.len, 0);
	}
}

static void test_no_record(void **state)
{
	static const char *const texts[] = { "mine", "dbops.detached ", "dbops.detached {\"version\":1}", "dbops.detached {\"version\":1", "dbops.detached []",
		"dbops.detached {\"version\":2,\"parent\":{\"schema\":\"s\",\"name\":\"n\"},\"bounds\":\"DEFAULT\"}",
		"dbops.detached {\"version\":1,\"parent\":{\"schema\":\"s\"},\"bounds\":\"DEFAULT\"}",
		"x dbops.detached {\"version\":1,\"parent\":{\"schema\":\"s\",\"name\":\"n\"},\"bounds\":\"DEFAULT\"}" };
	_cleanup_record_ struct detach_record none = { 0 };

	(void)state;
	detach_record_parse(NULL, &none);
	assert_null(none.comment);
	for (size_t i = 0; i < LENGTH(texts); i++) {
		_cleanup_record_ struct detach_record r = { 0 };

		detach_record_parse(texts[i], &r);
		assert_string_equal(r.comment, texts[i]);
		assert_null(r.bounds);
		assert_null(r.parent_name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
