/* SPDX-License-Identifier: PostgreSQL
 *
 * connections_judge.h - what is wrong with the connections of a server: metrics and findings.
 */
#ifndef DBOPS_CONNECTIONS_JUDGE_H
#define DBOPS_CONNECTIONS_JUDGE_H

#include "answer.h"
#include "connections.h"

struct connection_thresholds {
	struct range used_warning, used_critical;               /* sessions; per cent of the limit */
	struct range idle_warning, idle_critical;               /* seconds idle in a transaction */
	struct range transaction_warning, transaction_critical; /* seconds since a transaction began */
	struct range xmin_warning, xmin_critical;               /* transactions behind */
};

/* Adds metrics, findings and the summary to a. */
void connections_judge(const struct connections *c, const struct connection_thresholds *t, struct answer *a);

/* "green", "yellow", "red" of a share in per cent: yellow from the one bound to the other, red above. */
enum cell_tone connections_tone(double percent, int64_t yellow, int64_t red);

/* SQL that terminates this one session, and no later one with its pid. */
void connections_terminate_sql(const struct session *s, struct strbuf *out);

#endif
