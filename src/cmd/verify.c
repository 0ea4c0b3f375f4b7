/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops verify - proves a backup: quickly, by every stored byte, or by restoring it.
 */
#include "verify.h"

#include <inttypes.h>
#include "clock.h"
#include "commands.h"
#include "repository.h"
#include "verify_restore.h"
#include "xalloc.h"

struct verify_args {
	bool quick, restore, keep, no_record;
	int64_t jobs;
	const char *bindir, *run_as, *scratch_dir, *database;
};

#define A struct verify_args
static const struct option verify_options[] = {
	OPT_GROUP("Depth"),
	OPT_FLAG(A, quick, .long_name = "quick", .help = "only the manifest and the presence and size of every object"),
	OPT_FLAG(A, restore, .long_name = "restore",
		.help = "also restore into a scratch PostgreSQL that dbops starts, and compare every table"),
	OPT_GROUP("How"),
	OPT_OF_DATABASE(A, database),
	OPT_INT(A, jobs, .short_name = 'j', .long_name = "jobs", .metavar = "N", .config_key = "verify.jobs",
		.fallback = "2", .min = 1, .max = 128, .help = "threads, and connections of the test restore"),
	OPT_PATH(A, scratch_dir, .long_name = "scratch-dir", .metavar = "DIR", .config_key = "verify.scratch_dir",
		.complete = COMPLETE_DIR, .help = "where the scratch server's data goes (default: $TMPDIR, else /var/tmp)"),
	OPT_STRING(A, run_as, .long_name = "run-as", .metavar = "USER", .config_key = "verify.run_as",
		.help = "as root: the user the scratch server runs as (default: postgres)"),
	OPT_PATH(A, bindir, .long_name = "pg-bindir", .metavar = "DIR", .env = "DBOPS_PG_BINDIR",
		.config_key = "pg_bindir", .complete = COMPLETE_DIR,
		.help = "folder of postgres, initdb and pg_restore (default: found by the backup's major version)"),
	OPT_FLAG(A, keep, .long_name = "keep", .help = "leave the scratch server's folder for a look"),
	OPT_FLAG(A, no_record, .long_name = "no-record", .help = "do not store the result beside the backup"),
	OPT_END,
};
#undef A

static const struct operand verify_operands[] = {
	{ .name = "BACKUP", .min = 1, .max = 1, .complete = COMPLETE_BACKUP,
		.help = "id, its unique beginning, \"latest\", or path or URL of an archive" },
	{ .name = NULL },
};

static const struct column verify_columns[] = {
	{ "file", "FILE", CELL_TEXT, 0, "damaged or missing file of the backup" },
	{ "table", "TABLE", CELL_TEXT, 0, "the table whose rows it holds" },
	{ "block", "BLOCK", CELL_INT, 0, "damaged block in the file, from 0" },
	{ "problem", "PROBLEM", CELL_TEXT, COLUMN_WIDE, "what is wrong" },
	COLUMN_END,
};

static const struct example verify_examples[] = {
	{ "dbops verify latest", "read and prove every stored byte of the newest backup" },
	{ "dbops verify latest --quick --from s3", "is everything there, in the remote \"s3\"?" },
	{ "dbops verify latest --restore", "the proof that counts: restore it, compare every table, take the time" },
	{ NULL, NULL },
};

struct outcome {
	const struct backup_entry *entry;
	const char *depth;
	struct verify_result *result;
	double seconds, restore_seconds;
};

static void fill_header(struct json *j, const struct outcome *o)
{
	jsonw_string(j, "id", o->entry->manifest.id);
	jsonw_string(j, "database", o->entry->manifest.database);
	jsonw_string(j, "depth", o->depth);
	jsonw_bool(j, "ok", o->result->problems.len == 0);
	jsonw_int(j, "tables", o->entry->manifest.table_count);
	jsonw_int(j, "rows", o->result->rows);
	jsonw_int(j, "raw_bytes", o->result->raw_bytes);
	jsonw_seconds(j, "seconds", o->seconds);
	if (o->restore_seconds > 0)
		jsonw_seconds(j, "restore_seconds", o->restore_seconds);
	else
		jsonw_null(j, "restore_seconds");
}

static void print_good(FILE *out, const struct outcome *o)
{
	const struct manifest *m = &o->entry->manifest;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s  ok (%s): ", m->id, o->depth);
	count_format(m->table_count, &sb);
	strbuf_adds(&sb, " tables, ");
	count_format(m->rows, &sb);
	strbuf_adds(&sb, strcmp(o->depth, "quick") == 0 ? " rows, every object present; " : " rows proven; ");
	if (o->restore_seconds > 0) {
		strbuf_adds(&sb, "restored in ");
		duration_format(o->restore_seconds, &sb);
		strbuf_adds(&sb, ", ");
	}
	duration_format(o->seconds, &sb);
	strbuf_adds(&sb, " in all\n");
	fputs(sb.buf, out);
}

static bool print_outcome(struct app *app, const struct outcome *o, struct error *err)
{
	const struct verify_result *r = o->result;

	if (app->report.format == FORMAT_TABLE && !r->problems.len) {
		print_good(app->report.out, o);
		return true;
	}

	struct report *report = report_begin(&app->report, "problems", verify_columns);
	struct json *header = report_header(report);

	if (header)
		fill_header(header, o);
	for (size_t i = 0; i < r->problems.len; i++) {
		const struct verify_problem *p = &r->problems.items[i];
		const struct cell cells[] = {
			p->file[0] ? CELL_OF_TEXT(p->file) : CELL_NULL(),
			CELL_OF_TEXT(p->table),
			p->block >= 0 ? CELL_OF_INT(p->block) : CELL_NULL(),
			CELL_OF_TEXT(p->what),
		};

		report_row(report, cells);
	}
	return report_end(report, err);
}

/* A failed proof is recorded, too: list shows it. Not being able to store it is a warning. */
static void record(struct app *app, struct storage *s, const struct outcome *o)
{
	struct verification v = { .at = clock_now_us(), .ok = o->result->problems.len == 0, .seconds = o->seconds,
		.restore_seconds = o->restore_seconds };
	_cleanup_error_ struct error failed = ERROR_INIT;

	snprintf(v.depth, sizeof(v.depth), "%s", o->depth);
	/* a cheaper look must not hide what a test restore proved and measured */
	if (v.ok && o->entry->verified.ok && strcmp(o->depth, "restore") != 0 &&
		strcmp(o->entry->verified.depth, "restore") == 0)
		return;
	if (!backup_store_verification(s, o->entry, &v, &failed))
		log_warning(&app->log, "verify.record", "the result could not be stored: %s", failed.message);
}

static bool damaged(const struct outcome *o, struct error *err)
{
	const struct verify_problem *p = &o->result->problems.items[0];
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	error_set(err, EXIT_DAMAGED, "backup \"%s\" is damaged", o->entry->manifest.id);
	if (p->file[0])
		strbuf_addf(&sb, "file \"%s\"", p->file);
	if (p->block >= 0)
		strbuf_addf(&sb, ", block %" PRId64, p->block);
	if (p->table)
		strbuf_addf(&sb, ", table \"%s\"", p->table);
	error_detail(err, "%zu problem%s; first: %s%s%s.", o->result->problems.len, o->result->problems.len == 1 ? "" : "s",
		sb.buf, sb.len ? ": " : "", p->what);
	return error_hint(err, "Do not rely on it: verify an older backup, or another copy, and take a new one now.");
}

static bool run_depths(struct app *app, const struct verify_args *a, struct storage *s, const struct backup_entry *e,
	struct outcome *o, struct error *err)
{
	const struct verify_restore_options ro = { .bindir = a->bindir, .run_as = a->run_as, .dir = a->scratch_dir,
		.jobs = a->jobs, .keep = a->keep };

	if (a->quick)
		return verify_quick(s, e, o->result, err);
	if (!verify_full(s, e, a->jobs, &app->log, app->cancel, o->result, err))
		return false;
	/* what is damaged is not worth a restore */
	if (!a->restore || o->result->problems.len)
		return true;
	verify_result_release(o->result);
	return verify_restore(s, e, &ro, &app->log, app->cancel, o->result, &o->restore_seconds, err);
}

static bool verify_run(struct app *app, const void *data, struct error *err)
{
	const struct verify_args *a = data;
	_cleanup_storage_ struct storage *s = NULL;
	_cleanup_entry_ struct backup_entry e = { 0 };
	_cleanup_verify_ struct verify_result result = { 0 };
	struct outcome o = { .entry = &e, .result = &result,
		.depth = a->quick ? "quick" : a->restore ? "restore" : "full" };
	double started = clock_monotonic();

	if (a->quick && a->restore)
		return error_set(err, EXIT_USAGE, "--quick and --restore exclude each other");
	if (!find_backup(app, app->operands.items[0], a->database, &s, &e, err))
		return false;
	if (!run_depths(app, a, s, &e, &o, err))
		return false;
	o.seconds = clock_monotonic() - started;
	log_info(&app->log, "verify.done", "backup %s: %s proof %s in %.1f s", e.manifest.id, o.depth,
		result.problems.len ? "FAILED" : "passed", o.seconds);
	if (!a->no_record)
		record(app, s, &o);
	if (!print_outcome(app, &o, err))
		return false;
	return !result.problems.len || damaged(&o, err);
}

const struct command verify_command = {
	.name = "verify",
	.summary = "prove that a backup is whole and restores",
	.detail = "Reads every stored byte of a backup and compares it with the manifest: SHA-256 and CRC of each block, "
		  "rows and fingerprint of each table. With --restore it then starts a scratch PostgreSQL server of the "
		  "right version, restores the backup into it, reads every table back, compares rows, fingerprints and "
		  "definitions, and says how long the restore took. No second server is needed, and nothing of the scratch "
		  "server is left behind.\n\n"
		  "A damaged backup ends with status 65 and names file, block and table. The result is stored beside the "
		  "backup, where \"dbops list\" shows it.",
	.options = verify_options,
	.operands = verify_operands,
	.columns = verify_columns,
	.examples = verify_examples,
	.args_size = sizeof(struct verify_args),
	.needs = NEED_REPOSITORY,
	.flags = COMMAND_ROWS,
	.run = verify_run,
};
