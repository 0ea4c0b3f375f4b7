/* SPDX-License-Identifier: PostgreSQL */
/*
 * lock_release.c - what happens when a blocker ends.
 *
 * The server gives a lock to a waiter when nobody who holds or waits in front of it conflicts any more. So a session goes on
 * at once when all its blockers are gone; one whose soft blocker goes on instead stays, because that one now holds the lock.
 */
#include "lock_internal.h"

#include <string.h>
#include "clock.h"
#include "pg.h"

const char *lock_cure_name(enum lock_cure c)
{
	static const char *const names[] = { NULL, "cancel", "terminate", "rollback prepared" };

	return names[c];
}

static bool all_blockers_in(const struct lock_graph *g, size_t n, const bool *gone)
{
	for (size_t i = g->first[n]; i < g->first[n + 1]; i++)
		if (!gone[g->edges.items[i].blocker])
			return false;
	return true;
}

/* One look at everybody, blockers first; returns how many go on that did not before. */
static size_t free_once(const struct lock_graph *g, const bool *out, bool *gone, bool in_turn, bool *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < g->order.len; i++) {
		size_t k = g->order.items[i];

		if (ret[k] || out[k] || !g->nodes.items[k].waits || !all_blockers_in(g, k, gone))
			continue;
		ret[k] = true;
		found++;
		gone[k] = in_turn;
	}
	return found;
}

size_t lock_graph_free(const struct lock_graph *g, const bool *out, bool in_turn, bool *ret)
{
	size_t n = g->nodes.len, found = 0, more;
	autofree bool *gone = xmalloc(n + 1);

	memcpy(gone, out, n);
	memset(ret, 0, n);
	do { /* members of a cycle have no order */
		more = free_once(g, out, gone, in_turn, ret);
		found += more;
	} while (more && in_turn && g->cycles);
	return found;
}

/* --- what would end a node ---------------------------------------------------------------------------------- */

static bool is_idle(const struct lock_session *s)
{
	return s->state && strncmp(s->state, "idle", 4) == 0;
}

static const char *why_untouchable(const struct lock_node *n)
{
	const struct lock_session *s = n->session;

	if (!s)
		return n->prepared ? NULL : "it is gone already";
	if (!s->backend_type || strcmp(s->backend_type, "client backend") == 0)
		return NULL;
	if (strcmp(s->backend_type, "autovacuum worker") == 0)
		return s->query && strstr(s->query, "(to prevent wraparound)") ? "autovacuum that prevents wraparound would only begin again" :
										   NULL;
	if (strcmp(s->backend_type, "startup") == 0)
		return "the standby is replaying it; max_standby_streaming_delay decides";
	if (strcmp(s->backend_type, "walsender") == 0)
		return "a standby or a subscriber depends on it";
	return "it is a background process of the server";
}

static enum lock_cure cure_of(const struct lock_node *n)
{
	if (n->untouchable)
		return LOCK_CURE_NONE;
	if (!n->pid)
		return LOCK_CURE_ROLLBACK;
	/* a cancel reaches a statement only; and the lock of an advisory function may belong to the session */
	if (is_idle(n->session) || (n->advisory && !n->waits))
		return LOCK_CURE_TERMINATE;
	return LOCK_CURE_CANCEL;
}

char *lock_node_sql(const struct lock_node *n)
{
	static const char *const functions[] = {
		[LOCK_CURE_CANCEL] = "pg_cancel_backend",
		[LOCK_CURE_TERMINATE] = "pg_terminate_backend",
	};
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	if (n->cure == LOCK_CURE_NONE)
		return NULL;
	if (n->cure == LOCK_CURE_ROLLBACK) {
		strbuf_adds(&sql, "ROLLBACK PREPARED ");
		pg_add_literal(&sql, n->prepared->gid);
		strbuf_addch(&sql, ';');
		return strbuf_detach(&sql);
	}
	if (!n->session->backend_start)
		return xasprintf("SELECT %s(%lld);", functions[n->cure], (long long)n->pid);
	strbuf_addf(&sql, "SELECT %s(pid) FROM pg_stat_activity WHERE pid = %lld AND backend_start = '", functions[n->cure],
		(long long)n->pid);
	clock_format_utc(n->session->backend_start, true, &sql);
	strbuf_adds(&sql, "';");
	return strbuf_detach(&sql);
}

/* --- the smallest set: a vertex cover of least cost, which in a bipartite graph is a least cut (Koenig) ------ */

/*
 * Everybody goes on when each root that stays has lost all that wait for it directly: those further up then hang on sessions
 * that go on. So for each edge from a root to a waiter one of the two must end. Costs: a victim each, then what it loses.
 */
enum {
	COST_VICTIM = 1000,
	COST_STATEMENT = 1,      /* a statement that runs */
	COST_TERMINATE = 10,     /* a transaction, or a session, that somebody holds open */
	COST_HOLDER = 20,        /* a waiter that holds locks has done work, and would go on by itself */
	COST_ROLLBACK = 50,      /* a prepared transaction: half of a promise to another system */
	COST_LAST_WAITER = 500,  /* ending who blocks nobody frees nobody */
	COST_UNTOUCHABLE = 100000000,
};

static int64_t cost_of_waiter(const struct lock_graph *g, size_t i)
{
	int64_t cost = g->first_above[i] < g->first_above[i + 1] ? 0 : COST_LAST_WAITER;

	for (size_t k = g->first_above[i]; k < g->first_above[i + 1]; k++)
		if (g->edges.items[g->above[k]].kind == LOCK_EDGE_HARD)
			cost = COST_HOLDER;
	return COST_VICTIM + cost;
}

static int64_t cost_of(const struct lock_graph *g, size_t i)
{
	const struct lock_node *n = &g->nodes.items[i];

	switch (n->cure) {
	case LOCK_CURE_NONE:
		return COST_UNTOUCHABLE;
	case LOCK_CURE_ROLLBACK:
		return COST_VICTIM + COST_ROLLBACK;
	case LOCK_CURE_TERMINATE:
		return COST_VICTIM + COST_TERMINATE;
	case LOCK_CURE_CANCEL:
		break;
	}
	return n->waits ? cost_of_waiter(g, i) : COST_VICTIM + COST_STATEMENT;
}

/* Flow from the source through roots and edges to waiters and the sink. */
struct flow {
	const struct lock_graph *g;
	int64_t *left;  /* a node's capacity that is not used */
	int64_t *on;    /* flow on each edge */
	bool *seen;     /* reached from the source in the residual graph */
};

static bool is_root(const struct lock_graph *g, size_t n)
{
	return !g->nodes.items[n].waits;
}

static int64_t push(struct flow *f, size_t n, int64_t amount);

/* From a waiter: into the sink, or back along an edge that carries flow. */
static int64_t push_waiter(struct flow *f, size_t n, int64_t amount) /* NOLINT(misc-no-recursion) */
{
	const struct lock_graph *g = f->g;

	if (f->left[n] > 0) {
		int64_t part = f->left[n] < amount ? f->left[n] : amount;

		f->left[n] -= part;
		return part;
	}
	for (size_t i = g->first[n]; i < g->first[n + 1]; i++) {
		size_t b = g->edges.items[i].blocker;

		if (!is_root(g, b) || f->seen[b] || f->on[i] <= 0)
			continue;

		int64_t part = push(f, b, f->on[i] < amount ? f->on[i] : amount);

		f->on[i] -= part;
		if (part)
			return part;
	}
	return 0;
}

static int64_t push(struct flow *f, size_t n, int64_t amount) /* NOLINT(misc-no-recursion) */
{
	const struct lock_graph *g = f->g;

	f->seen[n] = true;
	for (size_t i = g->first_above[n]; i < g->first_above[n + 1]; i++) {
		size_t e = g->above[i], w = g->edges.items[e].waiter;

		if (f->seen[w])
			continue;
		f->seen[w] = true;

		int64_t part = push_waiter(f, w, amount);

		f->on[e] += part;
		if (part)
			return part;
	}
	return 0;
}

/* Pushes from every root what it can still give; true = something went through. */
static bool push_all(struct flow *f)
{
	bool pushed = false;

	memset(f->seen, 0, f->g->nodes.len);
	for (size_t i = 0; i < f->g->nodes.len; i++)
		if (is_root(f->g, i) && f->left[i] > 0 && !f->seen[i]) {
			int64_t part = push(f, i, f->left[i]);

			f->left[i] -= part;
			pushed |= part > 0;
		}
	return pushed;
}

static void choose(struct lock_graph *g)
{
	size_t n = g->nodes.len;
	struct flow f = {
		.g = g,
		.left = xcalloc(n + 1, sizeof(int64_t)),
		.on = xcalloc(g->edges.len + 1, sizeof(int64_t)),
		.seen = xcalloc(n + 1, sizeof(bool)),
	};

	for (size_t i = 0; i < n; i++)
		f.left[i] = cost_of(g, i);
	while (push_all(&f))
		continue;
	/* the cut: roots the last search did not come to, waiters it did */
	for (size_t i = 0; i < n; i++) {
		struct lock_node *node = &g->nodes.items[i];
		bool blocks = g->first_above[i] < g->first_above[i + 1];

		node->in_plan = is_root(g, i) ? blocks && !f.seen[i] : f.seen[i];
	}
	free(f.left);
	free(f.on);
	free(f.seen);
}

/* A deadlock that hangs on nothing else has no root; the server ends it itself, but not before deadlock_timeout. */
static void choose_in_cycles(struct lock_graph *g)
{
	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->nodes.items[i].cycle && g->nodes.items[i].parent == LOCK_NO_NODE)
			g->nodes.items[i].in_plan = true;
}

static void simulate_node(struct lock_graph *g, size_t i, bool *out, bool *freed)
{
	struct lock_node *n = &g->nodes.items[i];

	n->untouchable = why_untouchable(n);
	n->cure = cure_of(n);
	if (g->first_above[i] == g->first_above[i + 1])
		return;
	out[i] = true;
	n->frees_now = lock_graph_free(g, out, false, freed);
	n->frees_in_turn = lock_graph_free(g, out, true, freed);
	out[i] = false;
	for (size_t k = 0; k < g->nodes.len; k++) {
		double wait = freed[k] ? lock_node_wait(g, &g->nodes.items[k]) : 0;

		n->frees_longest = wait > n->frees_longest ? wait : n->frees_longest;
	}
}

void lock_graph_simulate(struct lock_graph *g)
{
	autofree bool *out = xcalloc(g->nodes.len + 1, sizeof(bool));
	autofree bool *freed = xcalloc(g->nodes.len + 1, sizeof(bool));

	for (size_t i = 0; i < g->nodes.len; i++)
		simulate_node(g, i, out, freed);
	choose(g);
	choose_in_cycles(g);
}
