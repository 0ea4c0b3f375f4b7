/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops complete - candidates for the word at the cursor; called by the completion scripts. It never
 * complains and never asks: whatever goes wrong, there are just fewer candidates.
 */
#include "complete.h"

#include <signal.h>
#include "commands.h"
#include "pg.h"
#include "repository.h"

#define PATIENCE_SECONDS 2

static bool list_profiles(struct app *app, const char *prefix, struct strvec *out)
{
	(void)prefix;
	config_profile_names(app->config, out);
	return true;
}

static bool list_remotes(struct app *app, const char *prefix, struct strvec *out)
{
	(void)prefix;
	config_remote_names(app->config, out);
	return true;
}

static bool list_backups(struct app *app, const char *prefix, struct strvec *out)
{
	(void)prefix;
	return complete_backups(app, out);
}

/* Without the schema where it may be left out, until one is typed. Names that need quotes are left out: shells would take the quotes
 * away. */
static const char tables_sql[] =
	"SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) AND pg_catalog.strpos($1, '.') = 0 THEN c.relname::text"
	" ELSE n.nspname || '.' || c.relname END AS name"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	" AND c.relname = pg_catalog.quote_ident(c.relname) AND n.nspname = pg_catalog.quote_ident(n.nspname)"
	" AND ((pg_catalog.pg_table_is_visible(c.oid) AND pg_catalog.starts_with(c.relname, $1))"
	"  OR pg_catalog.starts_with(n.nspname || '.' || c.relname, $1)) ORDER BY c.relispartition, name LIMIT 1000";

static bool list_tables(struct app *app, const char *prefix, struct strvec *out)
{
	const struct pg_params p = {
		.dbname = app->dbname,
		.host = app->host,
		.port = app->port,
		.user = app->user,
		.no_password = true,
		.application_name = "dbops complete",
		.cancel = app->cancel,
	};
	_cleanup_error_ struct error ignored = ERROR_INIT;
	_cleanup_conn_ struct pg_conn *c = pg_connect(&p, &app->log, &ignored);
	_cleanup_result_ PGresult *r = c ? pg_query(c, &ignored, tables_sql, 1, &prefix) : NULL;

	for (int i = 0; r && i < PQntuples(r); i++)
		strvec_push(out, pg_value(r, i, 0));
	return r != NULL;
}

/* Who knows the live values of a kind. */
static const struct completer {
	enum completion kind;
	bool (*list)(struct app *app, const char *prefix, struct strvec *out);
} completers[] = {
	{ COMPLETE_PROFILE, list_profiles },
	{ COMPLETE_REMOTE, list_remotes },
	{ COMPLETE_BACKUP, list_backups },
	{ COMPLETE_TABLE, list_tables },
};

static const struct operand operands[] = {
	{ "WORD", "the words behind 'dbops'; the last one is being typed", 0, 0, COMPLETE_NONE },
	{ .name = NULL },
};

/* A storage or a server that does not answer must not hang the user's shell: main's handler asks to stop. */
static void give_up(int signal)
{
	(void)signal;
	raise(SIGTERM);
}

static void limit_time(void)
{
	struct sigaction action = { .sa_handler = give_up };

	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	alarm(PATIENCE_SECONDS);
}

static void add_live_values(struct app *app, const struct cursor *c, struct strvec *out)
{
	_cleanup_strvec_ struct strvec all = { 0 };

	for (size_t i = 0; i < sizeof(completers) / sizeof(completers[0]); i++)
		if (completers[i].kind == cursor_kind(c))
			completers[i].list(app, c->prefix, &all);
	for (size_t i = 0; i < all.len; i++)
		if (strncmp(all.items[i], c->prefix, strlen(c->prefix)) == 0)
			strvec_pushf(out, "%s%s", c->before ? c->before : "", all.items[i]);
}

static bool needs_live_values(const struct cursor *c)
{
	for (size_t i = 0; i < sizeof(completers) / sizeof(completers[0]); i++)
		if (completers[i].kind == cursor_kind(c))
			return true;
	return false;
}

static bool run(struct app *app, const void *args, struct error *err)
{
	_cleanup_cursor_ struct cursor cursor;
	_cleanup_strvec_ struct strvec found = { 0 };
	int n = (int)app->operands.len;

	(void)args, (void)err;
	cursor_find(app->root, n, app->operands.items, &cursor);
	cursor_candidates(app->root, &cursor, &found);
	if (needs_live_values(&cursor)) {
		struct app other;

		limit_time();
		app_init(&other, app->root, app->cancel, app->in, app->report.out, app->err);
		other.log = (struct log){ 0 };
		app_prepare(&other, n ? n - 1 : 0, app->operands.items);
		add_live_values(&other, &cursor, &found);
		app_release(&other);
	}
	for (size_t i = 0; i < found.len; i++)
		fprintf(app->report.out, "%s\n", found.items[i]);
	return true;
}

const struct command complete_command = {
	.name = "complete",
	.summary = "print candidates for the word at the cursor",
	.operands = operands,
	.flags = COMMAND_HIDDEN | COMMAND_NO_CONFIG,
	.run = run,
};
