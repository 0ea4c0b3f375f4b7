/* SPDX-License-Identifier: PostgreSQL */
/* toc.dat: any bytes are read or refused, and what was read can be looked at and selected from. */
#include <stdint.h>
#include "select.h"

static void look(const struct toc *t)
{
	for (size_t i = 0; i < t->len; i++) {
		const struct toc_entry *e = &t->items[i];
		autofree char *relation = toc_copy_relation(e->copy_stmt), *columns = toc_copy_columns(e->copy_stmt);

		toc_load_via_root(e);
		if (columns && !relation)
			BUG("columns without a relation");
		if (toc_is_table_data(e) && toc_is_blobs(e))
			BUG("both rows and large objects");
		if (!toc_find(t, e->dump_id))
			BUG("entry %d is not found", e->dump_id);
	}
}

/* The first table by its name: it may need something else, but is known. */
static void select_one(const struct toc *t)
{
	for (size_t i = 0; i < t->len; i++) {
		_cleanup_strvec_ struct strvec tables = { 0 }, none = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;
		size_t left_out;

		if (strcmp(t->items[i].desc, "TABLE") != 0)
			continue;
		strvec_push(&tables, t->items[i].tag);

		autofree bool *companion = NULL;
		autofree bool *selected = select_entries(t, &tables, &none, &companion, &left_out, &err);

		if (!selected && err.code != EXIT_USAGE)
			BUG("status %d", (int)err.code);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int keep[] = { TOC_KEEP_DATA, TOC_KEEP_ALL };
	size_t bytes[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_toc_ struct toc t;

		if (toc_parse(data, size, keep[i], false, &t, &err)) {
			bytes[i] = t.bytes;
			look(&t);
			if (keep[i] == TOC_KEEP_ALL)
				select_one(&t);
		} else if (err.code != EXIT_DAMAGED && err.code != EXIT_REFUSED) {
			BUG("refused with status %d", (int)err.code);
		}
	}
	if (bytes[0] != bytes[1] || bytes[0] > size)
		BUG("%zu or %zu of %zu bytes", bytes[0], bytes[1], size);
	return 0;
}
