/* SPDX-License-Identifier: PostgreSQL */
/* Comments of tables: any text is a record, or the user's as a whole; a record that is written again reads back the same. */
#include <stdint.h>
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	_cleanup_record_ struct detach_record r = { 0 }, again = { 0 };

	detach_record_parse(text, &r);
	if (!r.bounds) {
		if (strcmp(r.comment, text) != 0)
			BUG("a comment without a record was changed");
		return 0;
	}

	autofree char *written = detach_record_write(&r);

	detach_record_parse(written, &again);
	if (!again.bounds || strcmp(again.bounds, r.bounds) != 0 || strcmp(again.parent_name, r.parent_name) != 0 ||
		!again.comment != !r.comment || (r.comment && strcmp(again.comment, r.comment) != 0))
		BUG("%s", written);
	return 0;
}
