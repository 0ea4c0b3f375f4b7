/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions drop - drops a partition that has an archive, or that nobody wants archived. */
#include "archive_restore.h"
#include "destination.h"
#include "hold.h"
#include "remove.h"
#include "xalloc.h"

#define COMMAND "dbops partitions drop"

struct drop_args {
	struct change_args change;
	const char *archived_in, *ledger;
	bool without_archive, allow_plain;
	int64_t jobs;
};

#define A struct drop_args
static const struct option options[] = {
	OPT_STRING(A, archived_in, .long_name = "archived-in", .metavar = "DIR|s3://…", .complete = COMPLETE_DIR,
		.help = "drop it if its newest archive there is whole and holds exactly its rows"),
	OPT_FLAG(A, without_archive, .long_name = "without-archive", .help = "drop it although there is no archive: its rows are gone"),
	OPT_FLAG(A, allow_plain, .long_name = "allow-plain",
		.help = "where DETACH CONCURRENTLY is impossible (a DEFAULT partition), detach under ACCESS EXCLUSIVE"),
	OPT_LEDGER(A),
	OPT_JOBS(A, "threads that prove the archive"),
	CHANGE_OPTIONS(A),
	OPT_END,
};
#undef A

static const struct example examples[] = {
	{ "dbops partitions drop -d app trades_2023_01 --archived-in s3://cold/app --yes", "drop what is archived and unchanged since" },
	{ "dbops partitions drop -d app trades_2023_01 --without-archive --dry-run", "what it takes, with the digest for --apply" },
	{ NULL, NULL },
};

static void fill(struct json *j, const void *data)
{
	const struct removal *r = data;

	jsonw_string(j, "table", r->subject->shown);
	jsonw_string(j, "archive", r->proof ? r->proof->url : NULL);
	jsonw_string(j, "manifest_sha256", r->proof ? r->proof->manifest_sha256 : NULL);
	jsonw_bool(j, "dropped", r->dropped);
}

static bool print_outcome(struct removal *r, struct error *err)
{
	if (r->app->report.format == FORMAT_JSON)
		return report_document(&r->app->report, fill, r, err);
	if (fprintf(r->app->report.out, "%s dropped\n", r->subject->shown) < 0 || fflush(r->app->report.out) == EOF)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

static bool check_arguments(const struct drop_args *a, struct error *err)
{
	if (!a->archived_in == !a->without_archive) {
		error_set(err, EXIT_USAGE, "say either --archived-in PLACE or --without-archive");
		return error_hint(err, "'dbops partitions archive … --drop' does both at once.");
	}
	return true;
}

/* The archive is read back as a whole, now: that it was proven once says nothing about today. */
static bool prove(struct app *app, const struct drop_args *a, struct pg_conn *c, const struct archive_subject *s, struct archive_proof *ret,
	struct error *err)
{
	_cleanup_found_ struct archive_found found = { 0 };
	_cleanup_storage_ struct storage *storage = NULL;
	bool remote;

	return (storage = open_destination(app, a->archived_in, false, a->jobs + 1, &remote, err)) &&
	       archive_find(storage, c->database, s->shown, &found, err) &&
	       archive_prove(storage, c->database, found.entry.id, s, a->jobs, &app->log, app->cancel, ret, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct drop_args *a = data;
	_cleanup_target_ struct change_target t = { 0 };
	_cleanup_subject_ struct archive_subject s = { 0 };
	_cleanup_proof_ struct archive_proof proof = { 0 };
	_cleanup_conn_ struct pg_conn *c = check_arguments(a, err) ? change_begin(app, COMMAND, &a->change, err) : NULL;
	_cleanup_removal_ struct removal r = { .app = app, .c = c, .change = &a->change, .ledger = a->ledger, .allow_plain = a->allow_plain,
		.subject = &s };

	if (!c || !keep_session(c, err) || !hold_warn_of_unmatched(c, app->config, &app->log, err) ||
		 !load_subject(c, app->operands.items[0], &s, err) || !change_lock(app, c, &a->change, s.oid, &t, err) ||
		!removal_plan(&r, COMMAND, &t, a->archived_in, err) || !removal_agree(&r, err))
		return !error_is_set(err) && a->change.sql;
	if (a->archived_in && !prove(app, a, c, &s, &proof, err))
		return false;
	r.proof = a->archived_in ? &proof : NULL;
	return removal_run(&r, err) && print_outcome(&r, err);
}

const struct command partitions_drop_command = {
	.name = "drop",
	.summary = "drop a partition that is archived, or is not wanted in an archive",
	.detail = "Detaches the partition if it is attached (CONCURRENTLY, see 'dbops partitions detach'), then drops it, never with CASCADE. With "
		  "--archived-in its newest archive is read back as a whole first, and every row is compared with it under a lock; a table that "
		  "was changed since stays, and is attached again. What was dropped stands in the ledger, before and after.",
	.options = options,
	.operands = subject_operands,
	.examples = examples,
	.args_size = sizeof(struct drop_args),
	.needs = NEED_SERVER | NEED_REMOTE,
	.flags = COMMAND_DOCUMENT | COMMAND_DESTRUCTIVE,
	.run = run,
};
