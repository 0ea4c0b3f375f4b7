/* SPDX-License-Identifier: PostgreSQL */
#include "redact.h"

#include <ctype.h>
#include <strings.h>

static bool is_url(const char *s)
{
	return strncmp(s, "postgres://", 11) == 0 || strncmp(s, "postgresql://", 13) == 0;
}

static bool is_secret_key(const char *key, size_t len)
{
	return (len == 8 && strncasecmp(key, "password", 8) == 0) ||
	       (len == 11 && strncasecmp(key, "sslpassword", 11) == 0);
}

struct span {
	const char *s;
	size_t from, start, len;
};

static bool found(struct span *span, const char *value, size_t len)
{
	span->start = (size_t)(value - span->s);
	span->len = len;
	return len > 0 && span->start >= span->from;
}

/* user:password@ of a URL; an unescaped '@' in the password makes the last one count. */
static bool url_userinfo(struct span *span)
{
	const char *authority = strstr(span->s, "://") + 3;
	size_t len = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', len);
	const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;

	return colon && found(span, colon + 1, (size_t)(at - colon - 1));
}

static bool url_parameter(struct span *span)
{
	const char *p = strchr(span->s, '?');

	while (p) {
		const char *key = p + 1;
		size_t key_len = strcspn(key, "=&");
		const char *value = key + key_len + 1;

		if (key[key_len] == '=' && is_secret_key(key, key_len) &&
			found(span, value, strcspn(value, "&")))
			return true;
		p = strchr(key, '&');
	}
	return false;
}

/* End of a keyword/value string's value that starts at p; quotes and backslashes as in libpq. */
static const char *value_end(const char *p)
{
	bool quoted = *p == '\'';

	if (quoted)
		p++;
	for (; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (quoted ? *p == '\'' : isspace((unsigned char)*p))
			break;
	}
	return quoted && *p ? p + 1 : p;
}

static bool keyword_value(struct span *span)
{
	const char *p = span->s;

	while (*(p += strspn(p, " \t\r\n"))) {
		size_t key_len = strcspn(p, "= \t\r\n");
		const char *value = p + key_len;

		value += strspn(value, " \t\r\n");
		if (*value != '=')
			return false;
		value++;
		value += strspn(value, " \t\r\n");

		const char *end = value_end(value);

		if (is_secret_key(p, key_len) && found(span, value, (size_t)(end - value)))
			return true;
		p = end;
	}
	return false;
}

bool conninfo_password(const char *s, size_t from, size_t *ret_start, size_t *ret_len)
{
	struct span span = { .s = s, .from = from };
	bool any = is_url(s) ? url_userinfo(&span) || url_parameter(&span) : keyword_value(&span);

	*ret_start = span.start;
	*ret_len = span.len;
	return any;
}

void conninfo_redact(const char *s, struct strbuf *out)
{
	size_t from = 0, start, len;

	while (conninfo_password(s, from, &start, &len)) {
		strbuf_add(out, s + from, start - from);
		strbuf_adds(out, "********");
		from = start + len;
	}
	strbuf_adds(out, s + from);
}
