/* SPDX-License-Identifier: PostgreSQL */
#include "statements.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The entry of a sample that speaks for the whole view. */
#define WHOLE "pg_stat_statements"

const char *const statement_counters[] = {
	[STATEMENT_CALLS] = "calls", [STATEMENT_EXECUTION] = "execution_time", [STATEMENT_PLANNING] = "planning_time",
	[STATEMENT_SQUARES] = "squared_execution_time", [STATEMENT_ROWS] = "rows", [STATEMENT_HIT] = "blocks_hit",
	[STATEMENT_READ] = "blocks_read", [STATEMENT_WRITTEN] = "blocks_written", [STATEMENT_TEMP] = "temporary_blocks",
	[STATEMENT_IO] = "io_time", [STATEMENT_WAL] = "wal_bytes", [STATEMENT_EVICTED] = "evicted",
	[STATEMENT_RESET] = "reset_at", NULL,
};

static void parts_release(struct statement *s)
{
	for (size_t i = 0; i < s->parts.len; i++)
		free(s->parts.items[i].role);
	vec_release(&s->parts);
}

static void statement_release(struct statement *s)
{
	free(s->role);
	free(s->database);
	free(s->text);
	parts_release(s);
}

void statements_release(struct statements *s)
{
	for (size_t i = 0; i < s->items.len; i++)
		statement_release(&s->items.items[i]);
	vec_release(&s->items);
}

double statement_time(const struct statement *s)
{
	double planning = s->v[STATEMENT_PLANNING];

	return s->v[STATEMENT_EXECUTION] + (isnan(planning) ? 0 : planning);
}

double statement_mean(const struct statement *s)
{
	return s->v[STATEMENT_CALLS] > 0 ? statement_time(s) / s->v[STATEMENT_CALLS] : 0;
}

double statement_jitter(const struct statement *s)
{
	double calls = s->v[STATEMENT_CALLS], mean = calls > 0 ? s->v[STATEMENT_EXECUTION] / calls : 0;
	double variance = calls > 0 ? s->v[STATEMENT_SQUARES] / calls - mean * mean : 0;

	/* of a single call, or below what the subtraction leaves of the digits, it is nothing */
	return calls > 1 && variance > mean * mean * 1e-12 ? sqrt(variance) : 0;
}

double statement_hit_ratio(const struct statement *s)
{
	double hit = s->v[STATEMENT_HIT], wanted = hit + s->v[STATEMENT_READ];

	return wanted > 0 ? 100 * hit / wanted : (double)NAN;
}

static void key_of(const struct statement *s, struct strbuf *key)
{
	strbuf_reset(key);
	strbuf_addf(key, "%" PRId64 "/%" PRId64 "/%c/", s->userid, s->dbid, s->nested ? 'n' : 't');
	if (s->hidden)
		strbuf_adds(key, "hidden");
	else
		strbuf_addf(key, "%" PRId64, s->query_id);
}

static bool any_hidden(const struct statements *s)
{
	for (size_t i = 0; i < s->items.len; i++)
		if (s->items.items[i].hidden)
			return true;
	return false;
}

void statements_keep(const struct statements *s, struct sample *now)
{
	_cleanup_strbuf_ struct strbuf key = STRBUF_INIT;
	double whole[STATEMENT_COUNTERS];

	for (size_t k = 0; k < STATEMENT_COUNTERS; k++)
		whole[k] = (double)NAN;
	whole[STATEMENT_CALLS] = any_hidden(s); /* of all entries: whether some were hidden */
	whole[STATEMENT_EVICTED] = s->evicted;
	whole[STATEMENT_RESET] = s->reset_at ? (double)s->reset_at : (double)NAN;
	sample_add(now, WHOLE, whole);
	for (size_t i = 0; i < s->items.len; i++) {
		key_of(&s->items.items[i], &key);
		sample_add(now, key.buf, s->items.items[i].v);
	}
}

/* An entry that counts less than before, or that began later, began anew in between. Everything does after a reset. */
static bool began_anew(const struct statements *all, const struct statement *s, const double *before, int64_t before_at)
{
	return all->was_reset || s->v[STATEMENT_CALLS] < before[STATEMENT_CALLS] ||
	       s->v[STATEMENT_EXECUTION] < before[STATEMENT_EXECUTION] || (s->since && s->since > before_at);
}

/* Never negative; NAN stays. */
static double difference(double now, double before)
{
	return now < before ? 0 : now - before;
}

static void compare(struct statements *all, struct statement *s, const double *before, int64_t before_at)
{
	s->min = s->max = (double)NAN;
	if (!before) {
		s->change = STATEMENT_NEW;
		return;
	}
	if (began_anew(all, s, before, before_at)) {
		s->change = STATEMENT_RESTARTED;
		return;
	}
	s->change = STATEMENT_COMPARED;
	for (size_t k = 0; k < STATEMENT_COUNTERS; k++)
		s->v[k] = difference(s->v[k], before[k]);
}

/* What was lost since the earlier sample. */
static void compare_whole(struct statements *s, const double *before)
{
	s->was_reset = s->reset_at && s->reset_at != (int64_t)before[STATEMENT_RESET] && !isnan(before[STATEMENT_RESET]);
	if (!s->was_reset)
		s->evicted = difference(s->evicted, before[STATEMENT_EVICTED]);
}

const char *statements_incomparable(const struct statements *s, struct sample *before)
{
	const double *whole = sample_find(before, WHOLE);

	if (!whole)
		return "the earlier sample has no statements";
	if ((whole[STATEMENT_CALLS] > 0) != any_hidden(s))
		return "the earlier sample is of a role that sees other statements";
	return NULL;
}

void statements_compare(struct statements *s, struct sample *before, double seconds)
{
	_cleanup_strbuf_ struct strbuf key = STRBUF_INIT;

	s->compared = true;
	s->seconds = seconds;
	compare_whole(s, sample_find(before, WHOLE));
	for (size_t i = 0; i < s->items.len; i++) {
		key_of(&s->items.items[i], &key);
		compare(s, &s->items.items[i], sample_find(before, key.buf), before->at);
	}
}

static bool is_wanted(const struct statement *s, const struct statement_filter *f)
{
	if ((!s->here && !f->all_databases) || (s->nested && !f->nested) || !(s->v[STATEMENT_CALLS] > 0))
		return false;
	return !f->roles->len || (s->role && strvec_contains(f->roles, s->role));
}

void statements_filter(struct statements *s, const struct statement_filter *f)
{
	size_t kept = 0;

	s->calls = s->time = 0;
	for (size_t i = 0; i < s->items.len; i++) {
		struct statement *item = &s->items.items[i];

		if (!is_wanted(item, f)) {
			statement_release(item);
			continue;
		}
		if (!item->nested) {
			s->calls += item->v[STATEMENT_CALLS];
			s->time += statement_time(item);
		}
		s->items.items[kept++] = *item;
	}
	s->items.len = kept;
	for (size_t i = 0; i < kept; i++)
		s->items.items[i].share = s->time > 0 ? 100 * statement_time(&s->items.items[i]) / s->time : 0;
}

static int compare_int(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_text(const void *a, const void *b)
{
	const struct statement *x = a, *y = b;
	int order = compare_int(x->dbid, y->dbid);

	if (!order)
		order = x->nested - y->nested;
	if (!order)
		order = x->hidden - y->hidden;
	if (!order)
		order = x->fingerprint < y->fingerprint ? -1 : x->fingerprint > y->fingerprint;
	/* lost texts have no fingerprint */
	return order || x->fingerprint ? order : compare_int(x->query_id, y->query_id);
}

static bool is_same_text(const struct statement *x, const struct statement *y)
{
	return by_text(x, y) == 0 && !x->hidden;
}

static int by_role(const void *a, const void *b)
{
	const struct statement *x = a, *y = b;

	return compare_int(x->userid, y->userid);
}

static bool is_same_role(const struct statement *x, const struct statement *y)
{
	return x->userid == y->userid;
}

static void add_part(struct statement *to, const char *role, double calls, double time)
{
	struct statement_part *part = NULL;

	for (size_t i = 0; i < to->parts.len && !part; i++)
		if (strcmp(to->parts.items[i].role, role) == 0)
			part = &to->parts.items[i];
	if (!part) {
		part = vec_push(&to->parts);
		part->role = xstrdup(role);
	}
	part->calls += calls;
	part->time += time;
}

static void add_own_part(struct statement *to, const struct statement *s)
{
	add_part(to, s->role ? s->role : "", s->v[STATEMENT_CALLS], statement_time(s));
}

/* The heaviest of a group speaks for it: id, text, role. */
static void add_up(struct statement *to, struct statement *from)
{
	add_own_part(to, from);
	for (size_t k = 0; k < STATEMENT_COUNTERS; k++)
		to->v[k] += from->v[k];
	to->min = fmin(to->min, from->min);
	to->max = fmax(to->max, from->max);
	to->since = !to->since || !from->since ? 0 : to->since < from->since ? to->since : from->since;
	to->entries += from->entries;
	to->share += from->share;
	to->hidden = to->hidden && from->hidden;
	if (from->change == STATEMENT_RESTARTED)
		to->change = STATEMENT_RESTARTED;
	else if (to->change == STATEMENT_NEW)
		to->change = from->change;
	statement_release(from);
}

static int by_part(const void *a, const void *b)
{
	const struct statement_part *x = a, *y = b;

	return x->time < y->time ? 1 : x->time > y->time ? -1 : strcmp(x->role, y->role);
}

static void swap(struct statement *a, struct statement *b)
{
	struct statement c = *a;

	*a = *b;
	*b = c;
}

/* items[first..first+n) become one. */
static struct statement *merge(struct statement *first, size_t n)
{
	size_t heaviest = 0;

	for (size_t i = 1; i < n; i++)
		if (statement_time(&first[i]) > statement_time(&first[heaviest]))
			heaviest = i;
	swap(first, &first[heaviest]);
	add_own_part(first, first);
	for (size_t i = 1; i < n; i++)
		add_up(first, &first[i]);
	qsort(first->parts.items, first->parts.len, sizeof(*first->parts.items), by_part);
	return first;
}

void statements_group(struct statements *s, enum statement_group group)
{
	struct statement *items = s->items.items;
	size_t kept = 0, n;

	if (group == STATEMENT_BY_ENTRY || !s->items.len)
		return;
	qsort(items, s->items.len, sizeof(*items), group == STATEMENT_BY_TEXT ? by_text : by_role);
	for (size_t i = 0; i < s->items.len; i += n) {
		bool (*same)(const struct statement *, const struct statement *) =
			group == STATEMENT_BY_TEXT ? is_same_text : is_same_role;

		for (n = 1; i + n < s->items.len && same(&items[i], &items[i + n]);)
			n++;
		items[kept++] = *merge(&items[i], n);
	}
	s->items.len = kept;
}

static double io_weight(const struct statement *s)
{
	double time = s->v[STATEMENT_IO];

	return time > 0 ? time : 0;
}

static double blocks(const struct statement *s)
{
	return s->v[STATEMENT_READ] + s->v[STATEMENT_WRITTEN] + s->v[STATEMENT_TEMP];
}

static double weight(const struct statement *s, enum statement_order order)
{
	switch (order) {
	case STATEMENT_ORDER_MEAN:
		return statement_mean(s);
	case STATEMENT_ORDER_CALLS:
		return s->v[STATEMENT_CALLS];
	case STATEMENT_ORDER_ROWS:
		return s->v[STATEMENT_ROWS];
	case STATEMENT_ORDER_IO:
		return io_weight(s);
	case STATEMENT_ORDER_TEMP:
		return s->v[STATEMENT_TEMP];
	case STATEMENT_ORDER_WAL:
		return s->v[STATEMENT_WAL];
	case STATEMENT_ORDER_JITTER:
		return statement_jitter(s);
	case STATEMENT_ORDER_TOTAL:
	default:
		return statement_time(s);
	}
}

static int falling(double a, double b)
{
	/* what is not known comes last */
	a = isnan(a) ? -1 : a;
	b = isnan(b) ? -1 : b;
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_weight(const void *a, const void *b, void *data)
{
	const struct statement *x = a, *y = b;
	const enum statement_order *order = data;
	int r = falling(weight(x, *order), weight(y, *order));

	if (!r && *order == STATEMENT_ORDER_IO)
		r = falling(blocks(x), blocks(y));
	if (!r)
		r = falling(statement_time(x), statement_time(y));
	if (!r)
		r = compare_int(x->query_id, y->query_id);
	return r ? r : compare_int(x->userid, y->userid);
}

void statements_order(struct statements *s, enum statement_order order, double min_mean, double min_calls)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->items.len; i++) {
		struct statement *item = &s->items.items[i];

		if (statement_mean(item) < min_mean || item->v[STATEMENT_CALLS] < min_calls)
			statement_release(item);
		else
			s->items.items[kept++] = *item;
	}
	s->items.len = kept;
	if (kept)
		qsort_r(s->items.items, kept, sizeof(*s->items.items), by_weight, &order);
}

void statements_limit(struct statements *s, size_t limit)
{
	while (s->items.len > limit)
		statement_release(&s->items.items[--s->items.len]);
}
