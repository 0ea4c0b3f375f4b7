/* SPDX-License-Identifier: PostgreSQL */
#include "ddl_lex.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "strbuf.h"

static bool is_word_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
	return is_word_start(c) || isdigit((unsigned char)c) || c == '$';
}

/* Past a block comment, which may hold others; NULL = it does not end. */
static const char *skip_comment(const char *s)
{
	unsigned depth = 0;

	for (; *s; s++) {
		if (s[0] == '/' && s[1] == '*') {
			depth++;
			s++;
		} else if (s[0] == '*' && s[1] == '/') {
			s++;
			if (--depth == 0)
				return s + 1;
		}
	}
	return NULL;
}

static const char *skip_blank(const char *s)
{
	while (s && *s) {
		if (isspace((unsigned char)*s))
			s++;
		else if (s[0] == '-' && s[1] == '-')
			s += strcspn(s, "\n");
		else if (s[0] == '/' && s[1] == '*')
			s = skip_comment(s);
		else
			break;
	}
	return s;
}

/* Past the closing quote; NULL = there is none. */
static const char *skip_quoted(const char *s, char quote, bool backslash)
{
	for (s++; *s; s++) {
		if (backslash && *s == '\\' && s[1])
			s++;
		else if (*s == quote && *++s != quote)
			return s;
	}
	return NULL;
}

/* $tag$ … $tag$; s itself when it is no dollar quote; NULL = it does not end. */
static const char *skip_dollar(const char *s)
{
	const char *tag_end = s + 1;

	if (is_word_start(*tag_end))
		while (is_word(*tag_end) && *tag_end != '$')
			tag_end++;
	if (*tag_end != '$')
		return s;

	size_t len = (size_t)(tag_end - s) + 1;

	for (const char *at = tag_end + 1; *at; at++)
		if (*at == '$' && strncmp(at, s, len) == 0)
			return at + len;
	return NULL;
}

static bool is_string_prefix(const char *s)
{
	return (strchr("eEbBxXnN", *s) && s[1] == '\'') || (strchr("uU", *s) && s[1] == '&' && (s[2] == '\'' || s[2] == '"'));
}

static const char *lex_prefixed(struct ddl_token *t)
{
	const char *quote = t->at + strcspn(t->at, "'\"");

	t->kind = *quote == '"' ? DDL_NAME : DDL_STRING;
	return skip_quoted(quote, *quote, tolower((unsigned char)t->at[0]) == 'e');
}

static const char *lex_word(struct ddl_token *t)
{
	const char *s = t->at;

	t->kind = DDL_WORD;
	while (is_word(*s))
		s++;
	return s;
}

static const char *lex_number(struct ddl_token *t)
{
	const char *s = t->at;

	t->kind = DDL_NUMBER;
	while (is_word(*s) || *s == '.')
		s++;
	return s;
}

/* Past the token; NULL = it does not end. */
static const char *lex_token(struct ddl_token *t)
{
	const char *s = t->at;

	if (is_string_prefix(s))
		return lex_prefixed(t);
	if (is_word_start(*s))
		return lex_word(t);
	if (isdigit((unsigned char)*s))
		return lex_number(t);
	if (*s == '"' || *s == '\'') {
		t->kind = *s == '"' ? DDL_NAME : DDL_STRING;
		return skip_quoted(s, *s, false);
	}
	if (*s == '$' && skip_dollar(s) != s) {
		t->kind = DDL_STRING;
		return skip_dollar(s);
	}
	t->kind = DDL_PUNCT;
	return s + 1;
}

bool ddl_lex(const char *sql, struct ddl_tokens *ret, struct error *err)
{
	const char *s = skip_blank(sql);

	*ret = (struct ddl_tokens){ 0 };
	for (; s && *s; s = skip_blank(s)) {
		struct ddl_token *t = vec_push(ret);

		t->at = s;
		s = lex_token(t);
		if (!s)
			break;
		t->len = (size_t)(s - t->at);
	}
	if (!s) {
		vec_release(ret);
		return error_set(err, EXIT_USAGE, "a quote or comment in the statement does not end");
	}
	*vec_push(ret) = (struct ddl_token){ .kind = DDL_END, .at = s };
	return true;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

static bool token_is(const struct ddl_token *t, const char *word, size_t len)
{
	return (t->kind == DDL_WORD || t->kind == DDL_PUNCT) && t->len == len && strncasecmp(t->at, word, len) == 0;
}

/* How many tokens words are, if they are next; 0 = they are not. */
static size_t match(const struct ddl_parser *p, const char *words)
{
	size_t n = 0;

	for (const char *w = words; *w; n++) {
		size_t len = strcspn(w, " ");

		if (p->at + n >= p->end || !token_is(p->at + n, w, len))
			return 0;
		w += len;
		w += *w == ' ';
	}
	return n;
}

bool ddl_is(const struct ddl_parser *p, const char *words)
{
	return match(p, words) > 0;
}

bool ddl_take(struct ddl_parser *p, const char *words)
{
	size_t n = match(p, words);

	p->at += n;
	return n > 0;
}

bool ddl_at_end(const struct ddl_parser *p)
{
	return p->at >= p->end;
}

void ddl_skip(struct ddl_parser *p)
{
	unsigned depth = 0;

	do {
		if (ddl_at_end(p))
			return;
		depth += p->at->kind == DDL_PUNCT && *p->at->at == '(';
		depth -= depth && p->at->kind == DDL_PUNCT && *p->at->at == ')';
		p->at++;
	} while (depth);
}

void ddl_skip_item(struct ddl_parser *p)
{
	while (!ddl_at_end(p) && !ddl_is(p, ","))
		ddl_skip(p);
}

static bool is_identifier(const struct ddl_parser *p)
{
	/* U&"…" is a name to the server; to_regclass() does not read it */
	return !ddl_at_end(p) && (p->at->kind == DDL_WORD || (p->at->kind == DDL_NAME && *p->at->at == '"'));
}

char *ddl_name(struct ddl_parser *p)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	do {
		if (!is_identifier(p))
			return NULL;
		strbuf_add(&name, p->at->at, p->at->len);
		p->at++;
		if (!ddl_is(p, "."))
			return strbuf_detach(&name);
		strbuf_addch(&name, '.');
		p->at++;
	} while (true);
}

char *ddl_identifier(struct ddl_parser *p)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	if (!is_identifier(p))
		return NULL;

	const struct ddl_token *t = p->at++;

	for (size_t i = t->kind == DDL_NAME; i < t->len - (t->kind == DDL_NAME); i++) {
		bool upper = t->kind == DDL_WORD && t->at[i] >= 'A' && t->at[i] <= 'Z';

		strbuf_addch(&name, (char)(upper ? t->at[i] - 'A' + 'a' : t->at[i]));
		i += t->kind == DDL_NAME && t->at[i] == '"';
	}
	return strbuf_detach(&name);
}
