/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "clock.h"
#include "internal.h"

enum { OLDEST_VERSION = 130000, DEFAULT_TIMEOUT = 10 };

void pg_close(struct pg_conn *c)
{
	if (!c)
		return;
	PQfinish(c->pg);
	free(c->database);
	free(c->user);
	free(c->server);
	for (size_t i = 0; i < c->env.len; i++)
		explicit_bzero(c->env.items[i], strlen(c->env.items[i]));
	strvec_release(&c->env);
	free(c->child_conninfo);
	pg_options_release(&c->session->options);
	PQfreeCancel(atomic_load(&c->session->cancel));
	cleanup_fd(&c->session->socket);
	free(c->session);
	free(c);
}

/* Waits until libpq can go on. False: the deadline passed, or a stop was requested. */
static bool wait_for(PGconn *pg, PostgresPollingStatusType want, double deadline,
	const struct cancel *cancel)
{
	struct pollfd fds[2] = {
		{ .fd = PQsocket(pg), .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT },
		{ .fd = cancel ? cancel->wake_fd : -1, .events = POLLIN },
	};

	for (;;) {
		double left = deadline - clock_monotonic();
		int n = left > 0 ? poll(fds, 2, (int)(left * 1000) + 1) : 0;

		if (n > 0)
			return !cancel_requested(cancel);
		if (n == 0 || errno != EINTR)
			return false;
	}
}

/* Not PQconnectdb(), because the verbosity must be set before the server answers. Its one
 * advantage is kept by the caller: going on to the next address when one is silent. */
static PGconn *connect_verbose(const char *conninfo, double timeout, const struct cancel *cancel,
	bool *ret_timed_out)
{
	PGconn *pg = PQconnectStart(conninfo);
	double deadline = clock_monotonic() + timeout;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	*ret_timed_out = false;
	if (!pg)
		BUG("out of memory");
	if (PQstatus(pg) == CONNECTION_BAD)
		return pg;
	PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
	while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
		if (!wait_for(pg, state, deadline, cancel)) {
			*ret_timed_out = true;
			break;
		}
		state = PQconnectPoll(pg);
	}
	return pg;
}

static double timeout_of(const struct pg_options *o)
{
	const char *text = pg_options_get(o, "connect_timeout");
	long seconds = text ? strtol(text, NULL, 10) : 0;

	if (seconds <= 0 && text)
		return 1e6; /* libpq: 0 waits for ever */
	return text ? (double)(seconds < 2 ? 2 : seconds) : DEFAULT_TIMEOUT;
}

static PGconn *open_connection(const struct pg_options *o, const struct cancel *cancel, struct error *err)
{
	char *conninfo = pg_options_conninfo(o);
	bool timed_out;
	PGconn *pg = connect_verbose(conninfo, timeout_of(o), cancel, &timed_out);

	if (!cancel_check(cancel, err)) {
		pg_wipe(conninfo);
		PQfinish(pg);
		return NULL;
	}
	if (timed_out) {
		PQfinish(pg);
		pg = PQconnectdb(conninfo);
	}
	pg_wipe(conninfo);
	if (PQstatus(pg) == CONNECTION_OK) {
		PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
		return pg;
	}
	pg_connect_failed(err, o, pg);
	PQfinish(pg);
	return NULL;
}

/* Pins what libpq resolved, so that clones and children reach this very server, not another
 * host of the list or another address of the name, and need no password file. */
static void resolve_options(struct pg_session *s, PGconn *pg)
{
	PQconninfoOption *all = PQconninfo(pg);
	const char *address = PQhostaddr(pg), *password = PQpass(pg);

	for (PQconninfoOption *p = all; p && p->keyword; p++)
		if (p->val && strcmp(p->keyword, "service") != 0)
			pg_options_set(&s->options, p->keyword, p->val);
	PQconninfoFree(all);
	pg_options_set(&s->options, "host", PQhost(pg));
	pg_options_set(&s->options, "port", PQport(pg));
	pg_options_set(&s->options, "dbname", PQdb(pg));
	pg_options_set(&s->options, "user", PQuser(pg));
	s->local = PQhost(pg)[0] == '/' || PQhost(pg)[0] == '@';
	if (!s->local && address && address[0])
		pg_options_set(&s->options, "hostaddr", address);
	if (password && password[0])
		pg_options_set(&s->options, "password", password);
	pg_options_set(&s->options, "service", NULL);
}

static bool read_facts(struct pg_conn *c, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT pg_catalog.current_setting('server_version_num'), "
		"pg_catalog.pg_is_in_recovery(),"
		" pg_catalog.current_database(), pg_catalog.pg_backend_pid()",
		0, NULL);

	if (!r)
		return error_prefix(err, "cannot connect to PostgreSQL");
	c->version = (int)pg_int(r, 0, 0); /* a pooler may announce another one */
	c->in_recovery = pg_bool(r, 0, 1);
	c->database = xstrdup(pg_value(r, 0, 2));
	c->server_pid = (int)pg_int(r, 0, 3);
	if (c->version >= OLDEST_VERSION)
		return true;
	error_set(err, EXIT_UNAVAILABLE, "PostgreSQL %d.%d at %s is too old", c->version / 10000,
		c->version / 100 % 100, c->server);
	return error_hint(err, "dbops works with PostgreSQL 13 and newer.");
}

/* In these encodings a byte of a character can look like a quote or a backslash; the server
 * never stores them, so it can always do better. */
static bool is_unsafe_encoding(const char *name)
{
	static const char *const unsafe[] = { "SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB",
		"SHIFT_JIS_2004" };

	for (size_t i = 0; name && i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		if (strcmp(name, unsafe[i]) == 0)
			return true;
	return false;
}

static bool settle_encoding(struct pg_conn *c, struct error *err)
{
	const char *server = PQparameterStatus(c->pg, "server_encoding");

	if (!server || !is_unsafe_encoding(PQparameterStatus(c->pg, "client_encoding")))
		return true;
	pg_options_set(&c->session->options, "client_encoding", server);
	if (PQsetClientEncoding(c->pg, server) == 0)
		return true;
	return pg_error(err, c, NULL, "cannot set client_encoding to %s", server);
}

/* Notices would go to stderr; the library never prints. */
static void ignore_notice(void *arg, const PGresult *r)
{
	(void)arg, (void)r;
}

static struct pg_conn *adopt_any(PGconn *pg, const struct cancel *cancel)
{
	struct pg_session *s = xcalloc(1, sizeof(*s));
	struct pg_conn *c = xcalloc(1, sizeof(*c));

	c->pg = pg;
	c->session = s;
	s->stop = cancel;
	PQsetNoticeReceiver(pg, ignore_notice, NULL);
	s->socket = fcntl(PQsocket(pg), F_DUPFD_CLOEXEC, 3);
	atomic_store(&s->cancel, PQgetCancel(pg));
	resolve_options(s, pg);
	c->user = xstrdup(PQuser(pg));
	c->server = s->local ? xstrdup(PQhost(pg)) : xasprintf("%s:%s", PQhost(pg), PQport(pg));
	return c;
}

static struct pg_conn *adopt(PGconn *pg, const struct cancel *cancel, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = adopt_any(pg, cancel);

	if (!read_facts(c, err) || !settle_encoding(c, err) || !pg_child_settings(c, err))
		return NULL;
	return steal(c);
}

/* A service may set its own, and what is given explicitly would win over it. */
static bool uses_service(const struct pg_options *o)
{
	return pg_options_get(o, "service") || getenv("PGSERVICE");
}

/* Connects by what p says; dbname is used when it names no database (NULL = libpq's default). */
static PGconn *open_by_params(const struct pg_params *p, const char *dbname, struct log *log, struct error *err)
{
	_cleanup_options_ struct pg_options o = { 0 };
	_cleanup_strbuf_ struct strbuf dropped = STRBUF_INIT;

	if (!pg_options_parse(p, &o, &dropped, err))
		return NULL;
	if (dbname && !pg_options_get(&o, "dbname"))
		pg_options_set(&o, "dbname", dbname);
	if (dropped.len)
		log_info(log, "connect.dropped",
			"ignoring connection parameters that are not PostgreSQL's: %s",
			dropped.buf);
	if (!pg_options_get(&o, "connect_timeout") &&
		(p->isolated || (!getenv("PGCONNECT_TIMEOUT") && !uses_service(&o)))) {
		autofree char *seconds = xasprintf("%d", DEFAULT_TIMEOUT);

		pg_options_set(&o, "connect_timeout", seconds);
	}
	if (p->application_name)
		pg_options_set(&o, p->isolated ? "application_name" : "fallback_application_name",
			p->application_name);
	if (p->isolated)
		pg_options_isolate(&o);

	return open_connection(&o, p->cancel, err);
}

struct pg_conn *pg_connect(const struct pg_params *p, struct log *log, struct error *err)
{
	PGconn *pg = open_by_params(p, NULL, log, err);

	return pg ? adopt(pg, p->cancel, err) : NULL;
}

struct pg_conn *pg_connect_console(const struct pg_params *p, const char *dbname, struct log *log, struct error *err)
{
	PGconn *pg = open_by_params(p, dbname, log, err);

	return pg ? adopt_any(pg, p->cancel) : NULL;
}

struct pg_conn *pg_clone(const struct pg_conn *c, const char *dbname, const char *application_name,
	struct error *err)
{
	_cleanup_options_ struct pg_options o = { 0 };

	for (size_t i = 0; i < c->session->options.list.len; i++) {
		const struct pg_option *option = &c->session->options.list.items[i];

		pg_options_set(&o, option->keyword, option->value);
	}
	if (dbname)
		pg_options_set(&o, "dbname", dbname);
	if (application_name)
		pg_options_set(&o, "application_name", application_name);

	PGconn *pg = open_connection(&o, c->session->stop, err);

	return pg ? adopt(pg, c->session->stop, err) : NULL;
}
