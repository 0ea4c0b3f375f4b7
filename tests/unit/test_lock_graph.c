/* SPDX-License-Identifier: PostgreSQL */
/* Graphs of locks from constructed facts: edges, drawing, cycles, and what the end of a blocker frees. */
#include "unit.h"

#include "lock_graph.h"
#include "lock_object.h"
#include "pid_map.h"

#define SECOND 1000000
#define NOW    (100 * (int64_t)SECOND)

static struct lock_facts facts;

static int setup(void **state)
{
	(void)state;
	facts = (struct lock_facts){ .at = NOW };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lock_facts_release(&facts);
	return 0;
}

static void session(int64_t pid, const char *state)
{
	*vec_push(&facts.sessions) = (struct lock_session){ .pid = pid, .state = xstrdup(state), .backend_start = SECOND,
		.backend_type = xstrdup("client backend") };
}

static void holds(int64_t pid, const char *tag, enum lock_mode mode)
{
	*vec_push(&facts.locks) = (struct lock_entry){ .node = pid, .tag = xstrdup(tag), .type = xstrdup("relation"),
		.object = xstrdup(tag), .mode = mode, .granted = true };
}

static void holds_prepared(const char *gid, const char *tag, enum lock_mode mode)
{
	holds(0, tag, mode);
	facts.locks.items[facts.locks.len - 1].gid = xstrdup(gid);
	*vec_push(&facts.prepared) = (struct lock_prepared){ .gid = xstrdup(gid) };
}

/* An active session that waits since `since` seconds. */
static void waits(int64_t pid, const char *tag, enum lock_mode mode, int64_t since)
{
	session(pid, "active");
	*vec_push(&facts.locks) = (struct lock_entry){ .node = pid, .tag = xstrdup(tag), .type = xstrdup("relation"),
		.object = xstrdup(tag), .mode = mode, .wait_start = since ? NOW - since * SECOND : 0 };
}

static void blocks(int64_t waiter, int64_t blocker)
{
	*vec_push(&facts.blocks) = (struct lock_block){ waiter, blocker };
}

static void build(struct lock_graph *g, double min_wait)
{
	lock_graph_build(g, &facts, min_wait);
	lock_graph_simulate(g);
}

static const struct lock_node *node(const struct lock_graph *g, int64_t pid)
{
	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->nodes.items[i].pid == pid)
			return &g->nodes.items[i];
	fail_msg("no node %d", (int)pid);
	return NULL;
}

static size_t index_of(const struct lock_graph *g, int64_t pid)
{
	return (size_t)(node(g, pid) - g->nodes.items);
}

static int64_t parent(const struct lock_graph *g, int64_t pid)
{
	size_t p = node(g, pid)->parent;

	return p == LOCK_NO_NODE ? -1 : g->nodes.items[p].pid;
}

static void test_modes(void **state)
{
	static const char *const conflicts[] = { /* documentation, table 13.2, rows and columns in order of strength */
		"       X", "      XX", "    XXXX", "   XXXXX", "  XX XXX", "  XXXXXX", " XXXXXXX", "XXXXXXXX",
	};

	(void)state;
	for (unsigned a = 0; a < 8; a++)
		for (unsigned b = 0; b < 8; b++)
			assert_int_equal(lock_modes_conflict(a + 1, b + 1), conflicts[a][b] == 'X');
	for (enum lock_mode m = LOCK_ACCESS_SHARE; m <= LOCK_ACCESS_EXCLUSIVE; m++) {
		assert_int_equal(lock_mode_parse(lock_mode_name(m)), m);
		assert_int_equal(lock_mode_parse(lock_mode_catalog_name(m)), m);
		assert_false(lock_modes_conflict(m, LOCK_NONE));
	}
	assert_int_equal(lock_mode_parse("SIReadLock"), LOCK_NONE);
}

/* reader 1 <- ALTER 2 <- readers 3, 4 */
static void ddl_queue(void)
{
	session(1, "idle in transaction");
	holds(1, "t", LOCK_ACCESS_SHARE);
	waits(2, "t", LOCK_ACCESS_EXCLUSIVE, 30);
	waits(3, "t", LOCK_ACCESS_SHARE, 20);
	waits(4, "t", LOCK_ACCESS_SHARE, 10);
	blocks(2, 1);
	blocks(3, 2);
	blocks(4, 2);
}

static void test_soft_block(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	ddl_queue();
	build(&g, 0);
	assert_int_equal(parent(&g, 1), -1);
	assert_int_equal(parent(&g, 2), 1);
	assert_int_equal(parent(&g, 3), 2);
	assert_int_equal(node(&g, 2)->parent_kind, LOCK_EDGE_HARD);
	assert_int_equal(node(&g, 3)->parent_kind, LOCK_EDGE_SOFT);
	assert_int_equal(g.waiting, 3);
	assert_int_equal(g.roots, 1);
	assert_float_equal(g.longest, 30, 0.001);
	assert_int_equal(g.drawn.len, 4);
	assert_int_equal(g.nodes.items[g.drawn.items[2]].pid, 3); /* waits longer than 4 */
	/* the cheap way: the ALTER goes, the old transaction stays */
	assert_int_equal(node(&g, 2)->cure, LOCK_CURE_CANCEL);
	assert_int_equal(node(&g, 2)->frees_now, 2);
	assert_true(node(&g, 2)->in_plan);
	assert_int_equal(node(&g, 1)->cure, LOCK_CURE_TERMINATE);
	assert_int_equal(node(&g, 1)->frees_now, 1);
	assert_int_equal(node(&g, 1)->frees_in_turn, 3);
	assert_float_equal(node(&g, 1)->frees_longest, 30, 0.001);
	assert_false(node(&g, 1)->in_plan);
}

static void test_min_wait(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	ddl_queue();
	session(7, "active");
	waits(8, "u", LOCK_SHARE, 1);
	blocks(8, 7);
	build(&g, 15);
	assert_int_equal(g.drawn.len, 3);
	assert_int_equal(g.waiting, 2);
	assert_false(node(&g, 4)->shown);
	assert_false(node(&g, 7)->shown);
	assert_int_equal(node(&g, 1)->blocked, 2);
}

static void test_several_blockers(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	session(1, "idle in transaction");
	holds(1, "xid", LOCK_EXCLUSIVE);
	waits(2, "xid", LOCK_SHARE, 9);
	holds(2, "row", LOCK_EXCLUSIVE);
	waits(3, "row", LOCK_EXCLUSIVE, 8);
	waits(4, "row", LOCK_EXCLUSIVE, 7);
	blocks(2, 1);
	blocks(3, 2);
	blocks(4, 2);
	blocks(4, 3);
	build(&g, 0);
	assert_int_equal(g.edges.len, 4);
	assert_int_equal(g.drawn.len, 4);
	assert_int_equal(parent(&g, 4), 2); /* 3 is only in front of it */
	assert_int_equal(node(&g, 2)->frees_now, 1);
	assert_int_equal(node(&g, 2)->frees_in_turn, 2);
	assert_int_equal(node(&g, 3)->frees_now, 0); /* 2 still holds the row */
	assert_true(node(&g, 1)->in_plan);
	assert_false(node(&g, 2)->in_plan);
}

static void test_two_roots_need_both(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	for (int64_t root = 1; root <= 2; root++) {
		session(root, "idle in transaction");
		holds(root, "t", LOCK_SHARE);
	}
	for (int64_t w = 11; w <= 13; w++) {
		waits(w, "t", LOCK_ROW_EXCLUSIVE, w);
		blocks(w, 1);
		blocks(w, 2);
	}
	build(&g, 0);
	assert_int_equal(node(&g, 1)->frees_in_turn, 0);
	assert_true(node(&g, 1)->in_plan && node(&g, 2)->in_plan);
	assert_false(node(&g, 11)->in_plan);

	autofree bool *out = xcalloc(g.nodes.len, sizeof(bool)), *freed = xcalloc(g.nodes.len, sizeof(bool));

	out[index_of(&g, 1)] = out[index_of(&g, 2)] = true;
	assert_int_equal(lock_graph_free(&g, out, false, freed), 3);
}

/* Whatever the graph: with the plan's members gone, everybody else goes on. */
static void test_the_plan_frees_everybody(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		_cleanup_lock_graph_ struct lock_graph g = { 0 };
		int roots = 1 + rand_r(&seed) % 5, waiters = 1 + rand_r(&seed) % 9;

		setup(NULL);
		for (int r = 1; r <= roots; r++) {
			session(r, rand_r(&seed) % 2 ? "active" : "idle in transaction");
			holds(r, "t", LOCK_SHARE);
		}
		for (int w = 0; w < waiters; w++) {
			waits(100 + w, "t", LOCK_ROW_EXCLUSIVE, 1 + w);
			blocks(100 + w, 1 + rand_r(&seed) % roots);
			if (rand_r(&seed) % 2)
				blocks(100 + w, w ? 100 + rand_r(&seed) % w : 1);
		}
		build(&g, 0);

		autofree bool *out = xcalloc(g.nodes.len, sizeof(bool)), *freed = xcalloc(g.nodes.len, sizeof(bool));
		size_t victims = 0;

		for (size_t i = 0; i < g.nodes.len; i++) {
			out[i] = g.nodes.items[i].in_plan;
			victims += out[i];
		}
		lock_graph_free(&g, out, true, freed);
		for (size_t i = 0; i < g.nodes.len; i++)
			assert_true(!g.nodes.items[i].waits || out[i] || freed[i]);
		assert_true(victims <= (size_t)roots);
		teardown(NULL);
	}
	setup(NULL);
}

/* 1 holds what everybody else wants, one behind the other: each is blocked by 1 and by all in front of it. */
static void test_long_queue(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };
	const int64_t n = 2000;
	int64_t hard = 0;

	(void)state;
	session(1, "idle in transaction");
	holds(1, "t", LOCK_ACCESS_EXCLUSIVE);
	for (int64_t w = 2; w < n + 2; w++) {
		waits(w, "t", LOCK_EXCLUSIVE, n + 2 - w);
		holds(w, "other", LOCK_EXCLUSIVE); /* nobody waits for that one */
		for (int64_t b = 1; b < w; b++)
			blocks(w, b);
	}
	build(&g, 0);
	assert_int_equal(g.nodes.len, n + 1);
	assert_int_equal(g.edges.len, n * (n + 1) / 2);
	for (size_t i = 0; i < g.edges.len; i++)
		if (g.edges.items[i].kind == LOCK_EDGE_HARD) {
			assert_int_equal(g.nodes.items[g.edges.items[i].blocker].pid, 1);
			hard++;
		}
	assert_int_equal(hard, n);
	assert_int_equal(g.waiting, n);
	assert_int_equal(g.roots, 1);
	assert_int_equal(g.cycles, 0);
	assert_int_equal(g.drawn.len, n + 1);
	assert_int_equal(g.longest_node, index_of(&g, 2));
	for (size_t i = 0; i < g.nodes.len; i++) {
		const struct lock_node *w = &g.nodes.items[i];

		assert_int_equal(w->depth, w->pid - 1);
		assert_int_equal(w->blocked, n + 1 - w->pid);
		assert_int_equal(w->in_plan, w->pid == 1);
		assert_int_equal(w->frees_in_turn, w->pid == 1 ? n : 0);
	}
	assert_int_equal(parent(&g, n + 1), 1);
	assert_int_equal(node(&g, 1)->frees_now, 1);
}

static void test_pid_map(void **state)
{
	struct pid_map m = { 0 };

	(void)state;
	for (int64_t i = 0; i < 5000; i++) {
		assert_int_equal(*pid_map_at(&m, i * 64), 0);
		*pid_map_at(&m, i * 64) = i + 1;
	}
	assert_int_equal(m.len, 5000);
	for (int64_t i = 0; i < 5000; i++)
		assert_int_equal(*pid_map_at(&m, i * 64), i + 1);
	assert_int_equal(*pid_map_at(&m, 1), 0);
	pid_map_release(&m);
}

static void test_cycle(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	waits(1, "b", LOCK_EXCLUSIVE, 5);
	waits(2, "a", LOCK_EXCLUSIVE, 4);
	holds(1, "a", LOCK_EXCLUSIVE);
	holds(2, "b", LOCK_EXCLUSIVE);
	waits(3, "a", LOCK_SHARE, 3);
	blocks(1, 2);
	blocks(2, 1);
	blocks(3, 1);
	blocks(1, 1); /* newer servers may list a pid as its own blocker */
	build(&g, 0);
	assert_int_equal(g.cycles, 1);
	assert_int_equal(g.edges.len, 3);
	assert_int_equal(g.drawn.len, 3);
	assert_int_equal(node(&g, 1)->cycle, 1);
	assert_int_equal(node(&g, 2)->cycle, 1);
	assert_int_equal(node(&g, 3)->cycle, 0);
	assert_int_equal(node(&g, 1)->blocked, 2);
	assert_int_equal(node(&g, 2)->blocked, 2);
	assert_int_equal(node(&g, 3)->blocked, 0);
	assert_int_equal(parent(&g, 1), -1);
	assert_int_equal(parent(&g, 2), 1);
	assert_true(node(&g, 1)->in_plan);
}

static void test_prepared(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	holds_prepared("it's", "t", LOCK_EXCLUSIVE);
	holds_prepared("harmless", "t", LOCK_ACCESS_SHARE);
	waits(5, "t", LOCK_ROW_EXCLUSIVE, 5);
	blocks(5, 0);
	build(&g, 0);
	assert_int_equal(g.edges.len, 1);
	assert_int_equal(g.drawn.len, 2);

	const struct lock_node *root = &g.nodes.items[g.drawn.items[0]];
	autofree char *sql = lock_node_sql(root);

	assert_string_equal(root->prepared->gid, "it's");
	assert_string_equal(sql, "ROLLBACK PREPARED 'it''s';");
	assert_true(root->in_plan);
}

static void test_things_that_vanish(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	waits(5, "t", LOCK_SHARE, 0);
	blocks(5, 0); /* a prepared transaction that was committed meanwhile */
	waits(6, "t", LOCK_SHARE, 1);
	blocks(6, 99); /* a session that ended */
	waits(7, "t", LOCK_SHARE, 1); /* got its lock meanwhile */
	blocks(8, 5); /* waits no more */
	build(&g, 0);
	assert_int_equal(g.waiting, 2);
	assert_null(node(&g, 7)->waits);
	assert_int_equal(node(&g, 99)->cure, LOCK_CURE_NONE);
	assert_non_null(node(&g, 99)->untouchable);
	assert_true(lock_node_wait(&g, node(&g, 5)) < 0);
}

static void test_untouchable_root(void **state)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	(void)state;
	session(1, "active");
	free(facts.sessions.items[0].backend_type);
	facts.sessions.items[0].backend_type = xstrdup("autovacuum worker");
	facts.sessions.items[0].query = xstrdup("autovacuum: VACUUM public.t (to prevent wraparound)");
	holds(1, "t", LOCK_SHARE_UPDATE_EXCLUSIVE);
	waits(2, "t", LOCK_ACCESS_EXCLUSIVE, 5);
	waits(3, "t", LOCK_ACCESS_SHARE, 5);
	blocks(2, 1);
	blocks(3, 2);
	build(&g, 0);
	assert_int_equal(node(&g, 1)->cure, LOCK_CURE_NONE);
	assert_false(node(&g, 1)->in_plan);
	assert_true(node(&g, 2)->in_plan);
}

static void test_objects(void **state)
{
	static const struct {
		struct lock_object o;
		const char *text;
	} cases[] = {
		{ { .type = "relation", .database = "5", .is_here = true, .relation = "9", .schema = "public", .name = "T" }, "public.\"T\"" },
		{ { .type = "relation", .database = "5", .is_here = true, .relation = "9" }, "relation 9" },
		{ { .type = "relation", .database = "5", .database_name = "other", .relation = "9" }, "other: relation 9" },
		{ { .type = "tuple", .database = "5", .is_here = true, .relation = "9", .schema = "s", .name = "t", .page = "3", .tuple = "7" },
			"row (3,7) of s.t" },
		{ { .type = "extend", .database = "5", .is_here = true, .relation = "9", .schema = "s", .name = "t" }, "extension of s.t" },
		{ { .type = "page", .database = "5", .is_here = true, .relation = "9", .schema = "s", .name = "t", .page = "3" }, "page 3 of s.t" },
		{ { .type = "transactionid", .transactionid = "753" }, "transaction 753" },
		{ { .type = "virtualxid", .virtualxid = "4/12" }, "virtual transaction 4/12" },
		{ { .type = "advisory", .database = "5", .is_here = true, .classid = "0", .objid = "42", .objsubid = "1" }, "advisory lock 42" },
		{ { .type = "advisory", .database = "5", .is_here = true, .classid = "4294967295", .objid = "4294967289", .objsubid = "1" },
			"advisory lock -7" },
		{ { .type = "advisory", .database = "5", .is_here = true, .classid = "1", .objid = "4294967295", .objsubid = "2" },
			"advisory lock (1, -1)" },
		{ { .type = "object", .database = "0", .is_here = true, .classid = "1262", .objid = "5", .class_name = "pg_database",
			  .object_name = "app" }, "database app" },
		{ { .type = "object", .database = "5", .is_here = true, .classid = "1255", .objid = "77", .class_name = "pg_proc" }, "pg_proc 77" },
		{ { .type = "newkind" }, "newkind" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		autofree char *text = lock_object_describe(&cases[i].o);

		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test_setup_teardown(test_soft_block, setup, teardown),
		cmocka_unit_test_setup_teardown(test_min_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_blockers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_roots_need_both, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_plan_frees_everybody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_queue, setup, teardown),
		cmocka_unit_test(test_pid_map),
		cmocka_unit_test_setup_teardown(test_cycle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prepared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_things_that_vanish, setup, teardown),
		cmocka_unit_test_setup_teardown(test_untouchable_root, setup, teardown),
		cmocka_unit_test(test_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
