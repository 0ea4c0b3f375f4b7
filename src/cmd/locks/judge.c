/* SPDX-License-Identifier: PostgreSQL */
/* What dbops locks makes of the graph: findings with their cure, metrics, thresholds. */
#include "locks.h"

#include <string.h>
#include "clock.h"

static void add_seconds(struct strbuf *out, const struct lock_graph *g, const struct lock_node *n)
{
	double wait = lock_node_wait(g, n);

	if (wait < 0) {
		strbuf_adds(out, "an unknown time");
		return;
	}
	if (n->wait_is_bound)
		strbuf_adds(out, "at most ");
	duration_format(wait, out);
}

static char *evidence(const struct lock_graph *g, size_t i)
{
	const struct lock_node *n = &g->nodes.items[i];
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	jsonw_object_begin(&j, NULL);
	if (n->pid)
		jsonw_int(&j, "pid", n->pid);
	else
		jsonw_string(&j, "gid", n->prepared ? n->prepared->gid : NULL);
	jsonw_string(&j, "state", n->session ? n->session->state : NULL);
	jsonw_int(&j, "blocked", (int64_t)n->blocked);
	jsonw_int(&j, "frees_now", (int64_t)n->frees_now);
	jsonw_int(&j, "frees_in_turn", (int64_t)n->frees_in_turn);
	jsonw_seconds(&j, "longest_wait", n->frees_longest);
	jsonw_object_end(&j);
	return strbuf_detach(&sb);
}

static const char *sessions(size_t n)
{
	return n == 1 ? "session" : "sessions";
}

static void add_state(struct strbuf *out, const struct lock_node *n)
{
	if (n->prepared)
		strbuf_adds(out, "is prepared, nobody holds it in a session, and it");
	else if (n->session && n->session->state && strncmp(n->session->state, "idle", 4) == 0)
		strbuf_addf(out, "is %s and", n->session->state);
	if (out->len)
		strbuf_addch(out, ' ');
}

static void find_root(const struct lock_graph *g, size_t i, struct answer *a)
{
	const struct lock_node *n = &g->nodes.items[i];
	autofree char *object = locks_node_name(n), *proof = evidence(g, i), *sql = lock_node_sql(n);
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;

	add_state(&message, n);
	strbuf_addf(&message, "blocks %zu %s", n->blocked, sessions(n->blocked));
	if (n->frees_longest > 0) {
		strbuf_adds(&message, ", the longest for ");
		duration_format(n->frees_longest, &message);
	}
	if (n->untouchable)
		strbuf_addf(&message, "; leave it, %s", n->untouchable);
	answer_finding(a, &(struct finding){ .id = n->prepared ? "locks.prepared" : "locks.blocker", .severity = SEVERITY_INFO,
				  .object = object, .message = message.buf, .evidence = proof, .fix = sql });
}

static void find_deadlock(const struct lock_graph *g, size_t cycle, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf pids = STRBUF_INIT;

	for (size_t i = 0; i < g->nodes.len; i++)
		if (g->nodes.items[i].cycle == cycle && g->nodes.items[i].shown)
			strbuf_addf(&pids, "%s%lld", pids.len ? ", " : "", (long long)g->nodes.items[i].pid);
	if (!pids.len)
		return;

	autofree char *object = xasprintf("pids %s", pids.buf);
	autofree char *message = xstrdup("wait for each other; the server ends one of them after deadlock_timeout");

	answer_finding(a, &(struct finding){ .id = "locks.deadlock", .severity = SEVERITY_INFO, .object = object,
				  .message = message });
}

static void add_findings(const struct lock_graph *g, struct answer *a)
{
	for (size_t i = 0; i < g->drawn.len; i++) {
		const struct lock_node *n = &g->nodes.items[g->drawn.items[i]];

		if (!n->waits)
			find_root(g, g->drawn.items[i], a);
		else if (n->in_plan && n->cure)
			find_root(g, g->drawn.items[i], a);
	}
	for (size_t cycle = 1; cycle <= g->cycles; cycle++)
		find_deadlock(g, cycle, a);
}

static char *summary(const struct lock_graph *g)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!g->waiting)
		return xstrdup("nobody waits for a lock");
	strbuf_addf(&text, "%zu %s blocked by %zu, the longest for ", g->waiting, sessions(g->waiting), g->roots);
	add_seconds(&text, g, &g->nodes.items[g->longest_node]);
	return strbuf_detach(&text);
}

void locks_judge(const struct lock_graph *g, const struct locks_limits *limits, struct answer *a)
{
	struct metric wait = {
		.name = "locks_longest_wait_seconds",
		.help = "Longest wait for a lock now.",
		.unit = UNIT_SECONDS,
		.value = g->longest,
		.perfdata = "longest_wait",
		.finding = "locks.wait",
	};
	struct metric blocked = {
		.name = "locks_blocked_sessions",
		.help = "Sessions that wait for a lock.",
		.value = (double)g->waiting,
		.perfdata = "blocked",
		.finding = "locks.blocked",
	};

	range_parse(limits->warning, UNIT_SECONDS, &wait.warning, NULL);
	range_parse(limits->critical, UNIT_SECONDS, &wait.critical, NULL);
	range_parse(limits->blocked_warning, UNIT_NUMBER, &blocked.warning, NULL);
	range_parse(limits->blocked_critical, UNIT_NUMBER, &blocked.critical, NULL);
	answer_metric(a, &wait);
	answer_metric(a, &blocked);
	answer_metric(a, &(struct metric){ .name = "locks_blockers", .perfdata = "blockers", .value = (double)g->roots,
				 .help = "Sessions and prepared transactions that block others and do not wait themselves." });
	add_findings(g, a);
	a->summary = summary(g);
}
