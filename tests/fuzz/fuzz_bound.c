/* SPDX-License-Identifier: PostgreSQL */
/* Partition bounds: any text is read or refused, and what was read comes out as SQL that reads back the same. */
#include <stdint.h>
#include "instant.h"
#include "xalloc.h"

static void look_at_values(const struct bound_values *v)
{
	for (size_t i = 0; i < v->len; i++)
		for (enum key_kind kind = KEY_OTHER; kind <= KEY_UUID; kind++) {
			_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
			int64_t us, again;

			bound_value_compare(&v->items[0], &v->items[i], kind);
			if (!instant_of_value(&v->items[i], kind, EPOCH_MILLISECONDS, &us))
				continue;
			instant_add_value(us, KEY_TIMESTAMPTZ, EPOCH_NONE, &text);
			if (!instant_parse(text.buf, &again) || again != us)
				BUG("%s is not %lld", text.buf, (long long)us);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_bound_ struct bound b, again = { 0 };
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	if (!bound_parse(text, &b, &err)) {
		if (b.kind != BOUND_UNKNOWN || strcmp(b.text, text) != 0 || err.code != EXIT_REFUSED)
			BUG("kind %d, status %d", (int)b.kind, (int)err.code);
		return 0;
	}
	look_at_values(&b.from);
	look_at_values(&b.to);
	look_at_values(&b.list);
	bound_add_sql(&sql, &b);
	/* E'' is for the server; bound_parse() reads what the server writes, which never has it */
	if (!strchr(sql.buf, '\\') && (!bound_parse(sql.buf, &again, &err) || !bound_equal(&b, &again)))
		BUG("%s", sql.buf);
	return 0;
}
