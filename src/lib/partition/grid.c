/* SPDX-License-Identifier: PostgreSQL */
#include "grid.h"

#include <errno.h>
#include <inttypes.h>

#define US_PER_DAY INT64_C(86400000000)

static bool parse_number(const char *text, struct grid *ret, struct error *err)
{
	char *end;

	errno = 0;
	ret->is_number = true;
	ret->us = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && ret->us > 0)
		return true;
	error_set(err, EXIT_USAGE, "--interval '%s' is not a positive number", text);
	return error_hint(err, "The partition key is an integer. If it counts time, say in what unit: --epoch s, ms, us or ns.");
}

static bool check_interval(const struct grid *g, const char *text, enum key_kind kind, struct error *err)
{
	int parts = (g->months != 0) + (g->days != 0) + (g->us != 0);

	if (parts != 1 || g->months < 0 || g->days < 0 || g->us < 0) {
		error_set(err, EXIT_USAGE, "--interval '%s' cannot be a step between partitions", text);
		return error_hint(err, "Give a positive number of either months (or years), or days (or weeks), or hours, minutes and seconds.");
	}
	if (g->us && kind == KEY_DATE)
		return error_set(err, EXIT_USAGE, "--interval '%s' is shorter than a day, and the partition key is a date", text);
	return true;
}

static bool is_invalid_value(const struct error *err)
{
	return strncmp(err->sqlstate, "22", 2) == 0;
}

static bool check_zone(struct pg_conn *c, const char *zone, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	_cleanup_result_ PGresult *r =
		pg_query(c, &failed, "SELECT pg_catalog.timezone($1, pg_catalog.now())", 1, &zone);

	if (r)
		return true;
	if (!is_invalid_value(&failed))
		return error_move(err, &failed);
	error_set(err, EXIT_USAGE, "there is no time zone '%s'", zone);
	return error_hint(err, "The server's names are in the view pg_timezone_names.");
}

bool grid_parse(struct pg_conn *c, const char *interval, const char *zone, enum key_kind kind, enum epoch_unit unit, struct grid *ret,
	struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	*ret = (struct grid){ .zone = "UTC", .clock_zone = zone };
	if (kind == KEY_INTEGER && unit == EPOCH_NONE)
		return parse_number(interval, ret, err);
	if (!check_zone(c, zone, err))
		return false;

	_cleanup_result_ PGresult *r = pg_query(c, &failed,
		"SELECT (extract(year FROM i) * 12 + extract(month FROM i))::int8, extract(day FROM i)::int8,"
		" (extract(hour FROM i) * 3600000000 + extract(minute FROM i) * 60000000 + extract(microseconds FROM i))::int8"
		" FROM (SELECT $1::pg_catalog.interval AS i) s",
		1, &interval);

	if (!r && !is_invalid_value(&failed))
		return error_move(err, &failed);
	if (!r) {
		error_set(err, EXIT_USAGE, "--interval '%s' is not an interval", interval);
		return error_hint(err, "PostgreSQL's form is meant: '1 month', '7 days', '6 hours'.");
	}
	ret->months = pg_int(r, 0, 0);
	ret->days = pg_int(r, 0, 1);
	ret->us = pg_int(r, 0, 2);
	if (!ret->us && kind != KEY_DATE && kind != KEY_TIMESTAMP)
		ret->zone = zone;
	return check_interval(ret, interval, kind, err);
}

bool grid_now(struct pg_conn *c, const struct grid *g, enum key_kind kind, const char *at, int64_t *ret, struct error *err)
{
	const char *zone = kind == KEY_DATE || kind == KEY_TIMESTAMP ? g->clock_zone : "UTC";
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT (extract(epoch FROM pg_catalog.timezone($1, coalesce($2::timestamptz, pg_catalog.now()))) * 1000000)::int8", 2,
		(const char *[]){ zone, at });

	if (r)
		*ret = pg_int(r, 0, 0);
	return r != NULL;
}

static char *instant_text(int64_t us, enum key_kind kind)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	instant_format(us, kind, &sb);
	return strbuf_detach(&sb);
}

bool grid_align(struct pg_conn *c, const struct grid *g, int64_t key, int64_t *ret_local, struct error *err)
{
	*ret_local = key;
	if (g->us)
		return true;

	autofree char *at = instant_text(key, KEY_TIMESTAMPTZ);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT (extract(epoch FROM l) * 1000000)::int8, pg_catalog.timezone($1, l) = $2::timestamptz, extract(day FROM l) <= 28"
		" FROM (SELECT pg_catalog.date_trunc('day', pg_catalog.timezone($1, $2::timestamptz)) AS l) s",
		2, (const char *[]){ g->zone, at });

	if (!r)
		return false;
	*ret_local = pg_int(r, 0, 0);
	if (pg_bool(r, 0, 1) && (!g->months || pg_bool(r, 0, 2)))
		return true;
	error_set(err, EXIT_REFUSED, "the existing bound %s is not the start of a day in time zone '%s'", at, g->zone);
	if (pg_bool(r, 0, 1))
		error_set(err, EXIT_REFUSED, "the existing bound %s is after the 28th, so not every month has that day", at);
	return error_hint(err, "Partitions go on from the existing ones: give the time zone in which those were made with --timezone.");
}

/* The calendar's start of what holds the local time l, in SQL. */
static const char *floor_sql(const struct grid *g)
{
	if (g->months % 12 == 0 && g->months)
		return "date_trunc('year', l) - pg_catalog.make_interval(years => (extract(year FROM l)::int4 % ($3::int4 / 12)))";
	if (g->months && 12 % g->months == 0)
		return "date_trunc('month', l) - pg_catalog.make_interval(months => ((extract(month FROM l)::int4 - 1) % $3::int4))";
	if (g->months)
		return "date_trunc('month', l) + pg_catalog.make_interval(months => 0 * $3::int4)";
	if (g->days % 7 == 0)
		return "date_trunc('week', l) + pg_catalog.make_interval(months => 0 * $3::int4)";
	return "date_trunc('day', l) + pg_catalog.make_interval(months => 0 * $3::int4)";
}

bool grid_floor(struct pg_conn *c, const struct grid *g, int64_t key, int64_t *ret_local, struct error *err)
{
	if (g->us) {
		int64_t rest = key % g->us;

		*ret_local = key - rest - (rest < 0 ? g->us : 0);
		return true;
	}

	autofree char *at = instant_text(key, KEY_TIMESTAMPTZ), *months = xasprintf("%" PRId64, g->months);
	autofree char *sql = xasprintf("SELECT (extract(epoch FROM %s) * 1000000)::int8 FROM (SELECT pg_catalog.timezone($1, $2::timestamptz) AS l) s",
		floor_sql(g));
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 3, (const char *[]){ g->zone, at, months });

	if (r)
		*ret_local = pg_int(r, 0, 0);
	return r != NULL;
}

static void count_up(const struct grid *g, int64_t local, int64_t n, struct grid_points *ret)
{
	for (int64_t i = 0; i <= n; i++) {
		int64_t at;

		if (__builtin_mul_overflow(i, g->us, &at) || __builtin_add_overflow(at, local, &at))
			return;
		*vec_push(ret) = (struct grid_point){ at, at };
	}
}

bool grid_points(struct pg_conn *c, const struct grid *g, int64_t local, int64_t n, struct grid_points *ret, struct error *err)
{
	if (g->us) {
		count_up(g, local, n, ret);
		return true;
	}

	autofree char *from = instant_text(local, KEY_TIMESTAMP), *count = xasprintf("%" PRId64, n);
	autofree char *months = xasprintf("%" PRId64, g->months), *days = xasprintf("%" PRId64, g->days);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT (extract(epoch FROM pg_catalog.timezone($1, l)) * 1000000)::int8, (extract(epoch FROM l) * 1000000)::int8"
		" FROM (SELECT $2::timestamp + pg_catalog.make_interval(months => n * $3::int4, days => n * $4::int4) AS l"
		" FROM pg_catalog.generate_series(0, $5::int4) AS g (n)) s ORDER BY 2",
		5, (const char *[]){ g->zone, from, months, days, count });

	for (int i = 0; r && i < PQntuples(r); i++)
		*vec_push(ret) = (struct grid_point){ pg_int(r, i, 0), pg_int(r, i, 1) };
	return r != NULL;
}

int64_t grid_count(const struct grid *g, int64_t from, int64_t to)
{
	/* the shortest a month, a day can be: February, the day the clock goes forward by up to two hours */
	int64_t step = g->us ? g->us : (g->months * 28 + g->days) * (US_PER_DAY - US_PER_DAY / 12);
	int64_t span;

	if (to <= from)
		return 0;
	if (__builtin_sub_overflow(to, from, &span))
		span = INT64_MAX;
	return span / step + 1;
}

const char *grid_pattern(const struct grid *g, int64_t local)
{
	const int64_t hour = US_PER_DAY / 24;

	if (g->is_number)
		return "{table}_{from}";
	if (g->months)
		return g->months % 12 ? "{table}_%Y_%m" : "{table}_%Y";
	if (g->days)
		/* 1970-01-01 was a Thursday */
		return g->days % 7 == 0 && (local / US_PER_DAY + 3) % 7 == 0 ? "{table}_%G_w%V" : "{table}_%Y_%m_%d";
	return g->us % hour == 0 && local % hour == 0 ? "{table}_%Y_%m_%d_%H" : "{table}_%Y_%m_%d_%H%M%S";
}
