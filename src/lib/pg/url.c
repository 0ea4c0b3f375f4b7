/* SPDX-License-Identifier: PostgreSQL */
#include "internal.h"

#include <ctype.h>

bool pg_is_url(const char *s)
{
	return strncmp(s, "postgresql://", 13) == 0 || strncmp(s, "postgres://", 11) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *percent_decode(const char *s, size_t len)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < len; i++) {
		int high = i + 2 < len && s[i] == '%' ? hex_digit(s[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

		if (low < 0) {
			strbuf_addch(&sb, s[i]);
			continue;
		}
		strbuf_addch(&sb, (char)(high * 16 + low));
		i += 2;
	}
	return strbuf_detach(&sb);
}

static bool is_known(
	const PQconninfoOption *all, const char *name, const char *value, size_t value_len)
{
	/* the one foreign spelling that libpq itself translates, to sslmode=require */
	if (strcmp(name, "ssl") == 0)
		return value_len == 4 && strncmp(value, "true", 4) == 0;
	for (const PQconninfoOption *p = all; p->keyword; p++)
		if (strcmp(p->keyword, name) == 0)
			return true;
	return false;
}

/* Adds name for people to read: a foreign name may be anything, so only its harmless bytes. */
static void note_dropped(struct strbuf *dropped, const char *name)
{
	if (dropped->len)
		strbuf_adds(dropped, ", ");
	for (const char *p = name; *p; p++)
		strbuf_addch(dropped, isalnum((unsigned char)*p) || strchr("_-.", *p) ? *p : '?');
}

/* libpq looks for the end of "user:password" first, so a "?" there does not begin the query. */
static const char *find_query(const char *url)
{
	const char *start = strstr(url, "://") + 3;
	const char *end = start + strcspn(start, "@/");

	return strchr(*end == '@' ? end : start, '?');
}

char *pg_url_clean(const char *url, struct strbuf *dropped)
{
	const char *query = find_query(url);

	if (!query)
		return xstrdup(url);

	PQconninfoOption *all = PQconndefaults();
	struct strbuf out = STRBUF_INIT;
	char separator = '?';

	strbuf_grow(&out, strlen(url) + 1);
	strbuf_add(&out, url, (size_t)(query - url));
	for (const char *p = query + 1; all && *p;) {
		size_t len = strcspn(p, "&");
		size_t name_len = strcspn(p, "=&");
		autofree char *name = percent_decode(p, name_len);
		const char *value = p + name_len + (name_len < len);

		if (is_known(all, name, value, (size_t)(p + len - value))) {
			strbuf_addch(&out, separator);
			strbuf_add(&out, p, len);
			separator = '&';
		} else if (len) {
			note_dropped(dropped, name);
		}
		p += len + (p[len] == '&');
	}
	PQconninfoFree(all);
	return strbuf_detach(&out);
}
