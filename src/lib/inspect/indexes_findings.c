/* SPDX-License-Identifier: PostgreSQL */
#include "indexes.h"

#include <string.h>

const char *const index_kind_names[] = {
	[INDEX_INVALID] = "invalid", [INDEX_DUPLICATE] = "duplicate", [INDEX_REDUNDANT] = "redundant", [INDEX_UNUSED] = "unused",
	[INDEX_FKEY] = "foreign-key", [INDEX_MISSING] = "missing", [INDEX_BLOAT] = "bloat", [INDEX_EXPECTED] = "expected",
	[INDEX_KINDS] = NULL,
};

const char *const index_verdict_names[] = {
	[VERDICT_KEEP] = "KEEP", [VERDICT_WAIT] = "WAIT", [VERDICT_REVIEW] = "REVIEW", [VERDICT_CANDIDATE] = "CANDIDATE",
	[VERDICT_DROP] = "DROP", [VERDICT_REBUILD] = "REBUILD", [VERDICT_ATTACH] = "ATTACH", [VERDICT_CREATE] = "CREATE",
};

void indexes_finding_release(struct index_finding *x)
{
	free(x->object);
	free(x->reason);
	free(x->evidence);
	free(x->fix);
	free(x->undo);
	free(x->column);
	for (size_t k = 0; k < x->statements.len; k++) {
		free(x->statements.items[k].text);
		free(x->statements.items[k].role);
	}
	vec_release(&x->statements);
}

void indexes_findings_release(struct index_findings *f)
{
	for (size_t k = 0; k < f->items.len; k++)
		indexes_finding_release(&f->items.items[k]);
	vec_release(&f->items);
}

struct index_finding *indexes_add(struct index_findings *f, enum index_kind kind, const char *id, enum severity severity,
	enum index_verdict verdict, struct index_info *i, struct table_info *t, char *reason_take)
{
	struct index_finding *x = vec_push(&f->items);

	*x = (struct index_finding){
		.kind = kind,
		.id = id,
		.severity = severity,
		.verdict = verdict,
		.index = i,
		.table = t,
		.reason = reason_take,
	};
	if (i)
		i->wanted = true;
	return x;
}

void indexes_add_name(struct strbuf *out, const struct index_info *i)
{
	pg_add_display_name(out, indexes_schema(i), i->name);
}

const char *indexes_schema(const struct index_info *i)
{
	if (!i->table)
		return "pg_toast";
	return i->table->oid == i->table_oid ? i->table->schema : "pg_toast";
}

static int compare_findings(const void *a, const void *b)
{
	const struct index_finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	if (x->table && y->table && x->table != y->table) {
		int order = strcmp(x->table->schema, y->table->schema);

		return order ? order : strcmp(x->table->name, y->table->name);
	}
	if (x->index && y->index)
		return strcmp(x->index->name, y->index->name);
	return (x->index != NULL) - (y->index != NULL);
}

void indexes_sort(const struct index_model *m, struct index_findings *f)
{
	for (size_t k = 0; k < f->items.len; k++) {
		struct index_finding *x = &f->items.items[k];

		if (x->index && x->rank == 0)
			x->rank = (double)indexes_size(m, x->index, NULL);
	}
	if (f->items.len)
		qsort(f->items.items, f->items.len, sizeof(*f->items.items), compare_findings);
}
