/* SPDX-License-Identifier: PostgreSQL
 *
 * quote.c - names and strings in SQL. Correct in every encoding that keeps ASCII bytes for ASCII
 * (pg_connect() leaves the others) and whatever standard_conforming_strings says, because a
 * string with a backslash is always written as E''.
 */
#include "pg.h"

static void add_doubling(struct strbuf *sb, const char *s, const char *doubled)
{
	for (; *s; s++) {
		if (strchr(doubled, *s))
			strbuf_addch(sb, *s);
		strbuf_addch(sb, *s);
	}
}

void pg_add_ident(struct strbuf *sb, const char *name)
{
	strbuf_addch(sb, '"');
	add_doubling(sb, name, "\"");
	strbuf_addch(sb, '"');
}

void pg_add_qualified(struct strbuf *sb, const char *schema, const char *name)
{
	pg_add_ident(sb, schema);
	strbuf_addch(sb, '.');
	pg_add_ident(sb, name);
}

void pg_add_literal(struct strbuf *sb, const char *value)
{
	/* the space keeps the E apart from a word before it */
	strbuf_adds(sb, strchr(value, '\\') ? " E'" : "'");
	add_doubling(sb, value, "'\\");
	strbuf_addch(sb, '\'');
}

static bool is_plain(const char *name)
{
	return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_$") == strlen(name) &&
	       !strchr("0123456789$", name[0]);
}

static void add_display(struct strbuf *sb, const char *name)
{
	if (is_plain(name))
		strbuf_adds(sb, name);
	else
		pg_add_ident(sb, name);
}

void pg_add_display_name(struct strbuf *sb, const char *schema, const char *name)
{
	if (schema && schema[0]) {
		add_display(sb, schema);
		strbuf_addch(sb, '.');
	}
	add_display(sb, name);
}
