/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops prune - removes old backups by policy, and what dead runs left behind.
 */
#include "prune.h"

#include "commands.h"
#include "keep.h"
#include "repository.h"
#include "xalloc.h"

struct prune_args {
	struct keep_args keep;
	const char *database, *label;
};

static const struct option prune_command_options[] = {
	KEEP_OPTIONS(struct prune_args),
	OPT_GROUP("Which backups"),
	OPT_STRING(struct prune_args, database, .long_name = "database", .metavar = "NAME", .help = "only series of this database"),
	OPT_STRING(struct prune_args, label, .long_name = "label", .metavar = "TEXT", .help = "only series with this label"),
	OPT_END,
};

static const struct column prune_columns[] = {
	{ "action", "ACTION", CELL_TEXT, 0, "keep, delete, sweep (unfinished leftovers), abort upload, or skip" },
	{ "id", "ID", CELL_TEXT, 0, "name of the backup, or the object of an upload" },
	{ "database", "DATABASE", CELL_TEXT, 0, "database of the series" },
	{ "label", "LABEL", CELL_TEXT, 0, "label of the series" },
	{ "time", "TIME", CELL_TIME, 0, "of the snapshot, or the last change of leftovers" },
	{ "stored_bytes", "SIZE", CELL_SIZE, 0, "bytes stored" },
	{ "reason", "REASON", CELL_TEXT, COLUMN_WIDE, "the rules that keep it, or why it goes" },
	{ "done", NULL, CELL_BOOL, COLUMN_EXTRA, "whether it has been removed" },
	COLUMN_END,
};

static const struct example prune_examples[] = {
	{ "dbops prune --keep-daily 7 --keep-weekly 4 --keep-monthly 12", "the plan: nothing is removed" },
	{ "dbops prune --keep-days 30 --from s3 --yes", "remove what is older, in the remote \"s3\"" },
	{ NULL, NULL },
};

struct retention_policy keep_policy(const struct keep_args *k)
{
	const int64_t day_ms = 86400000;
	int64_t days = k->days * day_ms;

	return (struct retention_policy){
		.last = k->last,
		.daily = k->daily,
		.weekly = k->weekly,
		.monthly = k->monthly,
		.yearly = k->yearly,
		.within_ms = days > k->within ? days : k->within,
	};
}

static void print_item(struct report *r, const struct prune_item *item)
{
	const struct backup_entry *e = item->entry;
	autofree char *database = e ? (e->complete ? xstrdup(e->manifest.database) : repo_database(e->series)) : NULL;
	const struct cell cells[] = {
		CELL_OF_TEXT(prune_action_names[item->action]),
		CELL_OF_TEXT(e ? e->id : item->key),
		CELL_OF_TEXT(database),
		CELL_OF_TEXT(e ? e->manifest.label : NULL),
		item->time ? CELL_OF_INT(item->time) : CELL_NULL(),
		e && e->complete ? CELL_OF_INT(e->manifest.stored_bytes) : CELL_NULL(),
		CELL_OF_TEXT(item->reason),
		CELL_OF_INT(item->done),
	};

	report_row(r, cells);
}

static bool print_plan(struct app *app, const struct prune_plan *plan, bool applied, struct error *err)
{
	struct report *r = report_begin(&app->report, "backups", prune_columns);
	struct json *header = report_header(r);

	if (header)
		jsonw_bool(header, "applied", applied);
	for (size_t i = 0; i < plan->len; i++)
		print_item(r, &plan->items[i]);
	return report_end(r, err);
}

static bool prune_run(struct app *app, const void *data, struct error *err)
{
	const struct prune_args *a = data;
	const struct prune_options o = {
		.policy = keep_policy(&a->keep),
		.database = a->database,
		.label = a->label,
		.lease_ms = a->keep.lease,
		.sweep = true,
	};
	bool apply = app->yes && !app->dry_run, ok = true;
	_cleanup_prune_ struct prune_plan plan = { 0 };
	_cleanup_storage_ struct storage *s = NULL;
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (retention_is_empty(&o.policy))
		return prune_make(NULL, &o, &plan, err); /* its error needs no storage */
	s = open_repository(app, err);
	if (!s || !prune_make(s, &o, &plan, err))
		return false;
	if (apply)
		ok = prune_apply(s, &plan, &app->log, app->cancel, &failed);
	if (!print_plan(app, &plan, apply, err))
		return false;
	if (!apply && !app->dry_run)
		log_info(&app->log, "prune.plan", "this is the plan; --yes carries it out");
	return ok || error_move(err, &failed);
}

const struct command prune_command = {
	.name = "prune",
	.summary = "remove old backups by policy, and leftovers of dead runs",
	.detail = "Decides which backups to keep and prints a reason for each; with --yes it removes the others. A series is "
		  "one database of one server with one label, as the manifests say, and each is judged alone. Only complete "
		  "backups count, the newest complete one always stays, and rules in time are relative to it, so that an "
		  "outage of the backup job never expires the last good backups.\n\n"
		  "A backup's manifest goes first, then its files: a prune that was killed is finished by the next one. "
		  "Backups that never became complete and multipart uploads of dead runs go when they are older than --lease.",
	.options = prune_command_options,
	.columns = prune_columns,
	.examples = prune_examples,
	.args_size = sizeof(struct prune_args),
	.needs = NEED_REPOSITORY,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = prune_run,
};
