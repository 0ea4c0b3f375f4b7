/* SPDX-License-Identifier: PostgreSQL */
/* dbops connections plan - do the pools of all components fit, also while a deploy runs? */
#include <inttypes.h>

#include "commands.h"
#include "connections.h"
#include "connections_commands.h"
#include "fs.h"
#include "pool_plan.h"
#include "repository.h"

#define PLAN_LIMIT (1u << 20)


static const struct operand operands[] = {
	{ "FILE", "YAML with components, server and PgBouncer", 1, 1, COMPLETE_FILE },
	{ .name = NULL },
};

static const struct column columns[] = {
	{ "holds", "HOLDS", CELL_BOOL, 0, "whether left <= right" },
	{ "id", NULL, CELL_TEXT, COLUMN_EXTRA,
		"server.steady, server.deploy, pgbouncer.clients, pgbouncer.session, limit.role or limit.database" },
	{ "what", "WHAT", CELL_TEXT, COLUMN_WIDE, "what the inequality says" },
	{ "left", "NEEDED", CELL_INT, 0, "connections needed" },
	{ "right", "LIMIT", CELL_INT, 0, "connections there can be" },
	{ "formula", "CALCULATION", CELL_TEXT, COLUMN_WIDE, "how the needed ones come together: instances x pool size, server sessions of PgBouncer, others" },
	COLUMN_END,
};

static const struct example examples[] = {
	{ "dbops connections plan pools.yaml", "prove or refute, and print settings with which it fits" },
	{ "dbops connections plan pools.yaml -d app", "max_connections and reserved slots come from the server when the file has none" },
	{ NULL, NULL },
};

static bool read_plan(const char *path, struct pool_plan *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	return fs_read(path, PLAN_LIMIT, &text, err) && pool_plan_parse(ret, path, text.buf, text.len, err);
}

/* A file without max_connections is about the server that we are told. */
static bool ask_server(struct app *app, struct pool_plan *p, struct error *err)
{
	struct pg_params params = server_params(app, "dbops connections plan");
	_cleanup_(inspector_close) struct inspector in = { 0 };

	if (p->max_connections >= 0)
		return true;
	if (!app->dbname && !app->host) {
		error_set(err, EXIT_CONFIG, "%s: server.max_connections is missing", app->operands.items[0]);
		return error_hint(err, "Add 'server: {max_connections: 100}', or name the server with -d or -h.");
	}

	_cleanup_result_ PGresult *r = inspector_open(&in, &params, &app->log, err) ? inspector_query(&in, sql_connection_settings, err) : NULL;

	if (!r)
		return false;
	p->max_connections = pg_int(r, 0, 0);
	p->superuser_reserved = pg_int(r, 0, 1);
	p->reserved = pg_int(r, 0, 2);
	return true;
}

static void add_advice_json(struct json *j, const char *key, const struct pool_plan *p, const struct pool_advice *a)
{
	jsonw_object_begin(j, key);
	jsonw_bool(j, "possible", a->possible);
	if (a->bouncer) {
		jsonw_object_begin(j, "pgbouncer");
		jsonw_string(j, "pool_mode", "transaction");
		jsonw_int(j, "default_pool_size", a->default_pool_size);
		jsonw_int(j, "reserve_pool_size", a->reserve_pool_size);
		jsonw_int(j, "max_db_connections", a->max_db_connections);
		jsonw_int(j, "max_client_conn", a->max_client_conn);
		jsonw_object_end(j);
	} else {
		jsonw_null(j, "pgbouncer");
	}
	jsonw_array_begin(j, "components");
	for (size_t i = 0; i < p->components.len; i++) {
		jsonw_object_begin(j, NULL);
		jsonw_string(j, "name", p->components.items[i].name);
		jsonw_int(j, "pool_size", a->pool_sizes[i]);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	jsonw_object_end(j);
}

static void note_lines(struct report *r, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		report_note(r, TONE_PLAIN, "  %.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void note_pools(struct report *r, const struct pool_plan *p, const struct pool_advice *a)
{
	for (size_t i = 0; i < p->components.len; i++) {
		const struct pool_component *c = &p->components.items[i];

		report_note(r, TONE_PLAIN, "  %s: pool_size %" PRId64 "%s", c->name, a->pool_sizes[i],
			a->pool_sizes[i] < c->pool_size ? " (smaller)" : "");
	}
}

static void note_advice(struct report *r, const struct pool_plan *p, const struct pool_advice *own, const struct pool_advice *through)
{
	_cleanup_strbuf_ struct strbuf ini = STRBUF_INIT;

	if (!p->bouncer.there)
		report_note(r, TONE_PLAIN, own->possible ? "Pools that fit without PgBouncer:" :
							  "Without PgBouncer nothing fits: not even one connection for each instance.");
	else
		report_note(r, TONE_PLAIN, own->possible ? "Settings that fit as the components connect now:" :
							  "As the components connect now, nothing fits.");
	if (own->possible) {
		note_pools(r, p, own);
		if (own->bouncer)
			pool_advice_add_ini(own, &ini);
		note_lines(r, ini.buf);
	}
	strbuf_reset(&ini);
	report_note(r, TONE_PLAIN, "%s", through->possible ? "With everything through PgBouncer, pools as they are:" :
							     "Even through PgBouncer nothing fits.");
	if (through->possible) {
		pool_advice_add_ini(through, &ini);
		note_lines(r, ini.buf);
	}
}

static bool print(struct app *app, const struct pool_plan *p, const struct pool_proof *proof, struct error *err)
{
	_cleanup_pool_advice_ struct pool_advice own = { 0 }, through = { 0 };
	struct report *r = report_begin(&app->report, "inequalities", columns);
	struct json *header = report_header(r);
	bool holds = pool_proof_holds(proof);

	pool_plan_advise(p, false, &own);
	pool_plan_advise(p, true, &through);
	if (header) {
		jsonw_bool(header, "holds", holds);
		jsonw_int(header, "capacity", pool_plan_capacity(p));
		add_advice_json(header, "settings", p, &own);
		add_advice_json(header, "settings_pgbouncer", p, &through);
	}
	for (size_t i = 0; i < proof->items.len; i++) {
		const struct inequality *q = &proof->items.items[i];
		const struct cell cells[] = {
			{ .number = inequality_holds(q), .tone = inequality_holds(q) ? TONE_GOOD : TONE_CRITICAL },
			CELL_OF_TEXT(q->id),
			CELL_OF_TEXT(q->what),
			CELL_OF_INT(q->left),
			CELL_OF_INT(q->right),
			CELL_OF_TEXT(q->formula),
		};

		report_row(r, cells);
	}
	report_note(r, holds ? TONE_GOOD : TONE_CRITICAL, "%s: max_connections %" PRId64 " - %" PRId64 " - %" PRId64 " reserved = %" PRId64
							  " for ordinary roles",
		holds ? "proved" : "refuted", p->max_connections, p->superuser_reserved, p->reserved, pool_plan_capacity(p));
	note_advice(r, p, &own, &through);
	return report_end(r, err);
}

static bool run(struct app *app, const void *args, struct error *err)
{
	_cleanup_pool_plan_ struct pool_plan plan = { 0 };
	_cleanup_pool_proof_ struct pool_proof proof = { 0 };

	(void)args;
	if (!read_plan(app->operands.items[0], &plan, err) || !ask_server(app, &plan, err))
		return false;
	pool_plan_prove(&plan, &proof);
	if (!print(app, &plan, &proof, err))
		return false;
	app->status = pool_proof_holds(&proof) ? EXIT_DONE : EXIT_CRITICAL;
	return true;
}

const struct command connections_plan_command = {
	.name = "plan",
	.summary = "prove that the pools of all components fit, or refute it",
	.detail = "Reads a YAML file with components, their instances and pool sizes, and sets up inequalities: sessions in steady "
		  "state and during a deploy against the slots of ordinary roles, clients against PgBouncer, sums against CONNECTION "
		  "LIMITs. Each is printed with its numbers. Then come settings with which everything fits: smaller pools, and "
		  "PgBouncer in transaction mode.\n\n"
		  "During a deploy, new instances run beside the old ones: \"surge\" says how many, in instances or per cent of "
		  "them, for all components or for one; 100% when nothing is said. \"deploy: one\" means that components are deployed one "
		  "after the other, \"all\" (the default) that they can be deployed at once.\n\n"
		  "A component with \"pgbouncer: true\" ends at PgBouncer, whose sections and defaults are PgBouncer's own: each pair of "
		  "role and database is a pool of default_pool_size + reserve_pool_size server sessions, at most "
		  "max_db_connections a database.\n\n"
		  "The exit status is 0 when everything holds and 2 when something does not. A server is asked only when the file has no "
		  "max_connections.",
	.operands = operands,
	.columns = columns,
	.examples = examples,
	.args_size = 0,
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS,
	.run = run,
};
