/* SPDX-License-Identifier: PostgreSQL */
#include "pid_map.h"

#include <stdlib.h>
#include "xalloc.h"

#define FIRST_ALLOC 64

void pid_map_release(struct pid_map *m)
{
	free(m->slots);
	*m = (struct pid_map){ 0 };
}

/* The slot of pid, or the free one where it belongs. */
static struct pid_slot *find(const struct pid_map *m, int64_t pid)
{
	/* pids stand close together: multiplying by 2^64 / the golden ratio takes them apart, in the upper half */
	size_t i = (size_t)(((uint64_t)pid * 0x9e3779b97f4a7c15u) >> 32) & (m->alloc - 1);

	while (m->slots[i].used && m->slots[i].pid != pid)
		i = (i + 1) & (m->alloc - 1);
	return &m->slots[i];
}

static void grow(struct pid_map *m)
{
	struct pid_map old = *m;

	m->alloc = old.alloc ? 2 * old.alloc : FIRST_ALLOC;
	m->slots = xcalloc(m->alloc, sizeof(struct pid_slot));
	for (size_t i = 0; i < old.alloc; i++)
		if (old.slots[i].used)
			*find(m, old.slots[i].pid) = old.slots[i];
	free(old.slots);
}

int64_t *pid_map_at(struct pid_map *m, int64_t pid)
{
	if (2 * m->len >= m->alloc)
		grow(m);

	struct pid_slot *s = find(m, pid);

	m->len += !s->used;
	s->used = 1;
	s->pid = pid;
	return &s->number;
}
