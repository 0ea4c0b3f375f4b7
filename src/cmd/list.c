/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops list - the backups of a folder or a remote, oldest first.
 */
#include "clock.h"
#include "commands.h"
#include "repository.h"
#include "xalloc.h"

struct list_args {
	const char *database, *label;
	int64_t max_age;
	bool complete;
};

static const struct option list_options[] = {
	OPT_STRING(struct list_args, database, .long_name = "database", .metavar = "NAME", .help = "only backups of this database"),
	OPT_STRING(struct list_args, label, .long_name = "label", .metavar = "TEXT", .help = "only backups with this label"),
	OPT_FLAG(struct list_args, complete, .long_name = "complete", .help = "only complete backups"),
	OPT_DURATION(struct list_args, max_age, .long_name = "max-age", .metavar = "TIME",
		.help = "end with status 2 when the newest complete backup shown is older, or there is none"),
	OPT_END,
};

static const struct column list_columns[] = {
	{ "id", "ID", CELL_TEXT, 0, "name of the backup; sorts by time" },
	{ "database", "DATABASE", CELL_TEXT, 0, "the database it is of" },
	{ "label", NULL, CELL_TEXT, COLUMN_EXTRA, "label of the series, if one was given" },
	{ "started_at", "STARTED", CELL_TIME, 0, "when the run began" },
	{ "finished_at", NULL, CELL_TIME, COLUMN_EXTRA, "when it was complete" },
	{ "complete", "COMPLETE", CELL_BOOL, 0, "whether it has a manifest and so counts as a backup" },
	{ "tables", "TABLES", CELL_INT, 0, "tables with rows in it" },
	{ "rows", "ROWS", CELL_INT, 0, "rows in all tables" },
	{ "raw_bytes", NULL, CELL_SIZE, COLUMN_EXTRA, "bytes of text before compression" },
	{ "stored_bytes", "SIZE", CELL_SIZE, 0, "bytes stored" },
	{ "seconds", "TOOK", CELL_DURATION, 0, "duration of the run" },
	{ "verified", NULL, CELL_JSON, COLUMN_EXTRA, "the last proof: time, depth, result and measured restore time; null = never" },
	{ "verified_at", "VERIFIED", CELL_TIME, 0, "when it was last proven" },
	{ "verified_depth", "DEPTH", CELL_TEXT, 0, "how: quick, full or restore; a failed proof is marked" },
	{ "restore_seconds", "RESTORE", CELL_DURATION, 0, "measured time of the last test restore" },
	{ "problem", "PROBLEM", CELL_TEXT, COLUMN_WIDE, "why it is not complete" },
	COLUMN_END,
};

static const struct example list_examples[] = {
	{ "dbops list", "what is in ./backups, or in backup.dir of the configuration" },
	{ "dbops list --from s3 --format json", "what is in the remote \"s3\", for a program" },
	{ "dbops list --from s3 --database app --max-age 26h", "a freshness check for cron: status 2 when too old" },
	{ NULL, NULL },
};

static char *verified_json(const struct verification *v)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	if (!v->at)
		return NULL;
	jsonw_object_begin(&j, NULL);
	jsonw_time(&j, "at", v->at);
	jsonw_string(&j, "depth", v->depth);
	jsonw_bool(&j, "ok", v->ok);
	jsonw_seconds(&j, "seconds", v->seconds);
	if (v->restore_seconds > 0)
		jsonw_seconds(&j, "restore_seconds", v->restore_seconds);
	else
		jsonw_null(&j, "restore_seconds");
	jsonw_object_end(&j);
	return strbuf_detach(&sb);
}

static struct cell if_complete(const struct backup_entry *e, int64_t value)
{
	return e->complete ? CELL_OF_INT(value) : CELL_NULL();
}

static void print_row(struct report *r, const struct backup_entry *e, const char *database)
{
	const struct manifest *m = &e->manifest;
	const struct verification *v = &e->verified;
	autofree char *verified = verified_json(v);
	autofree char *depth = v->at ? xasprintf("%s%s", v->depth, v->ok ? "" : " FAILED") : NULL;
	int64_t started = m->started_at;

	if (!e->complete)
		repo_id_time(e->id, &started);

	const struct cell cells[] = {
		CELL_OF_TEXT(e->id),
		CELL_OF_TEXT(database),
		CELL_OF_TEXT(m->label),
		started ? CELL_OF_INT(started) : CELL_NULL(),
		if_complete(e, m->finished_at),
		CELL_OF_INT(e->complete),
		if_complete(e, m->table_count),
		if_complete(e, m->rows),
		if_complete(e, m->raw_bytes),
		if_complete(e, m->stored_bytes),
		e->complete ? CELL_OF_REAL(m->seconds) : CELL_NULL(),
		CELL_OF_TEXT(verified),
		v->at ? CELL_OF_INT(v->at) : CELL_NULL(),
		CELL_OF_TEXT(depth),
		v->restore_seconds > 0 ? CELL_OF_REAL(v->restore_seconds) : CELL_NULL(),
		CELL_OF_TEXT(e->problem),
	};

	report_row(r, cells);
}

/* The folder's name is the database's, percent-encoded. */
static char *database_of(const struct backup_entry *e)
{
	return e->complete ? xstrdup(e->manifest.database) : repo_database(e->series);
}

static bool is_wanted(const struct list_args *a, const struct backup_entry *e, const char *database)
{
	if (a->complete && !e->complete)
		return false;
	if (a->database && strcmp(a->database, database) != 0)
		return false;
	return !a->label || (e->complete && strcmp(a->label, e->manifest.label ? e->manifest.label : "") == 0);
}

static bool list_run(struct app *app, const void *data, struct error *err)
{
	const struct list_args *a = data;
	_cleanup_catalog_ struct catalog c = { 0 };
	_cleanup_storage_ struct storage *s = open_repository(app, err);
	int64_t newest = 0;

	if (!s || !catalog_load(s, &c, err))
		return false;

	struct report *r = report_begin(&app->report, "backups", list_columns);

	for (size_t i = 0; i < c.len; i++) {
		const struct backup_entry *e = &c.items[i];
		autofree char *database = database_of(e);

		if (!is_wanted(a, e, database))
			continue;
		print_row(r, e, database);
		if (e->complete && !manifest_is_partition(&e->manifest) && e->manifest.snapshot_at > newest)
			newest = e->manifest.snapshot_at;
	}
	if (!report_end(r, err))
		return false;
	if (a->max_age && clock_now_us() - newest > a->max_age * 1000) {
		app->status = EXIT_CRITICAL;
		log_warning(&app->log, "list.age", newest ? "the newest complete backup is too old" : "there is no complete backup");
	}
	return true;
}

const struct command list_command = {
	.name = "list",
	.summary = "list the backups of a folder or a remote",
	.detail = "Lists backups, oldest first. A backup is complete when its manifest is there, which is stored last; "
		  "a run that did not finish is shown with the reason and never counts as a backup.",
	.options = list_options,
	.columns = list_columns,
	.examples = list_examples,
	.args_size = sizeof(struct list_args),
	.needs = NEED_REPOSITORY,
	.flags = COMMAND_ROWS,
	.run = list_run,
};
