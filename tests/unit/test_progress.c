/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <jansson.h>
#include "progress.h"

#define MIB (1 << 20)

struct screen {
	struct progress p;
	char *text;
	size_t len;
};

static void screen_open(struct screen *s, enum progress_mode mode)
{
	*s = (struct screen){ 0 };
	s->p = (struct progress){ .out = open_memstream(&s->text, &s->len), .mode = mode, .width = 100 };
}

static void screen_close(struct screen *s)
{
	progress_release(&s->p);
	fclose(s->p.out);
	free(s->text);
}

static void test_short_work_is_silent(void **state)
{
	_cleanup_(screen_close) struct screen s;

	(void)state;
	screen_open(&s, PROGRESS_PLAIN);
	for (int i = 0; i < 29; i++)
		progress_update(&s.p, 100 + i, "backup", i * MIB, 100 * MIB);
	assert_string_equal(s.text ? s.text : "", "");
}

static void test_plain(void **state)
{
	_cleanup_(screen_close) struct screen s;

	(void)state;
	screen_open(&s, PROGRESS_PLAIN);
	for (int i = 0; i <= 65; i++)
		progress_update(&s.p, 100 + i, "backup", (int64_t)i * MIB, 100 * MIB);
	assert_string_equal(s.text,
		"dbops: backup: 30 %, 30.0 MiB of 100.0 MiB, 1.0 MiB/s, 70 s left\n"
		"dbops: backup: 60 %, 60.0 MiB of 100.0 MiB, 1.0 MiB/s, 40 s left\n");
}

static void test_unknown_total(void **state)
{
	_cleanup_(screen_close) struct screen s;

	(void)state;
	screen_open(&s, PROGRESS_PLAIN);
	progress_update(&s.p, 0, "upload", 0, 0);
	progress_update(&s.p, 30, "upload", 60 * MIB, 0);
	assert_string_equal(s.text, "dbops: upload: 60.0 MiB, 2.0 MiB/s\n");
}

static void test_bar(void **state)
{
	_cleanup_(screen_close) struct screen s;

	(void)state;
	screen_open(&s, PROGRESS_BAR);
	progress_update(&s.p, 0, "backup", 0, 100 * MIB);
	progress_update(&s.p, 0.05, "backup", MIB, 100 * MIB);
	progress_update(&s.p, 1, "backup", 25 * MIB, 100 * MIB);
	assert_string_equal(s.text, "\r\033[Kbackup [#####...............]  25 %  25.0 MiB of 100.0 MiB, "
				    "25.0 MiB/s, 3.00 s left");
	progress_clear(&s.p);
	progress_clear(&s.p);
	assert_string_equal(s.text + s.len - 4, "\r\033[K");
}

static void test_json(void **state)
{
	_cleanup_(screen_close) struct screen s;

	(void)state;
	screen_open(&s, PROGRESS_JSON);
	progress_update(&s.p, 0, "backup", 0, 100);
	progress_update(&s.p, 2, "backup", 50, 100);

	json_t *line = json_loads(s.text, 0, NULL);

	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "event")), "progress");
	assert_int_equal(json_integer_value(json_object_get(line, "done_bytes")), 50);
	assert_int_equal(json_integer_value(json_object_get(line, "total_bytes")), 100);
	assert_int_equal(json_integer_value(json_object_get(line, "bytes_per_second")), 25);
	assert_true(json_real_value(json_object_get(line, "seconds_left")) == 2);
	json_decref(line);
}

static void test_new_work(void **state)
{
	_cleanup_(screen_close) struct screen s;

	(void)state;
	screen_open(&s, PROGRESS_PLAIN);
	progress_update(&s.p, 0, "read", 0, 100);
	progress_update(&s.p, 29, "read", 50, 100);
	progress_update(&s.p, 31, "write", 0, 100);
	progress_update(&s.p, 60, "write", 50, 100);
	assert_string_equal(s.text ? s.text : "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_work_is_silent), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_unknown_total), cmocka_unit_test(test_bar),
		cmocka_unit_test(test_json), cmocka_unit_test(test_new_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
