/* SPDX-License-Identifier: PostgreSQL */
/* The graph as a drawing: cycles found, each node once below one blocker, those that hardly wait left out. */
#include "lock_internal.h"

/* --- cycles: Tarjan's strongly connected components, which come out blockers first -------------------------- */

struct search {
	struct lock_graph *g;
	size_t *number, *low; /* number 0 = not visited */
	bool *on_stack;
	VEC(size_t) stack;
	size_t visited;
};

static void close_component(struct search *s, size_t n)
{
	struct lock_graph *g = s->g;
	size_t from = s->stack.len;

	while (s->stack.items[--from] != n)
		continue;

	size_t cycle = s->stack.len - from > 1 ? ++g->cycles : 0;

	for (size_t i = from; i < s->stack.len; i++) {
		s->on_stack[s->stack.items[i]] = false;
		g->nodes.items[s->stack.items[i]].cycle = cycle;
		*vec_push(&g->order) = s->stack.items[i];
	}
	s->stack.len = from;
}

static void visit(struct search *s, size_t n) /* NOLINT(misc-no-recursion): as deep as sessions wait in a row */
{
	const struct lock_graph *g = s->g;

	s->number[n] = s->low[n] = ++s->visited;
	s->on_stack[n] = true;
	*vec_push(&s->stack) = n;
	for (size_t i = g->first[n]; i < g->first[n + 1]; i++) {
		size_t b = g->edges.items[i].blocker;

		if (!s->number[b])
			visit(s, b);
		if (s->on_stack[b] && s->low[b] < s->low[n])
			s->low[n] = s->low[b];
	}
	if (s->low[n] == s->number[n])
		close_component(s, n);
}

static void find_cycles(struct lock_graph *g)
{
	size_t n = g->nodes.len;
	struct search s = {
		.g = g,
		.number = xcalloc(n + 1, sizeof(size_t)),
		.low = xcalloc(n + 1, sizeof(size_t)),
		.on_stack = xcalloc(n + 1, sizeof(bool)),
	};

	for (size_t i = 0; i < n; i++)
		if (!s.number[i])
			visit(&s, i);
	free(s.number);
	free(s.low);
	free(s.on_stack);
	vec_release(&s.stack);
}

/* --- one parent each ---------------------------------------------------------------------------------------- */

static bool in_one_cycle(const struct lock_graph *g, size_t a, size_t b)
{
	return g->nodes.items[a].cycle && g->nodes.items[a].cycle == g->nodes.items[b].cycle;
}

/* The blocker that has to go first: one that holds before one that queues, then the one farthest from a root. */
static bool is_better_parent(const struct lock_graph *g, const struct lock_edge *e, const struct lock_edge *than)
{
	size_t depth = g->nodes.items[e->blocker].depth, other = g->nodes.items[than->blocker].depth;

	if (e->kind != than->kind)
		return e->kind == LOCK_EDGE_HARD;
	return depth > other;
}

static void set_parent(struct lock_graph *g, size_t n)
{
	const struct lock_edge *best = NULL;
	struct lock_node *node = &g->nodes.items[n];

	node->parent = LOCK_NO_NODE;
	for (size_t i = g->first[n]; i < g->first[n + 1]; i++) {
		const struct lock_edge *e = &g->edges.items[i];

		if (in_one_cycle(g, n, e->blocker))
			continue;
		if (g->nodes.items[e->blocker].depth + 1 > node->depth)
			node->depth = g->nodes.items[e->blocker].depth + 1;
		if (!best || is_better_parent(g, e, best))
			best = e;
	}
	if (best) {
		node->parent = best->blocker;
		node->parent_kind = best->kind;
	}
}

/* A deadlock is drawn as one member with the others below it: the one that hangs on something outside, else the first. */
static void collapse_cycle(struct lock_graph *g, size_t cycle)
{
	size_t head = LOCK_NO_NODE;

	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->nodes.items[i].cycle == cycle &&
			(head == LOCK_NO_NODE || (g->nodes.items[head].parent == LOCK_NO_NODE &&
							 g->nodes.items[i].parent != LOCK_NO_NODE)))
			head = i;
	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->nodes.items[i].cycle == cycle && i != head)
			g->nodes.items[i].parent = head;
}

/* order has a cycle's members side by side, so that the depth of all is known before anybody needs it. */
static void set_parents(struct lock_graph *g)
{
	for (size_t i = 0; i < g->order.len; i++)
		set_parent(g, g->order.items[i]);
	for (size_t cycle = 1; cycle <= g->cycles; cycle++)
		collapse_cycle(g, cycle);
}

/* --- what is shown ------------------------------------------------------------------------------------------ */

/* Blockers of what is shown are shown; true = something was added. */
static bool show_blockers(struct lock_graph *g)
{
	bool added = false;

	for (size_t i = 0; i < g->edges.len; i++) {
		struct lock_node *blocker = &g->nodes.items[g->edges.items[i].blocker];

		if (g->nodes.items[g->edges.items[i].waiter].shown && !blocker->shown)
			added = blocker->shown = true;
	}
	return added;
}

static void show(struct lock_graph *g, double min_wait)
{
	for (size_t i = 0; i < g->nodes.len; i++) {
		struct lock_node *n = &g->nodes.items[i];
		double wait = lock_node_wait(g, n);

		n->shown = n->waits && (wait < 0 || wait >= min_wait);
	}
	while (show_blockers(g))
		continue;
}

static void count(struct lock_graph *g)
{
	for (size_t i = 0; i < g->nodes.len; i++) {
		const struct lock_node *n = &g->nodes.items[i];
		double wait = lock_node_wait(g, n);

		g->waiting += n->shown && n->waits;
		g->roots += n->shown && !n->waits;
		if (n->shown && n->waits && (g->longest_node == LOCK_NO_NODE || wait > g->longest)) {
			g->longest = wait > 0 ? wait : 0;
			g->longest_node = i;
		}
	}
}

/* --- the order of the drawing ------------------------------------------------------------------------------- */

struct sibling {
	size_t node, blocked;
	int64_t since, pid;
};

/* Roots: the one that blocks most first. Below: who waits longest first. */
static int by_weight(const void *a, const void *b)
{
	const struct sibling *x = a, *y = b;

	if (x->blocked != y->blocked)
		return x->blocked > y->blocked ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void draw_below(struct lock_graph *g, size_t parent) /* NOLINT(misc-no-recursion) */
{
	VEC(struct sibling) siblings = { 0 };

	for (size_t i = 0; i < g->nodes.len; i++) {
		const struct lock_node *n = &g->nodes.items[i];

		if (n->shown && n->parent == parent)
			*vec_push(&siblings) = (struct sibling){ i, parent == LOCK_NO_NODE ? n->blocked : 0,
				n->wait_start, n->pid };
	}
	if (siblings.len)
		qsort(siblings.items, siblings.len, sizeof(siblings.items[0]), by_weight);
	for (size_t i = 0; i < siblings.len; i++) {
		*vec_push(&g->drawn) = siblings.items[i].node;
		draw_below(g, siblings.items[i].node);
	}
	vec_release(&siblings);
}

void lock_graph_draw(struct lock_graph *g, double min_wait)
{
	find_cycles(g);
	set_parents(g);
	show(g, min_wait);
	lock_graph_reach(g);
	count(g);
	draw_below(g, LOCK_NO_NODE);
}
