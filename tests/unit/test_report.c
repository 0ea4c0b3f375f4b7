/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <locale.h>
#include <math.h>

#include "error.h"
#include "report.h"

static const struct column columns[] = {
	{ "name", "NAME", CELL_TEXT, COLUMN_WIDE, "x" },
	{ "rows", "ROWS", CELL_INT, 0, "x" },
	{ "size", "SIZE", CELL_SIZE, 0, "x" },
	{ "took", "TOOK", CELL_DURATION, 0, "x" },
	{ "at", "AT", CELL_TIME, 0, "x" },
	{ "good", "GOOD", CELL_BOOL, 0, "x" },
	{ "share", "SHARE", CELL_PERCENT, 0, "x" },
	{ "xid", NULL, CELL_ID, 0, "x" },
	COLUMN_END,
};

static const struct cell full[] = {
	{ .text = "a,\"b\"\nc" }, { .number = 1234567 }, { .number = 1536 }, { .real = 184.25 },
	{ .number = 951782400000000 }, { .number = 1 }, { .real = 12.5 }, { .text = "9007199254740993" },
};
static const struct cell null[] = {
	{ .null = true }, { .null = true }, { .null = true }, { .null = true },
	{ .null = true }, { .null = true }, { .null = true }, { .null = true },
};
static const struct cell zero[] = {
	{ .text = "" }, { .number = 0 }, { .number = 0 }, { .real = 0 },
	{ .number = 951782400000001 }, { .number = 0 }, { .real = 0 }, { .text = "0/0" },
};

/* Three rows (or none) in a format; caller frees. */
static char *render(enum report_format format, bool rows, int width)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct report_options o = { .out = out, .format = format, .width = width };
	struct report *r = report_begin(&o, "things", columns);
	struct json *j = report_header(r);

	if (j)
		jsonw_string(j, "completeness", "full");
	if (rows) {
		report_row(r, full);
		report_row(r, null);
		report_row(r, zero);
	}
	assert_true(report_end(r, &err));
	fclose(out);
	return text;
}

static void test_csv(void **state)
{
	autofree char *text = render(FORMAT_CSV, true, 0);
	autofree char *none = render(FORMAT_CSV, false, 0);

	(void)state;
	assert_string_equal(text, "name,rows,size,took,at,good,share,xid\n"
				  "\"a,\"\"b\"\"\nc\",1234567,1536,184.250,2000-02-29T00:00:00Z,true,12.500,"
				  "9007199254740993\n"
				  ",,,,,,,\n"
				  "\"\",0,0,0.000,2000-02-29T00:00:00.000001Z,false,0.000,0/0\n");
	assert_string_equal(none, "name,rows,size,took,at,good,share,xid\n");
}

static void test_ndjson(void **state)
{
	autofree char *text = render(FORMAT_NDJSON, true, 0);
	autofree char *none = render(FORMAT_NDJSON, false, 0);

	(void)state;
	assert_string_equal(text,
		"{\"name\":\"a,\\\"b\\\"\\nc\",\"rows\":1234567,\"size\":1536,\"took\":184.250,"
		"\"at\":\"2000-02-29T00:00:00Z\",\"good\":true,\"share\":12.500,\"xid\":\"9007199254740993\"}\n"
		"{\"name\":null,\"rows\":null,\"size\":null,\"took\":null,\"at\":null,\"good\":null,"
		"\"share\":null,\"xid\":null}\n"
		"{\"name\":\"\",\"rows\":0,\"size\":0,\"took\":0.000,\"at\":\"2000-02-29T00:00:00.000001Z\","
		"\"good\":false,\"share\":0.000,\"xid\":\"0/0\"}\n");
	assert_string_equal(none, "");
}

static void test_json(void **state)
{
	autofree char *text = render(FORMAT_JSON, true, 0);
	autofree char *none = render(FORMAT_JSON, false, 0);

	(void)state;
	assert_string_equal(none, "{\n  \"schema_version\": 1,\n  \"completeness\": \"full\",\n"
				  "  \"things\": []\n}\n");
	assert_non_null(strstr(text, "\"completeness\": \"full\",\n  \"things\": [\n    {\n"));
	assert_non_null(strstr(text, "\"xid\": \"9007199254740993\"\n    },\n    {\n"));
	assert_string_equal(text + strlen(text) - 12, "    }\n  ]\n}\n");
}

static void test_table(void **state)
{
	autofree char *text = render(FORMAT_TABLE, true, 0);
	autofree char *none = render(FORMAT_TABLE, false, 0);

	(void)state;
	assert_string_equal(text,
		"NAME          ROWS     SIZE        TOOK  AT                    GOOD   SHARE\n"
		"a,\"b\" c  1,234,567  1.5 KiB  3 min 04 s  2000-02-29T00:00:00Z  yes   12.5 %\n"
		"                                                                     \n"
		"                 0      0 B      0.00 s  2000-02-29T00:00:00Z  no     0.0 %\n");
	assert_string_equal(none, "NAME  ROWS  SIZE  TOOK  AT  GOOD  SHARE\n");
}

/* A table that would lose figures on this terminal is printed row by row. */
static void test_narrow_table(void **state)
{
	autofree char *text = render(FORMAT_TABLE, true, 60);

	(void)state;
	assert_string_equal(text, "NAME   a,\"b\" c\nROWS   1,234,567\nSIZE   1.5 KiB\nTOOK   3 min 04 s\n"
				  "AT     2000-02-29T00:00:00Z\nGOOD   yes\nSHARE  12.5 %\n\n\n"
				  "ROWS   0\nSIZE   0 B\nTOOK   0.00 s\nAT     2000-02-29T00:00:00Z\nGOOD   no\nSHARE  0.0 %\n");
}

static const struct column tree_columns[] = {
	{ "name", "NAME", CELL_TEXT, COLUMN_TREE | COLUMN_WIDE, "x" },
	{ "used", "USED", CELL_PERCENT, COLUMN_BAR, "x" },
	COLUMN_END,
};

static char *render_tree(enum report_format format, int width, bool utf8)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct report_options o = { .out = out, .format = format, .width = width, .utf8 = utf8 };
	struct report *r = report_begin(&o, "things", tree_columns);
	const struct cell root[] = { CELL_OF_TEXT("root with a long, long name"), { .real = 75, .tone = TONE_WARNING } };
	const struct cell leaf[] = { CELL_OF_TEXT("leaf"), CELL_NULL() };

	report_row(r, root);
	report_child(r, leaf, 0);
	report_note(r, TONE_CRITICAL, "one note\nof two lines");
	assert_true(report_end(r, &err));
	fclose(out);
	return text;
}

static void test_tree(void **state)
{
	autofree char *plain = render_tree(FORMAT_TABLE, 0, false);
	autofree char *narrow = render_tree(FORMAT_TABLE, 34, true);
	autofree char *csv = render_tree(FORMAT_CSV, 0, false);

	(void)state;
	assert_string_equal(plain, "NAME                           USED\nroot with a long, long name  75.0 %\n`-leaf                       \n"
				   "\none note of two lines\n");
	assert_non_null(strstr(narrow, "root with a lon  \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2591\u2591 75.0 %\n"));
	assert_non_null(strstr(narrow, "\u2514\u2500leaf"));
	assert_string_equal(csv, "name,used\n\"root with a long, long name\",75.000\nleaf,\n");
}

static void test_measured(void **state)
{
	static const struct column measured_columns[] = {
		{ "mean", "MEAN", CELL_LATENCY, 0, "x" },
		{ "rate", "RATE", CELL_NUMBER, 0, "x" },
		COLUMN_END,
	};
	static const char *const wanted[] = {
		[FORMAT_TABLE] = "    MEAN   RATE\n0.043 ms  1,234\n  3.00 s   9.10\n          \n",
		[FORMAT_NDJSON] = "{\"mean\":4.32e-05,\"rate\":1234.4}\n{\"mean\":3,\"rate\":9.1}\n{\"mean\":null,\"rate\":null}\n",
		[FORMAT_CSV] = "mean,rate\n4.32e-05,1234.4\n3,9.1\n,\n",
	};

	(void)state;
	for (size_t format = 0; format < LENGTH(wanted); format++) {
		char *text;
		size_t len;
		const struct report_options o = { .out = open_memstream(&text, &len), .format = (enum report_format)format };
		struct report *r = report_begin(&o, "things", measured_columns);

		report_row(r, (const struct cell[]){ CELL_OF_REAL(0.0000432), CELL_OF_REAL(1234.4) });
		report_row(r, (const struct cell[]){ CELL_OF_REAL(3), CELL_OF_REAL(9.1) });
		report_row(r, (const struct cell[]){ CELL_OF_REAL(NAN), CELL_NULL() });
		assert_true(report_end(r, NULL));
		fclose(o.out);
		if (wanted[format])
			assert_string_equal(text, wanted[format]);
		free(text);
	}
}

static void test_expanded(void **state)
{
	autofree char *text = render(FORMAT_EXPANDED, true, 0);

	(void)state;
	assert_string_equal(text, "name:  a,\"b\" c\nrows:  1,234,567\nsize:  1.5 KiB\ntook:  3 min 04 s\n"
				  "at:    2000-02-29T00:00:00Z\ngood:  yes\nshare: 12.5 %\n"
				  "xid:   9007199254740993\n\n"
				  "name:\nrows:\nsize:\ntook:\nat:\ngood:\nshare:\nxid:\n\n"
				  "name:  \nrows:  0\nsize:  0 B\ntook:  0.00 s\nat:    2000-02-29T00:00:00Z\n"
				  "good:  no\nshare: 0.0 %\nxid:   0/0\n");
}

/* A name from the database must not move the cursor of the DBA's terminal. */
static void test_control_characters(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	static const struct column one[] = { { "name", "NAME", CELL_TEXT, 0, "x" }, COLUMN_END };
	const struct cell cell = CELL_OF_TEXT("a\x1b[31mb\rc");
	autofree char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct report_options o = { .out = out, .format = FORMAT_TABLE };
	struct report *r = report_begin(&o, "x", one);

	(void)state;
	report_row(r, &cell);
	assert_true(report_end(r, &err));
	fclose(out);
	assert_string_equal(text, "NAME\na?[31mb?c\n");
}

static void test_full_disk(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	for (int format = FORMAT_TABLE; format <= FORMAT_CSV; format++) {
		const struct report_options o = { .out = out, .format = (enum report_format)format };
		struct report *r = report_begin(&o, "x", columns);

		report_row(r, full);
		assert_false(report_end(r, &err));
		assert_int_equal(err.code, EXIT_CANNOT_WRITE);
		clearerr(out);
	}
	fclose(out);
}

/* An object inside a row stays one in JSON; CSV quotes it as any other text. */
static void test_nested_json(void **state)
{
	static const struct column one[] = { { "proof", NULL, CELL_JSON, 0, "x" }, COLUMN_END };
	static const struct {
		enum report_format format;
		const char *expected;
	} cases[] = {
		{ FORMAT_NDJSON, "{\"proof\":{\"ok\":true}}\n{\"proof\":null}\n" },
		{ FORMAT_CSV, "proof\n\"{\"\"ok\"\":true}\"\n\n" },
	};
	const struct cell object = CELL_OF_TEXT("{\"ok\":true}"), none = CELL_NULL();

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		autofree char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);
		const struct report_options o = { .out = out, .format = cases[i].format };
		struct report *r = report_begin(&o, "x", one);

		report_row(r, &object);
		report_row(r, &none);
		assert_true(report_end(r, &err));
		fclose(out);
		assert_string_equal(text, cases[i].expected);
	}
}

static void test_discard(void **state)
{
	autofree char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct report_options o = { .out = out, .format = FORMAT_JSON };
	struct report *r = report_begin(&o, "x", columns);

	(void)state;
	report_row(r, full);
	report_discard(r);
	fclose(out);
	assert_string_equal(text, "");
}

static void fill(struct json *j, const void *data)
{
	jsonw_string(j, "name", data);
}

static void test_document(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct report_options o = { .out = out, .format = FORMAT_JSON };

	(void)state;
	assert_true(report_document(&o, fill, "x", &err));
	fclose(out);
	assert_string_equal(text, "{\n  \"schema_version\": 1,\n  \"name\": \"x\"\n}\n");
}

static void test_format_names(void **state)
{
	enum report_format format;

	(void)state;
	for (unsigned i = 0; report_format_names[i]; i++) {
		assert_true(report_format_parse(report_format_names[i], &format));
		assert_int_equal(format, i);
	}
	assert_true(report_format_parse("text", &format));
	assert_int_equal(format, FORMAT_TABLE);
	assert_false(report_format_parse("xml", &format));
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8"); /* as setup.c does */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),       cmocka_unit_test(test_ndjson),
		cmocka_unit_test(test_json),      cmocka_unit_test(test_table),
		cmocka_unit_test(test_narrow_table),
		cmocka_unit_test(test_tree), cmocka_unit_test(test_measured), cmocka_unit_test(test_expanded),
		cmocka_unit_test(test_control_characters), cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_discard),   cmocka_unit_test(test_document),
		cmocka_unit_test(test_format_names), cmocka_unit_test(test_nested_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
