/* SPDX-License-Identifier: PostgreSQL
 *
 * fuzz_s3_xml.c - any bytes as the answer of a store.
 */
#include <stdint.h>
#include "s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct s3_xml x = { 0 };

	if (s3_xml_parse((const char *)data, size, &x, &err)) {
		_cleanup_strbuf_ struct strbuf again = STRBUF_INIT;

		if (!x.root)
			__builtin_trap();
		for (size_t i = 0; i < x.items.len; i++)
			if (x.items.items[i].key)
				s3_xml_escape(x.items.items[i].key, &again);
	} else if (err.code != EXIT_DAMAGED || x.items.items) {
		__builtin_trap();
	}
	s3_xml_release(&x);
	return 0;
}
