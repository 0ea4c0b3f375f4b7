/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops backup - a consistent, proven copy of one database, as a pg_dump directory archive.
 */
#include "backup.h"

#include <inttypes.h>
#include "clock.h"
#include "codec.h"
#include "commands.h"
#include "fs.h"
#include "help.h"
#include "keep.h"
#include "repository.h"

struct backup_args {
	int64_t jobs, level, lock_timeout, split_above, part_size;
	const char *dir, *upload, *label, *bindir;
	struct strvec tables, exclude_tables, schemas, exclude_schemas, exclude_table_data;
	struct keep_args keep;
	bool no_local, schema_only, data_only, no_globals, no_split;
};

#define A struct backup_args
static const struct option backup_options[] = {
	OPT_GROUP("Where to"),
	OPT_PATH(A, dir, .long_name = "dir", .metavar = "DIR", .config_key = "backup.dir", .fallback = "./backups",
		.complete = COMPLETE_DIR, .help = "folder that gets the backup"),
	OPT_STRING(A, upload, .long_name = "upload", .metavar = "REMOTE", .config_key = "backup.upload",
		.complete = COMPLETE_REMOTE,
		.help = "send it to this remote of the configuration, or to s3://BUCKET/PREFIX, while it is made"),
	OPT_FLAG(A, no_local, .long_name = "no-local", .config_key = "backup.no_local",
		.help = "keep no copy in the folder: rows go to --upload without touching the disk"),
	OPT_STRING(A, label, .long_name = "label", .metavar = "TEXT", .config_key = "backup.label",
		.help = "name of the job; backups of one database with different labels are separate series"),
	OPT_GROUP("What"),
	OPT_LIST(A, tables, .short_name = 't', .long_name = "table", .metavar = "PATTERN", .config_key = "backup.table",
		.help = "only tables that match (pg_dump's patterns); may be repeated"),
	OPT_LIST(A, exclude_tables, .short_name = 'T', .long_name = "exclude-table", .metavar = "PATTERN",
		.config_key = "backup.exclude_table", .help = "not the tables that match"),
	OPT_LIST(A, schemas, .short_name = 'n', .long_name = "schema", .metavar = "PATTERN",
		.config_key = "backup.schema", .help = "only schemas that match"),
	OPT_LIST(A, exclude_schemas, .short_name = 'N', .long_name = "exclude-schema", .metavar = "PATTERN",
		.config_key = "backup.exclude_schema", .help = "not the schemas that match"),
	OPT_LIST(A, exclude_table_data, .long_name = "exclude-table-data", .metavar = "PATTERN",
		.config_key = "backup.exclude_table_data", .help = "definitions, but no rows, of the tables that match"),
	OPT_FLAG(A, schema_only, .short_name = 's', .long_name = "schema-only", .help = "definitions, no rows"),
	OPT_FLAG(A, data_only, .short_name = 'a', .long_name = "data-only", .help = "rows, no definitions"),
	OPT_FLAG(A, no_globals, .long_name = "no-globals", .config_key = "backup.no_globals",
		.help = "without globals.sql (roles and tablespaces of the whole server)"),
	OPT_GROUP("How"),
	OPT_INT(A, jobs, .short_name = 'j', .long_name = "jobs", .metavar = "N", .config_key = "backup.jobs",
		.fallback = "2", .min = 1, .max = 128, .help = "connections that read, compress and hash at once"),
	OPT_INT(A, level, .short_name = 'Z', .long_name = "compress", .metavar = "LEVEL",
		.config_key = "backup.compress", .fallback = "1", .min = CODEC_LEVEL_MIN, .max = CODEC_LEVEL_MAX,
		.help = "gzip level; 1-3 are several times faster, 4-9 smaller"),
	OPT_DURATION(A, lock_timeout, .long_name = "lock-timeout", .metavar = "TIME",
		.config_key = "backup.lock_timeout", .fallback = "60s", .min = 1,
		.help = "give up (status 75) when the tables cannot be locked in this time"),
	OPT_SIZE(A, split_above, .long_name = "split-above", .metavar = "SIZE", .config_key = "backup.split_above",
		.help = "read tables larger than this in ranges of pages (default: larger than 64MiB and than an even "
			"share of the work)"),
	OPT_FLAG(A, no_split, .long_name = "no-split", .config_key = "backup.no_split",
		.help = "never read a table in ranges: slower, but it spares the server's shared buffers"),
	OPT_SIZE(A, part_size, .long_name = "part-size", .metavar = "SIZE", .config_key = "backup.part_size",
		.min = 1, .max = 5LL << 30, .help = "size of the parts of an upload (default: the remote's, 16MiB; larger for large databases)"),
	OPT_PATH(A, bindir, .long_name = "pg-bindir", .metavar = "DIR", .env = "DBOPS_PG_BINDIR",
		.config_key = "pg_bindir", .complete = COMPLETE_DIR,
		.help = "folder of pg_dump and pg_dumpall (default: found by the server's major version)"),
	KEEP_OPTIONS(A),
	OPT_END,
};
#undef A

static const struct example backup_examples[] = {
	{ "dbops backup -d app", "back up database app to ./backups/app/" },
	{ "dbops backup -d app --upload s3", "the same, and to the remote \"s3\" of the configuration at once" },
	{ "dbops backup -d app --upload s3://bucket/db --no-local -j 4", "straight to S3, nothing on disk" },
	{ "dbops backup -d app --exclude-table-data 'audit.*' --format json", "without some rows; result for a program" },
	{ "dbops backup -d app --upload s3 --keep-daily 7 --keep-weekly 4", "a whole cron line: old backups of the series go afterwards" },
	{ NULL, NULL },
};

static bool check_arguments(const struct backup_args *a, struct error *err)
{
	if (a->schema_only && a->data_only)
		return error_set(err, EXIT_USAGE, "--schema-only and --data-only exclude each other");
	if (a->no_local && !a->upload) {
		error_set(err, EXIT_USAGE, "--no-local without --upload would store nothing");
		return error_hint(err, "Name a remote: --upload s3 or --upload s3://BUCKET/PREFIX.");
	}
	return true;
}

struct result {
	const struct manifest *m;
	const char *path, *url;
};

static void fill_result(struct json *j, const void *data)
{
	const struct result *r = data;
	const struct manifest *m = r->m;

	jsonw_string(j, "id", m->id);
	jsonw_string(j, "database", m->database);
	jsonw_string(j, "label", m->label);
	jsonw_string(j, "path", r->path);
	jsonw_string(j, "url", r->url);
	jsonw_int(j, "tables", m->table_count);
	jsonw_int(j, "large_objects", m->large_object_count);
	jsonw_int(j, "rows", m->rows);
	jsonw_int(j, "raw_bytes", m->raw_bytes);
	jsonw_int(j, "stored_bytes", m->stored_bytes);
	jsonw_seconds(j, "seconds", m->seconds);
	jsonw_object_begin(j, "durations");
	jsonw_seconds(j, "locking", m->seconds_locking);
	jsonw_seconds(j, "toc", m->seconds_toc);
	jsonw_seconds(j, "data", m->seconds_data);
	jsonw_seconds(j, "globals", m->seconds_globals);
	jsonw_object_end(j);
	add_reservations(j, m);
}

static bool print_result(FILE *out, const struct result *r, struct error *err)
{
	const struct manifest *m = r->m;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s  ", m->id);
	count_format(m->table_count, &sb);
	strbuf_adds(&sb, m->table_count == 1 ? " table, " : " tables, ");
	count_format(m->rows, &sb);
	strbuf_adds(&sb, m->rows == 1 ? " row, " : " rows, ");
	size_format(m->raw_bytes, &sb);
	strbuf_adds(&sb, " -> ");
	size_format(m->stored_bytes, &sb);
	strbuf_adds(&sb, " in ");
	duration_format(m->seconds, &sb);
	strbuf_addch(&sb, '\n');
	if (r->path)
		strbuf_addf(&sb, "%s\n", r->path);
	if (r->url)
		strbuf_addf(&sb, "%s\n", r->url);
	return print_text(out, &sb, err);
}

static void fill_options(struct app *app, const struct backup_args *a, struct backup_options *o)
{
	*o = (struct backup_options){
		.server = server_params(app, "dbops backup"),
		.jobs = a->jobs,
		.level = a->level,
		.lock_timeout_ms = a->lock_timeout,
		.split_above = a->no_split ? -1 : a->split_above,
		.label = a->label && a->label[0] ? a->label : NULL,
		.bindir = a->bindir,
		.tables = a->tables,
		.exclude_tables = a->exclude_tables,
		.schemas = a->schemas,
		.exclude_schemas = a->exclude_schemas,
		.exclude_table_data = a->exclude_table_data,
		.schema_only = a->schema_only,
		.data_only = a->data_only,
		.no_globals = a->no_globals,
	};
}

/* The new backup is complete; a retention that fails must not make it look otherwise. */
static void prune_series(struct app *app, struct storage *s, const struct backup_args *a, const struct manifest *m)
{
	const struct prune_options o = {
		.policy = keep_policy(&a->keep),
		.database = m->database,
		.label = m->label ? m->label : "",
		.system_identifier = m->system_identifier,
		.lease_ms = a->keep.lease,
		.sweep = true,
	};
	_cleanup_prune_ struct prune_plan plan = { 0 };
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (!s || retention_is_empty(&o.policy))
		return;
	if (prune_make(s, &o, &plan, &failed) && prune_apply(s, &plan, &app->log, app->cancel, &failed))
		return;
	log_warning(&app->log, "prune.failed", "the backup is complete, but old ones could not be removed from %s: %s", s->url,
		failed.message);
	app->status = EXIT_WARNING;
}

static void report_retries(struct app *app, struct storage *remote)
{
	struct storage_stats stats = { 0 };

	if (remote && remote->ops->stats)
		remote->ops->stats(remote, &stats);
	if (stats.retries)
		log_info(&app->log, "storage.retries", "%" PRIu64 " of %" PRIu64 " requests were repeated; last reason: %s",
			stats.retries, stats.requests, stats.last_retry);
}

static bool backup_run_command(struct app *app, const void *data, struct error *err)
{
	const struct backup_args *a = data;
	_cleanup_storage_ struct storage *local = NULL, *remote = NULL;
	_cleanup_manifest_ struct manifest m = { 0 };
	struct backup_options o;

	if (!check_arguments(a, err))
		return false;
	fill_options(app, a, &o);
	if (!a->no_local && !(local = storage_file_open(a->dir, true, err)))
		return false;
	/* every worker may hold a part of its own: fewer slots than jobs could stall */
	if (a->upload && !(remote = open_remote(app, a->upload, a->jobs + 1, a->part_size, err)))
		return false;
	o.local = local;
	o.remote = remote;
	if (!backup_run(&o, &app->log, app->cancel, &m, err))
		return false;

	autofree char *prefix = repo_prefix(m.database, m.id);
	autofree char *folder = local ? fs_absolute(a->dir) : NULL;
	autofree char *path = local ? fs_join(folder, prefix) : NULL;
	autofree char *url = remote ? fs_join(remote->url, prefix) : NULL;
	struct result r = { &m, path, url };

	log_info(&app->log, "backup.done", "backup %s is complete: %" PRId64 " tables, %" PRId64 " rows, %" PRId64 " bytes stored in %.1f s",
		m.id, m.table_count, m.rows, m.stored_bytes, m.seconds);
	report_retries(app, remote);
	if (m.warnings.len)
		app->status = EXIT_WARNING;
	prune_series(app, local, a, &m);
	prune_series(app, remote, a, &m);
	if (app->report.format == FORMAT_JSON)
		return report_document(&app->report, fill_result, &r, err);
	return print_result(app->report.out, &r, err);
}

const struct command backup_command = {
	.name = "backup",
	.summary = "back up a database to a folder, to S3, or to both at once",
	.detail = "Takes a consistent copy of one database. The result is a pg_dump directory archive that stock "
		  "pg_restore restores without dbops, plus a manifest (dbops.json) with a row count and a fingerprint "
		  "of every table and a SHA-256 of every block, and globals.sql with the roles.\n\n"
		  "All rows are read under one snapshot by several connections at once; a large table is split into "
		  "ranges of pages. Nothing counts as a backup before its manifest is stored, which happens last. Any "
		  "failure ends with a non-zero status and leaves earlier backups as they are.\n\n"
		  "Memory is at most 96 MiB (6 MiB more for each job beyond 12) + 2 KiB per table + 64 bytes per MiB of text, and "
		  "with --upload also the part "
		  "size times (upload slots + 1): 144 MiB with the defaults. Only a row of more than a MiB takes more for "
		  "its time. The part size is raised by itself when the largest table needs more than 9,000 parts.\n\n"
		  "Reading a table in ranges of pages goes through the server's shared buffers, which a plain COPY spares: "
		  "on a server that lives from its cache, --no-split or a larger --split-above may be kinder.",
	.options = backup_options,
	.examples = backup_examples,
	.args_size = sizeof(struct backup_args),
	.needs = NEED_SERVER | NEED_REMOTE,
	.flags = COMMAND_DOCUMENT,
	.run = backup_run_command,
};
