/* SPDX-License-Identifier: PostgreSQL */
#include "connections_rates.h"

#include <math.h>
#include <string.h>

enum { USED = DATABASE_COUNTERS, COUNTERS };

const char *const connection_counters[] = {
	[DATABASE_SESSIONS] = "sessions",
	[DATABASE_ABANDONED] = "sessions_abandoned",
	[DATABASE_FATAL] = "sessions_fatal",
	[DATABASE_KILLED] = "sessions_killed",
	[DATABASE_SESSION_SECONDS] = "session_seconds",
	[DATABASE_ACTIVE_SECONDS] = "active_seconds",
	[DATABASE_IDLE_IN_TRANSACTION_SECONDS] = "idle_in_transaction_seconds",
	[DATABASE_TRANSACTIONS] = "transactions",
	[USED] = "used",
	NULL,
};

static const char server_key[] = "server";

static char *database_key(const char *name)
{
	return xasprintf("database %s", name);
}

void connections_sample(const struct connections *c, struct sample *now)
{
	double values[COUNTERS];

	for (size_t i = 0; i < c->databases.len; i++) {
		autofree char *key = database_key(c->databases.items[i].name);

		memcpy(values, c->databases.items[i].counters, sizeof(c->databases.items[i].counters));
		values[USED] = NAN;
		sample_add(now, key, values);
	}
	for (unsigned k = 0; k < USED; k++)
		values[k] = NAN;
	values[USED] = (double)connections_used(c);
	sample_add(now, server_key, values);
}

/* What a counter gained; NAN when it is not known or fell. A database that is new began at 0. */
static double gain(struct sample *before, const struct connection_database *d, enum database_counter k)
{
	autofree char *key = database_key(d->name);
	const double *old = sample_find(before, key);
	double from = old ? old[k] : 0;

	return d->counters[k] >= from ? d->counters[k] - from : NAN;
}

static double rate(const struct connections *c, struct sample *before, const char *database, enum database_counter k, double seconds)
{
	double sum = 0;

	for (size_t i = 0; i < c->databases.len; i++)
		if (!database || strcmp(c->databases.items[i].name, database) == 0)
			sum += gain(before, &c->databases.items[i], k);
	return sum / seconds;
}

static double full_in(const struct connections *c, struct sample *before, double seconds)
{
	const double *old = sample_find(before, server_key);
	double used = (double)connections_used(c), growth = old ? (used - old[USED]) / seconds : NAN;

	return growth > 0 ? ((double)connections_capacity(c) - used) / growth : NAN;
}

struct connection_rates connections_rates(const struct connections *c, struct sample *before, struct sample *now, const char *database)
{
	double seconds = sample_seconds(before, now);

	return (struct connection_rates){
		.established = rate(c, before, database, DATABASE_SESSIONS, seconds),
		.abandoned = rate(c, before, database, DATABASE_ABANDONED, seconds),
		.fatal = rate(c, before, database, DATABASE_FATAL, seconds),
		.killed = rate(c, before, database, DATABASE_KILLED, seconds),
		.full_in = full_in(c, before, seconds),
	};
}

static void add_counter(const struct connections *c, struct answer *a, const char *name, const char *help, enum database_counter k)
{
	double sum = 0;

	for (size_t i = 0; i < c->databases.len; i++)
		sum += c->databases.items[i].counters[k];
	answer_metric(a, &(struct metric){ .name = name, .help = help, .value = sum, .counter = true });
}

static void add_rate(struct answer *a, const char *name, const char *help, const char *perfdata, double value)
{
	answer_metric(a, &(struct metric){ .name = name, .help = help, .value = value, .perfdata = perfdata });
}

void connections_judge_rates(const struct connections *c, struct sample *before, struct sample *now, struct answer *a)
{
	const char *why = before ? sample_incomparable(before, now) : NULL;

	add_counter(c, a, "connections_sessions_total", "Sessions established, of all databases.", DATABASE_SESSIONS);
	add_counter(c, a, "connections_abandoned_total", "Sessions whose client went away without a word.", DATABASE_ABANDONED);
	add_counter(c, a, "connections_fatal_total", "Sessions that ended by a fatal error.", DATABASE_FATAL);
	add_counter(c, a, "connections_killed_total", "Sessions that were terminated.", DATABASE_KILLED);
	if (why)
		answer_gap(a, false, "rates of connections", why, NULL);
	if (!before || why)
		return;

	struct connection_rates r = connections_rates(c, before, now, NULL);

	add_rate(a, "connections_established_per_second", "Sessions established a second.", "established", r.established);
	add_rate(a, "connections_abandoned_per_second", "Sessions a second whose client went away without a word.", "abandoned", r.abandoned);
	add_rate(a, "connections_fatal_per_second", "Sessions a second that ended by a fatal error.", "fatal", r.fatal);
	add_rate(a, "connections_killed_per_second", "Sessions a second that were terminated.", "killed", r.killed);
	answer_metric(a, &(struct metric){ .name = "connections_full_in_seconds", .unit = UNIT_SECONDS, .value = r.full_in,
			       .help = "When the server is full if connections go on growing as between the samples." });
}
