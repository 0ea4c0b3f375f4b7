/* SPDX-License-Identifier: PostgreSQL */
/*
 * Indexes that must exist, as a list of CREATE INDEX statements.
 *
 * A statement and what pg_get_indexdef() gives are both cut into words and brought to one form: names without schema,
 * no parentheses, no casts, no defaults (btree, ASC), IN as = ANY. What differs then is reported with both texts, for a
 * person to judge: the server alone knows whether two expressions mean the same.
 */
#include "indexes_expect.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- words ------------------------------------------------------------------------------------------------- */

struct word {
	const char *start;  /* in the source */
	size_t len;
	char *text;         /* identifiers: as the catalog has them; owned */
	bool quoted;
};

struct words {
	VEC(struct word) items;
};

static void words_release(struct words *w)
{
	for (size_t k = 0; k < w->items.len; k++)
		free(w->items.items[k].text);
	vec_release(&w->items);
}
#define _cleanup_words_ _cleanup_(words_release)

static const char *skip_space(const char *s)
{
	for (;;) {
		s += strspn(s, " \t\r\n\f\v");
		if (strncmp(s, "--", 2) == 0) {
			s += strcspn(s, "\n");
		} else if (strncmp(s, "/*", 2) == 0) {
			const char *end = strstr(s, "*/");

			s = end ? end + 2 : s + strlen(s);
		} else {
			return s;
		}
	}
}

static bool is_word_char(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* Behind the quoted thing at s; NULL = it does not end. */
static const char *end_of_quoted(const char *s, char quote)
{
	for (s++; *s; s++)
		if (*s == quote && *++s != quote)
			return s;
	return NULL;
}

static char *unquoted(const char *start, const char *end)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (const char *s = start + 1; s < end - 1; s++) {
		strbuf_addch(&text, *s);
		s += *s == '"';
	}
	return strbuf_detach(&text);
}

static char *lower(const char *start, size_t len)
{
	char *text = xstrndup(start, len);

	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

static const char *end_of_operator(const char *s)
{
	size_t n = strspn(s, "<>=!~*+-/%^&|@#?`");

	if (n)
		return s + n;
	return s + (strncmp(s, "::", 2) == 0 ? 2 : 1);
}

/* Words up to ';' or the end; *s is moved behind it. False: a quote does not end. */
static bool read_words(const char **s, struct words *ret)
{
	for (const char *p = *s, *end;; p = end) {
		p = skip_space(p);
		*s = *p == ';' ? p + 1 : p;
		if (!*p || *p == ';')
			return true;

		bool string = *p == '\'', quoted = *p == '"';

		if (string || quoted)
			end = end_of_quoted(p, *p);
		else if (is_word_char((unsigned char)*p))
			for (end = p; is_word_char((unsigned char)*end); end++)
				;
		else
			end = end_of_operator(p);
		if (!end)
			return false;
		*vec_push(&ret->items) = (struct word){ p, (size_t)(end - p),
			quoted ? unquoted(p, end) : string ? xstrndup(p, (size_t)(end - p)) : lower(p, (size_t)(end - p)), quoted };
	}
}

static bool is(const struct words *w, size_t k, const char *text)
{
	return k < w->items.len && !w->items.items[k].quoted && strcmp(w->items.items[k].text, text) == 0;
}

/* --- one form ---------------------------------------------------------------------------------------------- */

/* Behind the type at k: "text", "character varying(10)", "timestamp without time zone", "int4[]". */
static size_t skip_type(const struct words *w, size_t k)
{
	k++;
	while (is(w, k, "."))
		k += 2;
	while (is(w, k, "varying") || is(w, k, "precision") || is(w, k, "without") || is(w, k, "with") || is(w, k, "time") || is(w, k, "zone"))
		k++;
	if (is(w, k, "(")) {
		while (k < w->items.len && !is(w, k, ")"))
			k++;
		k++;
	}
	while (is(w, k, "["))
		while (k < w->items.len && !is(w, k++, "]"))
			;
	return k;
}

/* What another spelling stands for; NULL = itself. */
static const char *synonym(const struct words *w, size_t k)
{
	static const char *const table[][2] = {
		{ "!=", "<>" }, { "like", "~~" }, { "ilike", "~~*" }, { "in", "= any array" },
	};

	for (size_t n = 0; n < sizeof(table) / sizeof(*table); n++)
		if (is(w, k, table[n][0]))
			return table[n][1];
	return NULL;
}

static bool is_default(const struct words *w, size_t k)
{
	bool descending = k > 0 && is(w, k - 1, "desc");

	if (is(w, k, "asc"))
		return true;
	return is(w, k, "nulls") && ((is(w, k + 1, "first") && descending) || (is(w, k + 1, "last") && !descending));
}

static void add_word(struct strbuf *out, const struct word *w, const char *text)
{
	if (out->len)
		strbuf_addch(out, ' ');
	if (text)
		strbuf_adds(out, text);
	else if (w->quoted && strspn(w->text, "abcdefghijklmnopqrstuvwxyz0123456789_$") != strlen(w->text))
		strbuf_addf(out, "\"%s\"", w->text);
	else
		strbuf_adds(out, w->text);
}

/* Storage parameters and the tablespace do not make another index. */
static size_t skip_storage(const struct words *w, size_t k)
{
	if (is(w, k, "tablespace"))
		return k + 2;
	if (!is(w, k, "with") || !is(w, k + 1, "("))
		return k;
	while (k < w->items.len && !is(w, k, ")"))
		k++;
	return k + 1;
}

/* The words from k on in one form. */
static char *normal_form(const struct words *w, size_t k)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	while (k < w->items.len) {
		size_t next = skip_storage(w, k);

		if (next > k) {
			k = next;
		} else if (is(w, k, "(") || is(w, k, ")") || is(w, k, "[") || is(w, k, "]")) {
			k++;
		} else if (is(w, k, "::")) {
			k = skip_type(w, k + 1);
		} else if (is_default(w, k)) {
			k += is(w, k, "asc") ? 1 : 2;
		} else if (is(w, k + 1, ".")) {
			k += 2; /* a schema */
		} else {
			add_word(&out, &w->items.items[k], synonym(w, k));
			k++;
		}
	}
	return strbuf_detach(&out);
}

/* --- statements -------------------------------------------------------------------------------------------- */

static void expected_release(struct expected_index *e)
{
	free(e->schema);
	free(e->table);
	free(e->name);
	free(e->method);
	free(e->form);
	free(e->head);
	free(e->tail);
}

void indexes_expected_release(struct expected_indexes *e)
{
	for (size_t k = 0; k < e->items.len; k++)
		expected_release(&e->items.items[k]);
	vec_release(&e->items);
}

static char *source(const struct words *w, size_t from, size_t to)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (size_t k = from; k < to; k++) {
		if (k > from && w->items.items[k - 1].start + w->items.items[k - 1].len < w->items.items[k].start)
			strbuf_addch(&text, ' ');
		strbuf_add(&text, w->items.items[k].start, w->items.items[k].len);
	}
	return strbuf_detach(&text);
}

static char *take(const struct words *w, size_t *k)
{
	return *k < w->items.len ? xstrdup(w->items.items[(*k)++].text) : xstrdup("");
}

/* A name that may have a schema before it. */
static void take_name(const struct words *w, size_t *k, char **ret_schema, char **ret_name)
{
	*ret_name = take(w, k);
	if (!is(w, *k, "."))
		return;
	++*k;
	*ret_schema = *ret_name;
	*ret_name = take(w, k);
}

static bool parse(const struct words *w, struct expected_index *e)
{
	size_t k = 1;
	autofree char *index_schema = NULL;

	if (!is(w, 0, "create"))
		return false;
	e->unique = is(w, k, "unique");
	k += e->unique;
	if (!is(w, k++, "index"))
		return false;
	k += is(w, k, "concurrently");
	if (is(w, k, "if"))
		k += 3; /* IF NOT EXISTS */
	if (!is(w, k, "on"))
		take_name(w, &k, &index_schema, &e->name);
	if (!is(w, k++, "on"))
		return false;
	k += is(w, k, "only");

	size_t table = k;

	take_name(w, &k, &e->schema, &e->table);
	e->method = is(w, k, "using") ? (k++, take(w, &k)) : xstrdup("btree");
	if (!is(w, k, "("))
		return false;
	e->form = normal_form(w, k);
	e->head = xasprintf("CREATE %sINDEX ", e->unique ? "UNIQUE " : "");
	e->tail = source(w, table, w->items.len);
	return true;
}

bool indexes_expect_add(struct expected_indexes *e, const char *text, struct error *err)
{
	const char *s = text;

	for (size_t n = 1;; n++) {
		_cleanup_words_ struct words w = { 0 };
		struct expected_index one = { 0 };
		bool whole = read_words(&s, &w);

		if (whole && !w.items.len && !*skip_space(s))
			return true;
		if (whole && !w.items.len)
			continue;
		if (!whole || !parse(&w, &one)) {
			autofree char *begin = w.items.len ? source(&w, 0, w.items.len < 6 ? w.items.len : 6) : xstrdup("");

			expected_release(&one);
			error_set(err, EXIT_USAGE, "statement %zu of the expected indexes is no CREATE INDEX statement", n);
			error_detail(err, "It begins with: %s", begin);
			return error_hint(err, "Write one CREATE INDEX statement for each index that must exist.");
		}
		*vec_push(&e->items) = one;
	}
}

/* --- comparing --------------------------------------------------------------------------------------------- */

static bool is_table(const struct table_info *t, const struct expected_index *e)
{
	return t && strcmp(t->name, e->table) == 0 && (!e->schema || strcmp(t->schema, e->schema) == 0);
}

void indexes_expect_want(struct index_model *m, const struct expected_indexes *e)
{
	for (size_t k = 0; k < m->tables.len; k++) {
		const struct table_info *t = &m->tables.items[k];

		for (size_t n = 0; n < e->items.len; n++)
			for (size_t i = 0; is_table(t, &e->items.items[n]) && i < t->index_count; i++)
				m->by_table[t->first_index + i]->wanted = true;
	}
}

static char *form_of(const char *definition)
{
	_cleanup_words_ struct words w = { 0 };
	const char *s = definition;
	struct expected_index e = { 0 };
	char *form = NULL;

	if (read_words(&s, &w) && parse(&w, &e))
		form = steal(e.form);
	expected_release(&e);
	return form;
}

static bool is_same(const struct index_info *i, const struct expected_index *e)
{
	autofree char *form = i->definition ? form_of(i->definition) : NULL;

	return form && i->unique == e->unique && strcmp(i->method, e->method) == 0 && strcmp(form, e->form) == 0;
}

static char *evidence_of(const struct expected_index *e, const struct index_info *i)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_stringf(&j, "expected", "%s%s%sON %s", e->head, e->name ? e->name : "", e->name ? " " : "", e->tail);
	jsonw_string(&j, "found", i ? i->definition : NULL);
	jsonw_object_end(&j);
	return strbuf_detach(&text);
}

struct match {
	struct table_info *table;
	struct index_info *by_name, *by_form;
	bool locked; /* some definition is not known */
};

static struct match look_for(const struct index_model *m, const struct expected_index *e)
{
	struct match found = { 0 };

	for (size_t k = 0; k < m->tables.len; k++) {
		struct table_info *t = &m->tables.items[k];

		if (!is_table(t, e))
			continue;
		found.table = t;
		for (size_t n = 0; n < t->index_count; n++) {
			struct index_info *i = m->by_table[t->first_index + n];

			found.locked |= !i->definition;
			if (e->name && strcmp(i->name, e->name) == 0)
				found.by_name = i;
			if (is_same(i, e) && (!found.by_form || !indexes_is_usable(found.by_form)))
				found.by_form = i;
		}
	}
	return found;
}

static struct index_finding *add(struct index_findings *f, const struct expected_index *e, const struct match *found, const char *id,
	enum severity severity, enum index_verdict verdict, struct index_info *i, char *reason_take)
{
	struct index_finding *x = indexes_add(f, INDEX_EXPECTED, id, severity, verdict, i, found->table, reason_take);

	x->evidence = evidence_of(e, i);
	if (!i) {
		_cleanup_strbuf_ struct strbuf object = STRBUF_INIT;

		pg_add_display_name(&object, found->table ? found->table->schema : e->schema, e->table);
		if (e->name) {
			strbuf_addch(&object, '.');
			pg_add_display_name(&object, NULL, e->name);
		}
		x->object = xstrdup(object.buf);
	}
	return x;
}

/* The index is made as it was written down; CONCURRENTLY, which a partitioned table does not allow. */
static void add_create(struct index_model *m, struct index_finding *x, const struct expected_index *e)
{
	const struct table_info *t = x->table;
	autofree char *name = e->name ? xstrdup(e->name) : indexes_new_name(m, e->table, "_idx");
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT, undo = STRBUF_INIT;
	const char *concurrently = t->kind == 'p' ? "" : "CONCURRENTLY ";

	strbuf_addf(&fix, "%s%s", e->head, concurrently);
	pg_add_ident(&fix, name);
	strbuf_adds(&fix, " ON ");
	if (!e->schema) {
		pg_add_ident(&fix, t->schema);
		strbuf_addch(&fix, '.');
	}
	strbuf_addf(&fix, "%s;\n", e->tail);
	strbuf_addf(&undo, "DROP INDEX %s", concurrently);
	pg_add_qualified(&undo, t->schema, name);
	strbuf_adds(&undo, ";\n");
	x->fix = strbuf_detach(&fix);
	x->undo = strbuf_detach(&undo);
}

static void judge_one(struct index_model *m, const struct expected_index *e, struct index_findings *f)
{
	struct match found = look_for(m, e);
	struct index_info *i = found.by_form && indexes_is_usable(found.by_form) ? found.by_form : found.by_name ? found.by_name : found.by_form;

	if (!found.table) {
		add(f, e, &found, "indexes.expected_missing", SEVERITY_WARNING, VERDICT_REVIEW, NULL, xstrdup("it must exist, but its table does not"));
	} else if (i && indexes_is_usable(i) && i == found.by_form) {
		return;
	} else if (i && found.locked && !i->definition) {
		add(f, e, &found, "indexes.expected_unknown", SEVERITY_UNKNOWN, VERDICT_WAIT, i,
			xstrdup("the table is locked, so its definition could not be compared"));
	} else if (i && !indexes_is_usable(i)) {
		add(f, e, &found, "indexes.expected_invalid", SEVERITY_WARNING, VERDICT_REVIEW, i, xstrdup("it must exist, but no query can use it: it is invalid"));
	} else if (i) {
		add(f, e, &found, "indexes.expected_different", SEVERITY_WARNING, VERDICT_REVIEW, i, xstrdup("its definition is another one than expected"));
	} else {
		add_create(m, add(f, e, &found, "indexes.expected_missing", SEVERITY_WARNING, VERDICT_CREATE, NULL, xstrdup("it must exist, but does not")), e);
	}
}

void indexes_judge_expected(struct index_model *m, const struct expected_indexes *e, struct index_findings *f)
{
	for (size_t k = 0; k < e->items.len; k++)
		judge_one(m, &e->items.items[k], f);
}
