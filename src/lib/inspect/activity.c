/* SPDX-License-Identifier: PostgreSQL */
#include "activity.h"

#include <math.h>
#include <stdlib.h>
#include "pg.h"

static void activity_release(struct activity *a)
{
	free(a->database);
	free(a->role);
	free(a->application);
	free(a->client);
	free(a->state);
	free(a->wait);
	free(a->query);
	free(a->query_id);
}

void activities_release(struct activities *a)
{
	activities_limit(a, 0);
	vec_release(&a->items);
}

static const char *value(const PGresult *r, int row, const char *name)
{
	return pg_text(r, row, PQfnumber(r, name));
}

static char *text(const PGresult *r, int row, const char *name)
{
	const char *s = value(r, row, name);

	return s ? xstrdup(s) : NULL;
}

static double seconds(const PGresult *r, int row, const char *name)
{
	const char *s = value(r, row, name);

	/* a clock that was set back */
	return s ? fmax(strtod(s, NULL), 0) : (double)NAN;
}

static bool has_high_byte(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return true;
	return false;
}

/* The server cuts at query_size - 1 bytes, and not within a character, which has up to four. */
static bool is_truncated(const char *query, int64_t bytes, int64_t query_size)
{
	return query && query_size > 0 && bytes >= query_size - (has_high_byte(query) ? 4 : 1);
}

static char *wait_of(const PGresult *r, int row)
{
	const char *type = value(r, row, "wait_event_type");
	const char *event = value(r, row, "wait_event");

	return type && event ? xasprintf("%s:%s", type, event) : NULL;
}

static void read_row(struct activity *a, const PGresult *r, int row, int64_t query_size)
{
	const char *state = value(r, row, "state");
	bool waits = state && strncmp(state, "idle", 4) == 0;

	*a = (struct activity){
		.pid = pg_int(r, row, PQfnumber(r, "pid")),
		.backend_us = pg_int(r, row, PQfnumber(r, "backend_us")),
		.database = text(r, row, "database"),
		.role = text(r, row, "role"),
		.application = text(r, row, "application"),
		.client = text(r, row, "client"),
		.state = text(r, row, "state"),
		.wait = wait_of(r, row),
		.query = text(r, row, "query"),
		.query_id = text(r, row, "query_id"),
		.here = pg_bool(r, row, PQfnumber(r, "here")),
		.workers = pg_int(r, row, PQfnumber(r, "workers")),
		.duration = seconds(r, row, waits ? "state_s" : "query_s"),
		.transaction = seconds(r, row, "transaction_s"),
	};
	a->is_truncated = is_truncated(a->query, pg_int(r, row, PQfnumber(r, "query_bytes")), query_size);
}

double activity_age(const struct activity *a)
{
	return fmax(a->duration, a->transaction);
}

static int by_age(const void *a, const void *b)
{
	const struct activity *x = a, *y = b;
	double d = activity_age(y) - activity_age(x);

	return d > 0 ? 1 : d < 0 ? -1 : x->pid < y->pid ? -1 : x->pid > y->pid;
}

void activities_read(struct activities *ret, const PGresult *rows, int64_t query_size)
{
	*ret = (struct activities){ 0 };
	for (int row = 0; row < PQntuples(rows); row++)
		read_row(vec_push(&ret->items), rows, row, query_size);
	if (ret->items.len)
		qsort(ret->items.items, ret->items.len, sizeof(*ret->items.items), by_age);
}

void activities_filter(struct activities *a, const struct activity_filter *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->items.len; i++) {
		struct activity *item = &a->items.items[i];

		if ((item->here || f->all_databases) && activity_age(item) >= f->min_duration &&
			(!f->roles->len || (item->role && strvec_contains(f->roles, item->role))))
			a->items.items[kept++] = *item;
		else
			activity_release(item);
	}
	a->items.len = kept;
}

void activities_limit(struct activities *a, size_t limit)
{
	while (a->items.len > limit)
		activity_release(&a->items.items[--a->items.len]);
}
