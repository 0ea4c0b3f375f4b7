/* SPDX-License-Identifier: PostgreSQL
 *
 * pool_plan.h - do the pools of all components fit into the server, also while a deploy runs?
 *
 * A file names components with instances and pool sizes, the server's limits and, where there is one, PgBouncer. The plan is
 * a list of inequalities with their numbers: each holds or does not. Nothing here asks a server.
 *
 *	server: {max_connections: 60, superuser_reserved_connections: 3, other: 2}
 *	surge: 100%
 *	components:
 *	  agent: {instances: 4, pool_size: 5}
 *	  frontend: {instances: 2, pool_size: 3, role: web, database: shop, pgbouncer: true}
 *	pgbouncer: {default_pool_size: 20, max_client_conn: 200}
 *	limits: {roles: {web: 20}, databases: {shop: 40}}
 */
#ifndef DBOPS_POOL_PLAN_H
#define DBOPS_POOL_PLAN_H

#include <stdint.h>
#include "error.h"
#include "strbuf.h"
#include "vec.h"

struct pool_component {
	char *name, *role, *database;
	int64_t instances, pool_size;
	int64_t surge;      /* instances that run beside the old ones during a deploy */
	bool pgbouncer;     /* its pools end at PgBouncer, not at the server */
};

struct pool_limit {
	char *name;
	int64_t limit;
};

struct pool_limits {
	struct pool_limit *items;
	size_t len, alloc;
};

struct pool_bouncer {
	bool there, session_mode;
	int64_t instances, default_pool_size, reserve_pool_size, max_db_connections, max_client_conn; /* 0 = no limit for max_db_… */
};

struct pool_plan {
	int64_t max_connections;   /* -1 = not said */
	int64_t superuser_reserved, reserved;
	int64_t other;             /* sessions of people, monitoring, migrations */
	bool one_at_a_time;        /* deploys: one component after the other, not all at once */
	VEC(struct pool_component) components;
	struct pool_bouncer bouncer;
	struct pool_limits roles, databases;
};
void pool_plan_release(struct pool_plan *p);
#define _cleanup_pool_plan_ _cleanup_(pool_plan_release)

/* Reads YAML; file is for messages, which begin with file:line:column. EXIT_CONFIG. */
bool pool_plan_parse(struct pool_plan *p, const char *file, const char *text, size_t len, struct error *err);

/* left <= right */
struct inequality {
	const char *id;            /* "server.steady", …; a constant */
	char *what;                /* the sentence it proves */
	char *formula;             /* the left side with its numbers: "4 x 5 + 2 x 3 + 2" */
	int64_t left, right;
};
struct pool_proof {
	VEC(struct inequality) items;
};
void pool_proof_release(struct pool_proof *p);
#define _cleanup_pool_proof_ _cleanup_(pool_proof_release)
static inline bool inequality_holds(const struct inequality *i)
{
	return i->left <= i->right;
}
/* All inequalities of the plan; max_connections must be known. */
void pool_plan_prove(const struct pool_plan *p, struct pool_proof *ret);
bool pool_proof_holds(const struct pool_proof *p);

/* Slots for ordinary roles. */
int64_t pool_plan_capacity(const struct pool_plan *p);
/* Server sessions that PgBouncer can open at most. */
int64_t pool_plan_bouncer_sessions(const struct pool_plan *p);

/* Settings with which everything fits. */
struct pool_advice {
	bool possible;             /* false: not even one connection for each instance fits */
	bool bouncer;              /* through PgBouncer: the pool sizes of components stay as they are */
	int64_t default_pool_size, reserve_pool_size, max_db_connections, max_client_conn;
	int64_t *pool_sizes;       /* by component, for those that go to the server directly */
};
void pool_advice_release(struct pool_advice *a);
#define _cleanup_pool_advice_ _cleanup_(pool_advice_release)
/* bouncer: all components go through PgBouncer in transaction mode; else the plan's own way, with smaller pools where they do not fit. */
void pool_plan_advise(const struct pool_plan *p, bool bouncer, struct pool_advice *ret);
/* Lines for pgbouncer.ini. */
void pool_advice_add_ini(const struct pool_advice *a, struct strbuf *out);

#endif
