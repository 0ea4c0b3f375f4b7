/* SPDX-License-Identifier: PostgreSQL */
/* Which backups a policy keeps: restic's semantics as a table. */
#include "unit.h"

#include <string.h>
#include "clock.h"
#include "retention.h"

#define MAX_BACKUPS 12
#define DAY_MS      (INT64_C(24) * 3600 * 1000)

/* keep: one character a backup, in the order given; '+' is kept. */
static const struct scenario {
	const char *name;
	struct retention_policy policy;
	const char *backups[MAX_BACKUPS]; /* newest first */
	const char *keep;
	const char *now; /* NULL: far in the future */
} scenarios[] = {
	{ .name = "keep-last counts backups, not days", .policy = { .last = 2 },
		.backups = { "2026-01-03T03:00:00Z", "2026-01-03T02:00:00Z", "2026-01-03T01:00:00Z" }, .keep = "++-" },
	{ .name = "keep-last larger than there is", .policy = { .last = 9 },
		.backups = { "2026-01-03T03:00:00Z", "2026-01-03T02:00:00Z" }, .keep = "++" },
	{ .name = "a day keeps its newest", .policy = { .daily = 2 },
		.backups = { "2026-01-02T23:00:00Z", "2026-01-02T01:00:00Z", "2026-01-01T23:59:59Z", "2026-01-01T00:00:00Z",
			"2025-12-31T12:00:00Z" },
		.keep = "+-+--" },
	{ .name = "days without a backup do not count", .policy = { .daily = 3 },
		.backups = { "2026-03-20T01:00:00Z", "2026-03-11T01:00:00Z", "2026-02-01T01:00:00Z", "2026-01-31T01:00:00Z" },
		.keep = "+++-" },
	{ .name = "days end at midnight UTC", .policy = { .daily = 1 },
		.backups = { "2026-01-02T00:00:00Z", "2026-01-01T23:59:59Z", "2026-01-01T22:00:00Z" }, .keep = "+--" },
	{ .name = "weeks begin on Monday", .policy = { .weekly = 2 },
		/* Mon 12 Jan; Sun 11, Mon 5 Jan */
		.backups = { "2026-01-12T00:00:00Z", "2026-01-11T23:59:59Z", "2026-01-05T00:00:00Z", "2026-01-04T23:59:59Z" },
		.keep = "++--" },
	{ .name = "a week across the end of the year is one", .policy = { .weekly = 2 },
		/* ISO week 2026-W01: Mon 29 Dec 2025 to Sun 4 Jan 2026 */
		.backups = { "2026-01-04T12:00:00Z", "2026-01-01T12:00:00Z", "2025-12-29T00:00:00Z", "2025-12-28T23:00:00Z",
			"2025-12-22T00:00:00Z", "2025-12-21T23:00:00Z" },
		.keep = "+--+--" },
	{ .name = "a month keeps its newest", .policy = { .monthly = 3 },
		.backups = { "2026-03-31T23:00:00Z", "2026-03-01T00:00:00Z", "2026-02-28T23:00:00Z", "2026-01-31T23:00:00Z",
			"2026-01-01T00:00:00Z", "2025-12-31T23:00:00Z" },
		.keep = "+-++--" },
	{ .name = "the same month of another year is another", .policy = { .monthly = 2 },
		.backups = { "2026-01-15T00:00:00Z", "2025-01-15T00:00:00Z", "2024-01-15T00:00:00Z" }, .keep = "++-" },
	{ .name = "a year keeps its newest", .policy = { .yearly = 2 },
		.backups = { "2026-05-01T00:00:00Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2025-01-01T00:00:00Z",
			"2024-12-31T00:00:00Z" },
		.keep = "+-+--" },
	{ .name = "the oldest fills a rule that is not used up", .policy = { .daily = 3 },
		.backups = { "2026-01-02T12:00:00Z", "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T10:00:00Z" },
		.keep = "++-+" },
	{ .name = "the oldest for a year that was kept", .policy = { .yearly = 2 },
		.backups = { "2026-09-01T00:00:00Z", "2026-08-01T00:00:00Z", "2026-07-01T00:00:00Z" }, .keep = "+-+" },
	{ .name = "rules are OR-ed", .policy = { .last = 1, .daily = 2, .monthly = 2 },
		.backups = { "2026-02-02T12:00:00Z", "2026-02-02T06:00:00Z", "2026-02-01T12:00:00Z", "2026-01-31T12:00:00Z",
			"2026-01-30T12:00:00Z" },
		.keep = "+-++-" },
	{ .name = "within is relative to the newest", .policy = { .within_ms = 2 * DAY_MS },
		.backups = { "2026-01-10T12:00:00Z", "2026-01-09T12:00:00Z", "2026-01-08T12:00:01Z", "2026-01-08T12:00:00Z" },
		.keep = "+++-", .now = "2027-01-01T00:00:00Z" },
	{ .name = "within of more than the beginning of time", .policy = { .within_ms = INT64_MAX },
		.backups = { "2026-01-10T12:00:00Z", "1971-01-09T12:00:00Z" }, .keep = "++" },
	{ .name = "the newest is kept without any rule", .policy = { .last = 0 },
		.backups = { "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z" }, .keep = "+-" },
	{ .name = "future dates are kept and not counted", .policy = { .last = 1 },
		.backups = { "2030-01-01T00:00:00Z", "2026-01-03T00:00:01Z", "2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z" },
		.keep = "+++-", .now = "2026-01-03T00:00:00Z" },
	{ .name = "within counts from the newest that is not in the future", .policy = { .within_ms = DAY_MS },
		.backups = { "2030-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-02T12:00:00Z", "2026-01-01T00:00:00Z" },
		.keep = "+++-", .now = "2026-02-01T00:00:00Z" },
	{ .name = "only future dates", .policy = { .last = 1 }, .backups = { "2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z" },
		.keep = "++", .now = "2026-01-01T00:00:00Z" },
	{ .name = "one backup", .policy = { .daily = 7 }, .backups = { "2026-01-01T00:00:00Z" }, .keep = "+" },
	{ .name = "no backup", .policy = { .daily = 7 }, .keep = "" },
};

static int64_t time_of(const char *text)
{
	int64_t us;

	if (!clock_parse_utc(text, &us))
		fail_msg("'%s' is not a time", text);
	return us;
}

/* Item i is given at place order[i]; data tells which one it is. */
static void run(const struct scenario *s, const size_t *order, char *kept)
{
	struct retention_item items[MAX_BACKUPS] = { 0 };
	size_t n = strlen(s->keep);

	for (size_t i = 0; i < n; i++)
		items[order[i]] = (struct retention_item){ .time = time_of(s->backups[i]), .data = &kept[i] };
	retention_apply(&s->policy, items, n, s->now ? time_of(s->now) : INT64_MAX);
	for (size_t i = 0; i < n; i++) {
		*(char *)items[i].data = items[i].keep ? '+' : '-';
		if (i && items[i].time > items[i - 1].time)
			fail_msg("%s: not newest first", s->name);
		if (!items[i].reason || !items[i].reason[0])
			fail_msg("%s: backup %zu has no reason", s->name, i);
		free(items[i].reason);
	}
	kept[n] = '\0';
}

static void test_scenarios(void **state)
{
	static const size_t sorted[MAX_BACKUPS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

	(void)state;
	for (size_t i = 0; i < LENGTH(scenarios); i++) {
		char kept[MAX_BACKUPS + 1];

		run(&scenarios[i], sorted, kept);
		if (strcmp(kept, scenarios[i].keep) != 0)
			fail_msg("%s: %s instead of %s", scenarios[i].name, kept, scenarios[i].keep);
	}
}

/* The order in which a storage lists them does not matter. */
static void test_any_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(scenarios); i++) {
		size_t n = strlen(scenarios[i].keep), order[MAX_BACKUPS];
		char kept[MAX_BACKUPS + 1];

		for (size_t k = 0; k < n; k++)
			order[k] = n - 1 - k;
		run(&scenarios[i], order, kept);
		assert_string_equal(kept, scenarios[i].keep);
		for (size_t k = 0; k < n; k++)
			order[k] = (k + n / 2) % n;
		run(&scenarios[i], order, kept);
		assert_string_equal(kept, scenarios[i].keep);
	}
}

static void test_reasons(void **state)
{
	static const char *const reasons[] = { "dated in the future: not judged", "newest complete, last, daily, yearly, within",
		"daily, within", "no rule keeps it", "oldest yearly" };
	static const char *const times[] = { "2026-06-04T00:00:00Z", "2026-06-03T12:00:00Z", "2026-06-02T23:00:00Z",
		"2026-06-02T11:00:00Z", "2026-06-01T00:00:00Z" };
	const struct retention_policy p = { .last = 1, .daily = 2, .yearly = 3, .within_ms = DAY_MS };
	struct retention_item items[LENGTH(times)] = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(times); i++)
		items[i].time = time_of(times[i]);
	retention_apply(&p, items, LENGTH(items), time_of("2026-06-03T13:00:00Z"));
	for (size_t i = 0; i < LENGTH(times); i++) {
		assert_string_equal(items[i].reason, reasons[i]);
		free(items[i].reason);
	}
}

static void test_empty_policy(void **state)
{
	static const struct retention_policy rules[] = { { .last = 1 }, { .daily = 1 }, { .weekly = 1 }, { .monthly = 1 },
		{ .yearly = 1 }, { .within_ms = 1 } };

	(void)state;
	assert_true(retention_is_empty(&(struct retention_policy){ 0 }));
	for (size_t i = 0; i < LENGTH(rules); i++)
		assert_false(retention_is_empty(&rules[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_empty_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
