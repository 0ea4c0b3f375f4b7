/* SPDX-License-Identifier: PostgreSQL
 *
 * vec.h - a growing array of any type.
 *
 *	VEC(struct thing) things = { 0 };
 *	*vec_push(&things) = thing;
 *	for (size_t i = 0; i < things.len; i++) use(things.items[i]);
 *	vec_release(&things);
 *
 * struct strvec is the array of owned strings.
 */
#ifndef DBOPS_VEC_H
#define DBOPS_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "cleanup.h"
#include "xalloc.h"

#define VEC(type)                  \
	struct {                   \
		type *items;       \
		size_t len, alloc; \
	}

void *vec_grow(void *items, size_t *alloc, size_t need, size_t size);

/* Appends a zeroed item and gives its address, valid until the next push. */
#define vec_push(v)                                                                        \
	({                                                                                 \
		__auto_type v_ = (v);                                                      \
		v_->items = vec_grow(v_->items, &v_->alloc, v_->len + 1, sizeof(*v_->items)); \
		memset(&v_->items[v_->len], 0, sizeof(*v_->items));                        \
		&v_->items[v_->len++];                                                     \
	})

#define vec_release(v)                        \
	do {                                  \
		free((v)->items);             \
		(v)->items = NULL;            \
		(v)->len = (v)->alloc = 0;    \
	} while (0)

struct strvec {
	char **items; /* items[len] is NULL once something was pushed: fits execv() */
	size_t len, alloc;
};

/* Copies s. */
void strvec_push(struct strvec *v, const char *s);
/* Takes s over. */
void strvec_push_take(struct strvec *v, char *s);
void strvec_pushf(struct strvec *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strvec_contains(const struct strvec *v, const char *s);
/* Sorts bytewise. */
void strvec_sort(struct strvec *v);
void strvec_release(struct strvec *v);
#define _cleanup_strvec_ _cleanup_(strvec_release)

#endif
