/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <string.h>
#include <xxhash.h>
#include "cleanup.h"
#include "fingerprint.h"
#include "xalloc.h"

static struct fingerprint of_text(const char *text)
{
	struct fingerprint f = { 0 };

	fingerprint_add_text(&f, text, strlen(text));
	return f;
}

static void check_equal(const char *a, const char *b, bool equal)
{
	struct fingerprint x = of_text(a), y = of_text(b);

	if (fingerprint_equal(&x, &y) != equal)
		fail_msg("'%s' and '%s' have %s fingerprints", a, b, equal ? "different" : "equal");
}

static void test_order(void **state)
{
	(void)state;
	check_equal("1\ta\n2\tb\n3\tc\n", "3\tc\n1\ta\n2\tb\n", true);
	check_equal("1\ta\n2\tb\n", "1\tb\n2\ta\n", false);
	check_equal("a\n", "a\na\n", false); /* a sum, not an exclusive or: doubles count */
	check_equal("a\na\n", "", false);
	check_equal("ab\nc\n", "a\nbc\n", false);
	check_equal("a\n\n", "a\n", false); /* a row of one empty text column is a row */
}

/* Blocks are summed in whatever order workers finish them. */
static void test_sum_of_blocks(void **state)
{
	struct fingerprint whole = of_text("1\n2\n3\n4\n"), a = of_text("3\n4\n"), b = of_text("1\n2\n"), sum = { 0 };

	(void)state;
	fingerprint_add(&sum, &a);
	fingerprint_add(&sum, &b);
	assert_true(fingerprint_equal(&sum, &whole));
}

static void test_carry(void **state)
{
	static const struct {
		struct fingerprint a, b, sum;
	} cases[] = {
		{ { .low = UINT64_MAX }, { .low = 1 }, { .low = 0, .high = 1 } },
		{ { .low = UINT64_MAX }, { .low = UINT64_MAX }, { .low = UINT64_MAX - 1, .high = 1 } },
		{ { .low = 1, .high = 2 }, { .low = 3, .high = 4 }, { .low = 4, .high = 6 } },
		{ { .low = UINT64_MAX, .high = UINT64_MAX }, { .low = 1 }, { .low = 0, .high = 0 } },
		{ { .high = UINT64_MAX }, { .low = 5, .high = 1 }, { .low = 5, .high = 0 } },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct fingerprint f = cases[i].a, g = cases[i].b;

		fingerprint_add(&f, &cases[i].b);
		fingerprint_add(&g, &cases[i].a);
		assert_true(fingerprint_equal(&f, &cases[i].sum));
		assert_true(fingerprint_equal(&g, &cases[i].sum));
	}
}

/* The library's own XXH3, not the one inlined into the module; and two constants of its test suite's kind. */
static void test_known_vectors(void **state)
{
	static const char *const lines[] = { "", "1", "1\tname\t\\N", "\xff\xfe" };
	struct fingerprint f = { 0 };
	char hex[FINGERPRINT_HEX_LEN + 1];

	(void)state;
	for (size_t i = 0; i < LENGTH(lines); i++) {
		struct fingerprint one = { 0 };
		XXH128_hash_t h = XXH3_128bits(lines[i], strlen(lines[i]));

		fingerprint_add_line(&one, lines[i], strlen(lines[i]));
		assert_int_equal(one.low, h.low64);
		assert_int_equal(one.high, h.high64);
	}
	fingerprint_add_line(&f, "", 0);
	fingerprint_format(&f, hex);
	assert_string_equal(hex, "99aa06d3014798d86001c324468d497f"); /* XXH3-128 of nothing, seed 0 */
}

/* Vector code begins at 241 bytes and works in strides of 64 and 1024: every length and alignment around them gives what the
 * library gives, whichever instructions this processor has. */
static void test_every_length(void **state)
{
	enum { LONGEST = 3000 };
	char text[LONGEST + 64];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 2654435761u >> 13);
	for (size_t len = 0; len <= LONGEST; len++) {
		struct fingerprint one = { 0 };
		autofree char *line = xmemdup(text + len % 64, len ? len : 1); /* a byte read too much shows */
		XXH128_hash_t h = XXH3_128bits(line, len);

		fingerprint_add_line(&one, line, len);
		if (one.low != h.low64 || one.high != h.high64)
			fail_msg("another hash for %zu bytes", len);
	}
}

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		uint64_t lines;
	} cases[] = {
		{ "", 0 }, { "a\n", 1 }, { "a\nb\n", 2 }, { "\n", 1 }, { "\n\n", 2 }, { "a\nb", 2 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct fingerprint f = { 0 };

		assert_int_equal(fingerprint_add_text(&f, cases[i].text, strlen(cases[i].text)), cases[i].lines);
	}
}

static void test_format_parse(void **state)
{
	static const char *const wrong[] = { "", "0", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
		"0123456789ABCDEF0123456789abcdef", "0123456789abcdef 123456789abcdef", "-123456789abcdef0123456789abcdef" };
	const struct fingerprint f = { .low = 0x0fedcba987654321, .high = 0x00000000000000ff };
	struct fingerprint back = { 0 };
	char hex[FINGERPRINT_HEX_LEN + 1];

	(void)state;
	fingerprint_format(&f, hex);
	assert_string_equal(hex, "00000000000000ff0fedcba987654321");
	assert_true(fingerprint_parse(hex, &back));
	assert_true(fingerprint_equal(&f, &back));
	for (size_t i = 0; i < LENGTH(wrong); i++)
		if (fingerprint_parse(wrong[i], &back))
			fail_msg("'%s' was read as a fingerprint", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_sum_of_blocks),
		cmocka_unit_test(test_carry),
		cmocka_unit_test(test_known_vectors),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_format_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
