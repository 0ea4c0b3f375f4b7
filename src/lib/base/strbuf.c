/* SPDX-License-Identifier: PostgreSQL */
#include "strbuf.h"

#include <math.h>
#include <ctype.h>
#include <stdio.h>
#include "xalloc.h"

char strbuf_empty[1];

void strbuf_release(struct strbuf *sb)
{
	if (sb->alloc)
		free(sb->buf);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf_reset(struct strbuf *sb)
{
	strbuf_setlen(sb, 0);
}

void strbuf_grow(struct strbuf *sb, size_t extra)
{
	size_t need = sb->len + extra + 1;

	if (need <= sb->alloc)
		return;

	size_t alloc = sb->alloc + sb->alloc / 2;

	if (alloc < need)
		alloc = need < 64 ? 64 : need;
	sb->buf = xreallocarray(sb->alloc ? sb->buf : NULL, alloc, 1);
	sb->alloc = alloc;
	sb->buf[sb->len] = '\0';
}

void strbuf_setlen(struct strbuf *sb, size_t len)
{
	sb->len = len;
	if (sb->alloc)
		sb->buf[len] = '\0';
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	if (!len)
		return;
	strbuf_grow(sb, len);
	memcpy(sb->buf + sb->len, data, len);
	strbuf_setlen(sb, sb->len + len);
}

void strbuf_adds(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
{
	autofree char *text = xvasprintf(fmt, ap);

	strbuf_adds(sb, text);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(sb, fmt, ap);
	va_end(ap);
}

bool strbuf_add_bounded(struct strbuf *sb, const void *data, size_t len, size_t limit)
{
	if (len > limit || sb->len > limit - len)
		return false;
	strbuf_add(sb, data, len);
	return true;
}

void strbuf_trim(struct strbuf *sb)
{
	size_t start = 0;

	while (sb->len && isspace((unsigned char)sb->buf[sb->len - 1]))
		strbuf_setlen(sb, sb->len - 1);
	while (start < sb->len && isspace((unsigned char)sb->buf[start]))
		start++;
	if (start) {
		memmove(sb->buf, sb->buf + start, sb->len - start);
		strbuf_setlen(sb, sb->len - start);
	}
}

char *strbuf_detach(struct strbuf *sb)
{
	strbuf_grow(sb, 0);

	char *s = sb->buf;

	*sb = (struct strbuf)STRBUF_INIT;
	return s;
}

void strbuf_add_hex(struct strbuf *sb, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	strbuf_grow(sb, 2 * len);
	for (size_t i = 0; i < len; i++) {
		strbuf_addch(sb, "0123456789abcdef"[bytes[i] >> 4]);
		strbuf_addch(sb, "0123456789abcdef"[bytes[i] & 15]);
	}
}

void strbuf_add_decimal(struct strbuf *sb, double x)
{
	int magnitude = x == 0 ? 0 : (int)floor(log10(fabs(x)));
	int digits = magnitude < 9 ? 9 - magnitude : 0;

	strbuf_addf(sb, "%.*f", digits, x);
	if (!digits)
		return;
	while (sb->buf[sb->len - 1] == '0')
		strbuf_setlen(sb, sb->len - 1);
	if (sb->buf[sb->len - 1] == '.')
		strbuf_setlen(sb, sb->len - 1);
}

void strbuf_add_percent(struct strbuf *sb, const char *s, const char *keep)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (alnum || strchr("._~-", c) || strchr(keep, c))
			strbuf_addch(sb, (char)c);
		else
			strbuf_addf(sb, "%%%02X", c);
	}
}
