/* SPDX-License-Identifier: PostgreSQL */
#include "pool_plan.h"

#include <inttypes.h>
#include <string.h>

static void limits_release(struct pool_limit *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].name);
}

void pool_plan_release(struct pool_plan *p)
{
	for (size_t i = 0; i < p->components.len; i++) {
		free(p->components.items[i].name);
		free(p->components.items[i].role);
		free(p->components.items[i].database);
	}
	limits_release(p->roles.items, p->roles.len);
	limits_release(p->databases.items, p->databases.len);
	vec_release(&p->components);
	vec_release(&p->roles);
	vec_release(&p->databases);
}

void pool_proof_release(struct pool_proof *p)
{
	for (size_t i = 0; i < p->items.len; i++) {
		free(p->items.items[i].what);
		free(p->items.items[i].formula);
	}
	vec_release(&p->items);
}

void pool_advice_release(struct pool_advice *a)
{
	free(a->pool_sizes);
	a->pool_sizes = NULL;
}

int64_t pool_plan_capacity(const struct pool_plan *p)
{
	int64_t n = p->max_connections - p->superuser_reserved - p->reserved;

	return n > 0 ? n : 0;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether component i is the first of those with its role and database that go through PgBouncer. */
static bool is_first_of_pool(const struct pool_plan *p, size_t i, bool database_only)
{
	const struct pool_component *c = &p->components.items[i];

	for (size_t k = 0; k < i; k++) {
		const struct pool_component *other = &p->components.items[k];

		if (other->pgbouncer && is_same(other->database, c->database) && (database_only || is_same(other->role, c->role)))
			return false;
	}
	return true;
}

static int64_t pools_of_database(const struct pool_plan *p, const char *database)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];

		n += c->pgbouncer && is_same(c->database, database) && is_first_of_pool(p, i, false);
	}
	return n;
}

int64_t pool_plan_bouncer_sessions(const struct pool_plan *p)
{
	const struct pool_bouncer *b = &p->bouncer;
	int64_t sum = 0;

	for (size_t i = 0; b->there && i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];

		if (!c->pgbouncer || !is_first_of_pool(p, i, true))
			continue;

		int64_t n = pools_of_database(p, c->database) * (b->default_pool_size + b->reserve_pool_size);

		sum += b->max_db_connections && n > b->max_db_connections ? b->max_db_connections : n;
	}
	return sum * b->instances;
}

/* A sum that keeps its terms. */
struct sum {
	int64_t value;
	struct strbuf formula;
};

static void add_term(struct sum *s, int64_t a, int64_t b)
{
	if (!a || !b)
		return;
	strbuf_addf(&s->formula, "%s%" PRId64, s->formula.len ? " + " : "", a);
	if (b != 1)
		strbuf_addf(&s->formula, " x %" PRId64, b);
	s->value += a * b;
}

static void add_inequality(struct pool_proof *ret, const char *id, const char *what, struct sum *left, int64_t right)
{
	if (!left->formula.len)
		strbuf_adds(&left->formula, "0");
	*vec_push(&ret->items) = (struct inequality){ id, xstrdup(what), strbuf_detach(&left->formula), left->value, right };
}

static int64_t surge_connections(const struct pool_component *c)
{
	return c->surge * c->pool_size;
}

/* Which components count in a sum; NULL = any. */
struct selection {
	const char *role, *database;
	bool direct, bouncer;
};

static bool is_selected(const struct selection *s, const struct pool_component *c)
{
	if (c->pgbouncer ? !s->bouncer : !s->direct)
		return false;
	return (!s->role || is_same(s->role, c->role)) && (!s->database || is_same(s->database, c->database));
}

/* Instances during a deploy: all components have their surge, or only the one that costs most. */
static void add_components(struct sum *sum, const struct pool_plan *p, const struct selection *s, bool deploy)
{
	const struct pool_component *largest = NULL;

	for (size_t i = 0; i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];

		if (is_selected(s, c) && (!largest || surge_connections(c) > surge_connections(largest)))
			largest = c;
	}
	for (size_t i = 0; i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];
		bool surges = deploy && (!p->one_at_a_time || c == largest);

		if (is_selected(s, c))
			add_term(sum, c->instances + (surges ? c->surge : 0), c->pool_size);
	}
}

static void prove_server(const struct pool_plan *p, struct pool_proof *ret, bool deploy)
{
	const struct selection direct = { .direct = true };
	struct sum left = { 0, STRBUF_INIT };
	const char *when = !deploy ? "in steady state" :
			   p->one_at_a_time ? "while the largest component is deployed" : "while everything is deployed at once";
	autofree char *what = xasprintf("all sessions fit into the server %s", when);

	add_components(&left, p, &direct, deploy);
	add_term(&left, pool_plan_bouncer_sessions(p), 1);
	add_term(&left, p->other, 1);
	add_inequality(ret, deploy ? "server.deploy" : "server.steady", what, &left, pool_plan_capacity(p));
}

static int64_t bouncer_pools(const struct pool_plan *p, const char *role, const char *database)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];

		n += c->pgbouncer && is_first_of_pool(p, i, false) && (!role || is_same(role, c->role)) &&
		     (!database || is_same(database, c->database));
	}
	return n * p->bouncer.instances;
}

static void prove_limit(const struct pool_plan *p, struct pool_proof *ret, const struct pool_limit *l, bool is_role)
{
	const struct selection s = { is_role ? l->name : NULL, is_role ? NULL : l->name, true, false };
	int64_t pools = bouncer_pools(p, s.role, s.database), size = p->bouncer.default_pool_size + p->bouncer.reserve_pool_size;
	int64_t most = p->bouncer.max_db_connections * p->bouncer.instances;
	struct sum left = { 0, STRBUF_INIT };
	autofree char *what = xasprintf("%s \"%s\" stays within its CONNECTION LIMIT", is_role ? "role" : "database", l->name);

	add_components(&left, p, &s, true);
	if (!is_role && most && pools * size > most)
		add_term(&left, most, 1);
	else
		add_term(&left, pools, size);
	add_inequality(ret, is_role ? "limit.role" : "limit.database", what, &left, l->limit);
}

static void prove_bouncer(const struct pool_plan *p, struct pool_proof *ret)
{
	const struct selection through = { .bouncer = true };
	struct sum clients = { 0, STRBUF_INIT }, again = { 0, STRBUF_INIT };

	add_components(&clients, p, &through, true);
	add_components(&again, p, &through, true);
	add_inequality(ret, "pgbouncer.clients", "PgBouncer accepts all clients while a deploy runs", &clients,
		p->bouncer.max_client_conn * p->bouncer.instances);
	if (p->bouncer.session_mode)
		add_inequality(ret, "pgbouncer.session", "every client gets a server connection (pool_mode = session)", &again,
			pool_plan_bouncer_sessions(p));
	strbuf_release(&again.formula);
}

void pool_plan_prove(const struct pool_plan *p, struct pool_proof *ret)
{
	*ret = (struct pool_proof){ 0 };
	prove_server(p, ret, false);
	prove_server(p, ret, true);
	if (p->bouncer.there)
		prove_bouncer(p, ret);
	for (size_t i = 0; i < p->roles.len; i++)
		prove_limit(p, ret, &p->roles.items[i], true);
	for (size_t i = 0; i < p->databases.len; i++)
		prove_limit(p, ret, &p->databases.items[i], false);
}

bool pool_proof_holds(const struct pool_proof *p)
{
	for (size_t i = 0; i < p->items.len; i++)
		if (!inequality_holds(&p->items.items[i]))
			return false;
	return true;
}

/* Connections of all components during a deploy with these pool sizes (NULL = the plan's). */
static int64_t deploy_demand(const struct pool_plan *p, const int64_t *sizes, bool direct_only)
{
	int64_t sum = 0, largest = 0;

	for (size_t i = 0; i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];
		int64_t size = sizes ? sizes[i] : c->pool_size;

		if (direct_only && c->pgbouncer)
			continue;
		sum += c->instances * size;
		if (!p->one_at_a_time)
			sum += c->surge * size;
		else if (c->surge * size > largest)
			largest = c->surge * size;
	}
	return sum + largest;
}

/* The pool that gives most by becoming one smaller; -1 = all are at 1. */
static int64_t largest_pool(const struct pool_plan *p, const int64_t *sizes)
{
	int64_t best = -1;

	for (size_t i = 0; i < p->components.len; i++)
		if (!p->components.items[i].pgbouncer && sizes[i] > 1 && (best < 0 || sizes[i] > sizes[best]))
			best = (int64_t)i;
	return best;
}

/* Scales all pools at once, then takes from the largest, so that thousands are no work. */
static void shrink_pools(const struct pool_plan *p, int64_t room, struct pool_advice *ret)
{
	int64_t demand = deploy_demand(p, NULL, true);

	for (size_t i = 0; i < p->components.len; i++) {
		int64_t size = p->components.items[i].pool_size;
		int64_t scaled = demand > room && room > 0 ? (int64_t)((double)size * (double)room / (double)demand) + 1 : size;

		ret->pool_sizes[i] = scaled < size ? scaled : size;
	}
	while (deploy_demand(p, ret->pool_sizes, true) > room) {
		int64_t i = largest_pool(p, ret->pool_sizes);

		if (i < 0)
			break;
		ret->pool_sizes[i]--;
	}
	ret->possible = deploy_demand(p, ret->pool_sizes, true) <= room;
}

/* Whether component i is the first with its role and database, of all or of those that go through PgBouncer. */
static bool begins_pool(const struct pool_plan *p, size_t i, bool all)
{
	const struct pool_component *c = &p->components.items[i];

	if (!all && !c->pgbouncer)
		return false;
	for (size_t k = 0; k < i; k++) {
		const struct pool_component *other = &p->components.items[k];

		if ((all || other->pgbouncer) && is_same(other->role, c->role) && is_same(other->database, c->database))
			return false;
	}
	return true;
}

static int64_t count_pools(const struct pool_plan *p, bool all)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->components.len; i++)
		n += begins_pool(p, i, all);
	return n;
}

/* Pools of the database that has most. */
static int64_t most_pools(const struct pool_plan *p, bool all)
{
	int64_t most = 0;

	for (size_t i = 0; i < p->components.len; i++) {
		int64_t n = 0;

		for (size_t k = 0; k < p->components.len; k++)
			n += begins_pool(p, k, all) && is_same(p->components.items[k].database, p->components.items[i].database);
		most = n > most ? n : most;
	}
	return most;
}

static int64_t round_up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

static void advise_bouncer(const struct pool_plan *p, bool all, int64_t room, struct pool_advice *ret)
{
	int64_t instances = p->bouncer.there && p->bouncer.instances > 0 ? p->bouncer.instances : 1;
	int64_t pools = count_pools(p, all), share = pools ? room / (pools * instances) : 0;
	int64_t clients = deploy_demand(p, NULL, false) - (all ? 0 : deploy_demand(p, NULL, true));

	/* a fifth of each pool is the reserve, which opens only when clients have waited */
	ret->reserve_pool_size = share / 5;
	ret->default_pool_size = share - ret->reserve_pool_size;
	/* one bound for all databases: less would keep the fullest from using its pools, and the pools alone fit */
	ret->max_db_connections = most_pools(p, all) * share;
	ret->max_client_conn = round_up(clients + clients / 4, 10);
	ret->possible = ret->possible && share > 0;
}

void pool_plan_advise(const struct pool_plan *p, bool bouncer, struct pool_advice *ret)
{
	int64_t room = pool_plan_capacity(p) - p->other;

	*ret = (struct pool_advice){ .possible = true, .pool_sizes = xcalloc(p->components.len + 1, sizeof(int64_t)) };
	ret->bouncer = bouncer || p->bouncer.there;
	if (bouncer) {
		for (size_t i = 0; i < p->components.len; i++)
			ret->pool_sizes[i] = p->components.items[i].pool_size;
		advise_bouncer(p, true, room, ret);
		return;
	}

	int64_t pools = count_pools(p, false);

	/* PgBouncer's pools must keep one connection each */
	shrink_pools(p, room - pools, ret);
	if (pools)
		advise_bouncer(p, false, room - deploy_demand(p, ret->pool_sizes, true), ret);
}

void pool_advice_add_ini(const struct pool_advice *a, struct strbuf *out)
{
	strbuf_addf(out,
		"[pgbouncer]\npool_mode = transaction\ndefault_pool_size = %" PRId64 "\nreserve_pool_size = %" PRId64
		"\nmax_db_connections = %" PRId64 "\nmax_client_conn = %" PRId64 "\n",
		a->default_pool_size, a->reserve_pool_size, a->max_db_connections, a->max_client_conn);
}
