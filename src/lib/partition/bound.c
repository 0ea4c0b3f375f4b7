/* SPDX-License-Identifier: PostgreSQL */
#include "bound.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include "pg.h"

/* --- tokens ------------------------------------------------------------------------------------------------ */

enum token_kind {
	TOKEN_END,
	TOKEN_BAD,
	TOKEN_WORD,   /* letters and digits: keywords, true, false */
	TOKEN_NUMBER, /* unquoted number */
	TOKEN_STRING, /* 'text', quotes undone */
	TOKEN_NAME,   /* "name", quotes undone */
	TOKEN_PUNCT,  /* one character */
};

struct lexer {
	const char *at;
	enum token_kind kind;
	struct strbuf text;
};

static bool is_word_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
	return is_word_start(c) || isdigit((unsigned char)c) || c == '$';
}

/* Reads up to the closing quote; a doubled quote is one of the text. */
static enum token_kind lex_quoted(struct lexer *l, char quote, enum token_kind kind)
{
	for (l->at++; *l->at; l->at++) {
		if (*l->at == quote && *++l->at != quote)
			return kind;
		strbuf_addch(&l->text, *l->at);
	}
	return TOKEN_BAD;
}

/* E'…' as pg_add_literal() writes it, and with the escapes that are one letter. */
static enum token_kind lex_escaped(struct lexer *l)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";

	for (l->at++; *l->at; l->at++) {
		bool escaped = *l->at == '\\';
		const char *letter;

		if (*l->at == '\'' && *++l->at != '\'')
			return TOKEN_STRING;
		if (escaped && (!*++l->at || strchr("01234567xuU", *l->at)))
			return TOKEN_BAD;
		letter = escaped ? strchr(letters, *l->at) : NULL;
		strbuf_addch(&l->text, letter ? meant[letter - letters] : *l->at);
	}
	return TOKEN_BAD;
}

static enum token_kind lex_while(struct lexer *l, bool (*wanted)(char c), enum token_kind kind)
{
	for (; *l->at && wanted(*l->at); l->at++)
		strbuf_addch(&l->text, *l->at);
	return kind;
}

/* 1, 1.50, 1e+30: what numeric's and integer's output functions write. */
static enum token_kind lex_number(struct lexer *l)
{
	for (; isdigit((unsigned char)*l->at) || *l->at == '.' || *l->at == 'e' || *l->at == 'E' ||
		((*l->at == '+' || *l->at == '-') && (l->at[-1] == 'e' || l->at[-1] == 'E'));
		l->at++)
		strbuf_addch(&l->text, *l->at);
	return TOKEN_NUMBER;
}

static void lex(struct lexer *l)
{
	while (isspace((unsigned char)*l->at))
		l->at++;
	strbuf_reset(&l->text);
	if (!*l->at)
		l->kind = TOKEN_END;
	else if (*l->at == '\'')
		l->kind = lex_quoted(l, '\'', TOKEN_STRING);
	else if ((*l->at == 'E' || *l->at == 'e') && l->at[1] == '\'')
		l->at++, l->kind = lex_escaped(l);
	else if (*l->at == 'B' && l->at[1] == '\'') /* a bit string: its digits read back as one */
		l->at++, l->kind = lex_quoted(l, '\'', TOKEN_STRING);
	else if (*l->at == '"')
		l->kind = lex_quoted(l, '"', TOKEN_NAME);
	else if (isdigit((unsigned char)*l->at))
		l->kind = lex_number(l);
	else if (is_word_start(*l->at))
		l->kind = lex_while(l, is_word, TOKEN_WORD);
	else
		strbuf_addch(&l->text, *l->at++), l->kind = TOKEN_PUNCT;
}

/* --- grammar ----------------------------------------------------------------------------------------------- */

static bool is_token(const struct lexer *l, enum token_kind kind, const char *text)
{
	return l->kind == kind && strcasecmp(l->text.buf, text) == 0;
}

static bool accept(struct lexer *l, enum token_kind kind, const char *text)
{
	if (!is_token(l, kind, text))
		return false;
	lex(l);
	return true;
}

static bool accept_word(struct lexer *l, const char *word)
{
	return accept(l, TOKEN_WORD, word);
}

static bool accept_punct(struct lexer *l, const char *punct)
{
	return accept(l, TOKEN_PUNCT, punct);
}

/* COLLATE "C" or COLLATE pg_catalog."C": it belongs to the key, not to the value. */
static bool skip_collation(struct lexer *l)
{
	if (!accept_word(l, "COLLATE"))
		return true;
	do {
		if (l->kind != TOKEN_WORD && l->kind != TOKEN_NAME)
			return false;
		lex(l);
	} while (accept_punct(l, "."));
	return true;
}

static bool read_word_value(struct lexer *l, struct bound_values *v)
{
	static const struct {
		const char *word;
		enum bound_value_kind kind;
	} words[] = { { "MINVALUE", BOUND_MINVALUE }, { "MAXVALUE", BOUND_MAXVALUE }, { "NULL", BOUND_NULL },
		{ "true", BOUND_VALUE }, { "false", BOUND_VALUE } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (accept_word(l, words[i].word)) {
			bound_add_value(v, words[i].kind, words[i].word);
			return true;
		}
	return false;
}

static bool read_value(struct lexer *l, struct bound_values *v)
{
	if (l->kind == TOKEN_STRING || l->kind == TOKEN_NUMBER) {
		bound_add_value(v, BOUND_VALUE, l->text.buf);
		lex(l);
		return skip_collation(l);
	}
	return read_word_value(l, v) && skip_collation(l);
}

static bool read_values(struct lexer *l, struct bound_values *v)
{
	if (!accept_punct(l, "("))
		return false;
	do
		if (!read_value(l, v))
			return false;
	while (accept_punct(l, ","));
	return accept_punct(l, ")");
}

static bool read_number(struct lexer *l, const char *word, int64_t *ret)
{
	char *end;

	if (!accept_word(l, word) || l->kind != TOKEN_NUMBER)
		return false;
	errno = 0;
	*ret = strtoll(l->text.buf, &end, 10);
	if (errno || *end)
		return false;
	lex(l);
	return true;
}

static bool read_bound(struct lexer *l, struct bound *b)
{
	lex(l);
	if (accept_word(l, "DEFAULT")) {
		b->kind = BOUND_DEFAULT;
		return true;
	}
	if (!accept_word(l, "FOR") || !accept_word(l, "VALUES"))
		return false;
	if (accept_word(l, "IN")) {
		b->kind = BOUND_LIST;
		return read_values(l, &b->list);
	}
	if (accept_word(l, "WITH")) {
		b->kind = BOUND_HASH;
		return accept_punct(l, "(") && read_number(l, "modulus", &b->modulus) && accept_punct(l, ",") &&
		       read_number(l, "remainder", &b->remainder) && accept_punct(l, ")");
	}
	b->kind = BOUND_RANGE;
	return accept_word(l, "FROM") && read_values(l, &b->from) && accept_word(l, "TO") &&
	       read_values(l, &b->to) && b->from.len == b->to.len;
}

bool bound_parse(const char *text, struct bound *ret, struct error *err)
{
	struct lexer l = { .at = text, .text = STRBUF_INIT };

	*ret = (struct bound){ 0 };

	bool ok = read_bound(&l, ret) && l.kind == TOKEN_END;

	strbuf_release(&l.text);
	if (!ok) {
		bound_release(ret);
		ret->kind = BOUND_UNKNOWN;
	}
	ret->text = xstrdup(text);
	if (ok)
		return true;
	error_set(err, EXIT_REFUSED, "the server describes the bounds of a partition in an unknown way");
	return error_detail(err, "It says: %s", text);
}

/* --- values ------------------------------------------------------------------------------------------------ */

void bound_add_value(struct bound_values *v, enum bound_value_kind kind, const char *text)
{
	*vec_push(v) = (struct bound_value){ kind, kind == BOUND_VALUE ? xstrdup(text) : NULL };
}

static void release_values(struct bound_values *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->items[i].text);
	vec_release(v);
}

void bound_release(struct bound *b)
{
	free(b->text);
	release_values(&b->from);
	release_values(&b->to);
	release_values(&b->list);
	*b = (struct bound){ 0 };
}

static void copy_values(struct bound_values *dst, const struct bound_values *src)
{
	for (size_t i = 0; i < src->len; i++)
		bound_add_value(dst, src->items[i].kind, src->items[i].text);
}

void bound_copy(struct bound *dst, const struct bound *src)
{
	*dst = (struct bound){
		.kind = src->kind,
		.text = xstrdup(src->text),
		.modulus = src->modulus,
		.remainder = src->remainder,
	};
	copy_values(&dst->from, &src->from);
	copy_values(&dst->to, &src->to);
	copy_values(&dst->list, &src->list);
}

bool bound_values_equal(const struct bound_values *a, const struct bound_values *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		const struct bound_value *x = &a->items[i], *y = &b->items[i];

		if (x->kind != y->kind || (x->kind == BOUND_VALUE && strcmp(x->text, y->text) != 0))
			return false;
	}
	return true;
}

bool bound_equal(const struct bound *a, const struct bound *b)
{
	return a->kind == b->kind && a->modulus == b->modulus && a->remainder == b->remainder &&
	       bound_values_equal(&a->from, &b->from) && bound_values_equal(&a->to, &b->to) &&
	       bound_values_equal(&a->list, &b->list);
}

/* --- output ------------------------------------------------------------------------------------------------ */

static void add_values(struct strbuf *sql, const struct bound_values *v)
{
	strbuf_addch(sql, '(');
	for (size_t i = 0; i < v->len; i++) {
		const struct bound_value *value = &v->items[i];

		if (i)
			strbuf_adds(sql, ", ");
		if (value->kind == BOUND_VALUE)
			pg_add_literal(sql, value->text);
		else
			strbuf_adds(sql, value->kind == BOUND_NULL     ? "NULL"
						 : value->kind == BOUND_MINVALUE ? "MINVALUE"
										 : "MAXVALUE");
	}
	strbuf_addch(sql, ')');
}

void bound_add_display(struct strbuf *out, const struct bound *b)
{
	switch (b->kind) {
	case BOUND_NONE:
		break;
	case BOUND_UNKNOWN:
		strbuf_adds(out, b->text ? b->text : "?");
		break;
	case BOUND_DEFAULT:
		strbuf_adds(out, "DEFAULT");
		break;
	case BOUND_RANGE:
		strbuf_adds(out, "FROM ");
		add_values(out, &b->from);
		strbuf_adds(out, " TO ");
		add_values(out, &b->to);
		break;
	case BOUND_LIST:
		strbuf_adds(out, "IN ");
		add_values(out, &b->list);
		break;
	case BOUND_HASH:
		strbuf_addf(out, "WITH (MODULUS %lld, REMAINDER %lld)", (long long)b->modulus, (long long)b->remainder);
		break;
	}
}

void bound_add_sql(struct strbuf *sql, const struct bound *b)
{
	if (b->kind == BOUND_NONE || b->kind == BOUND_UNKNOWN)
		BUG("a bound of kind %d has no SQL", (int)b->kind);
	if (b->kind != BOUND_DEFAULT)
		strbuf_adds(sql, "FOR VALUES ");
	bound_add_display(sql, b);
}
