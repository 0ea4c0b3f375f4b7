/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions archive - one partition to a folder or to S3, proven, and only then dropped. */
#include "archive.h"

#include <inttypes.h>
#include "archive_csv.h"
#include "clock.h"
#include "codec.h"
#include "destination.h"
#include "hold.h"
#include "remove.h"
#include "xalloc.h"

#define COMMAND "dbops partitions archive"

struct archive_args {
	struct change_args change;
	const char *to, *as, *bindir, *ledger;
	bool drop, allow_plain;
	int64_t jobs, level;
};

static const char *const formats[] = { "backup", "csv.gz", NULL };

#define A struct archive_args
static const struct option options[] = {
	OPT_STRING(A, to, .long_name = "to", .metavar = "DIR|s3://…", .config_key = "partitions.archive_to", .complete = COMPLETE_DIR,
		.help = "folder, s3://BUCKET/PREFIX or remote of the configuration that gets the archive"),
	OPT_ENUM(A, as, .long_name = "as", .metavar = "FORMAT", .choices = formats, .fallback = "backup",
		.help = "backup: can be restored; csv.gz: rows only, one gzipped CSV file for a warehouse, with the same proof"),
	OPT_FLAG(A, drop, .long_name = "drop", .help = "drop the table when the archive is proven and holds exactly its rows"),
	OPT_FLAG(A, allow_plain, .long_name = "allow-plain",
		.help = "with --drop, where DETACH CONCURRENTLY is impossible (a DEFAULT partition): detach under ACCESS EXCLUSIVE"),
	OPT_LEDGER(A),
	OPT_GROUP("The archive"),
	OPT_JOBS(A, "connections and threads that read, compress, hash and prove at once"),
	OPT_INT(A, level, .short_name = 'Z', .long_name = "compress", .metavar = "LEVEL", .config_key = "partitions.compress",
		.fallback = "1", .min = CODEC_LEVEL_MIN, .max = CODEC_LEVEL_MAX, .help = "gzip level"),
	OPT_BINDIR(A, "folder of pg_dump (default: found by the server's major version)"),
	CHANGE_OPTIONS(A),
	OPT_END,
};
#undef A

static const struct example examples[] = {
	{ "dbops partitions archive -d app trades_2023_01 --to /archive", "a proven copy; the table stays as it is" },
	{ "dbops partitions archive -d app trades_2023_01 --to s3://cold/app --drop --yes", "the same to S3, and then drop the table" },
	{ "dbops partitions archive -d app trades_2023_01 --as csv.gz --to s3://lake/raw", "rows for a warehouse, proven as well" },
	{ NULL, NULL },
};

struct outcome {
	const struct archive_subject *subject;
	const struct archive_proof *proof;
	bool dropped;
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
	jsonw_string(j, "id", o->proof->id);
	jsonw_string(j, "url", o->proof->url);
	jsonw_string(j, "table", s->shown);
	jsonw_string(j, "parent", s->parent_name ? parent.buf : NULL);
	jsonw_string(j, "bounds", s->parent_name ? bound.buf : NULL);
	jsonw_int(j, "rows", o->proof->rows);
	jsonw_int(j, "raw_bytes", o->proof->raw_bytes);
	jsonw_int(j, "stored_bytes", o->proof->stored_bytes);
	jsonw_string(j, "fingerprint", fingerprint);
	jsonw_string(j, "manifest_sha256", o->proof->manifest_sha256);
	jsonw_bool(j, "proven", true);
	jsonw_bool(j, "dropped", o->dropped);
}

static bool print_text(FILE *out, const struct outcome *o, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s  %s: ", o->proof->id, o->subject->shown);
	count_format(o->proof->rows, &sb);
	strbuf_adds(&sb, o->proof->rows == 1 ? " row, " : " rows, ");
	size_format(o->proof->raw_bytes, &sb);
	strbuf_adds(&sb, " -> ");
	size_format(o->proof->stored_bytes, &sb);
	strbuf_addf(&sb, ", proven; %s\n%s\n", o->dropped ? "table dropped" : "table kept", o->proof->url);
	if (fputs(sb.buf, out) == EOF || fflush(out) == EOF)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

/* A copy changes nothing: there is no plan but this, and nothing to agree to. */
static bool show_copy(struct app *app, const struct archive_subject *s, const struct storage *storage, struct error *err)
{
	autofree char *plan = xasprintf("copy %s to %s, and read it back\n", s->shown, storage->url);

	return app_confirm(app, plan, err);
}

static bool export_and_prove(struct app *app, const struct archive_args *a, const struct archive_subject *s, const struct pg_conn *c,
	struct storage *storage, bool remote, struct archive_proof *ret, struct error *err)
{
	const struct archive_options o = {
		.server = server_params(app, COMMAND),
		.storage = storage,
		.remote = remote,
		.jobs = a->jobs,
		.level = a->level,
		.lock_timeout_ms = a->change.max_wait ? a->change.max_wait : 1,
		.bindir = a->bindir,
	};
	autofree char *id = NULL;

	if (strcmp(a->as, "csv.gz") == 0)
		return archive_csv(&o, s, c, &app->log, app->cancel, ret, err);
	return archive_export(&o, s, c, &app->log, app->cancel, &id, err) &&
	       archive_prove(storage, c->database, id, s, a->jobs, &app->log, app->cancel, ret, err);
}

static bool check_arguments(const struct archive_args *a, struct error *err)
{
	if (!a->drop && (a->change.sql || a->change.apply || a->allow_plain)) {
		error_set(err, EXIT_USAGE, "--sql, --apply and --allow-plain need --drop");
		return error_hint(err, "Without it nothing in the database is changed.");
	}
	return true;
}

/* A copy may be made on a standby; a drop may not. */
static struct pg_conn *connect(struct app *app, const struct archive_args *a, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = a->drop ? change_begin(app, COMMAND, &a->change, err) : partitions_connect(app, COMMAND, err);

	return c && pg_refuse_transaction_pooler(c, "archiving", err) && keep_session(c, err) ? steal(c) : NULL;
}

static bool print_outcome(struct app *app, const struct outcome *o, struct error *err)
{
	return app->report.format == FORMAT_JSON ? report_document(&app->report, fill, o, err) : print_text(app->report.out, o, err);
}

/* The plan is made, shown and agreed to before the long work, and carried out after it. */
static bool agree(struct app *app, const struct archive_args *a, struct removal *r, struct storage *storage, struct error *err)
{
	_cleanup_target_ struct change_target t = { 0 };
	autofree char *to = xasprintf("%s to %s", a->as, storage->url);

	if (!a->drop)
		return !app->dry_run || show_copy(app, r->subject, storage, err);
	if (!hold_warn_of_unmatched(r->c, app->config, &app->log, err) || !change_lock(app, r->c, &a->change, r->subject->oid, &t, err) ||
		 !removal_plan(r, COMMAND, &t, to, err))
		return false;
	strvec_pushf(&r->plan.notes, "before the first step %s is exported to %s, read back and proven", r->subject->shown, storage->url);
	return removal_agree(r, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct archive_args *a = data;
	_cleanup_storage_ struct storage *storage = NULL;
	_cleanup_conn_ struct pg_conn *c = NULL;
	_cleanup_subject_ struct archive_subject s = { 0 };
	_cleanup_proof_ struct archive_proof proof = { 0 };
	_cleanup_removal_ struct removal r = { .app = app, .change = &a->change, .ledger = a->ledger, .allow_plain = a->allow_plain, .subject = &s };
	bool remote;

	if (!check_arguments(a, err) || !(storage = open_destination(app, a->to, true, a->jobs + 1, &remote, err)) || !(c = connect(app, a, err)) ||
		!load_subject(c, app->operands.items[0], &s, err))
		return false;
	r.c = c;
	if (!agree(app, a, &r, storage, err))
		return !error_is_set(err) && a->change.sql;
	if (!export_and_prove(app, a, &s, c, storage, remote, &proof, err))
		return false;
	r.proof = &proof;
	if (a->drop && !removal_run(&r, err))
		return false;
	return print_outcome(app, &(struct outcome){ .subject = &s, .proof = &proof, .dropped = r.dropped }, err);
}

const struct command partitions_archive_command = {
	.name = "archive",
	.summary = "archive one partition, prove it, and drop the table if asked",
	.detail = "Exports one partition with everything that belongs to it. The archive is an ordinary backup folder of dbops, "
		  "so 'dbops verify', 'dbops restore' and stock pg_restore work with it; its bounds and its parent, which the "
		  "server forgets, stand in dbops.partition.json. 'dbops prune' never removes it, and it never counts as the "
		  "'latest' backup of the database.\n\n"
		  "The archive is read back from where it was stored: SHA-256 of every block, rows and fingerprint of the table. With "
		  "--drop the partition is then detached (CONCURRENTLY, see 'dbops partitions detach') and locked against writers, every row "
		  "is read once more and compared with the archive, and the table is dropped in the same transaction, never with "
		  "CASCADE. A row that was written in between, a row that this role cannot see, an upload that is not whole: each ends "
		  "with a non-zero status, and the table stays, attached as before. What was dropped stands in the ledger. In the script of "
		  "--sql the comparison and the drop are comments, because psql would drop without comparing.\n\n"
		  "With --as csv.gz the rows, and nothing else, become one gzipped CSV file with a header, as COPY writes it, below "
		  "DATABASE/csv, with columns, types and hashes in a JSON file beside it. 'dbops partitions restore' does not read it.",
	.options = options,
	.operands = subject_operands,
	.examples = examples,
	.args_size = sizeof(struct archive_args),
	.needs = NEED_SERVER | NEED_REMOTE,
	.flags = COMMAND_DOCUMENT | COMMAND_DESTRUCTIVE,
	.run = run,
};
