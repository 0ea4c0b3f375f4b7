/* SPDX-License-Identifier: PostgreSQL */
#include "sql_text.h"

#include <string.h>
#include <xxhash.h>
#include "vec.h"

#define CONSTANT "$"

enum token_type { TOKEN_END, TOKEN_WORD, TOKEN_CONSTANT, TOKEN_OTHER };

struct token {
	enum token_type type;
	const char *text;
	size_t len;
};

/* What a byte may be, whatever the locale; every byte of thousands of statements is looked up here. */
enum byte_class { WORD_START = 1, DIGIT = 2, DOLLAR = 4, BLANK = 8, OPERATOR = 16, LONG_OPERATOR = 32 };

static const uint8_t classes[256] = {
	['a' ... 'z'] = WORD_START, ['A' ... 'Z'] = WORD_START, ['_'] = WORD_START, [0x80 ... 0xff] = WORD_START,
	['0' ... '9'] = DIGIT, ['$'] = DOLLAR,
	[' '] = BLANK, ['\t' ... '\r'] = BLANK,
	['+'] = OPERATOR, ['-'] = OPERATOR, ['*'] = OPERATOR, ['/'] = OPERATOR, ['<'] = OPERATOR, ['>'] = OPERATOR, ['='] = OPERATOR,
	/* an operator with one of these may end with a sign */
	['~'] = OPERATOR | LONG_OPERATOR, ['!'] = OPERATOR | LONG_OPERATOR, ['@'] = OPERATOR | LONG_OPERATOR,
	['#'] = OPERATOR | LONG_OPERATOR, ['%'] = OPERATOR | LONG_OPERATOR, ['^'] = OPERATOR | LONG_OPERATOR,
	['&'] = OPERATOR | LONG_OPERATOR, ['|'] = OPERATOR | LONG_OPERATOR, ['`'] = OPERATOR | LONG_OPERATOR,
	['?'] = OPERATOR | LONG_OPERATOR,
};

static bool is(char c, unsigned of)
{
	return classes[(unsigned char)c] & of;
}

static bool continues_word(char c)
{
	return is(c, WORD_START | DIGIT | DOLLAR);
}

static const char *skip_line_comment(const char *s)
{
	return s + strcspn(s, "\r\n");
}

/* Comments of this kind nest. */
static const char *skip_block_comment(const char *s)
{
	size_t depth = 0;

	do {
		if (s[0] == '/' && s[1] == '*') {
			depth++;
			s += 2;
		} else if (s[0] == '*' && s[1] == '/') {
			depth--;
			s += 2;
		} else {
			s++;
		}
	} while (depth && *s);
	return s;
}

static const char *skip_blank(const char *s)
{
	for (;;) {
		if (is(*s, BLANK))
			s++;
		else if (s[0] == '-' && s[1] == '-')
			s = skip_line_comment(s);
		else if (s[0] == '/' && s[1] == '*')
			s = skip_block_comment(s);
		else
			return s;
	}
}

/* s is at the opening quote; a doubled quote is part of the text, with escapes a backslash hides the next byte. */
static const char *skip_quoted(const char *s, bool escapes)
{
	char quote = *s++;

	for (; *s; s++) {
		if (escapes && *s == '\\' && s[1])
			s++;
		else if (*s == quote && s[1] == quote)
			s++;
		else if (*s == quote)
			return s + 1;
	}
	return s;
}

/* $1 or $tag$…$tag$; NULL = neither. */
static const char *skip_dollar(const char *s)
{
	const char *end = s + 1;

	if (is(*end, DIGIT))
		return end + strspn(end, "0123456789");
	while (*end != '$' && continues_word(*end))
		end++;
	if (*end != '$')
		return NULL;

	autofree char *tag = xstrndup(s, (size_t)(end + 1 - s));
	const char *close = strstr(end + 1, tag);

	return close ? close + strlen(tag) : end + strlen(end);
}

/* 1, 1.5, .5, 1e-7, 0x1F, 1_000 */
static const char *skip_number(const char *s)
{
	const char *p = s;

	while ((is(*p, WORD_START | DIGIT) && (unsigned char)*p < 0x80) || *p == '.')
		if ((*p++ | 0x20) == 'e' && (*p == '+' || *p == '-') && is(p[1], DIGIT))
			p++;
	return p;
}

/* A run of operator characters that ends before a comment, and before a sign unless the operator may end with one. */
static const char *skip_operator(const char *s)
{
	const char *end = s;
	unsigned seen = 0;

	for (; is(*end, OPERATOR) && !(end[0] == '-' && end[1] == '-') && !(end[0] == '/' && end[1] == '*'); end++)
		seen |= classes[(unsigned char)*end];
	if (seen & LONG_OPERATOR)
		return end;
	while (end - s > 1 && (end[-1] == '+' || end[-1] == '-'))
		end--;
	return end;
}

/* What stands before the quote of a constant: E, B, X, N, U&. */
static size_t prefix_length(const char *s)
{
	if (strchr("eEbBxXnN", *s) && s[1] == '\'')
		return 1;
	return (*s == 'u' || *s == 'U') && s[1] == '&' && (s[2] == '\'' || s[2] == '"') ? 2 : 0;
}

static struct token token(enum token_type type, const char *from, const char *to)
{
	return (struct token){ type, from, (size_t)(to - from) };
}

static struct token quoted_token(const char *s, const char *quote)
{
	bool escapes = quote > s && (*s == 'e' || *s == 'E');
	const char *end = skip_quoted(quote, escapes);

	return token(*quote == '"' ? TOKEN_OTHER : TOKEN_CONSTANT, s, end);
}

static struct token next_token(const char *s)
{
	const char *end;

	s = skip_blank(s);
	if (!*s)
		return token(TOKEN_END, s, s);
	if (*s == '\'' || *s == '"')
		return quoted_token(s, s);
	if (is(*s, WORD_START)) {
		size_t prefix = prefix_length(s);

		if (prefix)
			return quoted_token(s, s + prefix);
		for (end = s; continues_word(*end);)
			end++;
		return token(TOKEN_WORD, s, end);
	}
	if (*s == '$' && (end = skip_dollar(s)))
		return token(TOKEN_CONSTANT, s, end);
	if (is(*s, DIGIT) || (*s == '.' && is(s[1], DIGIT)))
		return token(TOKEN_CONSTANT, s, skip_number(s));
	if (is(*s, OPERATOR) && (end = skip_operator(s)) > s)
		return token(TOKEN_OTHER, s, end);
	return token(TOKEN_OTHER, s, s[0] == ':' && s[1] == ':' ? s + 2 : s + 1);
}

/* Where the text of an element or row begins and ends in the output; begin 0 = there was none. */
struct piece {
	size_t begin, end;
};

enum rows { ROWS_NONE, ROWS_EXPECTED, ROWS_AFTER_ROW, ROWS_AFTER_COMMA };

/* An open bracket. */
struct level {
	bool is_list; /* equal neighbours in it become one */
	bool is_row;  /* of VALUES */
	size_t open;  /* where the bracket begins */
	size_t element, comma; /* where this element begins, and the comma before it */
	struct piece earlier;  /* the element before this one */
	enum rows rows;        /* VALUES at this level */
	size_t row_comma;
	struct piece earlier_row;
};

struct normaliser {
	struct strbuf *out;
	VEC(struct level) levels;
	bool after_list_word; /* the token before was IN or ARRAY */
	bool after_operator;  /* a sign that follows belongs to the number */
};

static struct level *top(struct normaliser *n)
{
	return &n->levels.items[n->levels.len - 1];
}

static bool is_repeated(const struct normaliser *n, const struct piece *earlier, size_t begin)
{
	const char *text = n->out->buf;
	size_t len = n->out->len - begin;

	return earlier->begin && len == earlier->end - earlier->begin &&
	       memcmp(text + begin, text + earlier->begin, len) == 0 && memchr(text + begin, '$', len);
}

/* An element of a list is complete. */
static void end_element(struct normaliser *n)
{
	struct level *l = top(n);

	if (!l->is_list)
		return;
	if (is_repeated(n, &l->earlier, l->element))
		strbuf_setlen(n->out, l->comma);
	else
		l->earlier = (struct piece){ l->element, n->out->len };
}

static void open_bracket(struct normaliser *n)
{
	struct level *outer = top(n);
	bool is_row = outer->rows == ROWS_EXPECTED || outer->rows == ROWS_AFTER_COMMA;
	struct level l = {
		.is_list = n->after_list_word,
		.is_row = is_row,
		.open = n->out->len,
		.element = n->out->len + 2,
	};

	if (!is_row)
		outer->rows = ROWS_NONE;
	*vec_push(&n->levels) = l;
}

static void close_bracket(struct normaliser *n)
{
	struct level closed = *top(n);

	if (n->levels.len > 1)
		n->levels.len--;
	if (!closed.is_row)
		return;

	struct level *l = top(n);

	if (l->rows == ROWS_AFTER_COMMA && is_repeated(n, &l->earlier_row, closed.open))
		strbuf_setlen(n->out, l->row_comma);
	else
		l->earlier_row = (struct piece){ closed.open, n->out->len };
	l->rows = ROWS_AFTER_ROW;
}

static void at_comma(struct normaliser *n)
{
	struct level *l = top(n);

	end_element(n);
	l->comma = n->out->len;
	l->element = n->out->len + 2;
	if (l->rows == ROWS_AFTER_ROW) {
		l->row_comma = n->out->len;
		l->rows = ROWS_AFTER_COMMA;
	} else {
		l->rows = ROWS_NONE;
	}
}

static bool is_word(const struct token *t, const char *word)
{
	return t->type == TOKEN_WORD && (*t->text | 0x20) == *word && t->len == strlen(word) && strncasecmp(t->text, word, t->len) == 0;
}

static void add_token(struct normaliser *n, const struct token *t)
{
	strbuf_addch(n->out, ' ');
	if (t->type == TOKEN_CONSTANT)
		strbuf_adds(n->out, CONSTANT);
	else
		strbuf_add(n->out, t->text, t->len);
	if (t->type != TOKEN_WORD)
		return;
	for (char *c = n->out->buf + n->out->len - t->len; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
}

static bool is_sign(const struct token *t)
{
	return t->type == TOKEN_OTHER && t->len == 1 && (*t->text == '-' || *t->text == '+');
}

/* What stands between commas then is rows, not elements of a list. */
static void at_values(struct normaliser *n)
{
	top(n)->rows = ROWS_EXPECTED;
	top(n)->is_list = false;
}

static void take(struct normaliser *n, const struct token *t)
{
	char c = t->type == TOKEN_OTHER && t->len == 1 ? *t->text : '\0';

	if (c == '(' || c == '[')
		open_bracket(n);
	else if (c == ',')
		at_comma(n);
	else if (c == ')' || c == ']')
		end_element(n);
	else if (is_word(t, "values"))
		at_values(n);
	else
		top(n)->rows = ROWS_NONE;
	add_token(n, t);
	if (c == ')' || c == ']')
		close_bracket(n);
	n->after_list_word = is_word(t, "in") || is_word(t, "array");
	n->after_operator = c == '(' || c == '[' || c == ',' || is(c, OPERATOR) || (t->type == TOKEN_OTHER && t->len > 1 && *t->text != '"');
}

/* The sign of a constant is part of it, as pg_stat_statements has it. */
static bool is_sign_of_constant(const struct normaliser *n, const struct token *t)
{
	return n->after_operator && is_sign(t) && next_token(t->text + t->len).type == TOKEN_CONSTANT;
}

void sql_text_normalise(struct strbuf *out, const char *text)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;
	struct normaliser n = { .out = &all };

	vec_push(&n.levels);
	for (struct token t = next_token(text); t.type != TOKEN_END; t = next_token(t.text + t.len))
		if (!is_sign_of_constant(&n, &t))
			take(&n, &t);
	vec_release(&n.levels);
	while (all.len && strchr(" ;", all.buf[all.len - 1]))
		strbuf_setlen(&all, all.len - 1);
	strbuf_add(out, all.buf + (all.len > 0), all.len ? all.len - 1 : 0);
}

uint64_t sql_text_fingerprint(const char *text)
{
	_cleanup_strbuf_ struct strbuf normal = STRBUF_INIT;

	sql_text_normalise(&normal, text);
	return XXH3_64bits(normal.buf, normal.len);
}
