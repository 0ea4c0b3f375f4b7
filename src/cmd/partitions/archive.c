/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions archive - one partition to a folder or to S3, proven, and only then dropped. */
#include "archive.h"

#include <inttypes.h>
#include "clock.h"
#include "codec.h"
#include "destination.h"
#include "partitions.h"
#include "xalloc.h"

struct archive_args {
	const char *to, *bindir;
	bool drop;
	int64_t jobs, level, lock_timeout, max_wait;
};

#define A struct archive_args
static const struct option options[] = {
	OPT_STRING(A, to, .long_name = "to", .metavar = "DIR|s3://…", .config_key = "partitions.archive_to", .complete = COMPLETE_DIR,
		.help = "folder, s3://BUCKET/PREFIX or remote of the configuration that gets the archive"),
	OPT_FLAG(A, drop, .long_name = "drop", .help = "drop the table when the archive is proven and holds exactly its rows"),
	OPT_GROUP("How"),
	OPT_INT(A, jobs, .short_name = 'j', .long_name = "jobs", .metavar = "N", .config_key = "partitions.jobs", .fallback = "2", .min = 1,
		.max = 128, .help = "connections and threads that read, compress, hash and prove at once"),
	OPT_INT(A, level, .short_name = 'Z', .long_name = "compress", .metavar = "LEVEL", .config_key = "partitions.compress",
		.fallback = "1", .min = CODEC_LEVEL_MIN, .max = CODEC_LEVEL_MAX, .help = "gzip level"),
	OPT_LOCK_OPTIONS(A),
	OPT_PATH(A, bindir, .long_name = "pg-bindir", .metavar = "DIR", .env = "DBOPS_PG_BINDIR", .config_key = "pg_bindir",
		.complete = COMPLETE_DIR, .help = "folder of pg_dump (default: found by the server's major version)"),
	OPT_END,
};
#undef A

static const struct operand operands[] = {
	{ "PARTITION", "a partition, or a table that was one, as SQL names it", 1, 1, COMPLETE_NONE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions archive -d app trades_2023_01 --to /archive", "a proven copy; the table stays as it is" },
	{ "dbops partitions archive -d app trades_2023_01 --to s3://cold/app --drop --yes", "the same to S3, and then drop the table" },
	{ NULL, NULL },
};

struct outcome {
	const struct archive_subject *subject;
	const struct archive_proof *proof;
	const char *url;
	bool detached, dropped;
};

static void fill(struct json *j, const void *data)
{
	const struct outcome *o = data;
	const struct archive_subject *s = o->subject;
	_cleanup_strbuf_ struct strbuf parent = STRBUF_INIT, bound = STRBUF_INIT;
	char fingerprint[FINGERPRINT_HEX_LEN + 1];

	fingerprint_format(&o->proof->fingerprint, fingerprint);
	if (s->parent_name)
		pg_add_display_name(&parent, s->parent_schema, s->parent_name);
	bound_add_display(&bound, &s->bound);
	jsonw_string(j, "id", o->proof->entry.id);
	jsonw_string(j, "url", o->url);
	jsonw_string(j, "table", s->shown);
	jsonw_string(j, "parent", s->parent_name ? parent.buf : NULL);
	jsonw_string(j, "bounds", s->parent_name ? bound.buf : NULL);
	jsonw_int(j, "rows", o->proof->rows);
	jsonw_int(j, "raw_bytes", o->proof->raw_bytes);
	jsonw_int(j, "stored_bytes", o->proof->entry.manifest.stored_bytes);
	jsonw_string(j, "fingerprint", fingerprint);
	jsonw_string(j, "manifest_sha256", o->proof->manifest_sha256);
	jsonw_bool(j, "proven", true);
	jsonw_bool(j, "detached", o->detached);
	jsonw_bool(j, "dropped", o->dropped);
}

static bool print_text(FILE *out, const struct outcome *o, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s  %s: ", o->proof->entry.id, o->subject->shown);
	count_format(o->proof->rows, &sb);
	strbuf_adds(&sb, o->proof->rows == 1 ? " row, " : " rows, ");
	size_format(o->proof->raw_bytes, &sb);
	strbuf_adds(&sb, " -> ");
	size_format(o->proof->entry.manifest.stored_bytes, &sb);
	strbuf_addf(&sb, ", proven; %s\n%s\n", o->dropped ? "table dropped" : "table kept", o->url);
	if (fputs(sb.buf, out) == EOF || fflush(out) == EOF)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

static void describe(const struct archive_subject *s, const struct archive_args *a, const struct storage *storage, struct strbuf *out)
{
	strbuf_addf(out, "archive %s\n", s->shown);
	if (s->attached) {
		strbuf_adds(out, "  partition of ");
		pg_add_display_name(out, s->parent_schema, s->parent_name);
		strbuf_adds(out, " ");
		bound_add_display(out, &s->bound);
		strbuf_addch(out, '\n');
	}
	strbuf_addf(out, "  to %s, read back and proven\n", storage->url);
	if (a->drop)
		strbuf_adds(out, "  then, when its rows are still those of the archive: DROPS the table\n");
}

static bool check(const struct pg_conn *c, const struct archive_subject *s, const struct archive_args *a, struct error *err)
{
	if (!a->drop)
		return true;
	if (c->in_recovery) {
		error_set(err, EXIT_REFUSED, "nothing can be dropped on a standby");
		return error_hint(err, "Leave --drop out, or connect to the primary.");
	}
	if (s->attached) {
		error_set(err, EXIT_REFUSED, "'%s' is attached", s->shown);
		return error_hint(err, "Detach it first.");
	}
	return true;
}

static bool export_and_prove(struct app *app, const struct archive_args *a, const struct archive_subject *s, const struct pg_conn *c,
	struct storage *storage, bool remote, struct archive_proof *ret, struct error *err)
{
	const struct archive_options o = {
		.server = server_params(app, "dbops partitions archive"),
		.storage = storage,
		.remote = remote,
		.jobs = a->jobs,
		.level = a->level,
		.lock_timeout_ms = a->max_wait,
		.bindir = a->bindir,
	};
	autofree char *id = NULL;

	return archive_export(&o, s, c, &app->log, app->cancel, &id, err) &&
	       archive_prove(storage, c->database, id, s, a->jobs, &app->log, app->cancel, ret, err);
}

static bool drop(struct app *app, const struct archive_args *a, struct pg_conn *c, struct outcome *result, struct error *err)
{
	const struct archive_drop_options o = {
		.log = &app->log,
		.cancel = app->cancel,
		.lock_timeout_ms = a->lock_timeout,
		.max_wait_ms = a->max_wait,
	};
	bool unknown;

	if (!archive_drop(c, result->subject, result->proof, &o, &unknown, err))
		return false;
	result->dropped = true;
	return true;
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct archive_args *a = data;
	_cleanup_conn_ struct pg_conn *c = NULL;
	_cleanup_storage_ struct storage *storage = NULL;
	_cleanup_subject_ struct archive_subject s = { 0 };
	_cleanup_proof_ struct archive_proof proof = { 0 };
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;
	bool remote;

	if (!(storage = open_destination(app, a->to, true, a->jobs + 1, &remote, err)) ||
		!(c = partitions_connect(app, "dbops partitions archive", err)))
		return false;
	if (!pg_refuse_transaction_pooler(c, "archiving", err) || !load_subject(c, app->operands.items[0], &s, err) || !check(c, &s, a, err))
		return false;
	describe(&s, a, storage, &plan);
	if ((a->drop || app->dry_run) && !app_confirm(app, plan.buf, err))
		return false;
	if (!export_and_prove(app, a, &s, c, storage, remote, &proof, err))
		return false;

	autofree char *url = archive_url(storage, &proof);
	struct outcome result = { .subject = &s, .proof = &proof, .url = url };

	if (a->drop && !drop(app, a, c, &result, err))
		return false;
	if (app->report.format == FORMAT_JSON)
		return report_document(&app->report, fill, &result, err);
	return print_text(app->report.out, &result, err);
}

const struct command partitions_archive_command = {
	.name = "archive",
	.summary = "archive one partition, prove it, and drop the table if asked",
	.detail = "Exports one partition with everything that belongs to it. The archive is an ordinary backup folder of dbops, "
		  "so 'dbops verify', 'dbops restore' and stock pg_restore work with it; its bounds and its parent, which the "
		  "server forgets, stand in dbops.partition.json. 'dbops prune' never removes it, and it never counts as the "
		  "'latest' backup of the database.\n\n"
		  "The archive is read back from where it was stored: SHA-256 of every block, rows and fingerprint of the table. With "
		  "--drop the table is then locked against writers, every row is read once more and compared with the archive, and "
		  "the table is dropped in the same transaction, never with CASCADE. A row that was written in between, a row that this "
		  "role cannot see, an upload that is not whole: each ends with a non-zero status, and the table stays.",
	.options = options,
	.operands = operands,
	.examples = examples,
	.args_size = sizeof(struct archive_args),
	.needs = NEED_SERVER | NEED_REMOTE,
	.flags = COMMAND_DOCUMENT | COMMAND_DESTRUCTIVE,
	.run = run,
};
