/* SPDX-License-Identifier: PostgreSQL */
/*
 * lock_reach.c - how many wait for each, directly or not.
 *
 * One walk over the graph for all nodes, those that block nobody first: what a node keeps waiting is its waiters and what they
 * keep waiting. A queue of n sessions has about n * n / 2 edges, and a walk from each of them would be cubic.
 */
#include "lock_internal.h"

#define BITS 64

/* One bit a node. */
struct reach {
	struct lock_graph *g;
	size_t words;   /* of one set */
	uint64_t *sets; /* one a node: who waits for it */
};

static bool has(const uint64_t *set, size_t n)
{
	return set[n / BITS] >> n % BITS & 1;
}

static void add_all(const struct reach *r, uint64_t *to, size_t n)
{
	for (size_t i = 0; i < r->words; i++)
		to[i] |= r->sets[n * r->words + i];
}

/* Who is in set already came with everybody behind. */
static void add_waiters(const struct reach *r, size_t n, uint64_t *set)
{
	const struct lock_graph *g = r->g;

	for (size_t i = g->first_above[n]; i < g->first_above[n + 1]; i++) {
		size_t w = g->edges.items[g->above[i]].waiter;

		if (!g->nodes.items[w].shown || has(set, w))
			continue;
		set[w / BITS] |= UINT64_C(1) << w % BITS;
		add_all(r, set, w);
	}
}

static size_t members(const struct reach *r, const uint64_t *set)
{
	size_t found = 0;

	for (size_t i = 0; i < r->words; i++)
		found += (size_t)__builtin_popcountll(set[i]);
	return found;
}

/* order[from..to): a node, or all of a cycle, which keep the same ones waiting. */
static void close_component(struct reach *r, size_t from, size_t to)
{
	struct lock_graph *g = r->g;
	size_t head = g->order.items[from];
	uint64_t *set = r->sets + head * r->words;

	for (size_t i = from; i < to; i++)
		add_waiters(r, g->order.items[i], set);

	size_t found = members(r, set);

	for (size_t i = from; i < to; i++) {
		size_t n = g->order.items[i];

		g->nodes.items[n].blocked = found - has(set, n); /* in a cycle everybody waits for himself, too */
		if (n != head)
			add_all(r, r->sets + n * r->words, head);
	}
}

void lock_graph_reach(struct lock_graph *g)
{
	size_t words = g->nodes.len / BITS + 1;
	struct reach r = { g, words, xcalloc(g->nodes.len + 1, words * sizeof(uint64_t)) };

	for (size_t to = g->order.len; to > 0;) {
		size_t from = to - 1, cycle = g->nodes.items[g->order.items[from]].cycle;

		while (cycle && from > 0 && g->nodes.items[g->order.items[from - 1]].cycle == cycle)
			from--;
		close_component(&r, from, to);
		to = from;
	}
	free(r.sets);
}
