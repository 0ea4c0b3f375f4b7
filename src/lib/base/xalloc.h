/* SPDX-License-Identifier: PostgreSQL
 *
 * xalloc.h - allocation that cannot fail: out of memory aborts with a message.
 */
#ifndef DBOPS_XALLOC_H
#define DBOPS_XALLOC_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
/* alignment is a power of two, size a multiple of it. */
void *xaligned_alloc(size_t alignment, size_t size);
/* n * size is checked for overflow. */
void *xreallocarray(void *p, size_t n, size_t size);
/* NULL gives NULL. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
