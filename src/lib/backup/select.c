/* SPDX-License-Identifier: PostgreSQL */
#include "select.h"

#include <fnmatch.h>
#include "strbuf.h"
#include "xalloc.h"

static const char *const relation_kinds[] = { "TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", NULL };

static bool one_of(const char *desc, const char *const *kinds)
{
	for (; *kinds; kinds++)
		if (strcmp(desc, *kinds) == 0)
			return true;
	return false;
}

/* Takes one part of a name written as SQL writes it ("My Table", with "" for a quote; or bare) and
 * moves *p behind it. Caller frees. */
static char *take_name(const char **p)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	bool quoted = **p == '"';

	for (*p += quoted; **p && (quoted || **p != '.'); (*p)++) {
		if (quoted && **p == '"' && *++(*p) != '"')
			break;
		strbuf_addch(&sb, **p);
	}
	return strbuf_detach(&sb);
}

/* With quotes a name means itself: no wildcards. */
static bool matches_quoted(const struct toc_entry *e, const char *pattern)
{
	autofree char *first = take_name(&pattern);
	autofree char *second = *pattern == '.' ? (pattern++, take_name(&pattern)) : NULL;

	if (!second)
		return strcmp(first, e->tag) == 0;
	return e->schema && strcmp(first, e->schema) == 0 && strcmp(second, e->tag) == 0;
}

/* "name" matches in any schema, "schema.name" in that one. */
static bool matches_relation(const struct toc_entry *e, const char *pattern)
{
	if (strchr(pattern, '"') && one_of(e->desc, relation_kinds) && matches_quoted(e, pattern))
		return true;

	autofree char *qualified = xasprintf("%s.%s", e->schema ? e->schema : "", e->tag);

	return one_of(e->desc, relation_kinds) &&
	       (fnmatch(pattern, qualified, 0) == 0 || (!strchr(pattern, '.') && fnmatch(pattern, e->tag, 0) == 0) ||
		       strcmp(pattern, e->tag) == 0);
}

static bool matches_schema(const struct toc_entry *e, const char *pattern)
{
	if (strcmp(e->desc, "SCHEMA") == 0)
		return fnmatch(pattern, e->tag, 0) == 0;
	return e->schema && fnmatch(pattern, e->schema, 0) == 0;
}

struct selection {
	const struct toc *toc;
	bool *selected;
	bool *named; /* by the user's own words */
	const struct toc_entry **by_id; /* sorted: a damaged TOC may have any ids, so they index nothing */
	struct { size_t *items; size_t len, alloc; } schemas; /* entries that are schemas */
};

static int compare_ids(const void *a, const void *b)
{
	const struct toc_entry *const *x = a, *const *y = b;

	return ((*x)->dump_id > (*y)->dump_id) - ((*x)->dump_id < (*y)->dump_id);
}

/* -1 = not in the TOC. */
static int index_of(const struct selection *s, int dump_id)
{
	const struct toc_entry key = { .dump_id = dump_id }, *wanted = &key;
	const struct toc_entry **found = bsearch(&wanted, s->by_id, s->toc->len, sizeof(wanted), compare_ids);

	return found ? (int)(*found - s->toc->items) : -1;
}

static void build_index(struct selection *s)
{
	s->by_id = xcalloc(s->toc->len, sizeof(const struct toc_entry *));
	for (size_t i = 0; i < s->toc->len; i++) {
		s->by_id[i] = &s->toc->items[i];
		if (strcmp(s->toc->items[i].desc, "SCHEMA") == 0)
			*vec_push(&s->schemas) = i;
	}
	qsort(s->by_id, s->toc->len, sizeof(const struct toc_entry *), compare_ids);
}

static bool select_matching(struct selection *s, const struct strvec *patterns,
	bool (*matches)(const struct toc_entry *, const char *), const char *what, struct error *err)
{
	for (size_t k = 0; k < patterns->len; k++) {
		bool any = false;

		for (size_t i = 0; i < s->toc->len; i++)
			if (matches(&s->toc->items[i], patterns->items[k]))
				s->selected[i] = s->named[i] = any = true;
		if (!any) {
			error_set(err, EXIT_NOT_FOUND, "the backup has no %s \"%s\"", what, patterns->items[k]);
			return error_hint(err, "See \"dbops restore BACKUP --list\" for what it has.");
		}
	}
	return true;
}

/* Kinds that a selected object needs and that do no harm when they come along. */
static bool may_come_along(const struct toc_entry *e)
{
	static const char *const kinds[] = { "TYPE", "SHELL TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "AGGREGATE",
		"EXTENSION", "COLLATION", "SCHEMA", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "CAST",
		"TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "ACCESS METHOD", "PROCEDURAL LANGUAGE",
		"FOREIGN DATA WRAPPER", "SERVER", NULL };

	return one_of(e->desc, kinds);
}

/* One round towards what the selected entries need; true when something was added. */
static bool add_needed(struct selection *s)
{
	bool changed = false;

	for (size_t i = 0; i < s->toc->len; i++) {
		const struct toc_entry *e = &s->toc->items[i];

		for (size_t d = 0; s->selected[i] && d < e->n_deps; d++) {
			int k = index_of(s, e->deps[d]);

			/* a sequence of its own that a default counts with: the table cannot be created without it */
			if (k >= 0 && !s->selected[k] &&
				(may_come_along(&s->toc->items[k]) || strcmp(s->toc->items[k].desc, "SEQUENCE") == 0))
				s->selected[k] = changed = true;
		}
		if (!s->selected[i] || !e->schema)
			continue;
		for (size_t k = 0; k < s->schemas.len; k++) {
			size_t at = s->schemas.items[k];

			if (!s->selected[at] && strcmp(s->toc->items[at].tag, e->schema) == 0)
				s->selected[at] = changed = true;
		}
	}
	return changed;
}

/* One round towards what belongs to selected relations: entries that depend on at least one
 * selected entry that is no mere companion, and on nothing left out. */
static bool add_belonging(struct selection *s)
{
	bool changed = false;

	for (size_t i = 0; i < s->toc->len; i++) {
		const struct toc_entry *e = &s->toc->items[i];
		bool belongs = false, complete = true;

		if (s->selected[i] || one_of(e->desc, relation_kinds))
			continue;
		for (size_t d = 0; d < e->n_deps; d++) {
			int k = index_of(s, e->deps[d]);

			if (k < 0)
				continue;
			if (!s->selected[k])
				complete = complete && may_come_along(&s->toc->items[k]);
			else
				belongs = belongs || !may_come_along(&s->toc->items[k]);
		}
		if (belongs && complete)
			s->selected[i] = changed = true;
	}
	return changed;
}

/* An owned sequence (serial, identity) depends on its table; others depend on none. */
static bool add_owned_sequences(struct selection *s)
{
	static const char *const owners[] = { "TABLE", "FOREIGN TABLE", NULL };
	bool changed = false;

	for (size_t i = 0; i < s->toc->len; i++) {
		const struct toc_entry *e = &s->toc->items[i];

		if (s->selected[i] || strcmp(e->desc, "SEQUENCE") != 0)
			continue;
		for (size_t d = 0; d < e->n_deps; d++) {
			int k = index_of(s, e->deps[d]);

			if (k >= 0 && s->selected[k] && one_of(s->toc->items[k].desc, owners))
				s->selected[i] = changed = true;
		}
	}
	return changed;
}

/* What needs something that is not selected cannot be created (a publication's table without the
 * publication, a view on a table of another schema): it stays out. Returns how many. */
static size_t leave_out_incomplete(struct selection *s)
{
	size_t total = 0, removed;

	do {
		removed = 0;
		for (size_t i = 0; i < s->toc->len; i++) {
			const struct toc_entry *e = &s->toc->items[i];

			for (size_t d = 0; s->selected[i] && d < e->n_deps; d++) {
				int k = index_of(s, e->deps[d]);

				if (k >= 0 && !s->selected[k]) {
					s->selected[i] = false;
					removed++;
				}
			}
		}
		total += removed;
	} while (removed);
	return total;
}

/* The partitions of a selected table: "TABLE ATTACH" has the partition's name and depends on both. */
static bool add_partitions(struct selection *s)
{
	bool changed = false;

	for (size_t i = 0; i < s->toc->len; i++) {
		const struct toc_entry *e = &s->toc->items[i];
		bool parent = false;
		int child = -1;

		if (strcmp(e->desc, "TABLE ATTACH") != 0)
			continue;
		for (size_t d = 0; d < e->n_deps; d++) {
			int k = index_of(s, e->deps[d]);

			if (k >= 0 && strcmp(s->toc->items[k].tag, e->tag) == 0 && s->toc->items[k].schema && e->schema &&
				strcmp(s->toc->items[k].schema, e->schema) == 0)
				child = k;
			else
				parent = parent || (k >= 0 && s->selected[k]);
		}
		if (parent && child >= 0 && !s->selected[child])
			s->selected[child] = changed = true;
	}
	return changed;
}

/* "table constraint" is the tag of a key: the table that has it, not the one it refers to. */
static bool is_key_of(const struct toc_entry *key, const struct toc_entry *table)
{
	size_t n = strlen(table->tag);

	return strcmp(table->desc, "TABLE") == 0 && strncmp(key->tag, table->tag, n) == 0 && key->tag[n] == ' ';
}

/* Foreign keys of selected tables to tables that are not. */
static size_t count_lost_keys(const struct selection *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->toc->len; i++) {
		const struct toc_entry *e = &s->toc->items[i];
		bool ours = false;

		for (size_t d = 0; !s->selected[i] && strcmp(e->desc, "FK CONSTRAINT") == 0 && d < e->n_deps; d++) {
			int k = index_of(s, e->deps[d]);

			ours = ours || (k >= 0 && s->selected[k] && is_key_of(e, &s->toc->items[k]));
		}
		n += ours;
	}
	return n;
}

/* What was asked for by name and cannot be restored alone is an error, not a smaller success. */
static bool named_are_there(const struct selection *s, const struct strvec *tables, struct error *err)
{
	for (size_t i = 0; tables->len && i < s->toc->len; i++) {
		const struct toc_entry *e = &s->toc->items[i];

		if (!s->named[i] || s->selected[i])
			continue;
		error_set(err, EXIT_USAGE, "%s \"%s.%s\" cannot be restored alone", e->desc, e->schema ? e->schema : "", e->tag);
		for (size_t d = 0; d < e->n_deps; d++) {
			int k = index_of(s, e->deps[d]);

			if (k >= 0 && !s->selected[k])
				error_detail(err, "It needs %s \"%s\".", s->toc->items[k].desc, s->toc->items[k].tag);
		}
		return error_hint(err, "Name what it needs with further --table options.");
	}
	return true;
}

/* The session's settings always go with it. */
static void add_settings(struct selection *s)
{
	static const char *const kinds[] = { "ENCODING", "STDSTRINGS", "SEARCHPATH", NULL };

	for (size_t i = 0; i < s->toc->len; i++)
		if (one_of(s->toc->items[i].desc, kinds))
			s->selected[i] = true;
}

static bool choose(struct selection *s, const struct strvec *tables, const struct strvec *schemas, size_t *ret_left_out,
	struct error *err)
{
	if (!select_matching(s, tables, matches_relation, "table", err) ||
		!select_matching(s, schemas, matches_schema, "schema", err))
		return false;
	for (bool changed = true; changed;) {
		changed = add_owned_sequences(s);
		changed = add_partitions(s) || changed;
		changed = add_belonging(s) || changed;
		changed = add_needed(s) || changed;
	}
	*ret_left_out = leave_out_incomplete(s) + count_lost_keys(s);
	add_settings(s);
	return named_are_there(s, tables, err);
}

/* Types, functions and schemas that nobody named: in a live database they are likely there. */
static bool *companions(const struct selection *s)
{
	bool *companion = xcalloc(s->toc->len, sizeof(*companion));

	for (size_t i = 0; i < s->toc->len; i++)
		companion[i] = s->selected[i] && !s->named[i] && may_come_along(&s->toc->items[i]);
	return companion;
}

bool *select_entries(const struct toc *t, const struct strvec *tables, const struct strvec *schemas, bool **ret_companion,
	size_t *ret_left_out, struct error *err)
{
	autofree bool *selected = xcalloc(t->len, sizeof(*selected)), *named = xcalloc(t->len, sizeof(*named));
	struct selection s = { .toc = t, .selected = selected, .named = named };
	bool ok = true;

	*ret_left_out = 0;
	*ret_companion = NULL;
	if (tables->len || schemas->len) {
		build_index(&s);
		ok = choose(&s, tables, schemas, ret_left_out, err);
		if (ok)
			*ret_companion = companions(&s);
		free(s.by_id);
		vec_release(&s.schemas);
	} else {
		memset(selected, true, t->len * sizeof(*selected));
	}
	return ok ? steal(selected) : NULL;
}
