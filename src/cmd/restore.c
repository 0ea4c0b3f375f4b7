/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops restore - puts a backup, or parts of it, into a database.
 */
#include "restore.h"

#include <inttypes.h>
#include "clock.h"
#include "commands.h"
#include "fs.h"
#include "repository.h"
#include "xalloc.h"

struct restore_args {
	const char *to_db, *bindir, *database;
	int64_t jobs;
	struct strvec tables, schemas;
	bool create, clean, if_exists, no_owner, no_privileges, schema_only, data_only;
	bool list, no_check, no_verify, keep_going, into_nonempty, disable_triggers, no_tablespaces;
};

#define A struct restore_args
static const struct option restore_options[] = {
	OPT_GROUP("Where to"),
	OPT_STRING(A, to_db, .long_name = "to-db", .metavar = "NAME",
		.help = "database to restore into; it is created when it does not exist (default: the one of -d)"),
	OPT_FLAG(A, create, .long_name = "create", .help = "create the database of --to-db; it must not exist yet"),
	OPT_FLAG(A, into_nonempty, .long_name = "into-nonempty",
		.help = "restore although the database has tables already, dropping nothing"),
	OPT_FLAG(A, clean, .short_name = 'c', .long_name = "clean", .help = "drop the backup's objects first"),
	OPT_FLAG(A, if_exists, .long_name = "if-exists", .help = "with --clean: pass over what is not there"),
	OPT_GROUP("What"),
	OPT_OF_DATABASE(A, database),
	OPT_LIST(A, tables, .short_name = 't', .long_name = "table", .metavar = "NAME",
		.help = "only this table (NAME or SCHEMA.NAME, wildcards * and ?) with all that belongs to it"),
	OPT_LIST(A, schemas, .long_name = "schema", .metavar = "NAME", .help = "only what is in this schema"),
	OPT_FLAG(A, schema_only, .short_name = 's', .long_name = "schema-only", .help = "definitions, no rows"),
	OPT_FLAG(A, data_only, .short_name = 'a', .long_name = "data-only", .help = "rows, no definitions"),
	OPT_FLAG(A, list, .short_name = 'l', .long_name = "list", .help = "list the archive's entries, restore nothing"),
	OPT_GROUP("How"),
	OPT_INT(A, jobs, .short_name = 'j', .long_name = "jobs", .metavar = "N", .config_key = "restore.jobs",
		.fallback = "2", .min = 1, .max = 128, .help = "connections that load rows and build indexes at once"),
	OPT_FLAG(A, no_owner, .short_name = 'O', .long_name = "no-owner", .help = "everything belongs to the connecting role"),
	OPT_FLAG(A, no_privileges, .short_name = 'x', .long_name = "no-privileges", .help = "no GRANT and REVOKE"),
	OPT_FLAG(A, no_tablespaces, .long_name = "no-tablespaces", .help = "everything in the default tablespace"),
	OPT_FLAG(A, disable_triggers, .long_name = "disable-triggers",
		.help = "with --data-only: fire no triggers and check no foreign keys while loading (superuser)"),
	OPT_FLAG(A, no_check, .long_name = "no-check",
		.help = "do not read the rows back to compare them with the backup"),
	OPT_FLAG(A, no_verify, .long_name = "no-verify",
		.help = "with --clean: do not prove every stored byte before anything is dropped"),
	OPT_FLAG(A, keep_going, .long_name = "keep-going", .help = "do not stop at the first definition that fails"),
	OPT_PATH(A, bindir, .long_name = "pg-bindir", .metavar = "DIR", .env = "DBOPS_PG_BINDIR",
		.config_key = "pg_bindir", .complete = COMPLETE_DIR,
		.help = "folder of pg_restore (default: found by the backup's version)"),
	OPT_END,
};
#undef A

static const struct operand restore_operands[] = {
	{ .name = "BACKUP", .min = 1, .max = 1, .complete = COMPLETE_BACKUP,
		.help = "id, its unique beginning, \"latest\", or path or URL of an archive (also one of pg_dump -Fd or -Fc)" },
	{ .name = NULL },
};

static const struct column restore_columns[] = {
	{ "dump_id", "ID", CELL_ID, 0, "number of the entry, as in pg_restore -l" },
	{ "section", "SECTION", CELL_TEXT, 0, "none, pre-data, data or post-data" },
	{ "kind", "KIND", CELL_TEXT, 0, "what it is" },
	{ "schema", "SCHEMA", CELL_TEXT, 0, "its schema" },
	{ "name", "NAME", CELL_TEXT, COLUMN_WIDE, "its name" },
	{ "owner", "OWNER", CELL_TEXT, 0, "its owner" },
	COLUMN_END,
};

static const struct example restore_examples[] = {
	{ "dbops restore latest --to-db restored --yes", "the newest backup into a new database" },
	{ "dbops restore latest --from s3 --to-db app --clean --if-exists -j 4", "replace what is there, straight from S3" },
	{ "dbops restore 20261120 --table public.orders --to-db rescue --create", "one table, with its indexes" },
	{ "dbops restore latest --list", "what would be restored" },
	{ NULL, NULL },
};

static bool check_arguments(const struct app *app, const struct restore_args *a, struct error *err)
{
	if (a->schema_only && a->data_only)
		return error_set(err, EXIT_USAGE, "--schema-only and --data-only exclude each other");
	if (a->if_exists && !a->clean)
		return error_set(err, EXIT_USAGE, "--if-exists needs --clean");
	if (a->clean && a->data_only)
		return error_set(err, EXIT_USAGE, "--clean drops definitions, --data-only restores none");
	if (a->create && !a->to_db)
		return error_set(err, EXIT_USAGE, "--create needs --to-db with the new database's name");
	if (a->disable_triggers && !a->data_only)
		return error_set(err, EXIT_USAGE, "--disable-triggers needs --data-only");
	if (a->list || a->to_db || app->dbname)
		return true;
	error_set(err, EXIT_USAGE, "it is not said which database to restore into");
	return error_hint(err, "Use --to-db NAME, or -d with the database.");
}

static const char *section_name(enum toc_section s)
{
	static const char *const names[] = { "", "none", "pre-data", "data", "post-data" };

	return names[s];
}

static bool print_entries(struct app *app, const struct restore_source *src, struct error *err)
{
	struct report *r = report_begin(&app->report, "entries", restore_columns);

	for (size_t i = 0; i < src->toc.len; i++) {
		const struct toc_entry *e = &src->toc.items[i];

		if (!src->selected[i])
			continue;

		autofree char *id = xasprintf("%d", e->dump_id);
		const struct cell cells[] = {
			CELL_OF_TEXT(id),
			CELL_OF_TEXT(section_name(e->section)),
			CELL_OF_TEXT(e->desc),
			CELL_OF_TEXT(e->schema),
			CELL_OF_TEXT(e->tag),
			CELL_OF_TEXT(e->owner),
		};

		report_row(r, cells);
	}
	return report_end(r, err);
}

static bool database_exists(struct pg_conn *c, const char *name, bool *ret, struct error *err)
{
	_cleanup_result_ PGresult *r =
		pg_query(c, err, "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", 1, &name);

	*ret = r && PQntuples(r) == 1;
	return r != NULL;
}

/* The session from which --to-db is created and reached: what -d says, else "postgres". */
static struct pg_conn *connect_base(struct app *app, const struct restore_args *a, struct error *err)
{
	struct pg_params p = server_params(app, "dbops restore");

	if (!p.dbname && a->to_db)
		p.dbname = "postgres";
	return pg_connect(&p, &app->log, err);
}

static bool check_target(struct pg_conn *c, const struct restore_args *a, struct error *err)
{
	int64_t relations;

	if (a->clean || a->data_only || a->into_nonempty)
		return true;
	if (!restore_count_relations(c, &relations, err))
		return false;
	if (!relations)
		return true;
	error_set(err, EXIT_CONFIG, "database \"%s\" is not empty", c->database);
	error_detail(err, "It has %" PRId64 " tables, views and sequences.", relations);
	return error_hint(err, "Restore into a new one (--to-db NAME), replace what is there (--clean --if-exists), or say "
			       "--into-nonempty.");
}

static bool confirm(struct app *app, const struct restore_source *src, const struct restore_options *o,
	const struct pg_conn *base, const char *database, bool create, struct error *err)
{
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;

	restore_describe(src, o, base->server, database, create, &plan);
	return app_confirm(app, plan.buf, err);
}

/* The session in the database to restore into, after the plan was confirmed. */
static struct pg_conn *open_target(struct app *app, const struct restore_args *a, const struct restore_source *src,
	const struct restore_options *o, struct error *err)
{
	_cleanup_conn_ struct pg_conn *base = connect_base(app, a, err), *target = NULL;
	bool exists = true;

	if (!base || !pg_refuse_transaction_pooler(base, "a restore", err))
		return NULL;
	if (a->to_db && !database_exists(base, a->to_db, &exists, err))
		return NULL;
	if (a->create && exists) {
		error_set(err, EXIT_CONFIG, "database \"%s\" exists already", a->to_db);
		error_hint(err, "Leave --create out to restore into it, or choose another name.");
		return NULL;
	}
	if (!a->to_db)
		target = steal(base);
	else if (exists && !(target = pg_clone(base, a->to_db, NULL, err)))
		return NULL;
	if (target && !check_target(target, a, err))
		return NULL;
	if (!confirm(app, src, o, target ? target : base, target ? target->database : a->to_db, !exists, err))
		return NULL;
	if (!target && restore_create_database(base, a->to_db, src, &app->log, err))
		target = pg_clone(base, a->to_db, NULL, err);
	return steal(target);
}

struct summary {
	const struct restore_source *src;
	const struct restore_result *result;
	const char *database;
};

static void fill_summary(struct json *j, const void *data)
{
	const struct summary *s = data;
	const struct restore_result *r = s->result;

	jsonw_string(j, "id", s->src->entry ? s->src->entry->manifest.id : NULL);
	jsonw_string(j, "database", s->database);
	jsonw_int(j, "tables", r->tables);
	jsonw_int(j, "rows", r->rows);
	jsonw_int(j, "raw_bytes", r->raw_bytes);
	jsonw_seconds(j, "seconds", r->seconds);
	jsonw_object_begin(j, "durations");
	jsonw_seconds(j, "definitions", r->seconds_pre);
	jsonw_seconds(j, "rows", r->seconds_data);
	jsonw_seconds(j, "indexes", r->seconds_post);
	jsonw_seconds(j, "check", r->seconds_check);
	jsonw_object_end(j);
	jsonw_bool(j, "checked", r->seconds_check > 0);
	jsonw_int(j, "unchecked_tables", r->unchecked);
	jsonw_array_begin(j, "differences");
	for (size_t i = 0; i < r->differences.len; i++)
		jsonw_string(j, NULL, r->differences.items[i]);
	jsonw_array_end(j);
}

static void print_summary(FILE *out, const struct summary *s)
{
	const struct restore_result *r = s->result;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "restored into \"%s\" in ", s->database);
	duration_format(r->seconds, &sb);
	if (!s->src->foreign) {
		strbuf_adds(&sb, ": ");
		count_format(r->rows, &sb);
		strbuf_adds(&sb, " rows (definitions ");
		duration_format(r->seconds_pre, &sb);
		strbuf_adds(&sb, ", rows ");
		duration_format(r->seconds_data, &sb);
		strbuf_adds(&sb, ", indexes ");
		duration_format(r->seconds_post, &sb);
		strbuf_adds(&sb, r->seconds_check > 0 ? ", check " : ", not checked");
		if (r->seconds_check > 0)
			duration_format(r->seconds_check, &sb);
		strbuf_adds(&sb, ")");
		if (r->seconds_check > 0 && !r->differences.len)
			strbuf_adds(&sb, "; every table compared equals the backup");
	}
	fprintf(out, "%s\n", sb.buf);
}

static bool differs(const struct restore_result *r, struct error *err)
{
	error_set(err, EXIT_DAMAGED, "the restored database differs from the backup");
	return error_detail(err, "%zu difference%s; first: %s.", r->differences.len, r->differences.len == 1 ? "" : "s",
		r->differences.items[0]);
}

static bool restore_into(struct app *app, const struct restore_args *a, struct restore_source *src,
	const struct restore_options *o, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = open_target(app, a, src, o, err);
	_cleanup_restore_result_ struct restore_result result = { 0 };

	if (!c || !restore_run(src, c, o, &app->log, app->cancel, &result, err))
		return false;

	const struct summary s = { src, &result, c->database };

	log_info(&app->log, "restore.done", "restored %" PRId64 " rows into database \"%s\" in %.1f s", result.rows, c->database,
		result.seconds);
	if (result.unchecked || src->left_out || app->warnings)
		app->status = EXIT_WARNING;
	if (app->report.format == FORMAT_JSON) {
		if (!report_document(&app->report, fill_summary, &s, err))
			return false;
	} else {
		print_summary(app->report.out, &s);
	}
	return !result.differences.len || differs(&result, err);
}

/* A path without dbops' manifest is an archive of pg_dump. */
static bool is_foreign(const char *operand)
{
	autofree char *manifest = fs_join(operand, MANIFEST_NAME);
	autofree char *toc = fs_join(operand, "toc.dat");

	if (strncmp(operand, "s3://", 5) == 0 || strcmp(operand, "latest") == 0)
		return false;
	return fs_is_dir(operand) ? fs_exists(toc) && !fs_exists(manifest) : fs_exists(operand);
}

/* A folder of ours without a manifest is not pg_dump's: it is a run that did not finish. */
static bool refuse_unfinished(const char *path, struct error *err)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;

	autofree char *trimmed = xstrndup(path, n);
	const char *name = strrchr(trimmed, '/') ? strrchr(trimmed, '/') + 1 : trimmed;
	autofree char *id = xstrndup(name, strcspn(name, "."));
	int64_t ignored;

	if (!fs_is_dir(path) || !repo_id_time(id, &ignored))
		return true;
	error_set(err, EXIT_DAMAGED, "\"%s\" is a backup that was never completed", path);
	return error_hint(err, "Choose a complete one: see \"dbops list\".");
}

static void fill_options(const struct restore_args *a, struct restore_options *o)
{
	*o = (struct restore_options){
		.jobs = a->jobs,
		.bindir = a->bindir,
		.clean = a->clean,
		.if_exists = a->if_exists,
		.no_owner = a->no_owner,
		.no_privileges = a->no_privileges,
		.no_tablespaces = a->no_tablespaces,
		.disable_triggers = a->disable_triggers,
		.schema_only = a->schema_only || a->list,
		.data_only = a->data_only,
		.keep_going = a->keep_going,
		.no_check = a->no_check,
		.no_verify = a->no_verify,
		.tables = a->tables,
		.schemas = a->schemas,
	};
}

static bool restore_command_run(struct app *app, const void *data, struct error *err)
{
	const struct restore_args *a = data;
	const char *operand = app->operands.items[0];
	bool foreign = is_foreign(operand);
	_cleanup_storage_ struct storage *s = NULL;
	_cleanup_entry_ struct backup_entry e = { 0 };
	_cleanup_source_ struct restore_source src = { 0 };
	struct restore_options o;

	if (!check_arguments(app, a, err) ||
		!(foreign ? refuse_unfinished(operand, err) : find_backup(app, operand, a->database, &s, &e, err)))
		return false;
	fill_options(a, &o);
	if (!restore_open(&src, s, foreign ? NULL : &e, operand, &o, err))
		return false;
	if (!a->list)
		return restore_into(app, a, &src, &o, err);
	if (!src.selected)
		return error_set(err, EXIT_REFUSED, "dbops does not know this archive's version: use pg_restore -l");
	return print_entries(app, &src, err);
}

const struct command restore_command = {
	.name = "restore",
	.summary = "restore a backup into a database",
	.detail = "Restores a backup from a folder or a remote. Definitions come first, then the rows, by several "
		  "connections at once, also within one table and straight from S3, then indexes and constraints. At the "
		  "end every table is read back and compared with the backup's row counts and fingerprints.\n\n"
		  "The plan is shown first; a terminal asks, a script needs --yes. A database that has tables already is "
		  "refused unless --clean, --data-only or --into-nonempty says otherwise. The first error stops the restore "
		  "and says what was done; nothing is undone.\n\n"
		  "Archives made by pg_dump -Fd or -Fc restore, too, by pg_restore as a whole.",
	.options = restore_options,
	.operands = restore_operands,
	.columns = restore_columns,
	.examples = restore_examples,
	.args_size = sizeof(struct restore_args),
	.needs = NEED_SERVER | NEED_REPOSITORY,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = restore_command_run,
};
