/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions restore - brings an archived partition back, proven, beside its parent or attached. */
#include "archive_restore.h"

#include <inttypes.h>
#include "attach.h"
#include "change.h"
#include "clock.h"
#include "destination.h"
#include "partition_apply.h"
#include "record.h"

#define COMMAND "dbops partitions restore"

struct restore_args {
	const char *from, *bindir, *database;
	bool attach, no_owner, no_privileges;
	int64_t jobs;
	struct change_args change;
};

#define A struct restore_args
static const struct option options[] = {
	OPT_STRING(A, from, .long_name = "from", .metavar = "DIR|s3://…", .config_key = "partitions.archive_to", .complete = COMPLETE_DIR,
		.help = "folder, s3://BUCKET/PREFIX or remote of the configuration that has the archive"),
	OPT_STRING(A, database, .long_name = "database", .metavar = "NAME",
		.help = "the database it was archived from (default: the one of -d)"),
	OPT_FLAG(A, attach, .long_name = "attach", .help = "attach it to the table it was a partition of, with its bounds"),
	OPT_GROUP("How"),
	OPT_JOBS(A, "connections that load rows and build indexes at once"),
	OPT_FLAG(A, no_owner, .short_name = 'O', .long_name = "no-owner", .help = "it belongs to the connecting role"),
	OPT_FLAG(A, no_privileges, .short_name = 'x', .long_name = "no-privileges", .help = "no GRANT and REVOKE"),
	OPT_BINDIR(A, "folder of pg_restore (default: found by the archive's version)"),
	OPT_LOCKS(A, change.lock_timeout, change.max_wait),
	OPT_END,
};
#undef A

static const struct operand operands[] = {
	{ "PARTITION", "the table as it was called, with or without its schema, or the id of an archive", 1, 1, COMPLETE_NONE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions restore -d app trades_2023_01 --from /archive --yes", "a table of its own again, beside its former parent" },
	{ "dbops partitions restore -d app trades_2023_01 --from s3://cold/app --attach --yes", "a partition again, with its old bounds" },
	{ NULL, NULL },
};

struct outcome {
	const struct archive_found *found;
	const struct restore_result *result;
	bool attached;
};

static void fill(struct json *j, const void *data)
{
	const struct outcome *o = data;

	jsonw_string(j, "id", o->found->entry.id);
	jsonw_string(j, "table", o->found->subject.shown);
	jsonw_int(j, "rows", o->result->rows);
	jsonw_bool(j, "proven", true);
	jsonw_bool(j, "attached", o->attached);
	jsonw_seconds(j, "seconds", o->result->seconds);
}

static bool print_text(FILE *out, const struct outcome *o, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s: ", o->found->subject.shown);
	count_format(o->result->rows, &sb);
	strbuf_adds(&sb, o->result->rows == 1 ? " row, " : " rows, ");
	strbuf_addf(&sb, "proven, %s\n", o->attached ? "attached" : "a table of its own");
	if (fputs(sb.buf, out) == EOF || fflush(out) == EOF)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

static void describe(const struct archive_found *a, const struct pg_conn *c, bool attach, struct strbuf *out)
{
	const struct archive_subject *s = &a->subject;

	strbuf_addf(out, "restore %s\n  from archive %s, ", s->shown, a->entry.id);
	count_format(a->entry.manifest.rows, out);
	strbuf_addf(out, a->entry.manifest.rows == 1 ? " row\n  into database '%s' on %s\n" : " rows\n  into database '%s' on %s\n", c->database,
		c->server);
	if (!s->parent_name)
		return;
	strbuf_adds(out, attach ? "  and attach it to " : "  it was a partition of ");
	pg_add_display_name(out, s->parent_schema, s->parent_name);
	strbuf_addch(out, ' ');
	bound_add_display(out, &s->bound);
	strbuf_addch(out, '\n');
}

/* --- attaching --------------------------------------------------------------------------------------------- */

static bool find_table(struct pg_conn *c, const char *schema, const char *name, uint32_t *ret, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2", 2,
		(const char *[]){ schema, name });

	if (!r)
		return false;
	if (PQntuples(r) != 1) {
		_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;

		pg_add_display_name(&shown, schema, name);
		return error_set(err, EXIT_NOT_FOUND, "there is no table '%s' in database '%s'", shown.buf, c->database);
	}
	*ret = (uint32_t)pg_int(r, 0, 0);
	return true;
}

/* Before anything is restored: is there something to attach it to? */
static bool check_parent(struct app *app, struct pg_conn *c, const struct restore_args *a, const struct archive_subject *s,
	struct change_target *ret, uint32_t *ret_parent, struct error *err)
{
	if (!a->attach)
		return true;
	if (!s->parent_name) {
		error_set(err, EXIT_REFUSED, "the archive of '%s' does not say what it was a partition of", s->shown);
		return error_hint(err, "It was detached before it was archived. Restore it, then: dbops partitions attach");
	}
	return find_table(c, s->parent_schema, s->parent_name, ret_parent, err) && change_lock(app, c, &a->change, *ret_parent, ret, err);
}

static bool plan_attach(struct pg_conn *c, const struct restore_args *a, const struct archive_subject *s, uint32_t parent,
	struct partition_plan *plan, struct error *err)
{
	const struct partition_load load = { .table = parent };
	struct attach_request request = { .scan_ms = a->change.lock_timeout };
	_cleanup_record_ struct detach_record record = { 0 };
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT;
	_cleanup_model_ struct partition_model m = { 0 };

	bound_add_display(&bounds, &s->bound);
	request.bounds = bounds.buf;
	return find_table(c, s->schema, s->name, &request.table, err) && partition_begin(c, err) && partition_model_load(c, &load, &m, err) &&
	       detach_record_load(c, request.table, &record, err) && partition_plan_attach(c, &m, &request, &record, plan, err) &&
	       partition_end(c, err);
}

static bool attach(struct app *app, struct pg_conn *c, const struct restore_args *a, const struct archive_subject *s,
	const struct change_target *t, uint32_t parent, struct error *err)
{
	const struct apply_options o = { .log = &app->log, .cancel = app->cancel, .max_wait_ms = a->change.max_wait };
	_cleanup_plan_ struct partition_plan plan = { 0 };

	change_plan(&plan, COMMAND, &a->change, t);
	if (plan_attach(c, a, s, parent, &plan, err) && partition_apply(c, &plan, &o, err))
		return true;
	log_warning(&app->log, "partitions.restored", "'%s' is restored and proven, but not attached", s->shown);
	return false;
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct restore_args *a = data;
	const struct restore_options o = { .jobs = a->jobs, .bindir = a->bindir, .no_owner = a->no_owner, .no_privileges = a->no_privileges };
	_cleanup_storage_ struct storage *storage = NULL;
	_cleanup_conn_ struct pg_conn *c = NULL;
	_cleanup_found_ struct archive_found found = { 0 };
	_cleanup_restore_result_ struct restore_result result = { 0 };
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;
	_cleanup_target_ struct change_target t = { 0 };
	uint32_t parent = 0;
	bool remote;

	if (!(storage = open_destination(app, a->from, false, a->jobs + 1, &remote, err)) ||
		!(c = change_begin(app, COMMAND, &a->change, err)))
		return false;
	if (!pg_refuse_transaction_pooler(c, "a restore", err) || !keep_session(c, err) ||
		!archive_find(storage, a->database ? a->database : c->database, app->operands.items[0], &found, err) ||
		!archive_check_target(c, &found.subject, err) || !check_parent(app, c, a, &found.subject, &t, &parent, err))
		return false;
	describe(&found, c, a->attach, &plan);
	if (!app_confirm(app, plan.buf, err) || !archive_restore(storage, &found, c, &o, &app->log, app->cancel, &result, err) ||
		(a->attach && !attach(app, c, a, &found.subject, &t, parent, err)))
		return false;

	const struct outcome outcome = { .found = &found, .result = &result, .attached = a->attach };

	if (app->report.format == FORMAT_JSON)
		return report_document(&app->report, fill, &outcome, err);
	return print_text(app->report.out, &outcome, err);
}

const struct command partitions_restore_command = {
	.name = "restore",
	.summary = "bring an archived partition back, proven",
	.detail = "Restores the newest archive of a table under its old name, with its indexes, constraints, privileges and policies, reads it "
		  "back, and compares rows and fingerprint with the archive. A table that exists is never touched. With --attach it then becomes a "
		  "partition again, with the bounds it had, and without a look at its rows under the lock (see 'dbops partitions attach').",
	.options = options,
	.operands = operands,
	.examples = examples,
	.args_size = sizeof(struct restore_args),
	.needs = NEED_SERVER | NEED_REMOTE,
	.flags = COMMAND_DOCUMENT | COMMAND_DESTRUCTIVE,
	.run = run,
};
