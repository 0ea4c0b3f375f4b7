/* SPDX-License-Identifier: PostgreSQL
 *
 * cleanup.h - resources free themselves at the end of their block.
 *
 *	autofree char *name = xstrdup(s);
 *	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
 *	return steal(name);
 *
 * Laws: declare and initialise in one line; destructors accept NULL and half-built objects;
 * ownership leaves a block only through steal() or a function named …_take.
 */
#ifndef DBOPS_CLEANUP_H
#define DBOPS_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>
#include <stdio.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}
#define autofree _cleanup_(cleanup_free)

/* Hands the pointer over and leaves NULL behind. */
#define steal(p)                          \
	({                                \
		__auto_type pp_ = &(p);   \
		__auto_type v_ = *pp_;    \
		*pp_ = NULL;              \
		v_;                       \
	})

/* Defines <fn>p(), the attribute's form of a destructor for pointers to type. */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses */
#define DEFINE_CLEANUP(type, fn)                                              \
	__attribute__((unused)) static inline void fn##p(type **p) \
	{                                                                     \
		if (*p)                                                       \
			fn(*p);                                               \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define autoclose _cleanup_(cleanup_fd)

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define autofclose _cleanup_(cleanup_file)

#endif
