/* SPDX-License-Identifier: PostgreSQL */
/* dbops locks - who waits for whom. */
#include "locks.h"

#include "lock_record.h"

struct locks_args {
	const char *warning, *critical, *blocked_warning, *blocked_critical;
	int64_t min_wait;
	bool release_plan;
	const char *record, *replay, *at;
	int64_t step;
};

static const struct option locks_options[] = {
	OPT_STRING(struct locks_args, warning, .long_name = "warning", .metavar = "RANGE", .config_key = "locks.warning",
		.fallback = "1s", .check = range_check_seconds, .help = "a longer wait makes the check WARNING"),
	OPT_STRING(struct locks_args, critical, .long_name = "critical", .metavar = "RANGE", .config_key = "locks.critical",
		.fallback = "30s", .check = range_check_seconds, .help = "a longer wait makes the check CRITICAL"),
	OPT_STRING(struct locks_args, blocked_warning, .long_name = "blocked-warning", .metavar = "RANGE",
		.config_key = "locks.blocked_warning", .fallback = "", .check = range_check_number,
		.help = "more blocked sessions make the check WARNING"),
	OPT_STRING(struct locks_args, blocked_critical, .long_name = "blocked-critical", .metavar = "RANGE",
		.config_key = "locks.blocked_critical", .fallback = "", .check = range_check_number,
		.help = "more blocked sessions make the check CRITICAL"),
	OPT_DURATION(struct locks_args, min_wait, .long_name = "min-wait", .metavar = "TIME", .config_key = "locks.min_wait",
		.help = "leave out shorter waits"),
	OPT_FLAG(struct locks_args, release_plan, .long_name = "release-plan",
		.help = "show each blocker with what its end frees, the smallest set that frees everybody first"),
	OPT_PATH(struct locks_args, record, .long_name = "record", .metavar = "FILE",
		.help = "append what was seen to FILE, a line a look; with --watch a flight recorder"),
	OPT_PATH(struct locks_args, replay, .long_name = "replay", .metavar = "FILE",
		.help = "show what FILE recorded instead of asking a server; all of it, or one instant:"),
	OPT_STRING(struct locks_args, at, .long_name = "at", .metavar = "TIME", .check = locks_check_at,
		.help = "with --replay: the instant at TIME, such as 2026-11-20T20:36:16Z, or -5min from the end"),
	OPT_INT(struct locks_args, step, .long_name = "step", .metavar = "N", .min = -1000000000, .max = 1000000000,
		.help = "with --replay: N instants after that, or before it; without --at from the last one"),
	OPT_END,
};

static const struct example locks_examples[] = {
	{ "dbops locks -d app", "who waits for whom, as a tree" },
	{ "dbops locks -d app --release-plan", "whom to cancel" },
	{ "dbops locks -d app --check --warning 100ms", "a check for cron" },
	{ "dbops locks -d app --watch 1s --record locks.ndjson", "a flight recorder" },
	{ "dbops locks --replay locks.ndjson --at -5min", "the tree five minutes before the recording's end" },
	{ NULL, NULL },
};

static void release(void *data)
{
	struct locks_rows *rows = data;

	lock_graph_release(&rows->graph);
	lock_facts_release(&rows->facts);
	free(rows);
}

/* Process ids, locks and (from 14 on) waits are visible to everybody; what sessions do is not. */
void locks_note_gap(struct answer *a, const struct probe *p, bool decisive)
{
	_cleanup_strbuf_ struct strbuf grant = STRBUF_INIT;

	if (p->reads_stats)
		return;
	strbuf_adds(&grant, "GRANT pg_monitor TO ");
	pg_add_ident(&grant, p->current_user);
	strbuf_addch(&grant, ';');
	answer_gap(a, decisive, "states, ages and statements of sessions",
		"this role cannot see what other roles' sessions do", grant.buf);
}

static bool record(const struct look *look, const struct lock_facts *facts, const char *path, struct error *err)
{
	const struct pg_conn *c = look->inspector->conn;
	const struct lock_instant instant = { c->server, c->database, c->version, *facts };

	return lock_instant_append(&instant, path, err);
}

static void *collect(struct look *look, struct error *err)
{
	const struct locks_args *a = look->args;
	const struct locks_limits limits = { a->warning, a->critical, a->blocked_warning, a->blocked_critical };
	autofree char *sql = xasprintf("%s;\n%s", sql_locks, sql_locks_context);
	PGresult *r[2];

	if (!inspector_batch(look->inspector, sql, r, 2, err))
		return NULL;

	struct locks_rows *rows = xcalloc(1, sizeof(*rows));

	rows->plan = a->release_plan;
	rows->has_context = true;
	lock_facts_read(&rows->facts, r[0]);
	locks_read_context(&rows->context, r[1]);
	look->answer->at = rows->facts.at;
	PQclear(r[0]);
	PQclear(r[1]);
	lock_graph_build(&rows->graph, &rows->facts, (double)a->min_wait / 1000);
	lock_graph_simulate(&rows->graph);
	locks_judge(&rows->graph, &limits, look->answer);
	locks_judge_context(&rows->context, rows->facts.lock_objects, look);
	if (a->record && !record(look, &rows->facts, a->record, err)) {
		release(rows);
		return NULL;
	}
	locks_note_gap(look->answer, &look->inspector->probe, look->inspector->probe.version < 140000);
	return rows;
}

static bool replay(struct app *app, const struct locks_args *a, const struct inspection *i, struct error *err)
{
	const struct locks_replay args = {
		.path = a->replay,
		.at = a->at,
		.step = a->step,
		.min_wait = (double)a->min_wait / 1000,
		.plan = a->release_plan,
		.limits = { a->warning, a->critical, a->blocked_warning, a->blocked_critical },
	};

	if (a->record || app->watch || app->interval || app->since || app->save || app->output)
		return error_set(err, EXIT_USAGE, "--replay does not go with --record, --watch, --interval, --since, --save, --output");
	return locks_replay(app, i, &args, err);
}

static bool locks_run(struct app *app, const void *args, struct error *err)
{
	const struct locks_args *a = args;
	const struct inspection i = {
		.name = "locks",
		.counters = locks_counters,
		.columns = a->release_plan ? locks_plan_columns : locks_columns,
		.collect = collect,
		.print = locks_print,
		.release = release,
	};

	if (a->replay)
		return replay(app, a, &i, err);
	if (a->at || a->step)
		return error_set(err, EXIT_USAGE, "--at and --step want --replay");
	return inspect(app, &i, args, err);
}

static const struct command *const locks_children[] = { &locks_forecast_command, &locks_cancel_command, &locks_terminate_command, NULL };

const struct command locks_command = {
	.name = "locks",
	.summary = "show who waits for whose lock",
	.detail = "Shows every session that waits for a lock, below the session that blocks it; each once. Blockers are the server's own "
		  "answer (pg_blocking_pids()), so queued DDL, advisory locks, prepared transactions and locks of other databases "
		  "are all there.\n\n"
		  "A block is hard when the blocker holds a lock that conflicts, and soft when it only waits in front with a request "
		  "that would: ending a soft blocker, such as an ALTER TABLE in the queue, frees those behind it without touching "
		  "what it waits for.",
	.options = locks_options,
	.columns = locks_columns,
	.examples = locks_examples,
	.children = locks_children,
	.args_size = sizeof(struct locks_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT | COMMAND_DELTA,
	.run = locks_run,
};
