/* SPDX-License-Identifier: PostgreSQL */
/*
 * Foreign keys whose own columns no index covers: deleting a row that they refer to, or changing its key, reads the
 * whole referencing table.
 *
 * All conditions are equalities, so any order of the columns will do, as long as they are the first ones of one
 * index that compares as the constraint does.
 */
#include "indexes.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_PAGES 128 /* 1 MiB: reading it whole costs nothing worth a word */

static uint32_t family_of(const struct index_model *m, uint32_t opclass)
{
	size_t low = 0, high = m->classes.len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->classes.items[middle].oid < opclass)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->classes.len && m->classes.items[low].oid == opclass ? m->classes.items[low].family : 0;
}

/* Whether family has the operator as its equality; an operator may be in several. */
static bool is_equality(const struct index_model *m, uint32_t family, uint32_t operator)
{
	size_t low = 0, high = m->equality.len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->equality.items[middle].oid < operator)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->equality.len && m->equality.items[low].oid == operator; low++)
		if (m->equality.items[low].family == family)
			return true;
	return false;
}

static bool method_fits(const struct index_info *i, const struct fkey_info *f)
{
	if (f->period)
		return strcmp(i->method, "gist") == 0;
	return strcmp(i->method, "btree") == 0 || (strcmp(i->method, "hash") == 0 && f->column_count == 1);
}

/* The place of key in f's columns; column_count = it is none of them, or compares otherwise. */
static size_t place_of(const struct index_model *m, const struct index_key *key, const struct fkey_info *f)
{
	for (size_t k = 0; k < f->column_count; k++)
		if (key->attnum == f->columns[k])
			return key->collation == f->collations[k] &&
					       (f->period || is_equality(m, family_of(m, key->opclass), f->operators[k]))
				       ? k
				       : f->column_count;
	return f->column_count;
}

/* Behind "name IS NOT NULL", quoted or not, with parentheses around it; NULL = s is something else. */
static const char *skip_not_null(const char *s, const struct fkey_info *f)
{
	static const char test[] = " IS NOT NULL";

	s += strspn(s, "( ");
	for (size_t k = 0; k < f->names.len; k++) {
		_cleanup_strbuf_ struct strbuf quoted = STRBUF_INIT;
		size_t len;

		pg_add_ident(&quoted, f->names.items[k]);
		len = strncmp(s, quoted.buf, quoted.len) == 0 ? quoted.len : 0;
		if (!len && strncmp(s, f->names.items[k], strlen(f->names.items[k])) == 0)
			len = strlen(f->names.items[k]);
		if (len && strncmp(s + len, test, strlen(test)) == 0) {
			s += len + strlen(test);
			return s + strspn(s, ") ");
		}
	}
	return NULL;
}

bool indexes_predicate_is_implied(const char *predicate, const struct fkey_info *f)
{
	const char *s = predicate;

	while (s && *s) {
		s = skip_not_null(s, f);
		if (s && *s)
			s = strncmp(s, "AND ", 4) == 0 ? s + 4 : NULL;
	}
	return s != NULL;
}

/* How many of f's columns the first columns of i are, whatever their order; each once. */
static size_t covered_columns(const struct index_model *m, const struct index_info *i, const struct fkey_info *f)
{
	bool seen[64] = { false };
	size_t n = 0;

	while (n < i->key_count && n < f->column_count) {
		size_t place = place_of(m, &i->keys[n], f);

		if (place >= f->column_count || place >= 64 || seen[place])
			break;
		seen[place] = true;
		n++;
	}
	return n;
}

/* The best an index of f's table does; *ret_index is that index. */
static size_t best_cover(struct index_model *m, const struct fkey_info *f, struct index_info **ret_index)
{
	size_t best = 0;

	for (size_t k = 0; f->table && k < f->table->index_count; k++) {
		struct index_info *i = m->by_table[f->table->first_index + k];
		size_t n;

		if (!indexes_is_usable(i) || !method_fits(i, f))
			continue;
		if (i->predicate && !indexes_predicate_is_implied(i->predicate, f)) /* not known when locked: then it counts */
			continue;
		n = covered_columns(m, i, f);
		if (n > best) {
			best = n;
			*ret_index = i;
		}
	}
	return best;
}

/* An index that alone covers the constraint must not be called unused. When there are several, each may go but one. */
static void cover(struct index_model *m, struct fkey_info *f)
{
	f->partial_cover = NULL;
	f->covered_columns = best_cover(m, f, &f->partial_cover);
	f->covered = f->covered_columns == f->column_count;
	if (!f->covered)
		return;
	for (struct index_info *i = f->partial_cover; i; i = i->parent)
		i->supports_fkey = true;
}

static struct fkey_info *root_of(struct fkey_info *f)
{
	while (f->parent)
		f = f->parent;
	return f;
}

void indexes_cover_fkeys(struct index_model *m)
{
	for (size_t k = 0; k < m->fkeys.len; k++)
		if (m->fkeys.items[k].enforced)
			cover(m, &m->fkeys.items[k]);
	for (size_t k = 0; k < m->fkeys.len; k++) {
		struct fkey_info *f = &m->fkeys.items[k], *root = root_of(f);

		if (f == root || !f->table || f->table == root->table || f->table->has_children)
			continue;
		root->leaves++;
		root->leaves_covered += f->covered;
	}
	for (size_t k = 0; k < m->fkeys.len; k++) {
		struct fkey_info *f = &m->fkeys.items[k];

		f->covered |= f->leaves && f->leaves == f->leaves_covered;
	}
}

static bool changes_rows(char action)
{
	return action == 'c' || action == 'n' || action == 'd'; /* CASCADE, SET NULL, SET DEFAULT */
}

static int64_t pages_of(const struct index_model *m, const struct table_info *t)
{
	int64_t pages = t->pages > 0 ? t->pages : 0;

	for (size_t k = 0; t->has_children && k < m->tables.len; k++) {
		const struct table_info *p = m->tables.items[k].parent;

		while (p && p != t)
			p = p->parent;
		if (p)
			pages += m->tables.items[k].pages > 0 ? m->tables.items[k].pages : 0;
	}
	return pages;
}

static char *evidence_of(const struct fkey_info *f, int64_t pages)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "constraint", f->name);
	jsonw_array_begin(&j, "columns");
	for (size_t k = 0; k < f->names.len; k++)
		jsonw_string(&j, NULL, f->names.items[k]);
	jsonw_array_end(&j);
	jsonw_stringn(&j, "on_delete", &f->delete_action, 1);
	jsonw_stringn(&j, "on_update", &f->update_action, 1);
	jsonw_double(&j, "deletes", f->referenced ? f->referenced->deletes : 0);
	jsonw_double(&j, "updates", f->referenced ? f->referenced->updates : 0);
	jsonw_int(&j, "pages", pages);
	jsonw_int(&j, "covered_columns", (int64_t)f->covered_columns);
	jsonw_string(&j, "partial_cover", f->partial_cover ? f->partial_cover->name : NULL);
	jsonw_object_end(&j);
	return strbuf_detach(&text);
}

static bool same_columns(const struct fkey_info *a, const struct fkey_info *b)
{
	if (a->table != b->table || a->column_count != b->column_count)
		return false;
	for (size_t k = 0; k < a->column_count; k++) {
		size_t i = 0;

		while (i < b->column_count && b->columns[i] != a->columns[k])
			i++;
		if (i == b->column_count)
			return false;
	}
	return true;
}

static const char *name_of_twin(const struct index_findings *f, const struct fkey_info *fk)
{
	for (size_t k = f->items.len; k-- > 0;) {
		const struct index_finding *x = &f->items.items[k];

		if (x->kind == INDEX_FKEY && same_columns(x->fkey, fk))
			return x->fkey->name;
	}
	return NULL;
}

static char *sentence(const struct fkey_info *f, bool is_small, const char *twin)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, "foreign key ");
	pg_add_display_name(&text, NULL, f->name);
	strbuf_adds(&text, " has no index: a DELETE or a change of the key in ");
	pg_add_display_name(&text, f->referenced ? f->referenced->schema : NULL, f->referenced ? f->referenced->name : "?");
	strbuf_adds(&text, " reads the whole table");
	if (f->covered_columns)
		strbuf_addf(&text, "; %s has %zu of its %zu columns", f->partial_cover->name, f->covered_columns, f->column_count);
	if (is_small)
		strbuf_adds(&text, "; it is small");
	if (twin)
		strbuf_addf(&text, "; the index for %s will do", twin);
	return strbuf_detach(&text);
}

static void judge_one(struct index_model *m, struct fkey_info *fk, struct index_findings *f)
{
	int64_t pages = pages_of(m, fk->table);
	bool is_small = pages < SMALL_PAGES;
	bool hurts = fk->referenced && (fk->referenced->deletes > 0 || fk->referenced->updates > 0 || changes_rows(fk->delete_action));
	const char *twin = name_of_twin(f, fk);
	struct index_finding *x = indexes_add(f, INDEX_FKEY, "indexes.foreign_key",
		is_small || fk->covered_columns || !hurts ? SEVERITY_INFO : SEVERITY_WARNING, VERDICT_CREATE, NULL, fk->table,
		sentence(fk, is_small, twin));
	_cleanup_strbuf_ struct strbuf object = STRBUF_INIT;

	pg_add_display_name(&object, fk->table->schema, fk->table->name);
	strbuf_addch(&object, '.');
	pg_add_display_name(&object, NULL, fk->name);
	x->object = xstrdup(object.buf);
	x->fkey = fk;
	x->no_fix = twin != NULL;
	x->evidence = evidence_of(fk, pages);
	x->rank = (double)pages + 1;
}

void indexes_judge_fkeys(struct index_model *m, struct index_findings *f)
{
	for (size_t k = 0; k < m->fkeys.len; k++) {
		struct fkey_info *fk = &m->fkeys.items[k];

		if (fk->enforced && !fk->parent_oid && !fk->covered && fk->table && fk->table->selected)
			judge_one(m, fk, f);
	}
}
