/* SPDX-License-Identifier: PostgreSQL */
/* What the bounds alone tell: how long they last, what lies between them, what is not on the grid, what is half detached. */
#include "parity.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "clock.h"

#define HOUR INT64_C(3600000000)
#define DAY  (24 * HOUR)

/* --- times ------------------------------------------------------------------------------------------------- */

/* Version 4 values are no times, but they have the form of one. */
static bool has_version_7(const struct check *c, const struct partition *parent)
{
	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p)) {
		const struct bound_value *v = p->bound.from.len ? &p->bound.from.items[0] : NULL;

		if (v && v->kind == BOUND_VALUE && strlen(v->text) == 36 && v->text[14] == '7')
			return true;
	}
	return false;
}

bool check_key_now(const struct check *c, const struct partition *parent, int64_t *ret)
{
	enum key_kind kind = partition_key_kind(parent);

	*ret = kind == KEY_DATE || kind == KEY_TIMESTAMP ? c->now.local : c->now.instant;
	if (parent->key.strategy != STRATEGY_RANGE || kind == KEY_OTHER)
		return false;
	if (kind == KEY_INTEGER)
		return c->options.epoch != EPOCH_NONE;
	return kind != KEY_UUID || has_version_7(c, parent);
}

void check_add_time(struct strbuf *out, const struct partition *parent, enum epoch_unit epoch, int64_t us)
{
	enum key_kind kind = partition_key_kind(parent);

	if (kind == KEY_INTEGER && epoch == EPOCH_NONE)
		strbuf_addf(out, "%" PRId64, us);
	else
		instant_format(us, kind == KEY_DATE || kind == KEY_TIMESTAMP ? kind : KEY_TIMESTAMPTZ, out);
}

/* --- intervals --------------------------------------------------------------------------------------------- */

/* Summer time makes a day, and all that begins and ends at midnight, an hour longer or shorter. */
static bool is_about(int64_t length, int64_t low, int64_t high)
{
	return length >= low - HOUR && length <= high + HOUR;
}

static const char *interval_name(int64_t length, char buf[32])
{
	int64_t days = (length + DAY / 2) / DAY;

	if (length > 0 && length < 20 * HOUR) {
		if (length % HOUR)
			return NULL;
		snprintf(buf, 32, "%" PRId64 " hour%s", length / HOUR, length == HOUR ? "" : "s");
		return buf;
	}
	if (!is_about(length, days * DAY, days * DAY))
		return NULL;
	if (days >= 28 && days <= 31)
		return "1 month";
	if (days >= 90 && days <= 92)
		return "3 months";
	if (days >= 365 && days <= 366)
		return "1 year";
	snprintf(buf, 32, "%" PRId64 " day%s", days, days == 1 ? "" : "s");
	return buf;
}

static bool is_closed(int64_t from, int64_t to)
{
	return from != INSTANT_MIN && to != INSTANT_MAX && to > from;
}

static bool is_number(const struct check *c, const struct partition *parent)
{
	return parent->key.strategy == STRATEGY_RANGE && partition_key_kind(parent) == KEY_INTEGER && c->options.epoch == EPOCH_NONE;
}

static const char *number_interval(const struct partition *p, char buf[32])
{
	const struct bound_values *from = &p->bound.from, *to = &p->bound.to;
	int64_t length;

	if (p->bound.kind != BOUND_RANGE || from->items[0].kind != BOUND_VALUE || to->items[0].kind != BOUND_VALUE ||
		__builtin_sub_overflow(strtoll(to->items[0].text, NULL, 10), strtoll(from->items[0].text, NULL, 10), &length))
		return NULL;
	snprintf(buf, 32, "%" PRId64, length);
	return buf;
}

static const char *interval_of(const struct check *c, const struct partition *parent, const struct partition *p, char buf[32])
{
	int64_t from, to;

	if (is_number(c, parent))
		return number_interval(p, buf);
	if (!partition_span(parent, p, c->options.epoch, &from, &to) || !is_closed(from, to))
		return NULL;
	return interval_name(to - from, buf);
}

/* By vote: a name is kept while it has the most partitions (Boyer and Moore), then counted. */
const char *check_interval(const struct check *c, const struct partition *parent, char buf[32])
{
	size_t lead = 0, votes = 0, total = 0;
	char other[32], winner[32] = "";
	int64_t unused;

	if (!check_key_now(c, parent, &unused) && (!is_number(c, parent) || parent->key.columns.len > 1))
		return NULL;
	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p)) {
		const char *name = interval_of(c, parent, p, other);

		if (!name)
			continue;
		if (!lead)
			snprintf(winner, sizeof(winner), "%s", name);
		lead = strcmp(name, winner) == 0 ? lead + 1 : lead - 1;
	}
	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p)) {
		const char *name = interval_of(c, parent, p, other);

		total += p->bound.kind == BOUND_RANGE;
		votes += name && strcmp(name, winner) == 0;
	}
	if (!votes || votes * 2 <= total)
		return NULL;
	memcpy(buf, winner, sizeof(winner));
	return buf;
}

/* Whether days begin at midnight UTC here; else they begin in another time zone, most likely the database's. */
static bool is_utc(const struct check *c, const struct partition *parent)
{
	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p)) {
		int64_t from, to;

		if (partition_span(parent, p, c->options.epoch, &from, &to) && is_closed(from, to) && from % DAY)
			return false;
	}
	return true;
}

static void add_word(struct strbuf *out, const char *word)
{
	if (strpbrk(word, "\"'$\\`!;&|<>()*?[]# \t\n")) {
		strbuf_addch(out, '\'');
		for (const char *s = word; *s; s++)
			if (*s == '\'')
				strbuf_adds(out, "'\\''");
			else
				strbuf_addch(out, *s);
		strbuf_addch(out, '\'');
	} else {
		strbuf_adds(out, word);
	}
}

void check_add_create(const struct check *c, const struct partition *parent, int64_t ahead, const char *more, struct strbuf *out)
{
	static const char *const units[] = { [EPOCH_SECONDS] = "s", [EPOCH_MILLISECONDS] = "ms", [EPOCH_MICROSECONDS] = "us", [EPOCH_NANOSECONDS] = "ns" };
	char buf[32];
	const char *interval = check_interval(c, parent, buf);
	autofree char *name = check_name(parent);

	if (!interval)
		return;
	strbuf_adds(out, "dbops partitions create ");
	add_word(out, name);
	strbuf_addf(out, " --interval '%s' --ahead %" PRId64, interval, ahead);
	if (!is_number(c, parent) && !is_utc(c, parent) && !strstr(interval, "hour")) {
		strbuf_adds(out, " --timezone ");
		add_word(out, c->zone);
	}
	if (c->options.epoch != EPOCH_NONE && partition_key_kind(parent) == KEY_INTEGER)
		strbuf_addf(out, " --epoch %s", units[c->options.epoch]);
	strbuf_addf(out, "%s --yes", more);
}

/* --- findings ---------------------------------------------------------------------------------------------- */

static void check_pending(struct check *c, const struct partition *p, struct answer *a)
{
	const struct partition *parent = partition_parent(&c->model, p);
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT, bounds = STRBUF_INIT;
	autofree char *parent_name = check_name(parent);

	strbuf_adds(&fix, "ALTER TABLE ");
	pg_add_qualified(&fix, parent->schema, parent->name);
	strbuf_adds(&fix, " DETACH PARTITION ");
	pg_add_qualified(&fix, p->schema, p->name);
	strbuf_adds(&fix, " FINALIZE;");
	bound_add_display(&bounds, &p->bound);

	check_finding(a, "partitions.detach_pending", SEVERITY_CRITICAL, p,
		xasprintf("its detach from %s has not ended: rows %s are refused, and no other partition can be detached concurrently",
			parent_name, bounds.buf))
		->fix = strbuf_detach(&fix);
}

/* "FROM ('a') TO ('b')" between two ranges. */
static void add_gap_bounds(struct strbuf *out, const struct partition *before, const struct partition *after)
{
	const struct bound gap = { .kind = BOUND_RANGE, .from = before->bound.to, .to = after->bound.from };

	bound_add_display(out, &gap);
}

static enum severity gap_severity(const struct check *c, const struct partition *parent, const struct partition *before,
	const struct partition *after, bool has_default)
{
	int64_t now, from, to, unused;

	if (!check_key_now(c, parent, &now) || !partition_span(parent, before, c->options.epoch, &unused, &from) ||
		!partition_span(parent, after, c->options.epoch, &to, &unused))
		return SEVERITY_WARNING;
	if (to <= now)
		return SEVERITY_INFO;
	return from <= now && !has_default ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

/* By create where the table has a usual interval, else one table as wide as the gap. */
static void add_gap_fix(const struct check *c, const struct partition *parent, const struct partition *before, const struct partition *after,
	const char *bounds, struct strbuf *fix)
{
	const struct bound gap = { .kind = BOUND_RANGE, .from = before->bound.to, .to = after->bound.from };
	autofree char *name = parity_object_name(parent->name, bounds, "");
	_cleanup_strbuf_ struct strbuf table = STRBUF_INIT, parent_sql = STRBUF_INIT;

	check_add_create(c, parent, 0, partition_default(&c->model, parent) ? " --move-default" : "", fix);
	if (fix->len)
		return;
	pg_add_qualified(&table, parent->schema, name);
	parity_add_table(&parent_sql, parent);
	strbuf_addf(fix, "CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY);\nALTER TABLE %s ATTACH PARTITION %s ", table.buf, parent_sql.buf, parent_sql.buf,
		table.buf);
	bound_add_sql(fix, &gap);
	strbuf_addch(fix, ';');
}

static void add_gap(struct check *c, const struct partition *parent, const struct partition *before, const struct partition *after,
	struct answer *a)
{
	bool has_default = partition_default(&c->model, parent) != NULL;
	enum severity severity = gap_severity(c, parent, before, after, has_default);
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT, evidence = STRBUF_INIT, fix = STRBUF_INIT;
	struct json j = JSON_INIT(&evidence, 0);
	struct finding *f;
	autofree char *first = check_name(before), *second = check_name(after);

	add_gap_bounds(&bounds, before, after);
	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "bounds", bounds.buf);
	jsonw_string(&j, "after", first);
	jsonw_string(&j, "before", second);
	jsonw_object_end(&j);

	add_gap_fix(c, parent, before, after, bounds.buf, &fix);
	f = check_finding(a, "partitions.gap", severity, parent,
		xasprintf("no partition for rows %s: %s", bounds.buf, has_default ? "they go to DEFAULT" : "they are refused"));
	f->evidence = strbuf_detach(&evidence);
	f->fix = strbuf_detach(&fix);
}

/* Ranges cannot overlap, so two neighbours that do not touch have a gap between them. Of a key whose order only the
 * server knows (KEY_OTHER) the neighbours are not known. */
static void check_gaps(struct check *c, const struct partition *parent, struct answer *a)
{
	const struct partition *before = NULL;

	if (parent->key.strategy != STRATEGY_RANGE || partition_key_kind(parent) == KEY_OTHER)
		return;
	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p)) {
		if (p->bound.kind != BOUND_RANGE)
			continue;
		if (before && !bound_values_equal(&before->bound.to, &p->bound.from))
			add_gap(c, parent, before, p, a);
		before = p;
	}
}

/* What is wider, narrower or shifted: bounds made in several time zones, by hand, or by a script that changed its mind. */
static void check_grid(struct check *c, const struct partition *parent, struct answer *a)
{
	char buf[32], other[32];
	const char *usual = check_interval(c, parent, buf);
	int64_t from, to;

	for (const struct partition *p = partition_next(&c->model, parent, NULL); p && usual; p = partition_next(&c->model, parent, p)) {
		const char *name = interval_of(c, parent, p, other);
		_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT;

		if (!partition_span(parent, p, c->options.epoch, &from, &to) || !is_closed(from, to) || (name && strcmp(name, usual) == 0))
			continue;
		bound_add_display(&bounds, &p->bound);
		check_finding(a, "partitions.off_grid", SEVERITY_INFO, p,
			xasprintf("its bounds %s are not those of %s, which most partitions have", bounds.buf, usual));
	}
}

/* Where the partitions end; false when there is none, or the key is no time. INSTANT_MAX: never. */
static bool last_bound(const struct check *c, const struct partition *parent, int64_t *ret)
{
	bool any = false;
	int64_t from, to;

	for (const struct partition *p = partition_next(&c->model, parent, NULL); p; p = partition_next(&c->model, parent, p)) {
		if (p->detach_pending || !partition_span(parent, p, c->options.epoch, &from, &to))
			continue;
		*ret = any && *ret > to ? *ret : to;
		any = true;
	}
	return any;
}

/* The end of what a sub-partitioned table has to hold: that of the nearest range by time above it. INSTANT_MAX: no end. */
static int64_t own_end(const struct check *c, const struct partition *p)
{
	for (const struct partition *up; (up = partition_parent(&c->model, p)); p = up) {
		int64_t from, to, unused;

		if (check_key_now(c, up, &unused) && partition_span(up, p, c->options.epoch, &from, &to))
			return to;
	}
	return INSTANT_MAX;
}

static char *headroom_message(const struct check *c, const struct headroom *h)
{
	_cleanup_strbuf_ struct strbuf until = STRBUF_INIT, left = STRBUF_INIT;

	check_add_time(&until, h->table, c->options.epoch, h->until);
	duration_format(fabs(h->seconds), &left);
	return h->seconds < 0 ? xasprintf("the last partition ended at %s, %s ago", until.buf, left.buf)
			      : xasprintf("the last partition ends at %s, in %s", until.buf, left.buf);
}

static void add_headroom_finding(const struct check *c, const struct headroom *h, enum severity severity, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf fix = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.headroom", severity, h->table, headroom_message(c, h));

	check_add_create(c, h->table, 3, "", &fix);
	f->fix = fix.len ? strbuf_detach(&fix) : NULL;
}

static void judge_headroom(const struct check *c, const struct headroom *h, struct answer *a)
{
	autofree char *name = check_name(h->table);

	answer_metric(a, &(struct metric){
		.name = "partitions_headroom_seconds",
		.help = "Time until the last partition's upper bound.",
		.unit = UNIT_SECONDS,
		.value = round(h->seconds),
		.label = { "table" },
		.label_value = { name },
		.perfdata = "headroom",
		.warning = c->options.warning,
		.critical = c->options.critical,
	});
	if (range_alerts(&c->options.critical, h->seconds, 0))
		add_headroom_finding(c, h, SEVERITY_CRITICAL, a);
	else if (range_alerts(&c->options.warning, h->seconds, 0))
		add_headroom_finding(c, h, SEVERITY_WARNING, a);
}

static void check_headroom(struct check *c, const struct partition *parent, struct answer *a)
{
	struct headroom h = { .table = parent };
	int64_t now, end = own_end(c, parent);

	if (!check_key_now(c, parent, &now))
		return;
	if (!last_bound(c, parent, &h.until)) {
		if (!partition_default(&c->model, parent))
			check_finding(a, "partitions.empty", SEVERITY_WARNING, parent, xstrdup("it has no partition: every row is refused"));
		return;
	}
	if (end != INSTANT_MAX && (h.until >= end || end <= now))
		return; /* a branch that is complete, or history */
	h.known = h.until != INSTANT_MAX;
	h.seconds = h.known ? (double)(h.until - now) / 1e6 : INFINITY;
	*vec_push(&c->headroom) = h;
	if (h.known)
		judge_headroom(c, &h, a);
}

void check_bounds(struct check *c, struct answer *a)
{
	for (size_t i = 0; i < c->model.len; i++) {
		const struct partition *p = &c->model.items[i];

		if (p->detach_pending)
			check_pending(c, p, a);
		if (p->kind != 'p')
			continue;
		check_headroom(c, p, a);
		check_gaps(c, p, a);
		check_grid(c, p, a);
	}
}
