/* SPDX-License-Identifier: PostgreSQL */
/* Which time limit a new session of a role in a database starts with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "connections.h"

const char *const timeout_names[] = {
	"statement_timeout",
	"idle_in_transaction_session_timeout",
	"idle_session_timeout",
	"transaction_timeout",
	NULL,
};

double timeout_seconds(const char *value)
{
	char *end;
	double n = strtod(value, &end);
	int64_t ms;

	if (end != value && !*end)
		return n / 1000; /* without a unit: milliseconds */
	return duration_parse(value, &ms) ? (double)ms / 1000 : NAN;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is more specific goes first: role in database, role, database, server. -1: not about this session. */
static int rank(const struct timeout *t, const char *role, const char *database)
{
	if ((t->role && !is_same(t->role, role)) || (t->database && !is_same(t->database, database)))
		return -1;
	return (t->role ? 2 : 0) + (t->database ? 1 : 0);
}

const struct timeout *timeout_in_force(const struct connections *c, const char *setting, const char *role, const char *database)
{
	const struct timeout *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < c->timeouts.len; i++) {
		const struct timeout *t = &c->timeouts.items[i];
		int r = strcmp(t->setting, setting) == 0 ? rank(t, role, database) : -1;

		if (r > best_rank) {
			best = t;
			best_rank = r;
		}
	}
	return best;
}

void timeouts_hide_own(struct connections *c, const char *role, const char *database)
{
	for (size_t i = 0; i < c->timeouts.len; i++) {
		struct timeout *t = &c->timeouts.items[i];
		const struct timeout *own = timeout_in_force(c, t->setting, role, database);

		if (!t->role && !t->database && own && own != t)
			t->hidden = true;
	}
}
