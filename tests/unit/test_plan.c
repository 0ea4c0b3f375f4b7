/* SPDX-License-Identifier: PostgreSQL */
/* Which tables a backup reads in ranges, and in which order. */
#include "unit.h"

#include "cleanup.h"
#include "plan.h"
#include "xalloc.h"

#define MIB      (1LL << 20)
#define JOBS_MAX 8

struct table {
	int64_t mib;
	bool indivisible, divided;
};

/* Plans the tables, up to one of 0 MiB, and checks which are divided, and that whole ones come first, largest first. */
static void check(int64_t jobs, int64_t split_above, const struct table *tables)
{
	struct plan_job items[JOBS_MAX] = { 0 }, *order[JOBS_MAX];
	struct plan p = { .items = items, .order = order };
	const struct backup_options o = { .jobs = jobs, .split_above = split_above };

	for (; tables[p.len].mib; p.len++) {
		items[p.len] = (struct plan_job){ .bytes = tables[p.len].mib * MIB, .pages = tables[p.len].mib * 128, .units = 1,
			.divisible = !tables[p.len].indivisible };
		order[p.len] = &items[p.len];
		p.total_bytes += items[p.len].bytes;
	}
	plan_divide(&p, &o);
	for (size_t i = 0; i < p.len; i++) {
		if ((items[i].units > 1) != tables[i].divided)
			fail_msg("table %zu of %lld MiB, %lld jobs: %u units", i, (long long)tables[i].mib, (long long)jobs, items[i].units);
		if (tables[i].divided)
			assert_int_equal(items[i].units, (tables[i].mib + 15) / 16);
		if (!i)
			continue;

		bool divided = order[i]->units > 1, before = order[i - 1]->units > 1;

		assert_true(divided >= before);
		assert_true(divided != before || order[i - 1]->bytes >= order[i]->bytes);
	}
}

#define TABLES(...) (const struct table[]){ __VA_ARGS__, { 0 } }

static void test_shares(void **state)
{
	(void)state;
	check(2, 0, TABLES({ 1000, .divided = true }, { 10 }));
	check(2, 0, TABLES({ 60 }));                                     /* not worth it */
	check(1, 0, TABLES({ 1000 }));                                   /* nobody to share with */
	check(2, -1, TABLES({ 1000 }, { 500 }));                         /* --no-split */
	check(2, 0, TABLES({ 1000, .indivisible = true }, { 500, .divided = true }));
	check(2, 0, TABLES({ 100 }, { 110 }, { 120 }, { 130 }, { 100 })); /* equal ones even out by themselves */
}

static void test_whole_beside_ranges(void **state)
{
	(void)state;
	/* one worker reads 700 while the other has 1200 in ranges; with four workers there is too little for the others */
	check(2, 0, TABLES({ 1200, .divided = true }, { 700 }, { 100 }, { 5 }));
	check(4, 0, TABLES({ 1200, .divided = true }, { 700, .divided = true }, { 100 }, { 5 }));
	/* order in the TOC does not matter */
	check(2, 0, TABLES({ 5 }, { 700 }, { 1200, .divided = true }));
	/* 1200 cannot be beside both */
	check(2, 0, TABLES({ 1200, .divided = true }, { 700 }, { 650, .divided = true }));
	/* nearly equal: what the larger one leaves would not last */
	check(2, 0, TABLES({ 800, .divided = true }, { 700, .divided = true }));
	/* a limit that somebody gave is meant */
	check(2, 64 * MIB, TABLES({ 1200, .divided = true }, { 700, .divided = true }, { 65, .divided = true }, { 64 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_whole_beside_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
