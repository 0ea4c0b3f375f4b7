/* SPDX-License-Identifier: PostgreSQL */
/* The rows of pg_stat_statements as struct statement, whatever the version. */
#include <math.h>

#include "pg.h"
#include "statements.h"

/* Columns that some version has, ours ("dbops_…") among them. */
enum field {
	F_USERID, F_DBID, F_TOPLEVEL, F_QUERYID, F_QUERY, F_CALLS, F_TOTAL, F_OLD_TOTAL, F_PLANNING, F_MEAN, F_OLD_MEAN, F_DEVIATION,
	F_OLD_DEVIATION, F_MIN, F_OLD_MIN, F_MAX, F_OLD_MAX, F_ROWS, F_HIT, F_SHARED_READ, F_LOCAL_READ, F_SHARED_WRITTEN,
	F_LOCAL_WRITTEN, F_TEMP_READ, F_TEMP_WRITTEN, F_SHARED_READ_TIME, F_OLD_READ_TIME, F_SHARED_WRITE_TIME, F_OLD_WRITE_TIME,
	F_LOCAL_READ_TIME, F_LOCAL_WRITE_TIME, F_TEMP_READ_TIME, F_TEMP_WRITE_TIME, F_WAL, F_ROLE, F_DATABASE, F_HERE, F_SINCE,
	F_COUNT,
};

static const char *const names[] = {
	[F_USERID] = "userid", [F_DBID] = "dbid", [F_TOPLEVEL] = "toplevel", [F_QUERYID] = "queryid", [F_QUERY] = "query",
	[F_CALLS] = "calls", [F_TOTAL] = "total_exec_time", [F_OLD_TOTAL] = "total_time", [F_PLANNING] = "total_plan_time",
	[F_MEAN] = "mean_exec_time", [F_OLD_MEAN] = "mean_time", [F_DEVIATION] = "stddev_exec_time",
	[F_OLD_DEVIATION] = "stddev_time", [F_MIN] = "min_exec_time", [F_OLD_MIN] = "min_time", [F_MAX] = "max_exec_time",
	[F_OLD_MAX] = "max_time", [F_ROWS] = "rows", [F_HIT] = "shared_blks_hit", [F_SHARED_READ] = "shared_blks_read",
	[F_LOCAL_READ] = "local_blks_read", [F_SHARED_WRITTEN] = "shared_blks_written", [F_LOCAL_WRITTEN] = "local_blks_written",
	[F_TEMP_READ] = "temp_blks_read", [F_TEMP_WRITTEN] = "temp_blks_written", [F_SHARED_READ_TIME] = "shared_blk_read_time",
	[F_OLD_READ_TIME] = "blk_read_time", [F_SHARED_WRITE_TIME] = "shared_blk_write_time",
	[F_OLD_WRITE_TIME] = "blk_write_time", [F_LOCAL_READ_TIME] = "local_blk_read_time",
	[F_LOCAL_WRITE_TIME] = "local_blk_write_time", [F_TEMP_READ_TIME] = "temp_blk_read_time",
	[F_TEMP_WRITE_TIME] = "temp_blk_write_time", [F_WAL] = "wal_bytes", [F_ROLE] = "dbops_role",
	[F_DATABASE] = "dbops_database", [F_HERE] = "dbops_here", [F_SINCE] = "dbops_since",
};

/* The result with its columns found once, because there are thousands of rows; -1 = this version has no such column. */
struct table {
	const PGresult *r;
	int field[F_COUNT];
};

static bool has(const struct table *t, int row, enum field f)
{
	return t->field[f] >= 0 && !pg_is_null(t->r, row, t->field[f]);
}

static double number(const struct table *t, int row, enum field f)
{
	return has(t, row, f) ? pg_real(t->r, row, t->field[f]) : (double)NAN;
}

/* Milliseconds in the view. */
static double seconds(const struct table *t, int row, enum field f)
{
	return number(t, row, f) / 1000;
}

/* Of two names the one that this version has. */
static double either(const struct table *t, int row, enum field f, enum field old)
{
	return seconds(t, row, t->field[f] >= 0 ? f : old);
}

static double plus(double a, double b)
{
	return isnan(b) ? a : isnan(a) ? b : a + b;
}

/* 1.11 renamed blk_*_time to shared_blk_*_time and added local ones, 1.10 added those of temporary files. */
static double io_seconds(const struct table *t, int row)
{
	double sum = plus(either(t, row, F_SHARED_READ_TIME, F_OLD_READ_TIME), either(t, row, F_SHARED_WRITE_TIME, F_OLD_WRITE_TIME));

	for (enum field f = F_LOCAL_READ_TIME; f <= F_TEMP_WRITE_TIME; f++)
		sum = plus(sum, seconds(t, row, f));
	return sum;
}

static void read_counters(struct statement *s, const struct table *t, int row)
{
	double mean = either(t, row, F_MEAN, F_OLD_MEAN);
	double deviation = either(t, row, F_DEVIATION, F_OLD_DEVIATION);
	double *v = s->v;

	v[STATEMENT_CALLS] = number(t, row, F_CALLS);
	v[STATEMENT_EXECUTION] = either(t, row, F_TOTAL, F_OLD_TOTAL);
	v[STATEMENT_PLANNING] = seconds(t, row, F_PLANNING);
	v[STATEMENT_SQUARES] = v[STATEMENT_CALLS] * (deviation * deviation + mean * mean);
	v[STATEMENT_ROWS] = number(t, row, F_ROWS);
	v[STATEMENT_HIT] = number(t, row, F_HIT);
	v[STATEMENT_READ] = plus(number(t, row, F_SHARED_READ), number(t, row, F_LOCAL_READ));
	v[STATEMENT_WRITTEN] = plus(number(t, row, F_SHARED_WRITTEN), number(t, row, F_LOCAL_WRITTEN));
	v[STATEMENT_TEMP] = plus(number(t, row, F_TEMP_READ), number(t, row, F_TEMP_WRITTEN));
	v[STATEMENT_IO] = io_seconds(t, row);
	v[STATEMENT_WAL] = number(t, row, F_WAL);
	v[STATEMENT_EVICTED] = v[STATEMENT_RESET] = (double)NAN;
	s->min = either(t, row, F_MIN, F_OLD_MIN);
	s->max = either(t, row, F_MAX, F_OLD_MAX);
}

static char *text(const struct table *t, int row, enum field f)
{
	return has(t, row, f) ? xstrdup(pg_value(t->r, row, t->field[f])) : NULL;
}

static int64_t integer(const struct table *t, int row, enum field f)
{
	return has(t, row, f) ? pg_int(t->r, row, t->field[f]) : 0;
}

static bool is_true(const struct table *t, int row, enum field f, bool fallback)
{
	return t->field[f] < 0 ? fallback : pg_bool(t->r, row, t->field[f]);
}

static void read_row(struct statement *s, const struct table *t, int row)
{
	*s = (struct statement){
		.userid = integer(t, row, F_USERID),
		.dbid = integer(t, row, F_DBID),
		.query_id = integer(t, row, F_QUERYID),
		.role = text(t, row, F_ROLE),
		.database = text(t, row, F_DATABASE),
		.here = is_true(t, row, F_HERE, false),
		.nested = !is_true(t, row, F_TOPLEVEL, true),
		.hidden = !has(t, row, F_QUERYID),
		.since = integer(t, row, F_SINCE),
		.text = text(t, row, F_QUERY),
		.entries = 1,
	};
	read_counters(s, t, row);
}

/* A hidden entry that stands for all hidden ones of its role and database. */
static struct statement *find_hidden(struct statements *all, const struct statement *s)
{
	for (size_t i = 0; s->hidden && i + 1 < all->items.len; i++) {
		struct statement *o = &all->items.items[i];

		if (o->hidden && o->userid == s->userid && o->dbid == s->dbid && o->nested == s->nested)
			return o;
	}
	return NULL;
}

static void add_hidden(struct statement *to, struct statement *from)
{
	for (size_t k = 0; k < STATEMENT_COUNTERS; k++)
		to->v[k] += from->v[k];
	to->min = fmin(to->min, from->min);
	to->max = fmax(to->max, from->max);
	to->entries++;
	free(from->role);
	free(from->database);
	free(from->text);
}

static void read_whole(struct statements *ret, const PGresult *info)
{
	int evicted = PQfnumber(info, "dealloc"), reset = PQfnumber(info, "reset_us");

	if (!pg_is_null(info, 0, evicted))
		ret->evicted = pg_real(info, 0, evicted);
	ret->reset_at = pg_int(info, 0, reset);
}

void statements_read(struct statements *ret, const PGresult *rows, const PGresult *info)
{
	struct table t = { .r = rows };

	*ret = (struct statements){ .evicted = (double)NAN };
	for (enum field f = 0; f < F_COUNT; f++)
		t.field[f] = PQfnumber(rows, names[f]);
	for (int row = 0; row < PQntuples(rows); row++) {
		struct statement *s = vec_push(&ret->items), *same;

		read_row(s, &t, row);
		same = find_hidden(ret, s);
		if (!same)
			continue;
		add_hidden(same, s);
		ret->items.len--;
	}
	if (info && PQntuples(info))
		read_whole(ret, info);
}
