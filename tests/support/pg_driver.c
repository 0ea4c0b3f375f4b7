/* SPDX-License-Identifier: PostgreSQL
 *
 * pg_driver.c - drives src/lib/pg from the end-to-end tests: one subcommand, results as
 * "key=value" lines on stdout, an error as "error CODE SQLSTATE MESSAGE|DETAIL|HINT".
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "pg.h"
#include "proc.h"
#include "tools.h"
#include "scratch.h"

static void emit(struct log *log, enum log_level level, const char *event, const char *message)
{
	(void)log;
	printf("log %d %s %s\n", (int)level, event, message);
}

static void no_progress(struct log *log, const char *what, int64_t done, int64_t total)
{
	(void)log, (void)what, (void)done, (void)total;
}

static struct log stdout_log = { emit, no_progress };

static int report(const struct error *err)
{
	autofree char *line = xasprintf("error %d %s %s|%s|%s", (int)err->code,
		err->sqlstate[0] ? err->sqlstate : "-", err->message,
		err->detail ? err->detail : "", err->hint ? err->hint : "");

	for (char *p = line; *p; p++)
		if (*p == '\n')
			*p = '/';
	puts(line);
	return (int)err->code;
}

static const char *or_null(int argc, char **argv, int i)
{
	return i < argc && argv[i][0] ? argv[i] : NULL;
}

static const char *pooling_name(enum pg_pooling p)
{
	return p == PG_DIRECT ? "direct" : p == PG_POOLED_SESSION ? "session" : "transaction";
}

/* connect DBNAME [HOST PORT USER] */
static int run_connect(int argc, char **argv)
{
	struct pg_params p = {
		.dbname = or_null(argc, argv, 2),
		.host = or_null(argc, argv, 3),
		.port = or_null(argc, argv, 4),
		.user = or_null(argc, argv, 5),
		.application_name = "pg_driver",
	};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &stdout_log, &err);

	if (!c)
		return report(&err);
	printf("version=%d\ndatabase=%s\nuser=%s\nserver=%s\nchild_conninfo=%s\n", c->version,
		c->database, c->user, c->server, c->child_conninfo);
	for (size_t i = 0; i < c->env.len; i++)
		printf("env %s\n", c->env.items[i]);

	autofree char *name = pg_query_value(c, &err, "SHOW application_name");

	printf("application_name=%s\n", name ? name : "?");

	_cleanup_pooler_ struct pg_pooler pooler = { 0 };

	if (!pg_detect_pooler(c, &pooler, &err))
		return report(&err);
	printf("pooling=%s\nreason=%s\n", pooling_name(pooler.pooling),
		pooler.reason ? pooler.reason : "");
	return 0;
}

/* query DBNAME SQL: through a clone, and through a child psql with env and child_conninfo */
static int run_query(int argc, char **argv)
{
	struct pg_params p = { .dbname = or_null(argc, argv, 2), .application_name = "pg_driver" };
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &stdout_log, &err);
	_cleanup_conn_ struct pg_conn *clone = c ? pg_clone(c, NULL, "pg_driver clone", &err)
	                                         : NULL;
	autofree char *value = clone && argc > 3 ? pg_query_value(clone, &err, argv[3]) : NULL;
	_cleanup_tools_ struct pg_tools tools = { 0 };
	const char *const programs[] = { "psql", NULL };

	if (!value || !pg_tools_find(NULL, programs, 13, 0, &tools, &err))
		return report(&err);
	printf("clone=%s\n", value);

	autofree char *psql = pg_tools_path(&tools, "psql");
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_strbuf_ struct strbuf errors = STRBUF_INIT;
	const char *const child[] = { psql, "-wXAtc", argv[3], "-d", c->child_conninfo, NULL };
	const struct proc_spec spec = {
		.argv = child, .env = &c->env, .output = &out, .errors = &errors
	};
	int status;

	if (!proc_run(&spec, NULL, &status, &err))
		return report(&err);
	printf("child=%s%s", out.buf, errors.buf);
	return status;
}

/* Interrupts when the test closes our stdin, so that the query surely runs by then. */
static void *interrupt_later(void *conn)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
	pg_interrupt(conn);
	return NULL;
}

/* interrupt DBNAME: a second thread ends a query that would take ten minutes */
static int run_interrupt(int argc, char **argv)
{
	struct pg_params p = { .dbname = or_null(argc, argv, 2), .application_name = "pg_driver" };
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &stdout_log, &err);
	pthread_t thread;

	if (!c)
		return report(&err);
	if (pthread_create(&thread, NULL, interrupt_later, c) != 0)
		return 1;

	bool done = pg_exec(c, &err, "SELECT pg_sleep(600)");

	pthread_join(thread, NULL);
	return done ? 0 : report(&err);
}

static void *clone_and_query(void *conn)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_clone(conn, NULL, "pg_driver thread", &err);
	autofree char *value = c ? pg_query_value(c, &err, "SELECT 42") : NULL;
	bool failed = c && pg_exec(c, &err, "SELECT 1/0");

	return (void *)(uintptr_t)(value && strcmp(value, "42") == 0 && !failed &&
				   strcmp(err.sqlstate, "22012") == 0);
}

/* threads DBNAME: sessions cloned from one connection by several threads at once */
static int run_threads(int argc, char **argv)
{
	struct pg_params p = { .dbname = or_null(argc, argv, 2) };
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &stdout_log, &err);
	pthread_t threads[8];
	int good = 0;

	if (!c)
		return report(&err);
	for (size_t i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, clone_and_query, c) != 0)
			return 1;
	for (size_t i = 0; i < 8; i++) {
		void *result = NULL;

		pthread_join(threads[i], &result);
		good += result != NULL;
	}
	printf("good=%d\n", good);
	return 0;
}

/* quote DBNAME: reads stdin, prints it after a way through the server as literal and as identifier,
 * in hex */
static int run_quote(int argc, char **argv)
{
	struct pg_params p = { .dbname = or_null(argc, argv, 2) };
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &stdout_log, &err);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	char byte;

	while (c && read(0, &byte, 1) == 1)
		strbuf_addch(&text, byte);
	strbuf_adds(&sql, "SELECT");
	pg_add_literal(&sql, text.buf);
	strbuf_adds(&sql, " AS ");
	pg_add_ident(&sql, text.buf);

	_cleanup_result_ PGresult *r = c ? pg_query(c, &err, sql.buf, 0, NULL) : NULL;

	if (!r)
		return report(&err);
	strbuf_reset(&sql);
	strbuf_adds(&sql, "literal=");
	strbuf_add_hex(&sql, pg_value(r, 0, 0), strlen(pg_value(r, 0, 0)));
	strbuf_adds(&sql, "\nident=");
	strbuf_add_hex(&sql, PQfname(r, 0), strlen(PQfname(r, 0)));
	puts(sql.buf);
	return 0;
}

/* fail DBNAME SQL: what pg_error makes of it */
static int run_fail(int argc, char **argv)
{
	struct pg_params p = { .dbname = or_null(argc, argv, 2) };
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &stdout_log, &err);

	if (!c || argc < 4)
		return report(&err);
	return pg_exec(c, &err, argv[3]) ? 0 : report(&err);
}

/* tools BINDIR MIN MAX PROGRAM... */
static int run_tools(int argc, char **argv)
{
	_cleanup_tools_ struct pg_tools t = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;

	if (argc < 6)
		return 64;
	if (!pg_tools_find(or_null(argc, argv, 2), (const char *const *)(uintptr_t)(argv + 5),
		    (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10), &t, &err))
		return report(&err);
	printf("bindir=%s\nmajor=%d\nversion=%s\n", t.bindir, t.major, t.version);
	return 0;
}

/* Waits until the test closes our stdin. */
static void hold(void)
{
	char byte;

	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

/* scratch MAJOR DIR RUN_AS NEEDED DATABASE...: starts, creates the databases, holds, stops */
static int run_scratch(int argc, char **argv)
{
	struct scratch_options o = {
		.major = (int)strtol(argv[2], NULL, 10),
		.dir = or_null(argc, argv, 3),
		.run_as = or_null(argc, argv, 4),
		.jobs = 2,
		.needed_bytes = argc > 5 ? strtoll(argv[5], NULL, 10) : 0,
		.bindir = getenv("PG_BINDIR"),
		.keep = getenv("SCRATCH_KEEP") != NULL,
	};
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_scratch_ struct scratch *s = scratch_start(&o, &stdout_log, NULL, &err);
	struct pg_params p;

	if (!s)
		return report(&err);
	scratch_params(s, "postgres", &p);
	printf("major=%d\nhost=%s\n", scratch_major(s), p.host);
	for (int i = 6; i < argc; i++) {
		struct scratch_database db = {
			.name = argv[i],
			.encoding = getenv("SCRATCH_ENCODING"),
			.collate = getenv("SCRATCH_COLLATE"),
			.ctype = getenv("SCRATCH_COLLATE"),
			.icu_locale = getenv("SCRATCH_ICU"),
			.locale_provider = getenv("SCRATCH_PROVIDER")
			                           ? getenv("SCRATCH_PROVIDER")[0]
			                           : 'c',
		};
		_cleanup_conn_ struct pg_conn *c = scratch_create_database(
			s, &db, &stdout_log, &err);
		autofree char *name =
			c ? pg_query_value(c, &err,
				    "SELECT encode(convert_to(current_database(), 'UTF8'), 'hex')")
			  : NULL;

		if (!name)
			return report(&err);
		printf("database=%s\n", name);

		/* encoding|provider|collate as the server sees them */
		autofree char *locale = pg_query_value(c, &err,
			"SELECT concat_ws('|', pg_encoding_to_char(encoding), "
		        "to_jsonb(d)->>'datlocprovider', datcollate)"
			" FROM pg_database d WHERE datname = current_database()");

		printf("locale=%s\n", locale ? locale : err.message);
	}
	printf("ready\n");
	hold();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} table[] = {
		{ "connect", run_connect },
		{ "query", run_query },
		{ "interrupt", run_interrupt },
		{ "threads", run_threads },
		{ "quote", run_quote },
		{ "fail", run_fail },
		{ "tools", run_tools },
		{ "scratch", run_scratch },
	};

	for (size_t i = 0; argc > 2 && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(argv[1], table[i].name) == 0)
			return table[i].run(argc, argv);
	fprintf(stderr,
		"usage: pg_driver connect|query|interrupt|threads|quote|fail|tools|scratch ...\n");
	return 64;
}
