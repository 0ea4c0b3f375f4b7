/* SPDX-License-Identifier: PostgreSQL */
#include "change.h"

#include <inttypes.h>
#include "partition_apply.h"
#include "xalloc.h"

const struct column change_columns[] = {
	{ "step", "STEP", CELL_TEXT, COLUMN_WIDE, "what is done, in one transaction" },
	{ "detail", "DETAIL", CELL_TEXT, COLUMN_WIDE, "bounds or the like" },
	{ "statements", NULL, CELL_JSON, COLUMN_EXTRA, "the statements: sql, reason, undo, and locks as a list of table and mode" },
	{ "done", "DONE", CELL_BOOL, 0, "whether it has been done" },
	{ "attempts", "ATTEMPTS", CELL_INT, 0, "how often it was tried; more than once when a lock could not be had in time" },
	{ "seconds", "TOOK", CELL_DURATION, 0, "with the pauses between attempts" },
	COLUMN_END,
};

/* --- beginning --------------------------------------------------------------------------------------------- */

static bool changes_nothing(const struct app *app, const struct change_args *a)
{
	return app->dry_run || a->sql;
}

static bool find_root(struct pg_conn *c, struct change_target *t, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	autofree char *oid = xasprintf("%" PRIu32, t->table);
	/* pg_partition_root() would not see the parent of a partition that is pending detach */
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"WITH RECURSIVE up AS (SELECT $1::oid AS oid, 0 AS level UNION ALL SELECT i.inhparent, u.level + 1 FROM up u"
		" JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p')"
		" SELECT c.oid, n.nspname, c.relname FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY up.level DESC LIMIT 1",
		1, (const char *[]){ oid });

	if (!r)
		return false;
	if (!PQntuples(r))
		return error_set(err, EXIT_NOT_FOUND, "the table was dropped in the meantime");
	t->root = (uint32_t)pg_int(r, 0, 0);
	pg_add_display_name(&name, pg_value(r, 0, 1), pg_value(r, 0, 2));
	t->root_name = strbuf_detach(&name);
	return true;
}

bool change_lock(struct app *app, struct pg_conn *c, const struct change_args *a, uint32_t table, struct change_target *ret,
	struct error *err)
{
	ret->table = table;
	return find_root(c, ret, err) && (changes_nothing(app, a) || partition_lock_table(c, ret->root, ret->root_name, err));
}

static bool check_server(struct app *app, struct pg_conn *c, const char *command, const struct change_args *a, struct error *err)
{
	if (!c->in_recovery)
		return changes_nothing(app, a) || pg_refuse_transaction_pooler(c, command, err);
	error_set(err, EXIT_REFUSED, "%s is a standby: partitions are changed on the primary", c->server);
	return error_hint(err, "Connect to the primary; the change arrives here by replication.");
}

struct pg_conn *change_begin(struct app *app, const char *command, const struct change_args *a, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = NULL;

	if (a->apply && changes_nothing(app, a)) {
		error_set(err, EXIT_USAGE, "--apply does not go together with --sql and --dry-run");
		return NULL;
	}
	c = partitions_connect(app, command, err);
	return c && check_server(app, c, command, a, err) ? steal(c) : NULL;
}

void change_plan(struct partition_plan *p, const char *command, const struct change_args *a, const struct change_target *t)
{
	p->command = xstrdup(command);
	p->table = t->root;
	p->table_name = xstrdup(t->root_name);
	p->lock_timeout_ms = a->lock_timeout;
}

/* --- reporting --------------------------------------------------------------------------------------------- */

static char *statements_json(const struct plan_step *s)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	jsonw_array_begin(&j, NULL);
	for (size_t i = 0; i < s->statements.len; i++) {
		const struct plan_statement *st = &s->statements.items[i];

		jsonw_object_begin(&j, NULL);
		jsonw_string(&j, "sql", st->sql);
		jsonw_string(&j, "reason", st->reason);
		jsonw_string(&j, "undo", st->undo);
		jsonw_array_begin(&j, "locks");
		for (size_t k = 0; k < st->locks.len; k++) {
			jsonw_object_begin(&j, NULL);
			jsonw_string(&j, "table", st->locks.items[k].table);
			jsonw_string(&j, "mode", lock_mode_name(st->locks.items[k].mode));
			jsonw_object_end(&j);
		}
		jsonw_array_end(&j);
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
	return strbuf_detach(&sb);
}

static void print_header(struct report *r, const struct partition_plan *p)
{
	struct json *j = report_header(r);
	char digest[PLAN_DIGEST_SIZE];

	if (!j)
		return;
	plan_digest(p, digest);
	jsonw_string(j, "table", p->table_name);
	jsonw_string(j, "digest", digest);
	jsonw_array_begin(j, "notes");
	for (size_t i = 0; i < p->notes.len; i++)
		jsonw_string(j, NULL, p->notes.items[i]);
	jsonw_array_end(j);
}

static bool print_steps(struct app *app, const struct partition_plan *p, struct error *err)
{
	struct report *r = report_begin(&app->report, "steps", change_columns);

	print_header(r, p);
	for (size_t i = 0; i < p->steps.len; i++) {
		const struct plan_step *s = &p->steps.items[i];
		autofree char *statements = statements_json(s);
		const struct cell cells[] = {
			CELL_OF_TEXT(s->title),
			CELL_OF_TEXT(s->detail),
			CELL_OF_TEXT(statements),
			CELL_OF_INT(s->done),
			CELL_OF_INT(s->attempts),
			s->attempts ? CELL_OF_REAL(s->seconds) : CELL_NULL(),
		};

		report_row(r, cells);
	}
	return report_end(r, err);
}

/* --- from plan to deed ------------------------------------------------------------------------------------- */

static bool print_script(struct app *app, const struct partition_plan *p, struct error *err)
{
	_cleanup_strbuf_ struct strbuf script = STRBUF_INIT;

	plan_add_script(p, &script);
	if (fwrite(script.buf, 1, script.len, app->report.out) != script.len || fflush(app->report.out) != 0)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

static bool agree(struct app *app, const struct partition_plan *p, const struct change_args *a, struct error *err)
{
	_cleanup_strbuf_ struct strbuf summary = STRBUF_INIT;
	char digest[PLAN_DIGEST_SIZE];

	plan_add_summary(p, &summary);
	if (!a->apply)
		return app_confirm(app, summary.buf, err);
	plan_digest(p, digest);
	if (strcmp(a->apply, digest) == 0)
		return true;
	error_set(err, EXIT_CONFIG, "the plan is another one than was agreed to, nothing was changed");
	error_detail(err, "Its digest is %s.", digest);
	return error_hint(err, "The table has changed since, or the options differ: look at it again with --dry-run.");
}

static bool carry_out(struct app *app, struct pg_conn *c, struct partition_plan *p, const struct change_args *a, struct error *err)
{
	const struct apply_options o = { .log = &app->log, .cancel = app->cancel, .max_wait_ms = a->max_wait,
		.blocker_age_ms = a->blocker_age ? a->blocker_age : 5000 };
	_cleanup_error_ struct error failed = ERROR_INIT;
	bool ok = partition_apply(c, p, &o, &failed);

	/* what was done before a failure is reported, too */
	if (!print_steps(app, p, err))
		return false;
	return ok || error_move(err, &failed);
}

bool change_finish(struct app *app, struct pg_conn *c, struct partition_plan *p, const struct change_args *a, struct error *err)
{
	if (a->sql)
		return print_script(app, p, err);
	for (size_t i = 0; i < p->notes.len && !app->dry_run; i++)
		log_info(&app->log, "partitions.note", "%s", p->notes.items[i]);
	if (!p->steps.len) {
		log_info(&app->log, "partitions.nothing", "nothing to do for '%s'", p->table_name);
		return print_steps(app, p, err);
	}
	if (!agree(app, p, a, err))
		/* --dry-run: the summary is out; the table format has nothing to add to it */
		return !error_is_set(err) && (app->report.format == FORMAT_TABLE ? false : print_steps(app, p, err));
	return carry_out(app, c, p, a, err);
}
