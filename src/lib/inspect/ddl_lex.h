/* SPDX-License-Identifier: PostgreSQL
 *
 * ddl_lex.h - SQL as tokens: PostgreSQL documentation, "Lexical Structure". Comments are gone, quotes are kept.
 */
#ifndef DBOPS_DDL_LEX_H
#define DBOPS_DDL_LEX_H

#include "error.h"
#include "vec.h"

enum ddl_token_kind {
	DDL_END,    /* after the last one */
	DDL_WORD,   /* unquoted: keywords and names */
	DDL_NAME,   /* "quoted" */
	DDL_STRING, /* 'x', E'x', $x$x$x$ */
	DDL_NUMBER,
	DDL_PUNCT,  /* one character */
};

struct ddl_token {
	enum ddl_token_kind kind;
	const char *at; /* into the text */
	size_t len;
};

struct ddl_tokens {
	struct ddl_token *items; /* ends with a DDL_END */
	size_t len, alloc;
};

/* Splits sql, which must outlive ret. An open quote or comment: EXIT_USAGE. */
bool ddl_lex(const char *sql, struct ddl_tokens *ret, struct error *err);

/* Reads tokens one after the other; a statement ends at the parser's end. */
struct ddl_parser {
	const struct ddl_token *at, *end; /* *end is a ';' or DDL_END */
};

/* Whether the next tokens are these words, which are lower case and separated by spaces; a word may be punctuation, too. */
bool ddl_is(const struct ddl_parser *p, const char *words);
/* Likewise, and steps over them. */
bool ddl_take(struct ddl_parser *p, const char *words);
/* Steps over one token, with all up to the closing one if it is a parenthesis. */
void ddl_skip(struct ddl_parser *p);
/* Skips to a ',' outside of parentheses or to the end. */
void ddl_skip_item(struct ddl_parser *p);
bool ddl_at_end(const struct ddl_parser *p);
/* A qualified name as written, caller frees; NULL when the next token is none. */
char *ddl_name(struct ddl_parser *p);
/* One identifier as the server folds it; NULL when the next token is none. */
char *ddl_identifier(struct ddl_parser *p);

#endif
