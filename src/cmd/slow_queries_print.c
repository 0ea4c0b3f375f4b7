/* SPDX-License-Identifier: PostgreSQL */
/* The rows of `dbops slow-queries`. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>

#include "slow_queries.h"

enum {
	C_QUERY_ID, C_CALLS, C_MEAN, C_TOTAL, C_SHARE, C_ROWS, C_PER_HOUR, C_LOAD, C_IO, C_TEMP, C_WAL, C_JITTER, C_MIN, C_MAX,
	C_PLANNING, C_HIT_RATIO, C_READ, C_WRITTEN, C_DATABASE, C_ROLE, C_NESTED, C_CHANGE, C_SINCE, C_ENTRIES, C_ROLES,
	C_FINGERPRINT, C_QUERY, C_COUNT,
};

const struct column slow_statement_columns[] = {
	[C_QUERY_ID] = { "query_id", "QUERY ID", CELL_ID, 0,
		"queryid of pg_stat_statements, for --explain; of a group, that of the entry with most time" },
	[C_CALLS] = { "calls", "CALLS", CELL_INT, 0, "how often it was executed" },
	[C_MEAN] = { "mean", "MEAN", CELL_LATENCY, 0, "mean time of a call: planning (when tracked) and execution, waits included" },
	[C_TOTAL] = { "total", "TOTAL", CELL_LATENCY, 0, "time of all calls" },
	[C_SHARE] = { "share", "SHARE", CELL_PERCENT, COLUMN_BAR, "per cent of the time of all statements in view" },
	[C_ROWS] = { "rows", "ROWS", CELL_INT, 0, "rows returned or changed" },
	[C_PER_HOUR] = { "calls_per_hour", "CALLS/H", CELL_NUMBER, COLUMN_EXTRA, "calls an hour between two samples" },
	[C_LOAD] = { "load", "LOAD", CELL_NUMBER, COLUMN_EXTRA,
		"seconds of this statement a second between two samples: sessions that it keeps busy" },
	[C_IO] = { "io_time", "I/O", CELL_LATENCY, COLUMN_EXTRA, "time of reading and writing blocks; empty when track_io_timing is off" },
	[C_TEMP] = { "temporary", "TEMP", CELL_SIZE, COLUMN_EXTRA, "temporary files read and written" },
	[C_WAL] = { "wal", "WAL", CELL_SIZE, COLUMN_EXTRA, "write-ahead log generated; empty before version 1.8 of the extension" },
	[C_JITTER] = { "jitter", "JITTER", CELL_LATENCY, COLUMN_EXTRA, "standard deviation of the execution time" },
	[C_MIN] = { "min", "MIN", CELL_LATENCY, COLUMN_EXTRA, "shortest execution; empty between two samples" },
	[C_MAX] = { "max", "MAX", CELL_LATENCY, COLUMN_EXTRA, "longest execution; empty between two samples" },
	[C_PLANNING] = { "planning", "PLANNING", CELL_LATENCY, COLUMN_EXTRA,
		"time of planning; empty unless pg_stat_statements.track_planning is on" },
	[C_HIT_RATIO] = { "hit_ratio", "HITS", CELL_PERCENT, COLUMN_EXTRA, "per cent of blocks found in the buffer cache" },
	[C_READ] = { "read", "READ", CELL_SIZE, COLUMN_EXTRA, "shared and local blocks read" },
	[C_WRITTEN] = { "written", "WRITTEN", CELL_SIZE, COLUMN_EXTRA, "shared and local blocks written by the statement itself" },
	[C_DATABASE] = { "database", "DATABASE", CELL_TEXT, COLUMN_EXTRA, "database it ran in" },
	[C_ROLE] = { "role", "ROLE", CELL_TEXT, 0, "role it ran as (after SET ROLE); of a group, the role with most time" },
	[C_NESTED] = { "nested", "NESTED", CELL_BOOL, COLUMN_EXTRA, "whether it ran inside a function" },
	[C_CHANGE] = { "change", "CHANGE", CELL_TEXT, COLUMN_EXTRA,
		"between two samples: compared; new; or restarted (reset or evicted in between, so the figures are a lower bound)" },
	[C_SINCE] = { "since", "SINCE", CELL_TIME, COLUMN_EXTRA, "when counting began; empty before version 1.11 of the extension" },
	[C_ENTRIES] = { "entries", "ENTRIES", CELL_INT, COLUMN_EXTRA, "entries of pg_stat_statements that the row stands for" },
	[C_ROLES] = { "roles", NULL, CELL_JSON, COLUMN_EXTRA, "of a group: role, calls and time in seconds of each role" },
	[C_FINGERPRINT] = { "fingerprint", "FINGERPRINT", CELL_TEXT, COLUMN_EXTRA,
		"of the text without constants; the same on every server and version" },
	[C_QUERY] = { "query", "QUERY", CELL_TEXT, COLUMN_WIDE, "text as pg_stat_statements has it; empty when it lost the text" },
	COLUMN_END,
};

const struct column slow_activity_columns[] = {
	{ "pid", "PID", CELL_PID, 0, "process id of the session" },
	{ "duration", "DURATION", CELL_DURATION, 0, "age of the statement, or how long the transaction has been idle" },
	{ "transaction", "TRANSACTION", CELL_DURATION, 0, "age of the transaction" },
	{ "state", "STATE", CELL_TEXT, 0, "what the session does" },
	{ "wait", "WAIT", CELL_TEXT, 0, "what it waits for: type and event" },
	{ "database", "DATABASE", CELL_TEXT, 0, "database it is connected to" },
	{ "role", "ROLE", CELL_TEXT, 0, "role that is logged in" },
	{ "application", "APPLICATION", CELL_TEXT, COLUMN_EXTRA, "application_name of the session" },
	{ "client", "CLIENT", CELL_TEXT, COLUMN_EXTRA, "address of the client; empty on a socket" },
	{ "workers", "WORKERS", CELL_INT, COLUMN_EXTRA, "parallel workers of the statement" },
	{ "backend_start", "BACKEND START", CELL_TIME, COLUMN_EXTRA, "when the session began" },
	{ "query_id", "QUERY ID", CELL_ID, COLUMN_EXTRA, "query identifier (PostgreSQL 14 and newer, compute_query_id)" },
	{ "truncated", "TRUNCATED", CELL_BOOL, COLUMN_EXTRA, "whether the text ends at track_activity_query_size" },
	{ "query", "QUERY", CELL_TEXT, COLUMN_WIDE, "text of the statement; of an idle transaction, of its last one" },
	COLUMN_END,
};

const struct column slow_plan_columns[] = {
	{ "plan", "QUERY PLAN", CELL_TEXT, 0, "a line of the plan, as EXPLAIN prints it" },
	COLUMN_END,
};

static void show(struct slow_rows *rows, unsigned column)
{
	rows->columns[column].flags &= ~COLUMN_EXTRA;
}

static void hide(struct slow_rows *rows, unsigned column)
{
	rows->columns[column].flags |= COLUMN_EXTRA;
}

/* The column that the rows are sorted by belongs into the table. */
static void show_order(struct slow_rows *rows, const char *order)
{
	static const struct {
		const char *order;
		unsigned column;
	} table[] = { { "io", C_IO }, { "temp", C_TEMP }, { "wal", C_WAL }, { "jitter", C_JITTER } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].order, order) == 0)
			show(rows, table[i].column);
	if (strcmp(order, "io") == 0)
		show(rows, C_READ);
}

void slow_choose_columns(struct slow_rows *rows, const struct slow_args *args)
{
	bool by_role = rows->by == STATEMENT_BY_ROLE;

	static_assert(C_COUNT < SLOW_COLUMNS, "no room for the columns");
	memcpy(rows->columns, slow_statement_columns, sizeof(slow_statement_columns));
	show_order(rows, args->order);
	if (rows->statements.compared) {
		show(rows, C_PER_HOUR);
		show(rows, C_LOAD);
	}
	if (args->all_databases && !by_role)
		show(rows, C_DATABASE);
	if (rows->by != STATEMENT_BY_ENTRY)
		show(rows, C_ENTRIES);
	if (by_role) {
		hide(rows, C_QUERY_ID);
		hide(rows, C_QUERY);
	}
}

static struct cell size_cell(double bytes)
{
	return isfinite(bytes) ? CELL_OF_INT((int64_t)bytes) : CELL_NULL();
}

static struct cell blocks_cell(const struct slow_rows *rows, double blocks)
{
	return size_cell(blocks * (double)rows->block_size);
}

static struct cell rate_cell(const struct slow_rows *rows, double amount, double seconds)
{
	return rows->statements.seconds > 0 ? CELL_OF_REAL(amount * seconds / rows->statements.seconds) : CELL_NULL();
}

/* 0 means "not measured" when nothing measures. */
static struct cell measured_cell(double seconds, bool is_measured)
{
	return seconds > 0 || (is_measured && !isnan(seconds)) ? CELL_OF_REAL(seconds) : CELL_NULL();
}

static const char *change_of(const struct statement *s)
{
	static const char *const words[] = {
		[STATEMENT_CUMULATIVE] = NULL, [STATEMENT_COMPARED] = "compared", [STATEMENT_NEW] = "new",
		[STATEMENT_RESTARTED] = "restarted",
	};

	return words[s->change];
}

static void add_roles(const struct statement *s, struct strbuf *out)
{
	struct json j = JSON_INIT(out, 0);

	jsonw_array_begin(&j, NULL);
	for (size_t i = 0; i < s->parts.len; i++) {
		jsonw_object_begin(&j, NULL);
		jsonw_string(&j, "role", s->parts.items[i].role);
		jsonw_real(&j, "calls", s->parts.items[i].calls);
		jsonw_real(&j, "total", s->parts.items[i].time);
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
}

static const char *text_of(const struct statement *s, enum statement_group by)
{
	return by == STATEMENT_BY_ROLE ? NULL : s->hidden ? "<insufficient privilege>" : s->text;
}

static void print_statement(const struct slow_rows *rows, const struct statement *s, struct report *r)
{
	_cleanup_strbuf_ struct strbuf roles = STRBUF_INIT;
	autofree char *id = xasprintf("%" PRId64, s->query_id);
	autofree char *fingerprint = xasprintf("%016" PRIx64, s->fingerprint);
	bool is_one = !s->hidden && rows->by != STATEMENT_BY_ROLE;

	if (s->parts.len)
		add_roles(s, &roles);

	const struct cell cells[] = {
		[C_QUERY_ID] = CELL_OF_TEXT(is_one ? id : NULL),
		[C_CALLS] = size_cell(s->v[STATEMENT_CALLS]),
		[C_MEAN] = CELL_OF_REAL(statement_mean(s)),
		[C_TOTAL] = CELL_OF_REAL(statement_time(s)),
		[C_SHARE] = CELL_OF_REAL(s->share),
		[C_ROWS] = size_cell(s->v[STATEMENT_ROWS]),
		[C_PER_HOUR] = rate_cell(rows, s->v[STATEMENT_CALLS], 3600),
		[C_LOAD] = rate_cell(rows, statement_time(s), 1),
		[C_IO] = measured_cell(s->v[STATEMENT_IO], rows->io_timing),
		[C_TEMP] = blocks_cell(rows, s->v[STATEMENT_TEMP]),
		[C_WAL] = size_cell(s->v[STATEMENT_WAL]),
		[C_JITTER] = CELL_OF_REAL(statement_jitter(s)),
		[C_MIN] = CELL_OF_REAL(s->min),
		[C_MAX] = CELL_OF_REAL(s->max),
		[C_PLANNING] = measured_cell(s->v[STATEMENT_PLANNING], rows->pgss.track_planning),
		[C_HIT_RATIO] = CELL_OF_REAL(statement_hit_ratio(s)),
		[C_READ] = blocks_cell(rows, s->v[STATEMENT_READ]),
		[C_WRITTEN] = blocks_cell(rows, s->v[STATEMENT_WRITTEN]),
		[C_DATABASE] = CELL_OF_TEXT(s->database),
		[C_ROLE] = CELL_OF_TEXT(s->role),
		[C_NESTED] = CELL_OF_INT(s->nested),
		[C_CHANGE] = CELL_OF_TEXT(change_of(s)),
		[C_SINCE] = s->since ? CELL_OF_INT(s->since) : CELL_NULL(),
		[C_ENTRIES] = CELL_OF_INT((int64_t)s->entries),
		[C_ROLES] = CELL_OF_TEXT(roles.len ? roles.buf : NULL),
		[C_FINGERPRINT] = CELL_OF_TEXT(is_one && s->text ? fingerprint : NULL),
		[C_QUERY] = CELL_OF_TEXT(text_of(s, rows->by)),
	};

	report_row(r, cells);
}

static void add_plan_header(const struct slow_rows *rows, struct json *j)
{
	const struct statement *s = &rows->statements.items.items[0];

	jsonw_stringf(j, "query_id", "%" PRId64, s->query_id);
	jsonw_string(j, "query", s->text);
	jsonw_string(j, "role", s->role);
	jsonw_bool(j, "planned_as_role", rows->plan.as_role);
	jsonw_string(j, "search_path", rows->plan.search_path);
}

static void add_header(const struct slow_rows *rows, struct json *j)
{
	const struct statements *s = &rows->statements;

	if (rows->kind == SLOW_PLAN) {
		add_plan_header(rows, j);
		return;
	}
	jsonw_string(j, "source", rows->kind == SLOW_STATEMENTS ? "pg_stat_statements" : "pg_stat_activity");
	jsonw_bool(j, "in_recovery", rows->in_recovery);
	jsonw_int(j, "found", (int64_t)rows->found);
	if (rows->kind != SLOW_STATEMENTS)
		return;
	jsonw_stringf(j, "extension_version", "%d.%d", rows->pgss.version / 100, rows->pgss.version % 100);
	jsonw_bool(j, "track_io_timing", rows->io_timing);
	jsonw_time(j, "reset_at", s->reset_at);
	jsonw_real(j, "evicted_entries", s->evicted);
	jsonw_bool(j, "lower_bound", s->evicted > 0 || s->was_reset);
	if (s->compared)
		jsonw_seconds(j, "window", s->seconds);
	else
		jsonw_null(j, "window");
	jsonw_real(j, "calls", s->calls);
	jsonw_real(j, "total", s->time);
}

static size_t lost_texts(const struct statements *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->items.len; i++)
		n += !s->items.items[i].text && !s->items.items[i].hidden;
	return n;
}

static void add_notes(const struct slow_rows *rows, struct report *r)
{
	const struct statements *s = &rows->statements;
	size_t lost = rows->by == STATEMENT_BY_ROLE ? 0 : lost_texts(s);

	if (rows->found > s->items.len)
		report_note(r, TONE_FAINT, "%zu of %zu statements; --limit shows more", s->items.len, rows->found);
	if (s->was_reset)
		report_note(r, TONE_WARNING, "pg_stat_statements was reset since the earlier sample: the figures are a lower bound");
	else if (s->evicted > 0)
		report_note(r, TONE_WARNING, "%.0f entries were evicted: shares and totals are a lower bound (pg_stat_statements.max is %" PRId64 ")",
			s->evicted, rows->pgss.entries_max);
	if (lost && !rows->pgss.text_problem)
		report_note(r, TONE_WARNING, "the text of %zu statements is lost: the server trimmed its file of texts", lost);
	if (rows->in_recovery)
		report_note(r, TONE_PLAIN, "this is a standby: it counts its own statements, not the primary's");
}

static void print_statements(const struct slow_rows *rows, struct report *r)
{
	for (size_t i = 0; i < rows->statements.items.len; i++)
		print_statement(rows, &rows->statements.items.items[i], r);
	add_notes(rows, r);
}

static void print_activity(const struct activity *a, struct report *r)
{
	autofree char *query = a->query && a->is_truncated ? xasprintf("%s…", a->query) : NULL;
	const struct cell cells[] = {
		CELL_OF_INT(a->pid),
		CELL_OF_REAL(a->duration),
		CELL_OF_REAL(a->transaction),
		CELL_OF_TEXT(a->state),
		CELL_OF_TEXT(a->wait),
		CELL_OF_TEXT(a->database),
		CELL_OF_TEXT(a->role),
		CELL_OF_TEXT(a->application),
		CELL_OF_TEXT(a->client),
		CELL_OF_INT(a->workers),
		CELL_OF_INT(a->backend_us),
		CELL_OF_TEXT(a->query_id),
		CELL_OF_INT(a->is_truncated),
		CELL_OF_TEXT(query ? query : a->query),
	};

	report_row(r, cells);
}

static void print_activities(const struct slow_rows *rows, struct report *r)
{
	for (size_t i = 0; i < rows->activities.items.len; i++)
		print_activity(&rows->activities.items.items[i], r);
	if (rows->found > rows->activities.items.len)
		report_note(r, TONE_FAINT, "%zu of %zu running; --limit shows more", rows->activities.items.len, rows->found);
}

static void print_plan(const struct slow_rows *rows, struct report *r)
{
	const struct statement *s = &rows->statements.items.items[0];

	for (size_t i = 0; i < rows->plan.lines.len; i++)
		report_row(r, (const struct cell[]){ CELL_OF_TEXT(rows->plan.lines.items[i]) });
	report_note(r, TONE_PLAIN, "of: %s", s->text);
	if (rows->plan.as_role)
		report_note(r, TONE_PLAIN, "planned as role %s, search_path %s; not executed", s->role, rows->plan.search_path);
	else
		report_note(r, TONE_WARNING, "not planned as role %s, which this role may not become: row security may differ; not executed",
			s->role);
}

void slow_print(const void *data, const struct answer *a, struct report *r)
{
	const struct slow_rows *rows = data;
	struct json *header = report_header(r);

	(void)a;
	if (header)
		add_header(rows, header);
	if (rows->kind == SLOW_STATEMENTS)
		print_statements(rows, r);
	else if (rows->kind == SLOW_ACTIVITY)
		print_activities(rows, r);
	else
		print_plan(rows, r);
}
