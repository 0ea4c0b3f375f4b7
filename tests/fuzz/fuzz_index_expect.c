/* SPDX-License-Identifier: PostgreSQL */
/* Lists of expected indexes, definitions, predicates: any text is read or refused with status 64, and nothing is read past its end. */
#include <stdint.h>
#include <string.h>
#include "indexes_expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_expected_ struct expected_indexes e = { 0 };
	_cleanup_strvec_ struct strvec strings = { 0 };
	autofree char *text = xstrndup((const char *)data, size);
	char column[] = "a";
	char *names[] = { column, NULL };
	struct fkey_info f = { .names = { .items = names, .len = 1 } };

	if (!indexes_expect_add(&e, text, &err) && err.code != EXIT_USAGE)
		BUG("status %d", (int)err.code);
	indexes_read_strings(text, &strings);
	indexes_predicate_is_implied(text, &f);
	indexes_mentions(text, column);
	return 0;
}
