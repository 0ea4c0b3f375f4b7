/* SPDX-License-Identifier: PostgreSQL */
/* What follows from the rows of the catalog: which index is on which table, below which parent. */
#include "indexes.h"

#include <stdlib.h>
#include <string.h>

static int compare_oid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Every row type begins with its OID. */
_Static_assert(offsetof(struct table_info, oid) == 0 && offsetof(struct index_info, oid) == 0 &&
	offsetof(struct fkey_info, oid) == 0 && offsetof(struct index_family, oid) == 0, "the OID comes first");

struct table_info *indexes_find_table(const struct index_model *m, uint32_t oid)
{
	return oid && m->tables.len ? bsearch(&oid, m->tables.items, m->tables.len, sizeof(*m->tables.items), compare_oid) : NULL;
}

struct index_info *indexes_find(const struct index_model *m, uint32_t oid)
{
	return oid && m->indexes.len ? bsearch(&oid, m->indexes.items, m->indexes.len, sizeof(*m->indexes.items), compare_oid)
	                             : NULL;
}

#define sort_by_oid(v)                                                                   \
	do {                                                                             \
		if ((v)->len)                                                            \
			qsort((v)->items, (v)->len, sizeof(*(v)->items), compare_oid); \
	} while (0)

static void link_tables(struct index_model *m)
{
	for (size_t k = 0; k < m->tables.len; k++) {
		struct table_info *t = &m->tables.items[k];

		t->parent = indexes_find_table(m, t->parent_oid);
		if (t->parent)
			t->parent->has_children = true;
	}
}

/* An index on a TOAST table is shown as one of the table it serves. */
static struct table_info *table_of_toast(const struct index_model *m, uint32_t oid)
{
	for (size_t k = 0; k < m->tables.len; k++)
		if (m->tables.items[k].toast_oid == oid)
			return &m->tables.items[k];
	return NULL;
}

static int compare_by_table(const void *a, const void *b)
{
	const struct index_info *x = *(struct index_info *const *)a, *y = *(struct index_info *const *)b;

	if (x->table_oid != y->table_oid)
		return x->table_oid < y->table_oid ? -1 : 1;
	return (x->oid > y->oid) - (x->oid < y->oid);
}

static void group_by_table(struct index_model *m)
{
	free(m->by_table);
	m->by_table = xcalloc(m->indexes.len + 1, sizeof(*m->by_table));
	for (size_t k = 0; k < m->indexes.len; k++)
		m->by_table[k] = &m->indexes.items[k];
	if (m->indexes.len)
		qsort(m->by_table, m->indexes.len, sizeof(*m->by_table), compare_by_table);
	for (size_t k = 0; k < m->indexes.len; k++) {
		struct table_info *t = indexes_find_table(m, m->by_table[k]->table_oid);

		if (t && !t->index_count++)
			t->first_index = k;
	}
}

static int compare_by_parent(const void *a, const void *b)
{
	const struct index_info *x = *(struct index_info *const *)a, *y = *(struct index_info *const *)b;

	if (x->parent_oid != y->parent_oid)
		return x->parent_oid < y->parent_oid ? -1 : 1;
	return (x->oid > y->oid) - (x->oid < y->oid);
}

static void group_by_parent(struct index_model *m)
{
	free(m->by_parent);
	m->by_parent = xcalloc(m->indexes.len + 1, sizeof(*m->by_parent));
	memcpy(m->by_parent, m->by_table, m->indexes.len * sizeof(*m->by_parent));
	if (m->indexes.len)
		qsort(m->by_parent, m->indexes.len, sizeof(*m->by_parent), compare_by_parent);
	for (size_t k = 0; k < m->indexes.len; k++) {
		struct index_info *parent = indexes_find(m, m->by_parent[k]->parent_oid);

		if (parent && !parent->child_count++)
			parent->first_child = k;
	}
}

static void link_indexes(struct index_model *m)
{
	for (size_t k = 0; k < m->indexes.len; k++) {
		struct index_info *i = &m->indexes.items[k];

		i->table = indexes_find_table(m, i->table_oid);
		if (!i->table)
			i->table = table_of_toast(m, i->table_oid); /* invalid ones only: few */
		i->parent = indexes_find(m, i->parent_oid);
		for (struct index_info *p = i->parent; p && i->kind == 'i'; p = p->parent ? p->parent : indexes_find(m, p->parent_oid))
			p->leaves++;
	}
}

static void link_fkeys(struct index_model *m)
{
	for (size_t k = 0; k < m->fkeys.len; k++) {
		struct fkey_info *f = &m->fkeys.items[k];

		f->table = indexes_find_table(m, f->table_oid);
		f->referenced = indexes_find_table(m, f->referenced_oid);
		f->parent = f->parent_oid ? bsearch(&f->parent_oid, m->fkeys.items, m->fkeys.len, sizeof(*m->fkeys.items), compare_oid)
		                          : NULL;
	}
}

void indexes_model_link(struct index_model *m)
{
	sort_by_oid(&m->tables);
	sort_by_oid(&m->indexes);
	sort_by_oid(&m->fkeys);
	sort_by_oid(&m->classes);
	sort_by_oid(&m->equality);
	link_tables(m);
	group_by_table(m);
	group_by_parent(m);
	link_indexes(m);
	link_fkeys(m);
}

void indexes_model_release(struct index_model *m)
{
	for (size_t k = 0; k < m->indexes.len; k++) {
		for (size_t c = 0; m->indexes.items[k].keys && c < m->indexes.items[k].column_count; c++)
			free(m->indexes.items[k].keys[c].expression);
		free(m->indexes.items[k].keys);
	}
	for (size_t k = 0; k < m->fkeys.len; k++) {
		free(m->fkeys.items[k].columns);
		free(m->fkeys.items[k].operators);
		free(m->fkeys.items[k].collations);
		strvec_release(&m->fkeys.items[k].names);
	}
	for (size_t k = 0; k < m->results.len; k++)
		PQclear(m->results.items[k]);
	vec_release(&m->tables);
	vec_release(&m->indexes);
	vec_release(&m->fkeys);
	vec_release(&m->classes);
	vec_release(&m->equality);
	vec_release(&m->results);
	vec_release(&m->standbys_started);
	free(m->by_table);
	free(m->by_parent);
	free(m->names);
	strvec_release(&m->new_names);
	free(m->system_identifier);
	*m = (struct index_model){ 0 };
}

void indexes_walk(const struct index_model *m, const struct index_info *i, void (*visit)(struct index_info *child, void *data),
	void *data)
{
	for (size_t k = 0; k < i->child_count; k++) {
		struct index_info *child = m->by_parent[i->first_child + k];

		visit(child, data);
		indexes_walk(m, child, visit, data); /* as deep as partitions are nested */
	}
}

struct size_sum {
	const struct index_model *m;
	int64_t bytes;
	bool estimated;
};

static void add_own_size(struct size_sum *sum, const struct index_info *i)
{
	if (i->kind != 'i')
		return;
	sum->bytes += i->size >= 0 ? i->size : i->pages * sum->m->block_size;
	sum->estimated |= i->size < 0;
}

static void add_size(struct index_info *child, void *data)
{
	add_own_size(data, child);
}

int64_t indexes_size(const struct index_model *m, const struct index_info *i, bool *ret_estimated)
{
	struct size_sum sum = { .m = m };

	add_own_size(&sum, i);
	indexes_walk(m, i, add_size, &sum);
	if (ret_estimated)
		*ret_estimated = sum.estimated;
	return sum.bytes;
}
