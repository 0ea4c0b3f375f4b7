/* SPDX-License-Identifier: PostgreSQL */
#include "connections.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const limit_kind_names[] = {
	[LIMIT_SERVER] = "server",
	[LIMIT_ROLE] = "role limit",
	[LIMIT_DATABASE] = "database limit",
};

const char *const group_by_names[] = {
	[BY_STATE] = "state",
	[BY_DATABASE] = "database",
	[BY_ROLE] = "role",
	[BY_APPLICATION] = "application",
	[BY_CLIENT] = "client",
	NULL,
};

static bool is_counted(const struct session *s)
{
	return !s->own && session_is_client(s);
}

static int64_t not_negative(int64_t n)
{
	return n > 0 ? n : 0;
}

int64_t connections_capacity(const struct connections *c)
{
	return not_negative(c->max_connections - c->superuser_reserved - c->reserved);
}

int64_t connections_used(const struct connections *c)
{
	int64_t n = 0;

	for (size_t i = 0; i < c->sessions.len; i++)
		n += is_counted(&c->sessions.items[i]);
	return n;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int64_t used_of(const struct connections *c, enum limit_kind kind, const char *name)
{
	int64_t n = 0;

	for (size_t i = 0; i < c->sessions.len; i++) {
		const struct session *s = &c->sessions.items[i];

		n += is_counted(s) && is_same(kind == LIMIT_ROLE ? s->role : s->database, name);
	}
	return n;
}

double limit_percent(const struct limit *l)
{
	return l->limit > 0 ? (double)l->used * 100 / (double)l->limit : 100;
}

static int compare_limits(const void *a, const void *b)
{
	const struct limit *x = a, *y = b;
	double px = limit_percent(x), py = limit_percent(y);

	if (px < py || px > py)
		return px < py ? 1 : -1;
	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	return strcmp(x->name, y->name);
}

struct limit *connections_limits(const struct connections *c, size_t *ret_count)
{
	struct limit *all = xcalloc(1 + c->roles.len + c->databases.len, sizeof(*all));
	size_t n = 0;

	all[n++] = (struct limit){ LIMIT_SERVER, NULL, connections_used(c), connections_capacity(c) };
	for (size_t i = 0; i < c->roles.len; i++) {
		const struct connection_role *r = &c->roles.items[i];

		if (r->limit >= 0 && !r->superuser)
			all[n++] = (struct limit){ LIMIT_ROLE, r->name, used_of(c, LIMIT_ROLE, r->name), r->limit };
	}
	for (size_t i = 0; i < c->databases.len; i++) {
		const struct connection_database *d = &c->databases.items[i];

		if (d->limit >= 0)
			all[n++] = (struct limit){ LIMIT_DATABASE, d->name, used_of(c, LIMIT_DATABASE, d->name), d->limit };
	}
	qsort(all + 1, n - 1, sizeof(*all), compare_limits);
	*ret_count = n;
	return all;
}

static const char *key_of(const struct session *s, enum group_by by)
{
	switch (by) {
	case BY_STATE:
		return session_state_names[s->state];
	case BY_DATABASE:
		return s->database;
	case BY_ROLE:
		return s->role;
	case BY_APPLICATION:
		return s->application;
	case BY_CLIENT:
		return s->client;
	}
	return NULL;
}

static double larger(double a, double b)
{
	return isnan(a) || b > a ? b : a;
}

static void count(struct session_group *g, const struct session *s)
{
	g->sessions++;
	g->active += s->state == SESSION_ACTIVE || s->state == SESSION_FASTPATH;
	g->idle += s->state == SESSION_IDLE;
	g->idle_in_transaction += session_is_idle_in_transaction(s);
	g->lock_waiting += s->wait_type && strcmp(s->wait_type, "Lock") == 0;
	g->unknown += s->state == SESSION_UNKNOWN || s->state == SESSION_DISABLED;
	if (isfinite(s->transaction_age))
		g->oldest_transaction = larger(g->oldest_transaction, s->transaction_age);
	if (session_is_idle_in_transaction(s) && isfinite(s->state_age))
		g->longest_idle_in_transaction = larger(g->longest_idle_in_transaction, s->state_age);
}

static struct session_group empty_group(const char *name)
{
	return (struct session_group){
		.name = name, .oldest_transaction = NAN, .longest_idle_in_transaction = NAN, .limit = -1, .headroom = -1,
	};
}

static const struct connection_role *find_role(const struct connections *c, const char *name)
{
	for (size_t i = 0; i < c->roles.len; i++)
		if (is_same(c->roles.items[i].name, name))
			return &c->roles.items[i];
	return NULL;
}

static const struct connection_database *find_database(const struct connections *c, const char *name)
{
	for (size_t i = 0; i < c->databases.len; i++)
		if (is_same(c->databases.items[i].name, name))
			return &c->databases.items[i];
	return NULL;
}

/* Slots that this role may fill; r NULL = an ordinary one. */
static int64_t slots_for(const struct connections *c, const struct connection_role *r)
{
	if (r && r->superuser)
		return c->max_connections;
	if (r && r->reserved)
		return not_negative(c->max_connections - c->superuser_reserved);
	return connections_capacity(c);
}

static void find_headroom(const struct connections *c, enum group_by by, int64_t used, struct session_group *g)
{
	const struct connection_role *r = by == BY_ROLE ? find_role(c, g->name) : NULL;
	const struct connection_database *d = by == BY_DATABASE ? find_database(c, g->name) : NULL;
	enum limit_kind kind = by == BY_ROLE ? LIMIT_ROLE : LIMIT_DATABASE;

	g->headroom = not_negative(slots_for(c, r) - used);
	g->bites = LIMIT_SERVER;
	g->limit = r && !r->superuser ? r->limit : d ? d->limit : -1;
	if (g->limit < 0)
		return;

	int64_t own = not_negative(g->limit - used_of(c, kind, g->name));

	if (own <= g->headroom) {
		g->headroom = own;
		g->bites = kind;
	}
}

static int compare_groups(const void *a, const void *b)
{
	const struct session_group *x = a, *y = b;

	if (x->sessions != y->sessions)
		return x->sessions < y->sessions ? 1 : -1;
	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

/* By name alone, so that equal ones stand together. */
static int compare_keys(const void *a, const void *b)
{
	const struct session_group *x = a, *y = b;

	if (!x->name || !y->name)
		return (x->name != NULL) - (y->name != NULL);
	return strcmp(x->name, y->name);
}

static struct session_group *find_group(struct session_group *groups, size_t n, const char *name)
{
	struct session_group key = { .name = name };

	return bsearch(&key, groups, n, sizeof(*groups), compare_keys);
}

/* The different names, sorted. */
static size_t collect_names(const struct connections *c, enum group_by by, struct session_group *ret)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < c->sessions.len; i++)
		if (is_counted(&c->sessions.items[i]))
			ret[n++] = empty_group(key_of(&c->sessions.items[i], by));
	qsort(ret, n, sizeof(*ret), compare_keys);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare_keys(&ret[kept - 1], &ret[i]) != 0)
			ret[kept++] = ret[i];
	return kept;
}

struct session_group *connections_groups(const struct connections *c, enum group_by by, size_t *ret_count)
{
	struct session_group *groups = xcalloc(c->sessions.len + 1, sizeof(*groups));
	size_t n = collect_names(c, by, groups);
	int64_t used = connections_used(c);

	for (size_t i = 0; i < c->sessions.len; i++)
		if (is_counted(&c->sessions.items[i]))
			count(find_group(groups, n, key_of(&c->sessions.items[i], by)), &c->sessions.items[i]);
	for (size_t i = 0; i < n && (by == BY_ROLE || by == BY_DATABASE); i++)
		find_headroom(c, by, used, &groups[i]);
	qsort(groups, n, sizeof(*groups), compare_groups);
	*ret_count = n;
	return groups;
}

struct session_group connections_total(const struct connections *c)
{
	struct session_group all = empty_group(NULL);

	for (size_t i = 0; i < c->sessions.len; i++)
		if (is_counted(&c->sessions.items[i]))
			count(&all, &c->sessions.items[i]);
	all.limit = connections_capacity(c);
	all.headroom = not_negative(all.limit - all.sessions);
	all.bites = LIMIT_SERVER;
	return all;
}

static const char *xmin_kind(const struct session *s)
{
	if (s->type && strcmp(s->type, "walsender") == 0)
		return "walsender";
	if (!session_is_client(s))
		return "background";
	return session_is_idle_in_transaction(s) ? "idle in transaction" : "active";
}

static void offer_xmin(struct oldest_xmin *all, size_t *n, struct oldest_xmin candidate)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(all[i].kind, candidate.kind) == 0) {
			if (candidate.age > all[i].age)
				all[i] = candidate;
			return;
		}
	all[(*n)++] = candidate;
}

static int compare_xmin(const void *a, const void *b)
{
	const struct oldest_xmin *x = a, *y = b;

	if (x->age != y->age)
		return x->age < y->age ? 1 : -1;
	return strcmp(x->kind, y->kind);
}

struct oldest_xmin *connections_xmin(const struct connections *c, size_t *ret_count)
{
	struct oldest_xmin *all = xcalloc(8, sizeof(*all)); /* as many as there are kinds */
	size_t n = 0;

	for (size_t i = 0; i < c->sessions.len; i++) {
		const struct session *s = &c->sessions.items[i];
		int64_t age = s->xmin_age > s->xid_age ? s->xmin_age : s->xid_age;

		if (!s->own && age >= 0)
			offer_xmin(all, &n, (struct oldest_xmin){ .kind = xmin_kind(s), .session = s, .age = age });
	}
	for (size_t i = 0; i < c->holders.len; i++) {
		const struct xmin_holder *h = &c->holders.items[i];

		if (h->xmin_age >= 0)
			offer_xmin(all, &n, (struct oldest_xmin){ .kind = h->kind, .holder = h, .age = h->xmin_age });
		if (h->catalog_xmin_age >= 0)
			offer_xmin(all, &n, (struct oldest_xmin){
				.kind = "replication slot (catalog)", .holder = h, .age = h->catalog_xmin_age });
	}
	qsort(all, n, sizeof(*all), compare_xmin);
	*ret_count = n;
	return all;
}

const struct session *connections_oldest_transaction(const struct connections *c)
{
	const struct session *oldest = NULL;

	for (size_t i = 0; i < c->sessions.len; i++) {
		const struct session *s = &c->sessions.items[i];

		if (is_counted(s) && isfinite(s->transaction_age) && (!oldest || s->transaction_age > oldest->transaction_age))
			oldest = s;
	}
	return oldest;
}

const struct session *connections_longest_idle(const struct connections *c)
{
	const struct session *longest = NULL;

	for (size_t i = 0; i < c->sessions.len; i++) {
		const struct session *s = &c->sessions.items[i];

		if (is_counted(s) && session_is_idle_in_transaction(s) && (!longest || s->state_age > longest->state_age))
			longest = s;
	}
	return longest;
}
