/* SPDX-License-Identifier: PostgreSQL
 *
 * generic_plan.h - the plan of a statement whose constants are parameters, as pg_stat_statements keeps it.
 *
 * The statement is not executed: PREPARE, then EXPLAIN without ANALYZE under plan_cache_mode = force_generic_plan, in a read-only transaction
 * that is rolled back. The text goes through the extended protocol, which takes one statement and refuses several. EXPLAIN
 * (GENERIC_PLAN) of PostgreSQL 16 gives the same plan, but only to the simple protocol, which runs whatever stands behind a
 * semicolon: the extended one asks for values of the parameters.
 */
#ifndef DBOPS_GENERIC_PLAN_H
#define DBOPS_GENERIC_PLAN_H

#include "inspector.h"

struct generic_plan {
	struct strvec lines;
	bool as_role;      /* planned as the role that ran it; false = as the current one, which may not become that role */
	char *search_path; /* in which names were looked up */
};

void generic_plan_release(struct generic_plan *p);
#define _cleanup_generic_plan_ _cleanup_(generic_plan_release)

/* Plans text as role (its oid and name), where this session may become that role. Functions that are not volatile run while
 * planning and can undo SET ROLE, so there must be none of a role that this session's user does not trust with its own rights:
 * a superuser's, its own, or all when it plans its own statement and is no superuser. EXIT_REFUSED and what else pg_query() says. */
bool generic_plan(struct inspector *in, const char *text, int64_t userid, const char *role, struct generic_plan *ret,
	struct error *err);

#endif
