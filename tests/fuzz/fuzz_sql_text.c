/* SPDX-License-Identifier: PostgreSQL */
/* Statement texts: any bytes have a normal form, no longer than three times the text, which is its own normal form. */
#include <stdint.h>
#include "error.h"
#include "sql_text.h"
#include "xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	_cleanup_strbuf_ struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;

	sql_text_normalise(&once, text);
	if (once.len > 3 * strlen(text) + 1)
		BUG("%zu bytes became %zu", strlen(text), once.len);
	sql_text_normalise(&twice, once.buf);
	if (twice.len > once.len)
		BUG("'%s' grew to '%s'", once.buf, twice.buf);
	return 0;
}
