/* SPDX-License-Identifier: PostgreSQL */
/* From facts to nodes and edges: what lock_graph_build() does first. lock_draw.c does the rest. */
#include "lock_internal.h"

#include <string.h>
#include "pid_map.h"

/* What is only needed while the graph is made. A queue of n sessions has about n * n / 2 edges: for none of them may all
 * nodes or all locks be looked through. */
struct builder {
	struct lock_graph *g;
	struct pid_map nodes;             /* of each session its node, plus 1 */
	const struct lock_entry **locks;  /* sorted by_holder() */
};

void lock_graph_release(struct lock_graph *g)
{
	vec_release(&g->nodes);
	vec_release(&g->edges);
	vec_release(&g->drawn);
	vec_release(&g->order);
	free(g->first);
	free(g->above);
	free(g->first_above);
	*g = (struct lock_graph){ 0 };
}

static const struct lock_session *find_session(const struct lock_facts *f, int64_t pid)
{
	for (size_t i = 0; i < f->sessions.len; i++)
		if (f->sessions.items[i].pid == pid)
			return &f->sessions.items[i];
	return NULL;
}

static const struct lock_prepared *find_prepared(const struct lock_facts *f, const char *gid)
{
	for (size_t i = 0; gid && i < f->prepared.len; i++)
		if (strcmp(f->prepared.items[i].gid, gid) == 0)
			return &f->prepared.items[i];
	return NULL;
}

/* The node of a session, made when it is not there. */
static size_t session_node(struct builder *b, int64_t pid)
{
	struct lock_graph *g = b->g;
	int64_t *known = pid_map_at(&b->nodes, pid);

	if (!*known) {
		*vec_push(&g->nodes) = (struct lock_node){ .pid = pid, .session = find_session(g->facts, pid) };
		*known = (int64_t)g->nodes.len;
	}
	return (size_t)*known - 1;
}

/* Likewise of a prepared transaction; all that vanished are one. */
static size_t prepared_node(struct lock_graph *g, const char *gid)
{
	const struct lock_prepared *p = find_prepared(g->facts, gid);

	for (size_t i = 0; i < g->nodes.len; i++)
		if (!g->nodes.items[i].pid && g->nodes.items[i].prepared == p)
			return i;
	*vec_push(&g->nodes) = (struct lock_node){ .prepared = p };
	return g->nodes.len - 1;
}

/* By session; of one, what it waits for, then what it has, by object. As the facts have them otherwise. */
static int compare_holder(const struct lock_entry *x, const struct lock_entry *y)
{
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->granted != y->granted)
		return x->granted ? 1 : -1;
	return x->granted ? strcmp(x->tag, y->tag) : 0;
}

static int by_holder(const void *a, const void *b)
{
	const struct lock_entry *x = *(const struct lock_entry *const *)a, *y = *(const struct lock_entry *const *)b;
	int order = compare_holder(x, y);

	return order ? order : x < y ? -1 : x > y;
}

static void sort_locks(struct builder *b)
{
	const struct lock_facts *f = b->g->facts;

	b->locks = xcalloc(f->locks.len + 1, sizeof(const struct lock_entry *));
	for (size_t i = 0; i < f->locks.len; i++)
		b->locks[i] = &f->locks.items[i];
	qsort(b->locks, f->locks.len, sizeof(b->locks[0]), by_holder);
}

/* The first of the locks that compare as key does. */
static size_t first_lock(const struct builder *b, const struct lock_entry *key)
{
	size_t low = 0, high = b->g->facts->locks.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_holder(b->locks[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Walks over the locks that compare as key does. */
#define FOR_EACH_LOCK(b, i, key) \
	for (size_t i = first_lock((b), (key)); i < (b)->g->facts->locks.len && compare_holder((b)->locks[i], (key)) == 0; i++)

/* The lock by which blocker keeps request waiting; NULL = none, it waits itself. */
static const struct lock_entry *held_against(const struct builder *b, const struct lock_entry *request, int64_t blocker,
	const char *gid)
{
	const struct lock_entry key = { .node = blocker, .granted = true, .tag = request->tag };

	if (!request->tag)
		return NULL;
	FOR_EACH_LOCK (b, i, &key) {
		const struct lock_entry *e = b->locks[i];

		if ((e->node || !gid || (e->gid && strcmp(e->gid, gid) == 0)) && lock_modes_conflict(e->mode, request->mode))
			return e;
	}
	return NULL;
}

static void add_edge(struct lock_graph *g, size_t waiter, size_t blocker, enum lock_edge_kind kind)
{
	if (waiter != blocker)
		*vec_push(&g->edges) = (struct lock_edge){ waiter, blocker, kind };
}

static bool is_advisory(const struct lock_entry *e)
{
	return e && e->type && strcmp(e->type, "advisory") == 0;
}

/* pg_blocking_pids() says 0 once or several times for prepared transactions; which, the locks say. */
static void add_prepared_edges(const struct builder *b, size_t waiter)
{
	struct lock_graph *g = b->g;
	const struct lock_entry *request = g->nodes.items[waiter].waits;
	const struct lock_entry key = { .granted = true, .tag = request->tag };
	size_t before = g->edges.len;

	if (request->tag)
		FOR_EACH_LOCK (b, i, &key) {
			const struct lock_entry *e = b->locks[i];

			if (e->gid && held_against(b, request, 0, e->gid) == e)
				add_edge(g, waiter, prepared_node(g, e->gid), LOCK_EDGE_HARD);
		}
	if (g->edges.len == before)
		add_edge(g, waiter, prepared_node(g, NULL), LOCK_EDGE_HARD);
}

static void add_block(struct builder *b, size_t waiter, int64_t pid)
{
	struct lock_graph *g = b->g;
	const struct lock_entry key = { .node = g->nodes.items[waiter].pid };
	const struct lock_entry *held = NULL;
	size_t at = session_node(b, pid);
	struct lock_node *blocker = &g->nodes.items[at];

	FOR_EACH_LOCK (b, i, &key)
		if (!held)
			held = held_against(b, b->locks[i], pid, NULL);
	blocker->advisory |= is_advisory(held);
	/* who does not wait cannot stand in front of anybody's queue: its lock was gone when we read it */
	add_edge(g, waiter, at, held || !blocker->waits ? LOCK_EDGE_HARD : LOCK_EDGE_SOFT);
}

static void add_request(struct builder *b, const struct lock_entry *e)
{
	size_t at = session_node(b, e->node);
	struct lock_node *n = &b->g->nodes.items[at];

	if (!n->waits || (e->wait_start && (!n->wait_start || e->wait_start < n->wait_start))) {
		n->waits = e;
		n->wait_start = e->wait_start;
	}
}

static void add_requests(struct builder *b)
{
	struct lock_graph *g = b->g;
	const struct lock_facts *f = g->facts;

	for (size_t i = 0; i < f->locks.len; i++)
		if (!f->locks.items[i].granted && f->locks.items[i].node)
			add_request(b, &f->locks.items[i]);
	for (size_t i = 0; i < g->nodes.len; i++) {
		struct lock_node *n = &g->nodes.items[i];

		if (n->waits && !n->wait_start && n->session) {
			n->wait_start = n->session->state_change;
			n->wait_is_bound = true;
		}
	}
}

/* A session that is about to change a row holds its tuple lock while it waits for the row's last transaction. */
static void add_rows(struct builder *b)
{
	struct lock_graph *g = b->g;

	for (size_t i = 0; i < g->facts->locks.len; i++) {
		const struct lock_entry *e = &g->facts->locks.items[i];
		size_t at = e->granted && strcmp(e->type, "tuple") == 0 && e->node ? session_node(b, e->node) : LOCK_NO_NODE;

		if (at != LOCK_NO_NODE && g->nodes.items[at].waits &&
			strcmp(g->nodes.items[at].waits->type, "transactionid") == 0)
			g->nodes.items[at].row = e;
	}
}

static int by_waiter(const void *a, const void *b)
{
	const struct lock_edge *x = a, *y = b;

	if (x->waiter != y->waiter)
		return x->waiter < y->waiter ? -1 : 1;
	return x->blocker < y->blocker ? -1 : x->blocker > y->blocker;
}

static void index_edges(struct lock_graph *g)
{
	size_t n = g->nodes.len;

	if (g->edges.len)
		qsort(g->edges.items, g->edges.len, sizeof(g->edges.items[0]), by_waiter);
	g->first = xcalloc(n + 2, sizeof(size_t));
	g->first_above = xcalloc(n + 2, sizeof(size_t));
	g->above = xcalloc(g->edges.len + 1, sizeof(size_t));
	for (size_t i = 0; i < g->edges.len; i++) {
		g->first[g->edges.items[i].waiter + 1]++;
		g->first_above[g->edges.items[i].blocker + 2]++;
	}
	for (size_t i = 1; i <= n + 1; i++) {
		g->first[i] += g->first[i - 1];
		g->first_above[i] += g->first_above[i - 1];
	}
	/* [b + 1] is where b's next edge goes; when all are there, it is where b + 1's begin */
	for (size_t i = 0; i < g->edges.len; i++)
		g->above[g->first_above[g->edges.items[i].blocker + 1]++] = i;
}

/* Whoever got its lock while we read waits no more. */
static void forget_unblocked(struct lock_graph *g)
{
	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->first[i] == g->first[i + 1])
			g->nodes.items[i].waits = NULL;
}

void lock_graph_build(struct lock_graph *ret, const struct lock_facts *f, double min_wait)
{
	struct builder b = { .g = ret };

	*ret = (struct lock_graph){ .facts = f, .longest_node = LOCK_NO_NODE };
	sort_locks(&b);
	add_requests(&b);
	for (size_t i = 0; i < f->blocks.len; i++) {
		size_t waiter = session_node(&b, f->blocks.items[i].waiter);

		if (ret->nodes.items[waiter].waits && f->blocks.items[i].blocker)
			add_block(&b, waiter, f->blocks.items[i].blocker);
		else if (ret->nodes.items[waiter].waits)
			add_prepared_edges(&b, waiter);
	}
	add_rows(&b);
	pid_map_release(&b.nodes);
	free(b.locks);
	index_edges(ret);
	forget_unblocked(ret);
	lock_graph_draw(ret, min_wait);
}

double lock_node_wait(const struct lock_graph *g, const struct lock_node *n)
{
	if (!n->waits || !n->wait_start)
		return -1;
	return g->facts->at > n->wait_start ? (double)(g->facts->at - n->wait_start) / 1e6 : 0;
}
