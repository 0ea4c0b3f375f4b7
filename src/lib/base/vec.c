/* SPDX-License-Identifier: PostgreSQL */
#include "vec.h"

#include <stdarg.h>

void *vec_grow(void *items, size_t *alloc, size_t need, size_t size)
{
	if (need <= *alloc)
		return items;

	size_t n = *alloc + *alloc / 2;

	if (n < need)
		n = need < 8 ? 8 : need;
	*alloc = n;
	return xreallocarray(items, n, size);
}

void strvec_push_take(struct strvec *v, char *s)
{
	v->items = vec_grow(v->items, &v->alloc, v->len + 2, sizeof(*v->items));
	v->items[v->len++] = s;
	v->items[v->len] = NULL;
}

void strvec_push(struct strvec *v, const char *s)
{
	strvec_push_take(v, xstrdup(s));
}

void strvec_pushf(struct strvec *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strvec_push_take(v, xvasprintf(fmt, ap));
	va_end(ap);
}

bool strvec_contains(const struct strvec *v, const char *s)
{
	for (size_t i = 0; i < v->len; i++)
		if (strcmp(v->items[i], s) == 0)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strvec_sort(struct strvec *v)
{
	if (v->len)
		qsort(v->items, v->len, sizeof(*v->items), compare);
}

void strvec_release(struct strvec *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->items[i]);
	vec_release(v);
}
