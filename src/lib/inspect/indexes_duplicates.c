/* SPDX-License-Identifier: PostgreSQL */
/*
 * Indexes that another index makes superfluous.
 *
 * Columns are compared as the catalog has them (attribute, operator class, collation, direction), expressions and
 * predicates in their deparsed form: the stored trees hold the position of each word in the statement that made
 * them (until 16), so that the same index written twice would differ. The indexes of a table are sorted by
 * their columns; then equal ones stand together and every continuation of (a) stands behind (a).
 */
#include "indexes.h"

#include <stdlib.h>
#include <string.h>

#define MIRRORED 3u /* both bits of indoption: DESC and NULLS FIRST */

static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_key(const struct index_key *a, const struct index_key *b, unsigned flip)
{
	int order = compare_numbers(a->attnum, b->attnum);

	if (!order)
		order = compare_texts(a->expression, b->expression);
	if (!order)
		order = compare_numbers(a->opclass, b->opclass);
	if (!order)
		order = compare_numbers(a->collation, b->collation);
	return order ? order : compare_numbers(a->option, b->option ^ flip);
}

int indexes_compare_keys(const struct index_key *a, const struct index_key *b, size_t n)
{
	int order = 0;

	for (size_t k = 0; k < n && !order; k++)
		order = compare_key(&a[k], &b[k], 0);
	return order;
}

static bool is_btree(const struct index_info *i)
{
	return strcmp(i->method, "btree") == 0;
}

/* What must be equal before columns are compared. The options of btree say how full pages are; those of other methods
 * (lists, m, fastupdate …) what the index can do. */
static int compare_class(const struct index_info *a, const struct index_info *b)
{
	int order = strcmp(a->method, b->method);

	if (!order)
		order = compare_texts(a->predicate, b->predicate);
	return order || is_btree(a) ? order : compare_texts(a->options, b->options);
}

static int compare_indexes(const void *x, const void *y)
{
	const struct index_info *a = *(struct index_info *const *)x, *b = *(struct index_info *const *)y;
	int order = compare_class(a, b);

	if (!order)
		order = indexes_compare_keys(a->keys, b->keys, a->key_count < b->key_count ? a->key_count : b->key_count);
	if (!order)
		order = compare_numbers(a->key_count, b->key_count);
	return order ? order : compare_numbers(a->oid, b->oid);
}

static bool has_column(const struct index_info *i, int attnum)
{
	for (size_t k = 0; k < i->column_count; k++)
		if (i->keys[k].attnum == attnum)
			return true;
	return false;
}

/* Whether y holds everything that x carries beside its keys. */
static bool holds_payload(const struct index_info *x, const struct index_info *y)
{
	for (size_t k = x->key_count; k < x->column_count; k++)
		if (!has_column(y, x->keys[k].attnum))
			return false;
	return true;
}

static bool same_payload(const struct index_info *x, const struct index_info *y)
{
	return x->column_count == y->column_count && holds_payload(x, y) && holds_payload(y, x);
}

/* Whether y enforces what x enforces; both have the same columns. */
static bool enforces_as_much(const struct index_info *x, const struct index_info *y)
{
	if (x->exclusion)
		return false;
	if (!x->unique)
		return true;
	return y->unique && x->nulls_not_distinct == y->nulls_not_distinct && (y->immediate || !x->immediate);
}

struct index_info *indexes_find_same(const struct index_model *m, const struct index_info *x)
{
	for (size_t k = 0; x->table && k < x->table->index_count; k++) {
		struct index_info *y = m->by_table[x->table->first_index + k];

		if (y != x && indexes_is_usable(y) && !x->opaque && !y->opaque && x->key_count == y->key_count && compare_class(x, y) == 0 &&
			indexes_compare_keys(x->keys, y->keys, x->key_count) == 0 && holds_payload(x, y) && enforces_as_much(x, y))
			return y;
	}
	return NULL;
}

/* Why an index is worth more than its twin: the first difference counts. */
struct worth {
	const char *because;
	int64_t (*of)(const struct index_info *i);
};

static int64_t worth_attached(const struct index_info *i)
{
	return indexes_is_attached(i) || i->extension;
}

static int64_t worth_constraint(const struct index_info *i)
{
	return i->constraint_type == 'p' ? 2 : i->constraint_type != 0;
}

static int64_t worth_identity(const struct index_info *i)
{
	return i->replident;
}

static int64_t worth_fkeys(const struct index_info *i)
{
	return i->fkeys;
}

static int64_t worth_clustered(const struct index_info *i)
{
	return i->clustered;
}

static int64_t worth_unique(const struct index_info *i)
{
	return i->unique;
}

static int64_t worth_recent(const struct index_info *i)
{
	return i->last_scan;
}

static int64_t worth_scans(const struct index_info *i)
{
	return (int64_t)i->scans;
}

static int64_t worth_small(const struct index_info *i)
{
	return -i->pages;
}

static int64_t worth_old(const struct index_info *i)
{
	return -(int64_t)i->oid;
}

static const struct worth worths[] = {
	{ "it belongs to a partitioned index or an extension", worth_attached },
	{ "it backs a constraint", worth_constraint },
	{ "it is the replica identity", worth_identity },
	{ "foreign keys refer to it", worth_fkeys },
	{ "the table is clustered on it", worth_clustered },
	{ "it is unique", worth_unique },
	{ "it was used more recently", worth_recent },
	{ "it is used more", worth_scans },
	{ "it is smaller", worth_small },
	{ "it is older", worth_old },
};

/* Why y should stay rather than x; NULL = x is worth more. */
static const char *why_better(const struct index_info *y, const struct index_info *x)
{
	for (size_t k = 0; k < sizeof(worths) / sizeof(*worths); k++) {
		int64_t a = worths[k].of(y), b = worths[k].of(x);

		if (a != b)
			return a > b ? worths[k].because : NULL;
	}
	return NULL;
}

static char *name_of(const struct index_info *i)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	indexes_add_name(&name, i);
	return strbuf_detach(&name);
}

static char *evidence_of(const struct index_info *x, const struct index_info *y, const char *class, const char *because)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);
	autofree char *name = name_of(y);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "class", class);
	jsonw_string(&j, "other", name);
	jsonw_string(&j, "kept_because", because);
	jsonw_double(&j, "scans", x->scans);
	jsonw_double(&j, "other_scans", y->scans);
	jsonw_int(&j, "columns", x->key_count);
	jsonw_int(&j, "other_columns", y->key_count);
	jsonw_object_end(&j);
	return strbuf_detach(&text);
}

/* Reasons to look twice at an index that is superfluous by its columns, because y is there; NULL = none. */
static const char *reason_to_look(const struct index_info *x, const struct index_info *y)
{
	if (x->constraint_type && !y->constraint_type)
		return "it backs a constraint, which statements can name (ON CONFLICT ON CONSTRAINT), and the other one does not";
	if (x->fkeys)
		return "foreign keys refer to it: they must be made anew on the other one first";
	if (x->replident)
		return "it is the replica identity of its table";
	if (x->clustered)
		return "the table is clustered on it";
	return NULL;
}

static void add(struct index_findings *f, enum index_kind kind, const char *id, const char *class, struct index_info *x,
	struct index_info *y, const char *because, const char *sentence, bool review)
{
	autofree char *other = name_of(y);
	const char *look = reason_to_look(x, y);
	char *reason = xasprintf("%s %s%s%s%s%s", sentence, other, because ? ", which stays because " : "", because ? because : "",
		look ? "; " : "", look ? look : "");
	struct index_finding *n = indexes_add(f, kind, id, review || look ? SEVERITY_INFO : SEVERITY_WARNING,
		review || look ? VERDICT_REVIEW : VERDICT_CANDIDATE, x, x->table, reason);

	n->other = y;
	n->evidence = evidence_of(x, y, class, because);
	x->superfluous = true;
	for (; y; y = y->parent) /* it would go with the index it is attached to */
		y->relied_on = true;
}

/* Of n indexes with the same key columns: the best one that makes x superfluous. */
static struct index_info *best_twin(struct index_info **group, size_t n, const struct index_info *x)
{
	struct index_info *best = NULL;

	for (size_t k = 0; k < n; k++) {
		struct index_info *y = group[k];
		bool mutual = same_payload(x, y) && enforces_as_much(y, x);

		if (y == x || !holds_payload(x, y) || !enforces_as_much(x, y) || (mutual && !why_better(y, x)))
			continue;
		if (!best || why_better(y, best))
			best = y;
	}
	return best;
}

static bool has_prefix(const struct index_info *y, const struct index_info *x)
{
	return y->key_count > x->key_count && compare_class(x, y) == 0 && indexes_compare_keys(x->keys, y->keys, x->key_count) == 0;
}

/* Of the continuations of x, n at most: the smallest that holds its payload; *ret_loses when only others are there. */
static struct index_info *best_continuation(struct index_info **next, size_t n, const struct index_info *x, bool *ret_loses)
{
	struct index_info *best = NULL, *lossy = NULL;

	for (size_t k = 0; k < n && has_prefix(next[k], x); k++) {
		struct index_info **place = holds_payload(x, next[k]) ? &best : &lossy;

		if (!*place || next[k]->pages < (*place)->pages)
			*place = next[k];
	}
	*ret_loses = !best;
	return best ? best : lossy;
}

static void judge_one(struct index_info **sorted, size_t n, size_t first, size_t end, struct index_info *x, struct index_findings *f)
{
	struct index_info *twin = best_twin(sorted + first, end - first, x);
	bool loses;

	if (twin && same_payload(x, twin)) {
		add(f, INDEX_DUPLICATE, "indexes.duplicate", "exact", x, twin, why_better(twin, x), "the same as", false);
	} else if (twin) {
		add(f, INDEX_REDUNDANT, "indexes.redundant", "include", x, twin, NULL,
			"the same key columns, and with INCLUDE everything it has, are in", false);
	} else if (!x->unique && !x->exclusion && is_btree(x) &&
		   (twin = best_continuation(sorted + end, n - end, x, &loses)) != NULL) {
		add(f, INDEX_REDUNDANT, "indexes.redundant", loses ? "prefix_without_payload" : "prefix", x, twin, NULL,
			loses ? "its key columns are the first ones of another index, but index-only scans need its INCLUDE columns; see"
			      : "its columns are the first ones of the wider",
			loses);
	}
}

/* The same columns, each in the other direction: a scan backward through one is a scan of the other. */
static void judge_mirror(struct index_info **sorted, size_t n, struct index_info *x, struct index_findings *f)
{
	for (size_t k = 0; k < n; k++) {
		struct index_info *y = sorted[k];
		size_t same = 0;

		if (y == x || !is_btree(y) || y->key_count != x->key_count || compare_class(x, y) != 0)
			continue;
		while (same < x->key_count && compare_key(&x->keys[same], &y->keys[same], MIRRORED) == 0)
			same++;
		if (same < x->key_count || !same_payload(x, y) || !enforces_as_much(x, y))
			continue;
		if (enforces_as_much(y, x) && !indexes_is_attached(y) && !why_better(y, x))
			continue;
		add(f, INDEX_REDUNDANT, "indexes.mirrored", "mirrored", x, y, NULL, "read backward it gives the same order as", true);
		return;
	}
}

/* An attached index goes with its parent, an extension's with the extension, and a primary key is more than its index: others
 * are compared with them, though. */
static bool may_go(const struct index_info *x)
{
	return !indexes_is_attached(x) && !x->extension && !x->table->extension && !x->primary;
}

static void judge_table(struct index_info **sorted, size_t n, struct index_findings *f)
{
	for (size_t first = 0, end; first < n; first = end) {
		for (end = first + 1; end < n; end++)
			if (sorted[end]->key_count != sorted[first]->key_count || compare_class(sorted[end], sorted[first]) != 0 ||
				indexes_compare_keys(sorted[end]->keys, sorted[first]->keys, sorted[first]->key_count) != 0)
				break;
		for (size_t k = first; k < end; k++) {
			size_t before = f->items.len;

			if (!may_go(sorted[k]))
				continue;
			judge_one(sorted, n, first, end, sorted[k], f);
			if (f->items.len == before && is_btree(sorted[k]))
				judge_mirror(sorted, n, sorted[k], f);
		}
	}
}

void indexes_judge_duplicates(struct index_model *m, struct index_findings *f)
{
	struct index_info **sorted = xcalloc(m->indexes.len + 1, sizeof(*sorted));

	for (size_t k = 0; k < m->tables.len; k++) {
		const struct table_info *t = &m->tables.items[k];
		size_t n = 0;

		for (size_t i = 0; t->selected && i < t->index_count; i++) {
			struct index_info *x = m->by_table[t->first_index + i];

			if (indexes_is_usable(x) && !x->opaque)
				sorted[n++] = x;
		}
		if (n < 2)
			continue;
		qsort(sorted, n, sizeof(struct index_info *), compare_indexes);
		judge_table(sorted, n, f);
	}
	free(sorted);
}
