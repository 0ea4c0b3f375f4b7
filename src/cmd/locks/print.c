/* SPDX-License-Identifier: PostgreSQL */
/* The rows of dbops locks: a session each, as a tree or as a plan. */
#include "locks.h"

#include <string.h>

/* One list of keys for both; what differs is what a table shows. */
#define COLUMNS(tree, plan, tree_title, plan_title)                                                                            \
	{ "session", "SESSION", CELL_TEXT, COLUMN_TREE, "process id of the backend; a prepared transaction's identifier" },    \
	{ "pid", NULL, CELL_INT, COLUMN_EXTRA, "process id; empty for a prepared transaction" },                               \
	{ "wait", tree_title("WAIT"), CELL_DURATION, tree, "how long it waits for the lock; empty when it does not wait" },     \
	{ "wait_is_bound", NULL, CELL_BOOL, COLUMN_EXTRA,                                                                      \
		"the server did not say when the wait began (before 14): it is at most this long" },                           \
	{ "action", plan_title("ACTION"), CELL_TEXT, plan, "what ends it: cancel, terminate, rollback prepared; empty = leave it alone" }, \
	{ "in_plan", plan_title("PLAN"), CELL_BOOL, plan, "part of the smallest set whose end lets everybody else go on" },    \
	{ "frees_now", plan_title("FREES NOW"), CELL_INT, plan, "sessions that get their lock at once when it ends" },          \
	{ "frees_in_turn", plan_title("IN TURN"), CELL_INT, plan, "those, and the ones that go on when those are done" },       \
	{ "frees_longest", plan_title("LONGEST"), CELL_DURATION, plan, "the longest wait among them" },                        \
	{ "mode", tree_title("WAITS FOR"), CELL_TEXT, tree, "lock mode it waits for" },                                        \
	{ "object", tree_title("ON"), CELL_TEXT, tree, "what the lock is on" },                                                \
	{ "blocked_by", NULL, CELL_JSON, COLUMN_EXTRA,                                                                         \
		"who blocks it: pid or gid, and kind: hard (holds a conflicting lock), soft (waits in front for one)" },        \
	{ "also_blocked_by", tree_title("ALSO BEHIND"), CELL_TEXT, tree, "its blockers that it is not drawn below" },          \
	{ "block", NULL, CELL_TEXT, COLUMN_EXTRA, "kind of the block it is drawn below: hard or soft" },                       \
	{ "blocks", tree_title("BLOCKS"), CELL_INT, tree, "sessions that wait for it, directly or not" },                      \
	{ "deadlock", NULL, CELL_INT, COLUMN_EXTRA, "number of the deadlock it is part of" },                                  \
	{ "database", NULL, CELL_TEXT, COLUMN_EXTRA, "its database" },                                                         \
	{ "user", "USER", CELL_TEXT, 0, "role that is logged in; owner of the prepared transaction" },                        \
	{ "application", NULL, CELL_TEXT, COLUMN_EXTRA, "application_name" },                                                  \
	{ "client", NULL, CELL_TEXT, COLUMN_EXTRA, "address of the client, or socket" },                                       \
	{ "type", NULL, CELL_TEXT, COLUMN_EXTRA, "type of the backend" },                                                      \
	{ "state", "STATE", CELL_TEXT, 0, "what it is doing" },                                                               \
	{ "started", NULL, CELL_TIME, COLUMN_EXTRA, "start of the backend: with the process id it names one session" },        \
	{ "transaction_age", "TRANSACTION", CELL_DURATION, 0, "age of its transaction" },                                      \
	{ "query", "QUERY", CELL_TEXT, COLUMN_WIDE, "its statement; of an idle session the last one" },                        \
	{ "untouchable", plan_title("LEAVE IT BECAUSE"), CELL_TEXT, plan, "why there is nothing to end" },                     \
	{ "sql", NULL, CELL_TEXT, COLUMN_EXTRA, "the statement that ends it, and nobody else" },                              \
	COLUMN_END

#define SHOWN(title)  title
#define HIDDEN(title) NULL

const struct column locks_columns[] = { COLUMNS(0, COLUMN_EXTRA, SHOWN, HIDDEN) };
const struct column locks_plan_columns[] = { COLUMNS(COLUMN_EXTRA, 0, HIDDEN, SHOWN) };

char *locks_node_name(const struct lock_node *n)
{
	if (n->pid)
		return xasprintf("pid %lld", (long long)n->pid);
	return n->prepared ? xasprintf("prepared transaction '%s'", n->prepared->gid) : xstrdup("prepared transaction");
}

static char *short_name(const struct lock_node *n)
{
	return n->pid ? xasprintf("%lld", (long long)n->pid) : locks_node_name(n);
}

static char *blocked_by_json(const struct lock_graph *g, size_t n)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	jsonw_array_begin(&j, NULL);
	for (size_t i = g->first[n]; i < g->first[n + 1]; i++) {
		const struct lock_node *b = &g->nodes.items[g->edges.items[i].blocker];

		jsonw_object_begin(&j, NULL);
		if (b->pid)
			jsonw_int(&j, "pid", b->pid);
		else
			jsonw_null(&j, "pid");
		jsonw_string(&j, "gid", b->prepared ? b->prepared->gid : NULL);
		jsonw_string(&j, "kind", g->edges.items[i].kind == LOCK_EDGE_HARD ? "hard" : "soft");
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
	return strbuf_detach(&sb);
}

/* Blockers beside the one it is drawn below; NULL = none. */
static char *other_blockers(const struct lock_graph *g, size_t n)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (size_t i = g->first[n]; i < g->first[n + 1]; i++) {
		size_t b = g->edges.items[i].blocker;
		autofree char *name = short_name(&g->nodes.items[b]);

		if (b != g->nodes.items[n].parent)
			strbuf_addf(&sb, "%s%s", sb.len ? ", " : "", name);
	}
	return sb.len ? strbuf_detach(&sb) : NULL;
}

static char *object_text(const struct lock_node *n)
{
	if (!n->waits)
		return NULL;
	return n->row ? xasprintf("%s (%s)", n->waits->object, n->row->object) : xstrdup(n->waits->object);
}

static struct cell seconds_since(int64_t at, int64_t since)
{
	return since ? CELL_OF_REAL(at > since ? (double)(at - since) / 1e6 : 0) : CELL_NULL();
}

static struct cell seconds_or_null(double s)
{
	return s < 0 ? CELL_NULL() : CELL_OF_REAL(s);
}

static struct cell bool_if(bool known, bool value)
{
	return (struct cell){ .null = !known, .number = value };
}

static const char *state_of(const struct lock_node *n)
{
	if (!n->pid)
		return "prepared";
	if (!n->session)
		return "gone";
	return n->session->state ? n->session->state : n->session->backend_type;
}

static void print_node(const struct lock_graph *g, size_t i, struct report *r, int64_t parent)
{
	static const struct lock_session nobody;
	const struct lock_node *n = &g->nodes.items[i];
	const struct lock_session *s = n->session ? n->session : &nobody;
	const struct lock_prepared *p = n->prepared;
	autofree char *name = short_name(n), *by = blocked_by_json(g, i), *others = other_blockers(g, i);
	autofree char *object = object_text(n), *sql = lock_node_sql(n);
	int64_t since = p ? p->prepared_at : s->xact_start;
	const struct cell cells[] = {
		CELL_OF_TEXT(name),
		n->pid ? CELL_OF_INT(n->pid) : CELL_NULL(),
		seconds_or_null(lock_node_wait(g, n)),
		bool_if(n->waits, n->wait_is_bound),
		CELL_OF_TEXT(lock_cure_name(n->cure)),
		bool_if(true, n->in_plan && n->cure),
		CELL_OF_INT((int64_t)n->frees_now),
		CELL_OF_INT((int64_t)n->frees_in_turn),
		n->frees_in_turn ? CELL_OF_REAL(n->frees_longest) : CELL_NULL(),
		CELL_OF_TEXT(n->waits ? lock_mode_name(n->waits->mode) : NULL),
		CELL_OF_TEXT(object),
		CELL_OF_TEXT(by),
		CELL_OF_TEXT(others),
		CELL_OF_TEXT(!n->waits ? NULL : n->parent_kind == LOCK_EDGE_SOFT ? "soft" : "hard"),
		CELL_OF_INT((int64_t)n->blocked),
		n->cycle ? CELL_OF_INT((int64_t)n->cycle) : CELL_NULL(),
		CELL_OF_TEXT(p ? p->database : s->database),
		CELL_OF_TEXT(p ? p->owner : s->user),
		CELL_OF_TEXT(s->application),
		CELL_OF_TEXT(s->client),
		CELL_OF_TEXT(s->backend_type),
		CELL_OF_TEXT(state_of(n)),
		s->backend_start ? CELL_OF_INT(s->backend_start) : CELL_NULL(),
		seconds_since(g->facts->at, since),
		CELL_OF_TEXT(s->query),
		CELL_OF_TEXT(n->untouchable),
		CELL_OF_TEXT(sql),
	};

	report_child(r, cells, parent);
}

/* Row numbers, so that a child finds its parent's. */
static void print_tree(const struct lock_graph *g, struct report *r)
{
	autofree int64_t *row = xcalloc(g->nodes.len + 1, sizeof(int64_t));

	for (size_t i = 0; i < g->drawn.len; i++) {
		size_t n = g->drawn.items[i], parent = g->nodes.items[n].parent;

		row[n] = (int64_t)i;
		print_node(g, n, r, parent == LOCK_NO_NODE ? -1 : row[parent]);
	}
}

static bool is_better_victim(const struct lock_node *a, const struct lock_node *b)
{
	if (a->in_plan != b->in_plan)
		return a->in_plan;
	if (a->frees_in_turn != b->frees_in_turn)
		return a->frees_in_turn > b->frees_in_turn;
	return a->frees_now > b->frees_now;
}

/* Blockers only, the plan's members first. */
static void print_plan(const struct lock_graph *g, struct report *r)
{
	autofree size_t *order = xcalloc(g->drawn.len + 1, sizeof(size_t));
	size_t n = 0;

	for (size_t i = 0; i < g->drawn.len; i++) {
		size_t k = g->drawn.items[i], at = n;

		if (g->first_above[k] == g->first_above[k + 1])
			continue;
		for (; at && is_better_victim(&g->nodes.items[k], &g->nodes.items[order[at - 1]]); at--)
			order[at] = order[at - 1];
		order[at] = k;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		print_node(g, order[i], r, -1);
}

void locks_print(const void *data, const struct answer *a, struct report *r)
{
	const struct locks_rows *rows = data;

	(void)a;
	if (rows->has_context)
		locks_print_context(&rows->context, rows->graph.waiting > 0, r);
	if (rows->plan)
		print_plan(&rows->graph, r);
	else
		print_tree(&rows->graph, r);
}
