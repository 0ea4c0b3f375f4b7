/* SPDX-License-Identifier: PostgreSQL */
/* Records of CSV text, however it is cut into pieces. */
#include "unit.h"

#include "archive_csv.h"

static const char text[] = "id,note\n"
			   "1,plain\n"
			   "2,\"two\nlines\"\n"
			   "3,\"a \"\"quoted\"\" word\"\n"
			   "4,\"\"\n"
			   "5,\n"
			   "\"\"\"\n\"\"\",x\n";

static const char *const records[] = { "1,plain", "2,\"two\nlines\"", "3,\"a \"\"quoted\"\" word\"", "4,\"\"", "5,",
	"\"\"\"\n\"\"\",x" };

static void check(size_t piece)
{
	struct csv_reader r = { .record = STRBUF_INIT, .skip = true };
	struct fingerprint expected = { 0 };

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		fingerprint_add_line(&expected, records[i], strlen(records[i]));
	for (size_t at = 0; at < strlen(text); at += piece)
		csv_read(&r, text + at, strlen(text) - at < piece ? strlen(text) - at : piece);
	assert_int_equal(r.rows, 6);
	assert_int_equal(r.record.len, 0);
	assert_true(fingerprint_equal(&r.fingerprint, &expected));
	strbuf_release(&r.record);
}

static void test_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= strlen(text); piece++)
		check(piece);
}

static void test_unfinished(void **state)
{
	struct csv_reader r = { .record = STRBUF_INIT };

	(void)state;
	csv_read(&r, "1,\"cut off\n", 11);
	assert_int_equal(r.rows, 0);
	assert_int_not_equal(r.record.len, 0);
	strbuf_release(&r.record);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces), cmocka_unit_test(test_unfinished) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
