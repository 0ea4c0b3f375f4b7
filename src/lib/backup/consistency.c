/* SPDX-License-Identifier: PostgreSQL */
#include "consistency.h"

static void collect_toc(const struct toc *t, struct strvec *ret)
{
	for (size_t i = 0; i < t->len; i++)
		if (toc_is_table_data(&t->items[i]) && t->items[i].filename)
			strvec_pushf(ret, "%s.gz", t->items[i].filename);
	strvec_sort(ret);
}

static void collect_manifest(const struct manifest *m, struct strvec *ret)
{
	for (size_t i = 0; i < m->tables.len; i++)
		strvec_push(ret, m->tables.items[i].file);
	strvec_sort(ret);
}

bool consistency_check(const struct toc *t, const struct manifest *m, struct error *err)
{
	_cleanup_strvec_ struct strvec a = { 0 }, b = { 0 };

	collect_toc(t, &a);
	collect_manifest(m, &b);
	for (size_t i = 0; i < a.len || i < b.len; i++) {
		const char *x = i < a.len ? a.items[i] : NULL, *y = i < b.len ? b.items[i] : NULL;

		if (x && y && strcmp(x, y) == 0)
			continue;

		bool only_toc = x && (!y || strcmp(x, y) < 0);

		error_set(err, EXIT_DAMAGED, "manifest and table of contents contradict each other");
		return error_detail(err, only_toc ? "File \"%s\" is in toc.dat only." : "File \"%s\" is in the manifest only.",
			only_toc ? x : y);
	}
	return true;
}
