/* SPDX-License-Identifier: PostgreSQL */
/*
 * The SQL that cures a finding, and the SQL that takes the cure back; one statement a line, so that the
 * script of --sql can set lock_timeout for those that make others wait.
 */
#include "indexes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 63

static void add_index_name(struct strbuf *out, const struct index_info *i)
{
	pg_add_qualified(out, indexes_schema(i), i->name);
}

static void add_table_name(struct strbuf *out, const struct table_info *t)
{
	pg_add_qualified(out, t->schema, t->name);
}

/* --- definitions ------------------------------------------------------------------------------------------- */

/* Behind the identifier at s. */
static const char *skip_ident(const char *s)
{
	if (*s != '"')
		return s + strcspn(s, " .");
	for (s++; *s; s++)
		if (*s == '"' && *++s != '"')
			break;
	return s;
}

static const char *skip_word(const char *s, const char *word)
{
	size_t len = strlen(word);

	return strncmp(s, word, len) == 0 ? s + len : s;
}

/* Where "USING …" begins in what pg_get_indexdef() gives: "CREATE [UNIQUE] INDEX name ON [ONLY] schema.table USING …" */
static const char *tail_of(const char *definition)
{
	const char *s = skip_word(definition, "CREATE ");

	s = skip_word(s, "UNIQUE ");
	s = skip_ident(skip_word(s, "INDEX "));
	s = skip_ident(skip_word(skip_word(s, " ON "), "ONLY "));
	if (*s == '.')
		s = skip_ident(s + 1);
	return skip_word(s, " ");
}

static void add_comment(struct strbuf *out, const struct index_info *i)
{
	if (!i->comment)
		return;
	strbuf_adds(out, "COMMENT ON INDEX ");
	add_index_name(out, i);
	strbuf_adds(out, " IS ");
	pg_add_literal(out, i->comment);
	strbuf_adds(out, ";\n");
}

/* CREATE INDEX as it was; a partitioned one ON ONLY its table, which takes no long lock. */
static void add_create(struct strbuf *out, const struct index_info *i)
{
	const char *rest = strstr(i->definition, "INDEX ") + strlen("INDEX ");

	if (i->tablespace) {
		strbuf_adds(out, "SET default_tablespace = ");
		pg_add_literal(out, i->tablespace);
		strbuf_adds(out, ";\n");
	}
	strbuf_add(out, i->definition, (size_t)(rest - i->definition));
	strbuf_addf(out, "%s%s;\n", i->kind == 'i' ? "CONCURRENTLY " : "", rest);
	if (i->tablespace)
		strbuf_adds(out, "RESET default_tablespace;\n");
	add_comment(out, i);
}

static void add_attach(struct strbuf *out, const char *schema, const char *parent, const char *child_schema, const char *child)
{
	strbuf_adds(out, "ALTER INDEX ");
	pg_add_qualified(out, schema, parent);
	strbuf_adds(out, " ATTACH PARTITION ");
	pg_add_qualified(out, child_schema, child);
	strbuf_adds(out, ";\n");
}

/* The whole tree of a partitioned index, parents first; false when a definition is not known. */
static bool add_create_tree(const struct index_model *m, struct strbuf *out, const struct index_info *i)
{
	if (!i->definition)
		return false;
	add_create(out, i);
	for (size_t k = 0; k < i->child_count; k++) {
		const struct index_info *child = m->by_parent[i->first_child + k];

		if (!add_create_tree(m, out, child))
			return false;
		add_attach(out, indexes_schema(i), i->name, indexes_schema(child), child->name);
	}
	return true;
}

/* --- dropping ---------------------------------------------------------------------------------------------- */

/* ANALYZE keeps statistics of an index's expressions; without the index the planner guesses. Extended statistics keep them. */
static void add_statistics(const struct index_model *m, struct strbuf *fix, struct strbuf *undo, const struct index_info *i)
{
	if (m->version < 140000 || !i->has_expressions || i->opaque || !i->table)
		return;
	for (size_t k = 0, n = 1; k < i->column_count; k++) {
		if (!i->keys[k].expression)
			continue;

		autofree char *suffix = xasprintf("_stat%zu", n++);
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		indexes_cut_name(&name, i->name, suffix);
		strbuf_adds(fix, "CREATE STATISTICS ");
		pg_add_qualified(fix, i->table->schema, name.buf);
		strbuf_addf(fix, " ON (%s) FROM ", i->keys[k].expression);
		add_table_name(fix, i->table);
		strbuf_adds(fix, ";\n");
		strbuf_adds(undo, "DROP STATISTICS ");
		pg_add_qualified(undo, i->table->schema, name.buf);
		strbuf_adds(undo, ";\n");
	}
	strbuf_adds(fix, "ANALYZE ");
	add_table_name(fix, i->table);
	strbuf_adds(fix, ";\n");
}

static void add_constraint_back(struct strbuf *undo, const struct index_info *i)
{
	add_create(undo, i);
	strbuf_adds(undo, "ALTER TABLE ");
	add_table_name(undo, i->table);
	strbuf_adds(undo, " ADD CONSTRAINT ");
	pg_add_ident(undo, i->constraint);
	strbuf_adds(undo, i->constraint_type == 'p' ? " PRIMARY KEY USING INDEX " : " UNIQUE USING INDEX ");
	pg_add_ident(undo, i->name);
	if (!i->immediate)
		strbuf_adds(undo, i->constraint_definition && strstr(i->constraint_definition, "INITIALLY DEFERRED")
					  ? " DEFERRABLE INITIALLY DEFERRED" : " DEFERRABLE");
	strbuf_adds(undo, ";\n");
}

static void add_marks_back(struct strbuf *undo, const struct index_info *i)
{
	if (i->clustered) {
		strbuf_adds(undo, "ALTER TABLE ");
		add_table_name(undo, i->table);
		strbuf_adds(undo, " CLUSTER ON ");
		pg_add_ident(undo, i->name);
		strbuf_adds(undo, ";\n");
	}
	if (i->replident && i->constraint_type != 'p') {
		strbuf_adds(undo, "ALTER TABLE ");
		add_table_name(undo, i->table);
		strbuf_adds(undo, " REPLICA IDENTITY USING INDEX ");
		pg_add_ident(undo, i->name);
		strbuf_adds(undo, ";\n");
	}
}

/* Dropping an index that serves, and making it again. */
static void add_drop(struct index_model *m, struct index_finding *x)
{
	const struct index_info *i = x->index;
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT, undo = STRBUF_INIT, back = STRBUF_INIT;
	bool complete = true;

	if (!i->definition || !i->table)
		return; /* its table is locked: no way back can be given, so no way there */
	if (i->has_expressions && x->kind == INDEX_UNUSED)
		add_statistics(m, &fix, &back, i);
	if (i->constraint) {
		strbuf_adds(&fix, "ALTER TABLE ");
		add_table_name(&fix, i->table);
		strbuf_adds(&fix, " DROP CONSTRAINT ");
		pg_add_ident(&fix, i->constraint);
		if (i->kind == 'i')
			add_constraint_back(&undo, i);
		else
			complete = false;
	} else {
		strbuf_adds(&fix, i->kind == 'i' ? "DROP INDEX CONCURRENTLY " : "DROP INDEX ");
		add_index_name(&fix, i);
		complete = add_create_tree(m, &undo, i);
	}
	strbuf_adds(&fix, ";\n");
	if (!complete || i->fkeys)
		return;
	add_marks_back(&undo, i);
	strbuf_adds(&undo, back.buf);
	x->fix = strbuf_detach(&fix);
	x->undo = strbuf_detach(&undo);
}

/* --- invalid ones ------------------------------------------------------------------------------------------ */

static void add_simple(struct index_finding *x, const char *command)
{
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT;

	strbuf_addf(&fix, "%s INDEX CONCURRENTLY ", command);
	add_index_name(&fix, x->index);
	strbuf_adds(&fix, ";\n");
	x->fix = strbuf_detach(&fix);
}

static struct index_info *attached_to(const struct index_model *m, const struct table_info *t, const struct index_info *parent)
{
	for (size_t k = 0; k < t->index_count; k++)
		if (m->by_table[t->first_index + k]->parent == parent)
			return m->by_table[t->first_index + k];
	return NULL;
}

/* An index of t that could be attached: the same but for its name. */
static struct index_info *attachable(const struct index_model *m, const struct table_info *t, const struct index_info *parent,
	const char *tail)
{
	for (size_t k = 0; k < t->index_count; k++) {
		struct index_info *i = m->by_table[t->first_index + k];

		if (!indexes_is_attached(i) && i->definition && i->unique == parent->unique && indexes_is_usable(i) &&
			strcmp(tail_of(i->definition), tail) == 0)
			return i;
	}
	return NULL;
}

static void attach_partitions(struct index_model *m, struct strbuf *fix, const struct table_info *t, const struct index_info *root,
	const struct index_info *parent, const char *parent_name, const char *tail);

/* Makes an index of partition p and attaches it. */
static void create_and_attach(struct index_model *m, struct strbuf *fix, const struct table_info *p, const struct index_info *root,
	const char *parent_schema, const char *parent_name, const char *tail)
{
	autofree char *suffix = xasprintf("_%s", root->name);
	autofree char *name = indexes_new_name(m, p->name, suffix);

	strbuf_addf(fix, "CREATE %sINDEX %s", root->unique ? "UNIQUE " : "", p->has_children ? "" : "CONCURRENTLY ");
	pg_add_ident(fix, name);
	strbuf_adds(fix, p->has_children ? " ON ONLY " : " ON ");
	add_table_name(fix, p);
	strbuf_addf(fix, " %s;\n", tail);
	if (p->has_children)
		attach_partitions(m, fix, p, root, NULL, name, tail);
	add_attach(fix, parent_schema, parent_name, p->schema, name);
}

/* parent NULL: the index called parent_name is only going to be made. */
static void attach_partitions(struct index_model *m, struct strbuf *fix, const struct table_info *t, const struct index_info *root,
	const struct index_info *parent, const char *parent_name, const char *tail)
{
	for (size_t k = 0; k < m->tables.len; k++) {
		const struct table_info *p = &m->tables.items[k];
		const struct index_info *have = p->parent == t && parent ? attached_to(m, p, parent) : NULL;

		if (p->parent != t || (have && indexes_is_usable(have)))
			continue;
		if (have && have->kind == 'I') {
			attach_partitions(m, fix, p, root, have, have->name, tail);
		} else if (have) {
			strbuf_adds(fix, "REINDEX INDEX CONCURRENTLY ");
			add_index_name(fix, have);
			strbuf_adds(fix, ";\n");
		} else if ((have = attachable(m, p, root, tail)) != NULL) {
			add_attach(fix, t->schema, parent_name, p->schema, have->name);
		} else {
			create_and_attach(m, fix, p, root, t->schema, parent_name, tail);
		}
	}
}

static void add_attach_all(struct index_model *m, struct index_finding *x)
{
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT;

	if (!x->index->definition || !x->table)
		return;
	attach_partitions(m, &fix, x->table, x->index, x->index, x->index->name, tail_of(x->index->definition));
	if (fix.len)
		x->fix = strbuf_detach(&fix);
}

/* --- names ------------------------------------------------------------------------------------------------- */

void indexes_cut_name(struct strbuf *out, const char *base, const char *suffix)
{
	size_t room = NAME_MAX_BYTES - (strlen(suffix) < NAME_MAX_BYTES / 2 ? strlen(suffix) : NAME_MAX_BYTES / 2);
	size_t len = strlen(base), rest;

	if (len > room)
		len = room;
	while (len && ((unsigned char)base[len] & 0xC0) == 0x80)
		len--; /* never half a character */
	strbuf_add(out, base, len);
	rest = strlen(suffix);
	if (rest > NAME_MAX_BYTES - len)
		rest = NAME_MAX_BYTES - len;
	while (rest && ((unsigned char)suffix[rest] & 0xC0) == 0x80)
		rest--;
	strbuf_add(out, suffix, rest);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_names(struct index_model *m)
{
	m->names = xcalloc(m->tables.len + m->indexes.len + 1, sizeof(*m->names));
	for (size_t k = 0; k < m->tables.len; k++)
		m->names[m->name_count++] = m->tables.items[k].name;
	for (size_t k = 0; k < m->indexes.len; k++)
		m->names[m->name_count++] = m->indexes.items[k].name;
	qsort(m->names, m->name_count, sizeof(*m->names), compare_names);
}

static bool is_taken(struct index_model *m, const char *name)
{
	if (!m->names)
		collect_names(m);
	return bsearch(&name, m->names, m->name_count, sizeof(*m->names), compare_names) || strvec_contains(&m->new_names, name);
}

char *indexes_new_name(struct index_model *m, const char *base, const char *suffix)
{
	for (unsigned n = 0;; n++) {
		autofree char *more = n ? xasprintf("%.48s%u", suffix, n) : xstrdup(suffix);
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		indexes_cut_name(&name, base, more);
		if (is_taken(m, name.buf))
			continue;
		strvec_push(&m->new_names, name.buf);
		return strbuf_detach(&name);
	}
}

/* --- creating ---------------------------------------------------------------------------------------------- */

/* An index on columns of t, partitions included. */
static void add_new(struct index_model *m, struct index_finding *x, const char *suffix, const char *tail)
{
	const struct table_info *t = x->table;
	autofree char *name = indexes_new_name(m, t->name, suffix);
	const struct index_info root = { .name = name };
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT, undo = STRBUF_INIT;

	strbuf_addf(&fix, "CREATE INDEX %s", t->kind == 'p' ? "" : "CONCURRENTLY ");
	pg_add_ident(&fix, name);
	strbuf_adds(&fix, t->kind == 'p' ? " ON ONLY " : " ON ");
	add_table_name(&fix, t);
	strbuf_addf(&fix, " %s;\n", tail);
	if (t->kind == 'p')
		attach_partitions(m, &fix, t, &root, NULL, name, tail);
	strbuf_adds(&undo, t->kind == 'p' ? "DROP INDEX " : "DROP INDEX CONCURRENTLY ");
	pg_add_qualified(&undo, t->schema, name);
	strbuf_adds(&undo, ";\n");
	x->fix = strbuf_detach(&fix);
	x->undo = strbuf_detach(&undo);
}

static void add_fkey_index(struct index_model *m, struct index_finding *x)
{
	_cleanup_strbuf_ struct strbuf suffix = STRBUF_INIT, tail = STRBUF_INIT;

	strbuf_adds(&tail, x->fkey->period ? "USING gist (" : "(");
	for (size_t k = 0; k < x->fkey->names.len; k++) {
		strbuf_addf(&suffix, "_%s", x->fkey->names.items[k]);
		strbuf_adds(&tail, k ? ", " : "");
		pg_add_ident(&tail, x->fkey->names.items[k]);
	}
	strbuf_adds(&suffix, "_idx");
	strbuf_adds(&tail, ")");
	add_new(m, x, suffix.buf, tail.buf);
}

static void add_column_index(struct index_model *m, struct index_finding *x)
{
	autofree char *suffix = xasprintf("_%s_idx", x->column);
	_cleanup_strbuf_ struct strbuf tail = STRBUF_INIT;

	strbuf_addch(&tail, '(');
	pg_add_ident(&tail, x->column);
	strbuf_addch(&tail, ')');
	add_new(m, x, suffix, tail.buf);
}

/* ----------------------------------------------------------------------------------------------------------- */

void indexes_add_sql(struct index_model *m, struct index_findings *f)
{
	for (size_t k = 0; k < f->items.len; k++) {
		struct index_finding *x = &f->items.items[k];

		if (x->kind == INDEX_BLOAT) {
			add_simple(x, "REINDEX");
			continue;
		}
		switch (x->verdict) {
		case VERDICT_CANDIDATE:
		case VERDICT_REVIEW:
			if (x->index && x->kind >= INDEX_DUPLICATE && x->kind <= INDEX_UNUSED)
				add_drop(m, x);
			break;
		case VERDICT_DROP:
			add_simple(x, "DROP");
			break;
		case VERDICT_REBUILD:
			add_simple(x, "REINDEX");
			break;
		case VERDICT_ATTACH:
			add_attach_all(m, x);
			break;
		case VERDICT_CREATE:
			if (x->fkey && !x->no_fix)
				add_fkey_index(m, x);
			else if (x->column)
				add_column_index(m, x);
			break;
		default:
			break;
		}
	}
}
