/* SPDX-License-Identifier: PostgreSQL
 *
 * lock_graph.h - who waits for whom: the facts as the server gave them, and the graph made of them.
 *
 * Facts are one reading of pg_locks, pg_blocking_pids(), pg_stat_activity and pg_prepared_xacts; they come from the server
 * (lock_facts_read()) or from a recording (lock_record.h). The graph is pure: facts in, nodes and edges out, no server.
 *
 * Edges are pg_blocking_pids()'s and never rebuilt from pg_locks, which does not know the order of a wait queue. What
 * pg_locks adds is their kind: "hard" when the blocker holds a mode that conflicts, "soft" when it only waits in front with
 * one. The graph is no tree (a session may have several blockers), and until deadlock_timeout it may have cycles.
 */
#ifndef DBOPS_LOCK_GRAPH_H
#define DBOPS_LOCK_GRAPH_H

#include <libpq-fe.h>
#include <stdint.h>
#include "lock_mode.h"
#include "vec.h"

/* Times are microseconds since 1970, 0 = not known. Strings are owned; NULL = not known or not visible. */
struct lock_session {
	int64_t pid;
	char *database, *user, *application, *client, *backend_type, *state, *wait_event, *query, *xid;
	int64_t backend_start, xact_start, query_start, state_change;
};

/* A lock somebody holds or waits for, of those that matter for a wait. */
struct lock_entry {
	int64_t node;         /* pid of the session; a parallel worker's is its leader's; 0 = a prepared transaction */
	char *gid;            /* node 0: the prepared transaction; NULL = it vanished while we read */
	char *tag;            /* the same text = the same object; NULL: a wait for a safe snapshot */
	char *type;           /* pg_locks.locktype */
	char *object;         /* for people: "public.orders", "transaction 753" */
	enum lock_mode mode;
	bool granted;
	int64_t wait_start;   /* pg_locks.waitstart, 14 and newer; NULL there for an instant after the wait began */
};

struct lock_block {
	int64_t waiter, blocker; /* 0 = a prepared transaction */
};

struct lock_prepared {
	char *gid, *owner, *database, *xid;
	int64_t prepared_at;
};

struct lock_facts {
	int64_t at;           /* the server's clock */
	int64_t lock_objects; /* entries in use of the shared lock table */
	VEC(struct lock_session) sessions;
	VEC(struct lock_entry) locks;
	VEC(struct lock_block) blocks;
	VEC(struct lock_prepared) prepared;
};

void lock_facts_release(struct lock_facts *f);
#define _cleanup_lock_facts_ _cleanup_(lock_facts_release)

/* Reads the result of sql_locks. */
void lock_facts_read(struct lock_facts *ret, const PGresult *r);

enum lock_edge_kind {
	LOCK_EDGE_HARD, /* the blocker holds what conflicts */
	LOCK_EDGE_SOFT, /* the blocker waits in front with a request that conflicts */
};

struct lock_edge {
	size_t waiter, blocker; /* nodes */
	enum lock_edge_kind kind;
};

#define LOCK_NO_NODE SIZE_MAX

/* What ends a blocker. */
enum lock_cure {
	LOCK_CURE_NONE,      /* nothing that we would do: see lock_node.untouchable */
	LOCK_CURE_CANCEL,    /* pg_cancel_backend(): its statement fails, its transaction's locks go */
	LOCK_CURE_TERMINATE, /* pg_terminate_backend(): it runs no statement, or the lock may belong to the session */
	LOCK_CURE_ROLLBACK,  /* ROLLBACK PREPARED */
};
/* "cancel", "terminate", "rollback prepared"; NULL for LOCK_CURE_NONE. */
const char *lock_cure_name(enum lock_cure c);

struct lock_node {
	int64_t pid;                          /* 0 = a prepared transaction */
	const struct lock_session *session;   /* NULL = a prepared transaction, or gone while we read */
	const struct lock_prepared *prepared; /* NULL with pid 0 = gone while we read */
	const struct lock_entry *waits;       /* NULL = waits for nobody */
	const struct lock_entry *row;         /* the row it is about to change, when it waits for a transaction */
	int64_t wait_start;                   /* 0 = not known */
	bool wait_is_bound;                   /* wait_start is the last change of state: it waits at most that long */
	bool advisory;                        /* blocks somebody by an advisory lock */

	/* the drawing: each node once */
	size_t parent;                        /* the blocker it is drawn below; LOCK_NO_NODE = a root */
	enum lock_edge_kind parent_kind;
	size_t cycle;                         /* number of the deadlock it is part of, from 1; 0 = none */
	size_t depth;                         /* the longest way to a root */
	bool shown;                           /* false: hidden by a shortest wait to show */
	size_t blocked;                       /* shown nodes that wait for it, directly or not */

	/* what its end does, filled by lock_graph_simulate() */
	enum lock_cure cure;
	const char *untouchable;              /* why cure is none; a constant */
	size_t frees_now;                     /* sessions that get their lock at once */
	size_t frees_in_turn;                 /* those, and the ones that go on when those are done */
	double frees_longest;                 /* the longest wait among them, seconds */
	bool in_plan;                         /* part of the smallest set that frees everybody */
};

struct lock_graph {
	const struct lock_facts *facts; /* borrowed; must live as long as the graph */
	VEC(struct lock_node) nodes;
	VEC(struct lock_edge) edges;    /* sorted by waiter */
	size_t *first;                  /* nodes.len + 1: the first edge with that waiter */
	size_t *above, *first_above;    /* edges in the order of their blockers; the first one with that blocker */
	VEC(size_t) order;              /* all nodes, blockers before those they block */
	VEC(size_t) drawn;              /* nodes in the order of the drawing, parents first */
	size_t cycles;
	size_t waiting, roots;          /* numbers of shown nodes that wait; that block and do not wait */
	double longest;                 /* seconds; 0 when nobody waits */
	size_t longest_node;            /* LOCK_NO_NODE when nobody waits */
};

void lock_graph_release(struct lock_graph *g);
#define _cleanup_lock_graph_ _cleanup_(lock_graph_release)

/* Makes the graph of f. Waits shorter than min_wait seconds are hidden, and blockers of hidden ones only. */
void lock_graph_build(struct lock_graph *ret, const struct lock_facts *f, double min_wait);

/* Seconds the node waits at facts->at; -1 = it does not wait, or nobody can say since when. */
double lock_node_wait(const struct lock_graph *g, const struct lock_node *n);

/* Fills cure, frees_* and in_plan of every node by taking it out of the graph and looking who goes on (lock_release.c). */
void lock_graph_simulate(struct lock_graph *g);
/* The sessions that go on when the nodes of out[] (one bool a node) end: into ret, likewise. in_turn: and those that go on
 * when they in turn are done. Returns how many. */
size_t lock_graph_free(const struct lock_graph *g, const bool *out, bool in_turn, bool *ret);
/* The SQL that ends n, which hits nobody else when the pid is another session's by then; NULL for LOCK_CURE_NONE. Caller frees. */
char *lock_node_sql(const struct lock_node *n);

#endif
