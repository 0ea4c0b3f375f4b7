/* SPDX-License-Identifier: PostgreSQL */
/*
 * dbops show - what one backup holds, table by table.
 */
#include <inttypes.h>
#include "clock.h"
#include "commands.h"
#include "fingerprint.h"
#include "repository.h"

struct show_args {
	const char *database;
};

static const struct option show_options[] = {
	OPT_OF_DATABASE(struct show_args, database),
	OPT_END,
};

static const struct operand show_operands[] = {
	{ .name = "BACKUP", .min = 1, .max = 1, .complete = COMPLETE_BACKUP,
		.help = "id, its unique beginning, \"latest\", or path or URL of an archive" },
	{ .name = NULL },
};

static const struct column show_columns[] = {
	{ "schema", "SCHEMA", CELL_TEXT, 0, "schema of the table" },
	{ "table", "TABLE", CELL_TEXT, COLUMN_WIDE, "its name" },
	{ "rows", "ROWS", CELL_INT, 0, "rows in the backup" },
	{ "raw_bytes", "TEXT", CELL_SIZE, 0, "bytes of COPY text" },
	{ "stored_bytes", "STORED", CELL_SIZE, 0, "bytes of the data file" },
	{ "blocks", NULL, CELL_INT, COLUMN_EXTRA, "compressed blocks in the file" },
	{ "file", "FILE", CELL_TEXT, 0, "data file in the archive" },
	{ "fingerprint", "FINGERPRINT", CELL_TEXT, 0, "hash of the rows that does not depend on their order" },
	COLUMN_END,
};

static const struct example show_examples[] = {
	{ "dbops show latest", "the tables of the newest complete backup" },
	{ "dbops show 20261120 --from s3 --format json", "a backup in a remote, by the beginning of its id" },
	{ NULL, NULL },
};

static void fill_header(struct json *j, const struct backup_entry *e)
{
	const struct manifest *m = &e->manifest;

	jsonw_string(j, "id", m->id);
	jsonw_string(j, "database", m->database);
	jsonw_string(j, "label", m->label);
	jsonw_string(j, "system_identifier", m->system_identifier);
	jsonw_string(j, "server_version", m->server_version);
	jsonw_string(j, "pg_dump_version", m->dump_version);
	jsonw_string(j, "content", m->content);
	jsonw_time(j, "started_at", m->started_at);
	jsonw_time(j, "finished_at", m->finished_at);
	jsonw_time(j, "snapshot_at", m->snapshot_at);
	jsonw_string(j, "snapshot_lsn", m->snapshot_lsn);
	jsonw_int(j, "rows", m->rows);
	jsonw_int(j, "raw_bytes", m->raw_bytes);
	jsonw_int(j, "stored_bytes", m->stored_bytes);
	jsonw_int(j, "large_objects", m->large_object_count);
	jsonw_seconds(j, "seconds", m->seconds);
	add_reservations(j, m);
}

static void add_sizes(const struct manifest *m, struct strbuf *sb)
{
	count_format(m->table_count, sb);
	strbuf_adds(sb, " tables, ");
	count_format(m->rows, sb);
	strbuf_adds(sb, " rows, ");
	size_format(m->raw_bytes, sb);
	strbuf_adds(sb, " of text, ");
	size_format(m->stored_bytes, sb);
	strbuf_adds(sb, " stored, ");
	count_format(m->large_object_count, sb);
	strbuf_adds(sb, " large objects");
}

static void add_verified(const struct verification *v, struct strbuf *sb)
{
	if (!v->at) {
		strbuf_adds(sb, "never");
		return;
	}
	clock_format_utc(v->at, false, sb);
	strbuf_addf(sb, " (%s%s)", v->depth, v->ok ? "" : ", FAILED");
	if (v->restore_seconds > 0) {
		strbuf_adds(sb, ", restores in ");
		duration_format(v->restore_seconds, sb);
	}
}

static void print_header(FILE *out, const struct backup_entry *e)
{
	const struct manifest *m = &e->manifest;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "backup     %s\ndatabase   %s (system %s)\nserver     PostgreSQL %s, pg_dump %s\nsnapshot   ", m->id,
		m->database, m->system_identifier, m->server_version, m->dump_version);
	clock_format_utc(m->snapshot_at, false, &sb);
	strbuf_addf(&sb, " at LSN %s\ncontent    %s, ", m->snapshot_lsn ? m->snapshot_lsn : "?", m->content);
	add_sizes(m, &sb);
	strbuf_adds(&sb, "\ntook       ");
	duration_format(m->seconds, &sb);
	strbuf_adds(&sb, "\nverified   ");
	add_verified(&e->verified, &sb);
	strbuf_addch(&sb, '\n');
	for (size_t i = 0; i < m->exclusions.len; i++) {
		const struct manifest_exclusion *x = &m->exclusions.items[i];

		strbuf_addf(&sb, "not in it  %s%s%s: %s\n", x->kind, x->name ? " " : "", x->name ? x->name : "", x->reason);
	}
	for (size_t i = 0; i < m->warnings.len; i++)
		strbuf_addf(&sb, "warning    %s\n", m->warnings.items[i]);
	fprintf(out, "%s\n", sb.buf);
}

static void print_table(struct report *r, const struct manifest_file *f)
{
	char fingerprint[FINGERPRINT_HEX_LEN + 1];

	fingerprint_format(&f->fingerprint, fingerprint);

	const struct cell cells[] = {
		CELL_OF_TEXT(f->schema),
		CELL_OF_TEXT(f->name),
		CELL_OF_INT(f->rows),
		CELL_OF_INT(f->raw_bytes),
		CELL_OF_INT(f->stored_bytes),
		CELL_OF_INT(f->blocks),
		CELL_OF_TEXT(f->file),
		{ .text = fingerprint },
	};

	report_row(r, cells);
}

static bool show_run(struct app *app, const void *data, struct error *err)
{
	const struct show_args *a = data;
	_cleanup_storage_ struct storage *s = NULL;
	_cleanup_entry_ struct backup_entry e = { 0 };

	if (!find_backup(app, app->operands.items[0], a->database, &s, &e, err))
		return false;
	if (app->report.format == FORMAT_TABLE)
		print_header(app->report.out, &e);

	struct report *r = report_begin(&app->report, "tables", show_columns);
	struct json *header = report_header(r);

	if (header)
		fill_header(header, &e);
	for (size_t i = 0; i < e.manifest.tables.len; i++)
		print_table(r, &e.manifest.tables.items[i]);
	return report_end(r, err);
}

const struct command show_command = {
	.name = "show",
	.summary = "show what a backup holds, table by table",
	.detail = "Shows where a backup comes from, what is not in it, when it was last proven, and each table's rows, "
		  "bytes and fingerprint.",
	.options = show_options,
	.operands = show_operands,
	.columns = show_columns,
	.examples = show_examples,
	.args_size = sizeof(struct show_args),
	.needs = NEED_REPOSITORY,
	.flags = COMMAND_ROWS,
	.run = show_run,
};
