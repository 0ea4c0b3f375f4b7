/* SPDX-License-Identifier: PostgreSQL */
/* Which range partitions are missing: gaps between existing ones, and those ahead. */
#include <errno.h>
#include <inttypes.h>
#include "create.h"
#include "grid.h"

#define CANDIDATES_MAX 10000

struct span {
	const struct partition *p;
	int64_t from, to;
};

struct finder {
	struct pg_conn *c;
	const struct partition *parent;
	const struct create_request *r;
	struct partition_plan *plan;
	enum key_kind kind;
	enum epoch_unit unit; /* for a plain integer EPOCH_MICROSECONDS, whose step is 1: key space is the integer */
	struct grid grid;
	int64_t now;
	VEC(struct span) spans;
	struct candidates *out;
};

static bool has_other_values(const struct bound_values *v)
{
	for (size_t i = 1; i < v->len; i++)
		if (v->items[i].kind != BOUND_MINVALUE)
			return true;
	return false;
}

static bool refuse_partition(const struct partition *p, struct error *err, const char *why)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, bounds = STRBUF_INIT;

	pg_add_display_name(&name, p->schema, p->name);
	bound_add_display(&bounds, &p->bound);
	error_set(err, EXIT_REFUSED, "partition '%s' %s", name.buf, why);
	return error_detail(err, "Its bounds are %s.", bounds.buf);
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static bool find_spans(struct finder *f, const struct partition_model *m, struct error *err)
{
	for (const struct partition *p = partition_next(m, f->parent, NULL); p; p = partition_next(m, f->parent, p)) {
		struct span s = { .p = p };

		if (p->bound.kind == BOUND_DEFAULT)
			continue;
		if (!partition_span(f->parent, p, f->unit, &s.from, &s.to))
			return refuse_partition(p, err, "has bounds that are no points on a line of time");
		if (has_other_values(&p->bound.from) || has_other_values(&p->bound.to))
			return refuse_partition(p, err, "is bounded by further key columns, too, so what comes after it is not decided by an interval");
		*vec_push(&f->spans) = s;
	}
	if (f->spans.len)
		qsort(f->spans.items, f->spans.len, sizeof(*f->spans.items), compare_spans);
	return true;
}

static void add_value(struct finder *f, struct bound_values *v, int64_t key)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	instant_add_value(key, f->kind, f->unit, &text);
	bound_add_value(v, BOUND_VALUE, text.buf);
	for (size_t i = 1; i < f->parent->key.columns.len; i++)
		bound_add_value(v, BOUND_MINVALUE, NULL);
}

static bool add_candidate(struct finder *f, int64_t local, int64_t from, int64_t to, struct error *err)
{
	struct candidate *cand = vec_push(f->out);

	cand->local = local;
	cand->bound.kind = BOUND_RANGE;
	add_value(f, &cand->bound.from, from);
	add_value(f, &cand->bound.to, to);
	if (f->out->len <= CANDIDATES_MAX)
		return true;
	error_set(err, EXIT_USAGE, "more than %d partitions are missing", CANDIDATES_MAX);
	return error_hint(err, "Is --interval '%s' meant? Between the existing partitions and now there is room for that many.", f->r->interval);
}

static bool points_of(struct finder *f, int64_t local, int64_t n, struct grid_points *ret, struct error *err)
{
	return grid_points(f->c, &f->grid, local, n > CANDIDATES_MAX ? CANDIDATES_MAX + 1 : n, ret, err);
}

/* The last piece of a gap may be shorter than the interval: the next partition is where it is. */
static bool fill_gap(struct finder *f, const struct span *before, int64_t to, struct error *err)
{
	struct grid_points points = { 0 };
	int64_t local;
	bool ok = grid_align(f->c, &f->grid, before->to, &local, err) &&
		  points_of(f, local, grid_count(&f->grid, before->to, to), &points, err);

	for (size_t i = 0; ok && i + 1 < points.len && points.items[i].key < to; i++) {
		int64_t end = points.items[i + 1].key;

		if (end > to)
			strvec_pushf(&f->plan->notes, "the partition before the existing '%s' is shorter than %s", (before + 1)->p->name, f->r->interval);
		ok = add_candidate(f, points.items[i].local, points.items[i].key, end < to ? end : to, err);
	}
	vec_release(&points);
	return ok;
}

static bool fill_gaps(struct finder *f, struct error *err)
{
	for (size_t i = 0; i + 1 < f->spans.len; i++)
		if (f->spans.items[i].to < f->spans.items[i + 1].from && !fill_gap(f, &f->spans.items[i], f->spans.items[i + 1].from, err))
			return false;
	return true;
}

/* Where the first new partition begins: at the highest bound there is, never at "today". */
static bool find_anchor(struct finder *f, int64_t *ret_local, int64_t *ret_key, struct error *err)
{
	if (!f->spans.len) {
		*ret_key = f->now;
		if (f->r->start && f->grid.is_number) {
			char *end;

			errno = 0;
			*ret_key = *ret_local = strtoll(f->r->start, &end, 10);
			return (!errno && !*end) || error_set(err, EXIT_USAGE, "--start '%s' is not a number", f->r->start);
		}
		if (f->r->start) {
			if (!instant_parse(f->r->start, ret_local) || *ret_local == INSTANT_MIN || *ret_local == INSTANT_MAX) {
				error_set(err, EXIT_USAGE, "--start '%s' is not a date or a time", f->r->start);
				return error_hint(err, "Write it as 2025-01-01 or '2025-01-01 06:00:00'; it is meant in the time zone of --timezone.");
			}
			*ret_key = *ret_local; /* but for the zone's offset */
			return true;
		}
		return grid_floor(f->c, &f->grid, f->now, ret_local, err);
	}

	const struct span *last = &f->spans.items[f->spans.len - 1];

	for (size_t i = 0; i < f->spans.len; i++)
		if (f->spans.items[i].to > last->to)
			last = &f->spans.items[i];
	*ret_key = last->to;
	if (last->to == INSTANT_MAX)
		return refuse_partition(last->p, err, "has no upper end, so nothing can come after it");
	return grid_align(f->c, &f->grid, last->to, ret_local, err);
}

static int64_t count_ahead(const struct finder *f)
{
	int64_t n = 0;

	for (size_t i = 0; i < f->spans.len; i++)
		n += f->spans.items[i].from > f->now;
	for (size_t i = 0; i < f->out->len; i++) { /* gaps in the future that are filled */
		int64_t from;

		if (instant_of_value(&f->out->items[i].bound.from.items[0], f->kind, f->unit, &from))
			n += from > f->now;
	}
	return n;
}

static bool go_ahead(struct finder *f, struct error *err)
{
	struct grid_points points = { 0 };
	int64_t local = 0, key = 0, ahead = count_ahead(f);
	bool ok = find_anchor(f, &local, &key, err) &&
		  points_of(f, local, grid_count(&f->grid, key, f->now) + f->r->ahead + 3, &points, err);

	for (size_t i = 0; ok && i + 1 < points.len; i++) {
		const struct grid_point *from = &points.items[i], *to = &points.items[i + 1];

		if (from->key > f->now && ahead++ >= f->r->ahead)
			break;
		ok = add_candidate(f, from->local, from->key, to->key, err);
	}
	vec_release(&points);
	return ok;
}

/* A plain integer has no clock: where the rows are is its "now". */
static bool find_highest(struct finder *f, struct error *err)
{
	const struct key_column *k = &f->parent->key.columns.items[0];
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	if (!k->name) {
		error_set(err, EXIT_REFUSED, "the partition key is an expression, so its highest value cannot be looked up");
		return false;
	}
	strbuf_adds(&sql, "SELECT coalesce(max(");
	pg_add_ident(&sql, k->name);
	strbuf_adds(&sql, ")::int8, 0) FROM ");
	pg_add_qualified(&sql, f->parent->schema, f->parent->name);

	autofree char *value = pg_query_value(f->c, err, sql.buf);

	if (value)
		f->now = strtoll(value, NULL, 10);
	return value != NULL;
}

static bool prepare(struct finder *f, struct error *err)
{
	f->kind = partition_key_kind(f->parent);
	if (f->kind == KEY_OTHER) {
		error_set(err, EXIT_USAGE, "'%s' is partitioned by a type that has no intervals", f->r->table_text);
		error_detail(err, "Its key is %s.", f->parent->key.definition);
		return error_hint(err, "date, timestamp, timestamp with time zone, integers and uuid (version 7) have some.");
	}
	if (f->r->unit != EPOCH_NONE && f->kind != KEY_INTEGER)
		return error_set(err, EXIT_USAGE, "--epoch is for integer keys, and the key of '%s' is %s", f->r->table_text,
			f->parent->key.columns.items[0].type);
	if (!grid_parse(f->c, f->r->interval, f->r->timezone, f->kind, f->r->unit, &f->grid, err))
		return false;
	f->unit = f->grid.is_number ? EPOCH_MICROSECONDS : f->r->unit;
	return f->grid.is_number ? find_highest(f, err) : grid_now(f->c, &f->grid, f->kind, f->r->now, &f->now, err);
}

bool create_find_range(struct pg_conn *c, const struct partition_model *m, const struct create_request *r, struct candidates *ret,
	struct partition_plan *plan, struct error *err)
{
	struct finder f = { .c = c, .parent = &m->items[0], .r = r, .plan = plan, .out = ret };

	if (!r->interval || r->values->len || r->modulus) {
		error_set(err, EXIT_USAGE, "'%s' is partitioned by range", r->table_text);
		return error_hint(err, "Give --interval and --ahead.");
	}

	bool ok = prepare(&f, err) && find_spans(&f, m, err) && fill_gaps(&f, err) && go_ahead(&f, err);

	vec_release(&f.spans);
	return ok;
}
