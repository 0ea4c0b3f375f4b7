/* SPDX-License-Identifier: PostgreSQL */
#include "pgbouncer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"

enum { POOLS, DATABASES, CONFIG, CLIENTS, SERVERS, USERS };

static const char *const questions[BOUNCER_QUESTIONS] = {
	[POOLS] = "SHOW POOLS",
	[DATABASES] = "SHOW DATABASES",
	[CONFIG] = "SHOW CONFIG",
	[CLIENTS] = "SHOW CLIENTS",
	[SERVERS] = "SHOW SERVERS",
	[USERS] = "SHOW USERS",
};

enum { METRIC_POOLS_MAX = 50 };

void bouncer_release(struct bouncer *b)
{
	for (size_t i = 0; i < b->links.len; i++)
		free(b->links.items[i].client);
	vec_release(&b->links);
	vec_release(&b->pools);
	for (unsigned i = 0; i < BOUNCER_QUESTIONS; i++)
		PQclear(b->results[i]);
	free(b->server);
	*b = (struct bouncer){ 0 };
}

/* NULL when the column is not there or NULL. */
static const char *text(const PGresult *r, int row, const char *name)
{
	int column = PQfnumber(r, name);

	return column < 0 ? NULL : pg_text(r, row, column);
}

static int64_t number(const PGresult *r, int row, const char *name, int64_t missing)
{
	const char *value = text(r, row, name);

	return value && *value ? strtoll(value, NULL, 10) : missing;
}

static bool is_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static int64_t config_number(const PGresult *r, const char *key)
{
	for (int i = 0; i < PQntuples(r); i++)
		if (is_same(text(r, i, "key"), key))
			return number(r, i, "value", -1);
	return -1;
}

/* What holds for a user: its own value since 1.24, else the inherited one. -1 = not known: PgBouncer 1.24 leaves the text of the row
 * above for a user that has no value, so one that equals the row above may be either's. */
static int64_t user_setting(const PGresult *users, const char *user, const char *column, int64_t inherited)
{
	for (int i = 0; i < PQntuples(users); i++) {
		int64_t own = number(users, i, column, -1);

		if (!is_same(text(users, i, "name"), user))
			continue;
		if (own < 0 || own == inherited)
			return inherited;
		return i > 0 && number(users, i - 1, column, -1) == own ? -1 : own;
	}
	return inherited;
}

static int64_t pool_size(PGresult *const results[BOUNCER_QUESTIONS], const char *database, const char *user)
{
	const PGresult *r = results[DATABASES];
	int64_t size = config_number(results[CONFIG], "default_pool_size"), reserve = config_number(results[CONFIG], "reserve_pool_size");

	reserve = reserve < 0 ? 0 : reserve;
	for (int i = 0; i < PQntuples(r); i++)
		if (is_same(text(r, i, "name"), database)) {
			size = number(r, i, "pool_size", -1);
			/* reserve_pool until 1.23 */
			reserve = number(r, i, "reserve_pool", number(r, i, "reserve_pool_size", 0));
		}
	size = user_setting(results[USERS], user, "pool_size", size);
	reserve = user_setting(results[USERS], user, "reserve_pool_size", reserve);
	return size < 0 || reserve < 0 ? -1 : size + reserve;
}

static void read_pools(struct bouncer *b, PGresult *const results[BOUNCER_QUESTIONS])
{
	static const char *const idle[] = { "sv_idle", "sv_used", "sv_tested", "sv_login", "sv_active_cancel", "sv_being_canceled" };
	const PGresult *r = results[POOLS];

	for (int i = 0; i < PQntuples(r); i++) {
		struct bouncer_pool *p = vec_push(&b->pools);

		*p = (struct bouncer_pool){
			.database = text(r, i, "database"),
			.user = text(r, i, "user"),
			.mode = text(r, i, "pool_mode"),
			.clients_active = number(r, i, "cl_active", 0),
			.clients_waiting = number(r, i, "cl_waiting", 0),
			.servers_active = number(r, i, "sv_active", 0),
			.max_wait = (double)number(r, i, "maxwait", 0) + (double)number(r, i, "maxwait_us", 0) / 1e6,
		};
		for (unsigned k = 0; k < sizeof(idle) / sizeof(idle[0]); k++)
			p->servers_idle += number(r, i, idle[k], 0);
		p->size = pool_size(results, p->database, p->user);
	}
}

/* "10.0.0.9:4711"; a client on a unix socket has no port of its own. */
static char *client_name(const PGresult *r, int row)
{
	const char *address = text(r, row, "addr");

	if (!address)
		return NULL;
	if (strncmp(address, "unix", 4) == 0)
		return xstrdup("a unix socket");
	return xasprintf(strchr(address, ':') ? "[%s]:%" PRId64 : "%s:%" PRId64, address, number(r, row, "port", 0));
}

static void read_links(struct bouncer *b, PGresult *const results[BOUNCER_QUESTIONS])
{
	const PGresult *servers = results[SERVERS], *clients = results[CLIENTS];

	for (int i = 0; i < PQntuples(servers); i++) {
		struct bouncer_link *l = vec_push(&b->links);
		const char *link = text(servers, i, "link");

		l->remote_pid = (int)number(servers, i, "remote_pid", 0);
		l->local_port = (int)number(servers, i, "local_port", 0);
		for (int k = 0; k < PQntuples(clients) && link && *link; k++)
			if (is_same(text(clients, k, "ptr"), link)) {
				l->client = client_name(clients, k);
				l->application = text(clients, k, "application_name");
				break;
			}
	}
}

void bouncer_read(struct bouncer *b, PGresult *const results[BOUNCER_QUESTIONS])
{
	b->clients = PQntuples(results[CLIENTS]);
	b->max_client_conn = config_number(results[CONFIG], "max_client_conn");
	read_pools(b, results);
	read_links(b, results);
}

bool bouncer_load(const char *dsn, const struct cancel *cancel, struct log *log, struct bouncer *ret, struct error *err)
{
	const struct pg_params params = { .dbname = dsn, .application_name = "dbops connections", .cancel = cancel };
	_cleanup_conn_ struct pg_conn *c = pg_connect_console(&params, "pgbouncer", log, err);

	*ret = (struct bouncer){ 0 };
	if (!c)
		return error_prefix(err, "PgBouncer's console");
	ret->server = xstrdup(c->server);
	for (unsigned i = 0; i < BOUNCER_QUESTIONS; i++)
		if (!pg_batch(c, err, questions[i], &ret->results[i], 1))
			return error_prefix(err, "PgBouncer's %s", questions[i]);
	bouncer_read(ret, ret->results);
	return true;
}

int64_t bouncer_servers(const struct bouncer_pool *p)
{
	return p->servers_active + p->servers_idle;
}

bool bouncer_is_saturated(const struct bouncer_pool *p)
{
	return p->clients_waiting > 0 && p->servers_idle == 0;
}

void bouncer_resolve(const struct bouncer *b, struct connections *c)
{
	for (size_t i = 0; i < c->sessions.len; i++)
		for (size_t k = 0; k < b->links.len; k++) {
			struct session *s = &c->sessions.items[i];
			const struct bouncer_link *l = &b->links.items[k];
			bool port_fits = s->client_port <= 0 || !l->local_port || l->local_port == s->client_port;

			if (l->remote_pid != s->pid || !port_fits || !l->client)
				continue;
			s->real_client = l->client;
			s->real_application = l->application;
		}
}

static enum severity judge(const struct range *warning, const struct range *critical, double value)
{
	if (range_alerts(critical, value, 0))
		return SEVERITY_CRITICAL;
	return range_alerts(warning, value, 0) ? SEVERITY_WARNING : SEVERITY_OK;
}

static void add_wait_finding(const struct bouncer_pool *p, enum severity severity, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf evidence = STRBUF_INIT;
	struct json j = JSON_INIT(&evidence, 0);
	autofree char *object = xasprintf("pool %s/%s", p->database, p->user);
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;

	strbuf_addf(&message, "%" PRId64 " client%s for a server connection, the first for ", p->clients_waiting,
		p->clients_waiting == 1 ? " waits" : "s wait");
	duration_format(p->max_wait, &message);
	strbuf_addf(&message, "; %" PRId64, p->servers_active);
	if (p->size >= 0)
		strbuf_addf(&message, " of %" PRId64, p->size);
	strbuf_adds(&message, p->servers_active == 1 ? " is busy" : " are busy");
	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "clients_waiting", p->clients_waiting);
	jsonw_seconds(&j, "max_wait_seconds", p->max_wait);
	jsonw_int(&j, "servers_active", p->servers_active);
	jsonw_int(&j, "servers_idle", p->servers_idle);
	if (p->size >= 0)
		jsonw_int(&j, "pool_size", p->size);
	else
		jsonw_null(&j, "pool_size");
	jsonw_bool(&j, "saturated", bouncer_is_saturated(p));
	jsonw_object_end(&j);
	answer_finding(a, &(struct finding){ .id = "connections.pool_wait", .severity = severity, .object = object,
			       .message = message.buf, .evidence = evidence.buf });
}

static void add_pool_metrics(const struct bouncer_pool *p, struct answer *a)
{
	const struct {
		const char *name, *help;
		double value;
	} metrics[] = {
		{ "pgbouncer_clients_waiting", "Clients that wait for a server connection.", (double)p->clients_waiting },
		{ "pgbouncer_clients_active", "Clients that have a server connection.", (double)p->clients_active },
		{ "pgbouncer_servers", "Server connections that are open.", (double)bouncer_servers(p) },
		{ "pgbouncer_pool_size", "Server connections that there can be.", p->size < 0 ? NAN : (double)p->size },
		{ "pgbouncer_max_wait_seconds", "How long the first waiting client has waited.", p->max_wait },
	};

	for (unsigned i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		answer_metric(a, &(struct metric){
			.name = metrics[i].name,
			.help = metrics[i].help,
			.value = metrics[i].value,
			.label = { "database", "user" },
			.label_value = { (char *)(uintptr_t)p->database, (char *)(uintptr_t)p->user },
		});
}

void bouncer_judge(const struct bouncer *b, const struct range *wait_warning, const struct range *wait_critical,
	const struct range *used_warning, const struct range *used_critical, struct answer *a)
{
	double longest = 0;

	for (size_t i = 0; i < b->pools.len; i++) {
		const struct bouncer_pool *p = &b->pools.items[i];
		enum severity severity = p->clients_waiting ? judge(wait_warning, wait_critical, p->max_wait) : SEVERITY_OK;

		longest = p->max_wait > longest ? p->max_wait : longest;
		if (severity > SEVERITY_OK)
			add_wait_finding(p, severity, a);
		if (i < METRIC_POOLS_MAX)
			add_pool_metrics(p, a);
	}
	answer_metric(a, &(struct metric){ .name = "pgbouncer_longest_wait_seconds", .unit = UNIT_SECONDS, .value = longest,
			       .help = "The longest wait of all pools.", .perfdata = "pool_wait", .warning = *wait_warning,
			       .critical = *wait_critical });
	answer_metric(a, &(struct metric){ .name = "pgbouncer_clients", .help = "Clients of PgBouncer.", .value = (double)b->clients,
			       .perfdata = "pgbouncer_clients", .finding = "connections.pgbouncer_clients", .warning = *used_warning,
			       .critical = *used_critical, .maximum = b->max_client_conn > 0 ? (double)b->max_client_conn : 0 });
}
