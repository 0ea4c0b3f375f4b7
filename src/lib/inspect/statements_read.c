/* SPDX-License-Identifier: PostgreSQL */
/* The rows of pg_stat_statements as struct statement, whatever the version. */
#include <math.h>

#include "pg.h"
#include "statements.h"

static double number(const PGresult *r, int row, const char *name)
{
	int field = PQfnumber(r, name);

	return field < 0 || pg_is_null(r, row, field) ? (double)NAN : pg_real(r, row, field);
}

/* Milliseconds in the view. */
static double seconds(const PGresult *r, int row, const char *name)
{
	return number(r, row, name) / 1000;
}

/* Of two names the one that this version has. */
static double either(const PGresult *r, int row, const char *name, const char *old_name)
{
	return seconds(r, row, PQfnumber(r, name) >= 0 ? name : old_name);
}

static double plus(double a, double b)
{
	return isnan(b) ? a : isnan(a) ? b : a + b;
}

/* 1.11 renamed blk_*_time to shared_blk_*_time and added local ones, 1.10 added those of temporary files. */
static double io_seconds(const PGresult *r, int row)
{
	static const char *const further[] = { "local_blk_read_time", "local_blk_write_time", "temp_blk_read_time", "temp_blk_write_time" };
	double sum = plus(either(r, row, "shared_blk_read_time", "blk_read_time"),
		either(r, row, "shared_blk_write_time", "blk_write_time"));

	for (size_t i = 0; i < sizeof(further) / sizeof(further[0]); i++)
		sum = plus(sum, seconds(r, row, further[i]));
	return sum;
}

static void read_counters(struct statement *s, const PGresult *r, int row)
{
	double mean = either(r, row, "mean_exec_time", "mean_time");
	double deviation = either(r, row, "stddev_exec_time", "stddev_time");
	double *v = s->v;

	v[STATEMENT_CALLS] = number(r, row, "calls");
	v[STATEMENT_EXECUTION] = either(r, row, "total_exec_time", "total_time");
	v[STATEMENT_PLANNING] = seconds(r, row, "total_plan_time");
	v[STATEMENT_SQUARES] = v[STATEMENT_CALLS] * (deviation * deviation + mean * mean);
	v[STATEMENT_ROWS] = number(r, row, "rows");
	v[STATEMENT_HIT] = number(r, row, "shared_blks_hit");
	v[STATEMENT_READ] = plus(number(r, row, "shared_blks_read"), number(r, row, "local_blks_read"));
	v[STATEMENT_WRITTEN] = plus(number(r, row, "shared_blks_written"), number(r, row, "local_blks_written"));
	v[STATEMENT_TEMP] = plus(number(r, row, "temp_blks_read"), number(r, row, "temp_blks_written"));
	v[STATEMENT_IO] = io_seconds(r, row);
	v[STATEMENT_WAL] = number(r, row, "wal_bytes");
	v[STATEMENT_EVICTED] = v[STATEMENT_RESET] = (double)NAN;
	s->min = either(r, row, "min_exec_time", "min_time");
	s->max = either(r, row, "max_exec_time", "max_time");
}

static char *text(const PGresult *r, int row, const char *name)
{
	int field = PQfnumber(r, name);
	const char *value = field < 0 ? NULL : pg_text(r, row, field);

	return value ? xstrdup(value) : NULL;
}

static int64_t integer(const PGresult *r, int row, const char *name)
{
	int field = PQfnumber(r, name);

	return field < 0 ? 0 : pg_int(r, row, field);
}

static bool is_true(const PGresult *r, int row, const char *name, bool fallback)
{
	int field = PQfnumber(r, name);

	return field < 0 ? fallback : pg_bool(r, row, field);
}

static void read_row(struct statement *s, const PGresult *r, int row)
{
	int id = PQfnumber(r, "queryid");

	*s = (struct statement){
		.userid = integer(r, row, "userid"),
		.dbid = integer(r, row, "dbid"),
		.query_id = integer(r, row, "queryid"),
		.role = text(r, row, "dbops_role"),
		.database = text(r, row, "dbops_database"),
		.here = is_true(r, row, "dbops_here", false),
		.nested = !is_true(r, row, "toplevel", true),
		.hidden = id < 0 || pg_is_null(r, row, id),
		.since = integer(r, row, "dbops_since"),
		.text = text(r, row, "query"),
		.entries = 1,
	};
	read_counters(s, r, row);
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

void statements_read(struct statements *ret, const PGresult *rows, const PGresult *info)
{
	*ret = (struct statements){ .evicted = (double)NAN };
	for (int row = 0; row < PQntuples(rows); row++) {
		struct statement *s = vec_push(&ret->items), *same;

		read_row(s, rows, row);
		same = find_hidden(ret, s);
		if (!same)
			continue;
		add_hidden(same, s);
		ret->items.len--;
	}
	if (!info || !PQntuples(info))
		return;
	ret->evicted = number(info, 0, "dealloc");
	ret->reset_at = integer(info, 0, "reset_us");
}
