/* SPDX-License-Identifier: PostgreSQL */
/* Rows in DEFAULT partitions: how many, of which keys, and which partitions they keep from being attached. */
#include "check.h"

#include <inttypes.h>
#include "clock.h"

/* Counting a large table is worth no more than that; then the planner's estimate has to do. */
#define COUNT_TIMEOUT_MS 5000

struct default_rows {
	int64_t rows, nulls;
	bool estimated;
	const char *first, *last; /* keys; NULL = not known */
};

static void add_select(struct strbuf *sql, const struct partition *parent, const struct partition *p)
{
	_cleanup_strbuf_ struct strbuf table = STRBUF_INIT, key = STRBUF_INIT;
	bool has_key = parent->key.strategy == STRATEGY_RANGE && parent->key.columns.items[0].name;

	pg_add_qualified(&table, p->schema, p->name);
	if (!has_key) {
		strbuf_addf(sql, "SELECT pg_catalog.count(*), NULL, NULL, 0 FROM %s", table.buf);
		return;
	}
	/* not min() and max(): not every type has them */
	pg_add_ident(&key, parent->key.columns.items[0].name);
	strbuf_addf(sql, "SELECT pg_catalog.count(*), (SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY 1 LIMIT 1)::text,"
			 " (SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY 1 DESC LIMIT 1)::text,"
			 " pg_catalog.count(*) FILTER (WHERE %s IS NULL) FROM %s",
		key.buf, table.buf, key.buf, key.buf, table.buf, key.buf, key.buf, table.buf);
}

static char *rows_message(const struct default_rows *d)
{
	_cleanup_strbuf_ struct strbuf count = STRBUF_INIT;

	count_format(d->rows, &count);
	if (d->first)
		return xasprintf("%s row%s in DEFAULT, keys from %s to %s: a partition for any of them cannot be attached before "
				 "they are moved", count.buf, d->rows == 1 ? "" : "s", d->first, d->last);
	return xasprintf("%s%s row%s in DEFAULT, which no partition was made for", d->estimated ? "about " : "", count.buf,
		d->rows == 1 ? "" : "s");
}

static void add_evidence(struct strbuf *out, const struct default_rows *d, const struct partition *parent)
{
	struct json j = JSON_INIT(out, 0);
	autofree char *name = check_name(parent);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "table", name);
	jsonw_int(&j, "rows", d->rows);
	jsonw_bool(&j, "estimated", d->estimated);
	jsonw_string(&j, "first_key", d->first);
	jsonw_string(&j, "last_key", d->last);
	jsonw_int(&j, "null_keys", d->nulls);
	jsonw_object_end(&j);
}

/* Moving the rows needs a partition for each of them; create makes those that follow the existing ones. */
#define MOVE_MAX 240

static bool key_time(const struct check *c, const struct partition *parent, const char *text, int64_t *ret)
{
	autofree char *copy = text ? xstrdup(text) : NULL;
	const struct bound_value v = { .kind = BOUND_VALUE, .text = copy };

	return copy && instant_of_value(&v, partition_key_kind(parent), c->options.epoch, ret);
}

static void add_move(const struct check *c, const struct partition *parent, const struct default_rows *d, struct strbuf *fix)
{
	const struct partition *oldest = partition_next(&c->model, parent, NULL);
	int64_t first, last, from, to, now;

	if (!check_key_now(c, parent, &now) || !key_time(c, parent, d->first, &first) || !key_time(c, parent, d->last, &last) ||
		!partition_span(parent, oldest, c->options.epoch, &from, &to) || first < from || to == INSTANT_MAX || to <= from)
		return;

	int64_t ahead = last > now ? (last - now) / (to - from) + 2 : 0;

	if (ahead <= MOVE_MAX && d->nulls < d->rows)
		check_add_create(c, parent, ahead, " --move-default", fix);
}

static void report(const struct check *c, const struct partition *p, const struct default_rows *d, struct answer *a)
{
	const struct partition *parent = partition_parent(&c->model, p);
	autofree char *table = check_name(parent);
	_cleanup_strbuf_ struct strbuf evidence = STRBUF_INIT, fix = STRBUF_INIT;
	struct finding *f;
	/* that is what DEFAULT is for in a list; NULLs have no other place in a range */
	bool expected = parent->key.strategy == STRATEGY_LIST || (d->nulls && d->nulls == d->rows);

	answer_metric(a, &(struct metric){ .name = "partitions_default_rows", .help = "Rows in the DEFAULT partition.", .value = (double)d->rows,
		.label = { "table" }, .label_value = { table } });
	if (!d->rows)
		return;
	add_evidence(&evidence, d, parent);
	add_move(c, parent, d, &fix);
	f = check_finding(a, "partitions.default_rows", expected ? SEVERITY_INFO : SEVERITY_WARNING, p, rows_message(d));
	f->evidence = strbuf_detach(&evidence);
	f->fix = fix.len ? strbuf_detach(&fix) : NULL;
}

static void add_gap(struct inspector *in, const struct partition *p, const struct error *failed, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf grant = STRBUF_INIT;
	autofree char *name = check_name(p);
	autofree char *what = xasprintf("rows in %s", name);
	bool denied = strcmp(failed->sqlstate, "42501") == 0;

	strbuf_adds(&grant, "GRANT SELECT ON ");
	pg_add_qualified(&grant, p->schema, p->name);
	strbuf_adds(&grant, " TO ");
	pg_add_ident(&grant, in->probe.current_user);
	strbuf_addch(&grant, ';');
	if (denied && strstr(failed->message, "row-level security"))
		answer_gap(a, true, what, "row-level security hides rows of it from this role", NULL);
	else if (denied)
		answer_gap(a, true, what, "this role may not read the table", grant.buf);
	else
		answer_gap(a, true, what, "the table is locked by another session", NULL);
}

static bool is_gap(const struct error *failed)
{
	return strcmp(failed->sqlstate, "42501") == 0 || strcmp(failed->sqlstate, "55P03") == 0;
}

/* A table that was dropped in the meantime has no rows. */
static bool is_gone(const struct error *failed)
{
	return strcmp(failed->sqlstate, "42P01") == 0;
}

/* Too large to count: whether there is a row at all, and the estimate. */
static bool estimate(struct inspector *in, const struct check *c, const struct partition *p, struct answer *a, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "SELECT 1 FROM ");
	pg_add_qualified(&sql, p->schema, p->name);
	strbuf_adds(&sql, " LIMIT 1");

	_cleanup_result_ PGresult *r = check_ask(in, sql.buf, in->statement_timeout, true, err);
	const struct default_rows d = { .rows = r && PQntuples(r) ? (p->rows > 1 ? p->rows : 1) : 0, .estimated = true };

	if (r)
		report(c, p, &d, a);
	return r != NULL;
}

static bool look(struct inspector *in, const struct check *c, const struct partition *p, struct answer *a, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	int64_t timeout = in->statement_timeout < COUNT_TIMEOUT_MS ? in->statement_timeout : COUNT_TIMEOUT_MS;

	add_select(&sql, partition_parent(&c->model, p), p);

	_cleanup_result_ PGresult *r = check_ask(in, sql.buf, timeout, true, &failed);

	if (r) {
		const struct default_rows d = { .rows = pg_int(r, 0, 0), .nulls = pg_int(r, 0, 3), .first = pg_text(r, 0, 1), .last = pg_text(r, 0, 2) };

		report(c, p, &d, a);
		return true;
	}
	if (is_gone(&failed))
		return true;
	if (strcmp(failed.sqlstate, "57014") == 0) {
		error_release(&failed);
		if (estimate(in, c, p, a, &failed))
			return true;
	}
	if (!is_gap(&failed))
		return error_move(err, &failed);
	add_gap(in, p, &failed, a);
	return true;
}

bool check_default_rows(struct inspector *in, const struct check *c, struct answer *a, struct error *err)
{
	for (size_t i = 0; i < c->model.len; i++) {
		const struct partition *p = &c->model.items[i];

		if (p->bound.kind == BOUND_DEFAULT && p->kind != 'f' && p->parent != PARTITION_NO_PARENT && !look(in, c, p, a, err))
			return false;
	}
	return true;
}
