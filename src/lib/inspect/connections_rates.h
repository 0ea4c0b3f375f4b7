/* SPDX-License-Identifier: PostgreSQL
 *
 * connections_rates.h - how fast sessions come and go, from two samples.
 */
#ifndef DBOPS_CONNECTIONS_RATES_H
#define DBOPS_CONNECTIONS_RATES_H

#include "answer.h"
#include "connections.h"
#include "sample.h"

/* What a sample holds: the counters of a database, and the used connections of the server. */
extern const char *const connection_counters[];

/* Adds the counters of c to now. */
void connections_sample(const struct connections *c, struct sample *now);

/* A second; NAN = not known (PostgreSQL 13, or a counter fell). */
struct connection_rates {
	double established, abandoned, fatal, killed;
	double full_in;          /* seconds until the server is full when it goes on like this; NAN = it does not grow */
};
/* database NULL = all. before must be comparable, see sample_incomparable(). */
struct connection_rates connections_rates(const struct connections *c, struct sample *before, struct sample *now, const char *database);
/* Metrics: counters always, rates when before is given and comparable; a gap that is not decisive when it is not. */
void connections_judge_rates(const struct connections *c, struct sample *before, struct sample *now, struct answer *a);

#endif
