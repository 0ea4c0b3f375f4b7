/* SPDX-License-Identifier: PostgreSQL
 *
 * strbuf.h - the one growing string (and byte buffer).
 *
 * Invariants: buf is never NULL and buf[len] is always '\0', so sb.buf is a C string at any
 * time; the content may hold NUL bytes, then len tells. strbuf_detach() is the only way out.
 * Bytes that come from outside (network, file, server) go through strbuf_add_bounded().
 */
#ifndef DBOPS_STRBUF_H
#define DBOPS_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "cleanup.h"

struct strbuf {
	char *buf;
	size_t len, alloc; /* alloc 0: buf is the shared empty string */
};

extern char strbuf_empty[];
#define STRBUF_INIT { .buf = strbuf_empty }

void strbuf_release(struct strbuf *sb);
#define _cleanup_strbuf_ _cleanup_(strbuf_release)

/* Empties without giving the memory back. */
void strbuf_reset(struct strbuf *sb);
/* Makes room for extra bytes more (and the NUL). */
void strbuf_grow(struct strbuf *sb, size_t extra);
void strbuf_setlen(struct strbuf *sb, size_t len);

void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_adds(struct strbuf *sb, const char *s);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Adds unless the total would exceed limit bytes; then returns false and changes nothing. */
bool strbuf_add_bounded(struct strbuf *sb, const void *data, size_t len, size_t limit);

/* Removes white space at both ends. */
void strbuf_trim(struct strbuf *sb);

/* Gives the string to the caller (free()); the strbuf is empty afterwards. */
char *strbuf_detach(struct strbuf *sb);

/* Adds x with ten significant digits, never with an exponent, and no zeros at the end of a fraction: what
 * reads numbers as [-0-9.] can read it (Monitoring Plugins' performance data). */
void strbuf_add_decimal(struct strbuf *sb, double x);

/* Adds len bytes as lower-case hexadecimal. */
void strbuf_add_hex(struct strbuf *sb, const void *data, size_t len);

/* Adds s percent-encoded as RFC 3986 section 2.1 with upper-case hex; unreserved bytes
 * [A-Za-z0-9._~-] and those in keep (may be "") stay. */
void strbuf_add_percent(struct strbuf *sb, const char *s, const char *keep);

#endif
