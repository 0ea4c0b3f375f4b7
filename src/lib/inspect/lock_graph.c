/* SPDX-License-Identifier: PostgreSQL */
/* From facts to nodes and edges: what lock_graph_build() does first. lock_draw.c does the rest. */
#include "lock_internal.h"

#include <string.h>

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
static size_t session_node(struct lock_graph *g, int64_t pid)
{
	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->nodes.items[i].pid == pid)
			return i;
	*vec_push(&g->nodes) = (struct lock_node){ .pid = pid, .session = find_session(g->facts, pid) };
	return g->nodes.len - 1;
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

/* The lock by which blocker keeps request waiting; NULL = none, it waits itself. */
static const struct lock_entry *held_against(const struct lock_facts *f, const struct lock_entry *request, int64_t blocker,
	const char *gid)
{
	for (size_t i = 0; request->tag && i < f->locks.len; i++) {
		const struct lock_entry *e = &f->locks.items[i];

		if (e->granted && e->node == blocker && (e->node || !gid || (e->gid && strcmp(e->gid, gid) == 0)) &&
			strcmp(e->tag, request->tag) == 0 && lock_modes_conflict(e->mode, request->mode))
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

static bool waits_in(const struct lock_facts *f, int64_t pid)
{
	for (size_t i = 0; i < f->locks.len; i++)
		if (f->locks.items[i].node == pid && !f->locks.items[i].granted)
			return true;
	return false;
}

/* pg_blocking_pids() says 0 once or several times for prepared transactions; which, the locks say. */
static void add_prepared_edges(struct lock_graph *g, size_t waiter)
{
	const struct lock_facts *f = g->facts;
	const struct lock_entry *request = g->nodes.items[waiter].waits;
	size_t before = g->edges.len;

	for (size_t i = 0; i < f->locks.len; i++) {
		const struct lock_entry *e = &f->locks.items[i];

		if (!e->node && e->gid && held_against(f, request, 0, e->gid) == e)
			add_edge(g, waiter, prepared_node(g, e->gid), LOCK_EDGE_HARD);
	}
	if (g->edges.len == before)
		add_edge(g, waiter, prepared_node(g, NULL), LOCK_EDGE_HARD);
}

static void add_block(struct lock_graph *g, size_t waiter, int64_t pid)
{
	const struct lock_facts *f = g->facts;
	const struct lock_entry *held = NULL;
	size_t blocker = session_node(g, pid);

	for (size_t i = 0; !held && i < f->locks.len; i++)
		if (f->locks.items[i].node == g->nodes.items[waiter].pid && !f->locks.items[i].granted)
			held = held_against(f, &f->locks.items[i], pid, NULL);
	g->nodes.items[blocker].advisory |= is_advisory(held);
	/* who does not wait cannot stand in front of anybody's queue: its lock was gone when we read it */
	add_edge(g, waiter, blocker, held || !waits_in(f, pid) ? LOCK_EDGE_HARD : LOCK_EDGE_SOFT);
}

static void add_request(struct lock_graph *g, const struct lock_entry *e)
{
	size_t at = session_node(g, e->node);
	struct lock_node *n = &g->nodes.items[at];

	if (!n->waits || (e->wait_start && (!n->wait_start || e->wait_start < n->wait_start))) {
		n->waits = e;
		n->wait_start = e->wait_start;
	}
}

static void add_requests(struct lock_graph *g)
{
	const struct lock_facts *f = g->facts;

	for (size_t i = 0; i < f->locks.len; i++)
		if (!f->locks.items[i].granted && f->locks.items[i].node)
			add_request(g, &f->locks.items[i]);
	for (size_t i = 0; i < g->nodes.len; i++) {
		struct lock_node *n = &g->nodes.items[i];

		if (n->waits && !n->wait_start && n->session) {
			n->wait_start = n->session->state_change;
			n->wait_is_bound = true;
		}
	}
}

/* A session that is about to change a row holds its tuple lock while it waits for the row's last transaction. */
static void add_rows(struct lock_graph *g)
{
	for (size_t i = 0; i < g->facts->locks.len; i++) {
		const struct lock_entry *e = &g->facts->locks.items[i];
		size_t at = e->granted && strcmp(e->type, "tuple") == 0 && e->node ? session_node(g, e->node) : LOCK_NO_NODE;

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
	*ret = (struct lock_graph){ .facts = f, .longest_node = LOCK_NO_NODE };
	add_requests(ret);
	for (size_t i = 0; i < f->blocks.len; i++) {
		size_t waiter = session_node(ret, f->blocks.items[i].waiter);

		if (ret->nodes.items[waiter].waits && f->blocks.items[i].blocker)
			add_block(ret, waiter, f->blocks.items[i].blocker);
		else if (ret->nodes.items[waiter].waits)
			add_prepared_edges(ret, waiter);
	}
	add_rows(ret);
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
