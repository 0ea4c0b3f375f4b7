/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops connections - how much room is left, who takes it, and what is stuck.
 */
#include "connections_judge.h"
#include "connections_rates.h"
#include "pgbouncer.h"

#include <math.h>
#include "clock.h"
#include "commands.h"
#include "connections_commands.h"
#include "inspect.h"

struct connections_args {
	const char *by, *pgbouncer, *pool_wait_warning, *pool_wait_critical;
	const char *warning, *critical, *idle_warning, *idle_critical, *transaction_warning, *transaction_critical,
		*xmin_warning, *xmin_critical;
	int64_t yellow, red;
};

static const char *const bys[] = { "state", "database", "role", "application", "client", "session", NULL };

static const struct option options[] = {
	OPT_ENUM(struct connections_args, by, .short_name = 'b', .long_name = "by", .choices = bys, .fallback = "state",
		.help = "group the sessions; session: list them one by one, oldest transaction first"),
	OPT_STRING(struct connections_args, pgbouncer, .long_name = "pgbouncer", .metavar = "DSN", .env = "DBOPS_PGBOUNCER",
		.config_key = "connections.pgbouncer",
		.help = "PgBouncer's admin console: a connection string or URL, database pgbouncer unless it names one. Shows pools and "
			"waits, and the real client behind a server connection"),
	OPT_GROUP("Thresholds"),
	OPT_STRING(struct connections_args, warning, .long_name = "warning", .metavar = "RANGE",
		.config_key = "connections.warning", .fallback = "75%", .check = range_check_number,
		.help = "with more sessions the check is WARNING; per cent of what is possible, a number, or -5 for \"fewer than 5 "
			"left\" (none left, when 5 are possible or less). Also for the limits of roles and databases"),
	OPT_STRING(struct connections_args, critical, .long_name = "critical", .metavar = "RANGE",
		.config_key = "connections.critical", .fallback = "85%", .check = range_check_number,
		.help = "with more sessions the check is CRITICAL"),
	OPT_STRING(struct connections_args, idle_warning, .long_name = "idle-warning", .metavar = "RANGE",
		.config_key = "connections.idle_warning", .fallback = "5min", .check = range_check_seconds,
		.help = "a session that is idle in its transaction for longer is a WARNING"),
	OPT_STRING(struct connections_args, idle_critical, .long_name = "idle-critical", .metavar = "RANGE",
		.config_key = "connections.idle_critical", .fallback = "30min", .check = range_check_seconds,
		.help = "the same for CRITICAL"),
	OPT_STRING(struct connections_args, transaction_warning, .long_name = "transaction-warning", .metavar = "RANGE",
		.config_key = "connections.transaction_warning", .fallback = "30min", .check = range_check_seconds,
		.help = "a longer transaction that is not idle is a WARNING"),
	OPT_STRING(struct connections_args, transaction_critical, .long_name = "transaction-critical", .metavar = "RANGE",
		.config_key = "connections.transaction_critical", .fallback = "2h", .check = range_check_seconds,
		.help = "the same for CRITICAL"),
	OPT_STRING(struct connections_args, xmin_warning, .long_name = "xmin-warning", .metavar = "RANGE",
		.config_key = "connections.xmin_warning", .fallback = "10000000", .check = range_check_number,
		.help = "a session, prepared transaction or slot that keeps rows of more transactions is a WARNING"),
	OPT_STRING(struct connections_args, xmin_critical, .long_name = "xmin-critical", .metavar = "RANGE",
		.config_key = "connections.xmin_critical", .fallback = "100000000", .check = range_check_number,
		.help = "the same for CRITICAL"),
	OPT_STRING(struct connections_args, pool_wait_warning, .long_name = "pool-wait-warning", .metavar = "RANGE",
		.config_key = "connections.pool_wait_warning", .fallback = "1s", .check = range_check_seconds,
		.help = "a client that has waited for longer in PgBouncer is a WARNING"),
	OPT_STRING(struct connections_args, pool_wait_critical, .long_name = "pool-wait-critical", .metavar = "RANGE",
		.config_key = "connections.pool_wait_critical", .fallback = "10s", .check = range_check_seconds,
		.help = "the same for CRITICAL"),
	OPT_INT(struct connections_args, yellow, .long_name = "yellow", .metavar = "PERCENT", .config_key = "connections.yellow",
		.fallback = "50", .min = 0, .max = 100, .help = "from here on use is yellow"),
	OPT_INT(struct connections_args, red, .long_name = "red", .metavar = "PERCENT", .config_key = "connections.red",
		.fallback = "75", .min = 0, .max = 100, .help = "above it use is red"),
	OPT_END,
};

static const struct column group_columns[] = {
	{ "item", "WHAT", CELL_TEXT, COLUMN_TREE, "what the row is about: kind and name, for people" },
	{ "kind", NULL, CELL_TEXT, COLUMN_EXTRA,
		"server, role limit, database limit, what the sessions are grouped by (state, database, role, application, client), "
		"pgbouncer or pool" },
	{ "name", NULL, CELL_TEXT, COLUMN_EXTRA,
		"name of the role, database …; database/user of a pool; null for the server and for clients on a socket" },
	{ "sessions", "SESSIONS", CELL_INT, 0,
		"client sessions, without our own; for a limit those that count towards it; PgBouncer's clients; a pool's server connections" },
	{ "limit", "LIMIT", CELL_INT, 0,
		"how many there can be: of the server for ordinary roles (max_connections without reserved slots), CONNECTION LIMIT, max_client_conn, or pool_size with its reserve" },
	{ "used", "USED", CELL_PERCENT, COLUMN_BAR, "share of the limit, or of the server's for a group without one" },
	{ "headroom", "FREE", CELL_INT, 0, "how many more can be opened now, whichever limit is reached first" },
	{ "bites", NULL, CELL_TEXT, COLUMN_EXTRA, "the limit that is reached first: server, role limit or database limit" },
	{ "active", "ACTIVE", CELL_INT, 0, "sessions that run a statement" },
	{ "idle", NULL, CELL_INT, COLUMN_EXTRA, "sessions that do nothing, in no transaction" },
	{ "idle_in_transaction", "IDLE IN XACT", CELL_INT, 0, "sessions that do nothing in an open transaction, aborted ones included" },
	{ "waiting", "WAITING", CELL_INT, 0, "sessions that wait for a lock; clients that wait for a server connection" },
	{ "unknown", NULL, CELL_INT, COLUMN_EXTRA, "sessions whose state this role cannot see" },
	{ "oldest_transaction", "OLDEST XACT", CELL_DURATION, 0, "age of the oldest transaction" },
	{ "longest_idle_in_transaction", NULL, CELL_DURATION, COLUMN_EXTRA, "how long a session has been idle in its transaction at most" },
	{ "longest_wait", NULL, CELL_DURATION, COLUMN_EXTRA, "how long the first client of a pool's queue has waited" },
	{ "established_per_second", NULL, CELL_NUMBER, COLUMN_EXTRA,
		"sessions established a second, with --interval or --since; PostgreSQL 14 and newer, server and databases only" },
	COLUMN_END,
};

static const struct column session_columns[] = {
	{ "pid", "PID", CELL_PID, 0, "process id of the backend" },
	{ "database", "DATABASE", CELL_TEXT, 0, "database it is connected to" },
	{ "role", "ROLE", CELL_TEXT, 0, "role that logged in" },
	{ "application", "APPLICATION", CELL_TEXT, COLUMN_WIDE, "application_name of the session" },
	{ "client", "CLIENT", CELL_TEXT, 0, "address of the client; empty on a socket" },
	{ "real_client", "REAL CLIENT", CELL_TEXT, 0, "with --pgbouncer: the client that uses this server connection now" },
	{ "real_application", NULL, CELL_TEXT, COLUMN_EXTRA, "its application_name" },
	{ "client_port", NULL, CELL_PID, COLUMN_EXTRA, "its port; empty on a socket" },
	{ "state", "STATE", CELL_TEXT, 0, "what the session is doing" },
	{ "state_age", "FOR", CELL_DURATION, 0, "how long" },
	{ "wait", "WAIT", CELL_TEXT, COLUMN_WIDE, "what it waits for: wait_event_type:wait_event" },
	{ "transaction_age", "XACT AGE", CELL_DURATION, 0, "age of its transaction" },
	{ "xmin_age", NULL, CELL_INT, COLUMN_EXTRA, "transactions since its xmin or its own transaction id, whichever is older" },
	{ "backend_start", NULL, CELL_TIME, COLUMN_EXTRA, "when it connected: --expect-start of connections terminate" },
	COLUMN_END,
};

static const struct column_set more_columns[] = { { "with --by session", session_columns }, { NULL, NULL } };

static const struct example examples[] = {
	{ "dbops connections -d app", "how full the server is, which limits are near, and sessions by state" },
	{ "dbops connections -d app --by role --format json", "by role, for a program" },
	{ "dbops connections -d app --check --idle-critical 10min", "a check for cron: status 1 or 2 when connections run out or are stuck" },
	{ "dbops connections -d app --pgbouncer 'host=10.0.0.5 port=6432 user=stats'", "PgBouncer's pools and waits, too" },
	{ "dbops connections -d app --interval 10s --by database", "sessions established a second" },
	{ NULL, NULL },
};

struct rows {
	const struct connections_args *args;
	struct connections connections;
	struct bouncer bouncer;
	bool has_bouncer;
	struct sample *before, *now; /* before NULL: no rates */
};

static void release(void *data)
{
	struct rows *r = data;

	connections_release(&r->connections);
	bouncer_release(&r->bouncer);
	free(r);
}

static struct connection_thresholds thresholds_of(const struct connections_args *a)
{
	struct connection_thresholds t;

	range_parse(a->warning, UNIT_NUMBER, &t.used_warning, NULL);
	range_parse(a->critical, UNIT_NUMBER, &t.used_critical, NULL);
	range_parse(a->idle_warning, UNIT_SECONDS, &t.idle_warning, NULL);
	range_parse(a->idle_critical, UNIT_SECONDS, &t.idle_critical, NULL);
	range_parse(a->transaction_warning, UNIT_SECONDS, &t.transaction_warning, NULL);
	range_parse(a->transaction_critical, UNIT_SECONDS, &t.transaction_critical, NULL);
	range_parse(a->xmin_warning, UNIT_NUMBER, &t.xmin_warning, NULL);
	range_parse(a->xmin_critical, UNIT_NUMBER, &t.xmin_critical, NULL);
	return t;
}

/* A console that cannot be asked makes the answer partial, not impossible. */
static void ask_bouncer(struct rows *rows, struct look *look)
{
	const struct connections_args *a = rows->args;
	_cleanup_error_ struct error failed = ERROR_INIT;
	struct connection_thresholds t = thresholds_of(a);
	struct range warning, critical;

	if (!a->pgbouncer)
		return;
	range_parse(a->pool_wait_warning, UNIT_SECONDS, &warning, NULL);
	range_parse(a->pool_wait_critical, UNIT_SECONDS, &critical, NULL);
	rows->has_bouncer = bouncer_load(a->pgbouncer, look->app->cancel, &look->app->log, &rows->bouncer, &failed);
	if (!rows->has_bouncer) {
		answer_gap(look->answer, true, "pools of PgBouncer", failed.message, NULL);
		return;
	}
	bouncer_resolve(&rows->bouncer, &rows->connections);
	bouncer_judge(&rows->bouncer, &warning, &critical, &t.used_warning, &t.used_critical, look->answer);
}

static void judge_rates(struct rows *rows, struct look *look)
{
	connections_sample(&rows->connections, look->now);
	connections_judge_rates(&rows->connections, look->before, look->now, look->answer);
	if (look->before && !sample_incomparable(look->before, look->now)) {
		rows->before = look->before;
		rows->now = look->now;
	}
}

static void *collect(struct look *look, struct error *err)
{
	struct rows *rows = xcalloc(1, sizeof(*rows));

	rows->args = look->args;
	if (!connections_load(look->inspector, &rows->connections, err)) {
		release(rows);
		return NULL;
	}

	struct connection_thresholds t = thresholds_of(rows->args);

	ask_bouncer(rows, look);
	connections_judge(&rows->connections, &t, look->answer);
	judge_rates(rows, look);
	gap_stats(look->answer, &look->inspector->probe, "state and kind of other roles' sessions");
	if (!look->inspector->probe.track_activities)
		answer_gap(look->answer, true, "states of sessions", "track_activities is off", NULL);
	if (strcmp(rows->args->by, "session") == 0)
		look->columns = session_columns;
	return rows;
}

static struct cell maybe(int64_t n)
{
	return n < 0 ? CELL_NULL() : CELL_OF_INT(n);
}

static struct cell seconds(double x)
{
	return isfinite(x) ? CELL_OF_REAL(x) : CELL_NULL();
}

/* New sessions a second: of the server, or of a database. */
static struct cell established(const struct rows *rows, const char *kind, const char *name)
{
	bool server = strcmp(kind, "server") == 0;

	if (!rows->before || (!server && (strcmp(kind, "database") != 0 || !name)))
		return CELL_NULL();
	return seconds(connections_rates(&rows->connections, rows->before, rows->now, server ? NULL : name).established);
}

static void print_group(const struct rows *rows, struct report *report, const char *kind, const struct session_group *g,
	int64_t capacity, bool is_root)
{
	const struct limit l = { LIMIT_SERVER, NULL, g->sessions, g->limit >= 0 ? g->limit : capacity };
	autofree char *item = xasprintf("%s%s%s", kind, is_root ? "" : " ", is_root ? "" : g->name ? g->name : "(socket)");
	double used = limit_percent(&l);
	enum cell_tone tone = connections_tone(used, rows->args->yellow, rows->args->red);
	const struct cell cells[] = {
		CELL_OF_TEXT(item),
		CELL_OF_TEXT(kind),
		CELL_OF_TEXT(g->name),
		CELL_OF_INT(g->sessions),
		maybe(g->limit),
		{ .real = used, .tone = tone },
		maybe(g->headroom),
		CELL_OF_TEXT(g->headroom < 0 ? NULL : limit_kind_names[g->bites]),
		CELL_OF_INT(g->active),
		CELL_OF_INT(g->idle),
		CELL_OF_INT(g->idle_in_transaction),
		CELL_OF_INT(g->lock_waiting),
		CELL_OF_INT(g->unknown),
		seconds(g->oldest_transaction),
		seconds(g->longest_idle_in_transaction),
		CELL_NULL(),
		established(rows, kind, g->name),
	};

	if (is_root)
		report_row(report, cells);
	else
		report_child(report, cells, 0);
}

/* A row that tells of a limit only. parent -1: a root. */
static void print_use(const struct rows *rows, struct report *report, const char *kind, const struct limit *l, int64_t parent,
	const struct bouncer_pool *pool)
{
	double used = limit_percent(l);
	autofree char *item = xasprintf("%s %s", kind, l->name);
	const struct cell cells[] = {
		CELL_OF_TEXT(item),
		CELL_OF_TEXT(kind),
		CELL_OF_TEXT(l->name),
		CELL_OF_INT(l->used),
		maybe(l->limit),
		{ .null = l->limit < 0, .real = used, .tone = connections_tone(used, rows->args->yellow, rows->args->red) },
		l->limit < 0 ? CELL_NULL() : CELL_OF_INT(l->limit > l->used ? l->limit - l->used : 0),
		CELL_NULL(),
		pool ? CELL_OF_INT(pool->servers_active) : CELL_NULL(),
		pool ? CELL_OF_INT(pool->servers_idle) : CELL_NULL(),
		CELL_NULL(),
		pool ? (struct cell){ .number = pool->clients_waiting, .tone = bouncer_is_saturated(pool) ? TONE_CRITICAL : TONE_PLAIN } :
		       CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		CELL_NULL(),
		pool ? CELL_OF_REAL(pool->max_wait) : CELL_NULL(),
		CELL_NULL(),
	};

	if (parent < 0)
		report_row(report, cells);
	else
		report_child(report, cells, parent);
}

static void print_bouncer(const struct rows *rows, struct report *report, int64_t root)
{
	const struct bouncer *b = &rows->bouncer;

	print_use(rows, report, "pgbouncer", &(struct limit){ LIMIT_SERVER, b->server, b->clients, b->max_client_conn }, -1, NULL);
	for (size_t i = 0; i < b->pools.len; i++) {
		const struct bouncer_pool *p = &b->pools.items[i];
		autofree char *name = xasprintf("%s/%s", p->database ? p->database : "", p->user ? p->user : "");

		print_use(rows, report, "pool", &(struct limit){ LIMIT_SERVER, name, bouncer_servers(p), p->size }, root, p);
	}
}

static enum group_by by_of(const char *name)
{
	unsigned i = 0;

	while (group_by_names[i] && strcmp(group_by_names[i], name) != 0)
		i++;
	return group_by_names[i] ? (enum group_by)i : BY_STATE;
}

static void print_groups(const struct rows *rows, struct report *report)
{
	const struct connections *c = &rows->connections;
	struct session_group all = connections_total(c);
	size_t limit_count, group_count;
	autofree struct limit *limits = connections_limits(c, &limit_count);
	autofree struct session_group *groups = connections_groups(c, by_of(rows->args->by), &group_count);

	print_group(rows, report, limit_kind_names[LIMIT_SERVER], &all, all.limit, true);
	for (size_t i = 1; i < limit_count; i++)
		print_use(rows, report, limit_kind_names[limits[i].kind], &limits[i], 0, NULL);
	for (size_t i = 0; i < group_count; i++)
		print_group(rows, report, rows->args->by, &groups[i], all.limit, false);
	if (rows->has_bouncer)
		print_bouncer(rows, report, (int64_t)(limit_count + group_count));
}

static void print_session(const struct session *s, struct report *report)
{
	int64_t xmin = s->xmin_age > s->xid_age ? s->xmin_age : s->xid_age;
	autofree char *wait = s->wait_type ? xasprintf("%s:%s", s->wait_type, s->wait_event ? s->wait_event : "") : NULL;
	bool stuck = session_is_idle_in_transaction(s);
	const struct cell cells[] = {
		CELL_OF_INT(s->pid),
		CELL_OF_TEXT(s->database),
		CELL_OF_TEXT(s->role),
		CELL_OF_TEXT(s->application),
		CELL_OF_TEXT(s->client),
		CELL_OF_TEXT(s->real_client),
		CELL_OF_TEXT(s->real_application),
		s->client_port > 0 ? CELL_OF_INT(s->client_port) : CELL_NULL(),
		{ .text = session_state_names[s->state], .tone = stuck ? TONE_WARNING : TONE_PLAIN },
		seconds(s->state_age),
		CELL_OF_TEXT(wait),
		seconds(s->transaction_age),
		maybe(xmin),
		s->started_at ? CELL_OF_INT(s->started_at) : CELL_NULL(),
	};

	report_row(report, cells);
}

/* Every value that is set somewhere: of the server, of roles, of databases. */
static void add_timeouts(const struct connections *c, struct json *j)
{
	jsonw_array_begin(j, "timeouts");
	for (size_t i = 0; i < c->timeouts.len; i++) {
		const struct timeout *t = &c->timeouts.items[i];

		jsonw_object_begin(j, NULL);
		jsonw_string(j, "setting", t->setting);
		jsonw_string(j, "role", t->role);
		jsonw_string(j, "database", t->database);
		jsonw_seconds(j, "seconds", t->hidden ? NAN : timeout_seconds(t->value));
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void add_timeout_text(const struct timeout *t, struct strbuf *out)
{
	double value = timeout_seconds(t->value);

	strbuf_addf(out, "%s%s ", out->len ? ", " : "", t->setting);
	if (t->hidden)
		strbuf_adds(out, "not visible");
	else if (isnan(value))
		strbuf_adds(out, t->value);
	else if (value == 0)
		strbuf_adds(out, "off");
	else
		duration_format(value, out);
	if (t->role)
		strbuf_addf(out, " (role %s)", t->role);
	if (t->database)
		strbuf_addf(out, " (database %s)", t->database);
}

static void note_timeouts(const struct connections *c, struct report *report)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < c->timeouts.len; i++)
		add_timeout_text(&c->timeouts.items[i], &text);
	report_note(report, TONE_FAINT, "time limits: %s", text.buf);
}

static void print(const void *data, const struct answer *answer, struct report *report)
{
	const struct rows *rows = data;
	const struct connections *c = &rows->connections;
	struct json *header = report_header(report);

	(void)answer;
	if (header)
		add_timeouts(c, header);
	note_timeouts(c, report);
	if (strcmp(rows->args->by, "session") != 0) {
		print_groups(rows, report);
		return;
	}
	for (size_t i = 0; i < c->sessions.len; i++)
		if (!c->sessions.items[i].own && session_is_client(&c->sessions.items[i]))
			print_session(&c->sessions.items[i], report);
}

static const struct inspection inspection = {
	.name = "connections",
	.columns = group_columns,
	.counters = connection_counters,
	.collect = collect,
	.print = print,
	.release = release,
};

static bool run(struct app *app, const void *args, struct error *err)
{
	return inspect(app, &inspection, args, err);
}

static const struct command *const children[] = {
	&connections_plan_command,
	&connections_cancel_command,
	&connections_terminate_command,
	NULL,
};

const struct command connections_command = {
	.name = "connections",
	.summary = "show how much room is left for connections, who takes it, and what is stuck",
	.detail = "The first row is the server: client sessions against the number that ordinary roles can have, which is "
		  "max_connections without superuser_reserved_connections and reserved_connections. Walsenders, autovacuum and "
		  "background workers have slots of their own and are not counted. Below it stand the limits of roles and databases, "
		  "tightest first, then the sessions in groups.\n\n"
		  "Use is green below 50 %, yellow up to 75 % and red above (--yellow, --red). Findings are limits that are nearly "
		  "reached, sessions that are idle in a transaction, long transactions, and whatever keeps vacuum from removing old row "
		  "versions: sessions, prepared transactions, replication slots, standbys.\n\n"
		  "With --pgbouncer the admin console is asked, too: clients against max_client_conn, and each pool's server connections, "
		  "waiting clients and their longest wait; --by session names the real client behind a server connection. With "
		  "--interval or --since come sessions established, abandoned and killed a second (PostgreSQL 14 and newer).\n\n"
		  "Time limits are those that new sessions start with; what a session has SET for itself cannot be seen from outside.\n\n"
		  "A role without pg_monitor sees neither state nor kind of other roles' sessions: the answer is then partial, a check "
		  "UNKNOWN, and the number of sessions an upper bound.",
	.options = options,
	.columns = group_columns,
	.more_columns = more_columns,
	.examples = examples,
	.children = children,
	.args_size = sizeof(struct connections_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT | COMMAND_DELTA,
	.run = run,
};
