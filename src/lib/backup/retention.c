/* SPDX-License-Identifier: PostgreSQL */
#include "retention.h"

#include <stdlib.h>
#include <time.h>
#include "strbuf.h"
#include "xalloc.h"

bool retention_is_empty(const struct retention_policy *p)
{
	return !p->last && !p->daily && !p->weekly && !p->monthly && !p->yearly && !p->within_ms;
}

static int newest_first(const void *a, const void *b)
{
	const struct retention_item *x = a, *y = b;

	return x->time > y->time ? -1 : x->time < y->time;
}

static struct tm utc(int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	return tm;
}

static int64_t bucket_last(int64_t us, size_t index)
{
	(void)us;
	return (int64_t)index; /* every backup is a bucket of its own */
}

static int64_t bucket_day(int64_t us, size_t index)
{
	(void)index;
	return us / 86400000000;
}

/* Weeks begin on Monday; 1970-01-01 was a Thursday. */
static int64_t bucket_week(int64_t us, size_t index)
{
	(void)index;
	return (us / 86400000000 + 3) / 7;
}

static int64_t bucket_month(int64_t us, size_t index)
{
	struct tm tm = utc(us);

	(void)index;
	return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

static int64_t bucket_year(int64_t us, size_t index)
{
	(void)index;
	return utc(us).tm_year;
}

struct rule {
	const char *name;
	int64_t (*bucket)(int64_t us, size_t index);
	int64_t left, previous;
	bool any;
};

static void add_reason(struct strbuf *reasons, const char *text, const char *more)
{
	strbuf_addf(reasons, "%s%s%s", reasons->len ? ", " : "", more, text);
}

static bool rule_keeps(struct rule *r, int64_t time, size_t index, bool oldest, struct strbuf *reasons)
{
	int64_t bucket = r->bucket(time, index);
	bool new_bucket = !r->any || bucket != r->previous;

	if (r->left <= 0 || (!new_bucket && !oldest))
		return false;
	r->left--;
	r->any = true;
	r->previous = bucket;
	add_reason(reasons, r->name, new_bucket ? "" : "oldest ");
	return true;
}

static void decide(struct rule *rules, const struct retention_policy *p, struct retention_item *item, size_t index,
	int64_t newest, bool oldest)
{
	_cleanup_strbuf_ struct strbuf reasons = STRBUF_INIT;

	if (index == 0)
		add_reason(&reasons, "newest complete", "");
	for (struct rule *r = rules; r->name; r++)
		rule_keeps(r, item->time, index, oldest, &reasons);
	/* whole milliseconds, because a long period in microseconds does not fit */
	if (p->within_ms && (newest - item->time) / 1000 < p->within_ms)
		add_reason(&reasons, "within", "");
	item->keep = reasons.len > 0;
	item->reason = item->keep ? strbuf_detach(&reasons) : xstrdup("no rule keeps it");
}

void retention_apply(const struct retention_policy *p, struct retention_item *items, size_t n, int64_t now_us)
{
	struct rule rules[] = {
		{ "last", bucket_last, p->last, 0, false },
		{ "daily", bucket_day, p->daily, 0, false },
		{ "weekly", bucket_week, p->weekly, 0, false },
		{ "monthly", bucket_month, p->monthly, 0, false },
		{ "yearly", bucket_year, p->yearly, 0, false },
		{ NULL, NULL, 0, 0, false },
	};
	size_t first = 0;

	if (n)
		qsort(items, n, sizeof(*items), newest_first);
	for (; first < n && items[first].time > now_us; first++) {
		items[first].keep = true;
		items[first].reason = xstrdup("dated in the future: not judged");
	}
	for (size_t i = first; i < n; i++)
		decide(rules, p, &items[i], i - first, items[first].time, i + 1 == n);
}
