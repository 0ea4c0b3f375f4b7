/* SPDX-License-Identifier: PostgreSQL */
#include "restore_tool.h"

#include <inttypes.h>
#include <unistd.h>
#include "fs.h"
#include "proc.h"
#include "xalloc.h"

static bool in_section(const struct toc_entry *e, const char *section)
{
	if (!section)
		return true;
	if (strcmp(section, "pre-data") == 0)
		return e->section == TOC_SECTION_PRE_DATA;
	return e->section == (strcmp(section, "data") == 0 ? TOC_SECTION_DATA : TOC_SECTION_POST_DATA);
}

/* The list for --use-list: one dump id a line. It has the entries of all sections, because
 * pg_restore counts a comment or privilege to the section of the entry before it. Returns how many
 * entries the part itself has. */
static size_t make_list(const struct restore_source *src, const struct restore_part *part, struct strbuf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < src->toc.len; i++) {
		const struct toc_entry *e = &src->toc.items[i];

		if (!src->selected[i] || (part->without_table_data && toc_is_table_data(e)))
			continue;
		strbuf_addf(out, "%d;\n", e->dump_id);
		n += in_section(e, part->section);
	}
	return n;
}

/* Sorting an index in memory is what a restore waits for: a share of the RAM, at most 1 GiB. */
static int64_t maintenance_work_mem_kib(int64_t jobs)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	int64_t kib = pages > 0 && size > 0 ? (int64_t)pages * (size / 1024) / 8 / (jobs > 0 ? jobs : 1) : 65536;

	return kib < 65536 ? 65536 : kib > 1048576 ? 1048576 : kib;
}

static void make_environment(const struct pg_conn *c, const struct restore_options *o, struct strvec *env)
{
	_cleanup_strbuf_ struct strbuf options = STRBUF_INIT;

	for (size_t i = 0; i < c->env.len; i++) {
		if (strncmp(c->env.items[i], "PGOPTIONS=", 10) == 0)
			strbuf_addf(&options, "%s ", c->env.items[i] + 10);
		else if (strcmp(c->env.items[i], "PGOPTIONS") != 0)
			strvec_push(env, c->env.items[i]);
	}
	strbuf_addf(&options, "-c maintenance_work_mem=%" PRId64 "kB", maintenance_work_mem_kib(o->jobs));
	strvec_pushf(env, "PGOPTIONS=%s", options.buf);
	strvec_push(env, "LC_ALL=C");
}

static void push_flag(struct strvec *argv, bool on, const char *flag)
{
	if (on)
		strvec_push(argv, flag);
}

/* With a TOC that dbops cannot read the selection is pg_restore's own. */
static void push_names(struct strvec *argv, const struct restore_source *src, const struct restore_options *o)
{
	if (src->selected)
		return;
	for (size_t i = 0; i < o->tables.len; i++)
		strvec_pushf(argv, "--table=%s", o->tables.items[i]);
	for (size_t i = 0; i < o->schemas.len; i++)
		strvec_pushf(argv, "--schema=%s", o->schemas.items[i]);
	push_flag(argv, o->clean, "--clean");
	push_flag(argv, o->clean && o->if_exists, "--if-exists");
}

static void make_arguments(const struct restore_source *src, const struct pg_conn *c, const struct restore_options *o,
	const struct restore_part *part, const char *list, struct strvec *argv)
{
	strvec_push_take(argv, pg_tools_path(&src->tools, "pg_restore"));
	strvec_push(argv, "--no-password");
	strvec_pushf(argv, "--dbname=%s", c->child_conninfo);
	push_flag(argv, !o->keep_going, "--exit-on-error");
	push_flag(argv, o->no_owner, "--no-owner");
	push_flag(argv, o->no_privileges, "--no-privileges");
	push_flag(argv, o->no_tablespaces, "--no-tablespaces");
	push_flag(argv, o->no_subscriptions, "--no-subscriptions");
	push_flag(argv, o->schema_only, "--schema-only");
	push_flag(argv, o->data_only, "--data-only");
	push_flag(argv, o->data_only && o->disable_triggers, "--disable-triggers");
	push_names(argv, src, o);
	if (part->section)
		strvec_pushf(argv, "--section=%s", part->section);
	if (part->jobs > 1)
		strvec_pushf(argv, "--jobs=%" PRId64, part->jobs);
	if (list)
		strvec_pushf(argv, "--use-list=%s", list);
	strvec_push(argv, src->path);
}

static bool judge(const struct restore_part *part, const struct restore_options *o, int status,
	const struct strbuf *errors, struct log *log, struct error *err)
{
	const char *text = errors->buf;
	const char *what = part->section ? part->section : "all";

	if (status == 0)
		return true;
	if (o->keep_going && strstr(text, "errors ignored on restore")) {
		log_warning(log, "restore.errors", "pg_restore (%s): %s", what, text);
		return true;
	}
	error_set(err,
		strstr(text, "permission denied") || strstr(text, "must be owner") ? EXIT_PERMISSION :
		strstr(text, "connection to server")                             ? EXIT_UNAVAILABLE :
										     EXIT_REFUSED,
		"pg_restore (%s) failed with status %d", what, status);
	error_detail(err, "%s", text[0] ? text : "It printed nothing.");
	if (strstr(text, "role") && strstr(text, "does not exist"))
		return error_hint(err, "Create the roles first (globals.sql of the backup), or use --no-owner --no-privileges.");
	return error_hint(err, "Mend the cause, or use --keep-going to ignore single statements that fail.");
}

bool restore_tool_run(struct restore_source *src, struct pg_conn *c, const struct restore_options *o,
	const struct restore_part *part, struct log *log, const struct cancel *cancel, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, errors = STRBUF_INIT;
	_cleanup_strvec_ struct strvec argv = { 0 }, env = { 0 };
	autofree char *list = src->selected ? fs_join(src->temp.path, "list") : NULL;
	struct proc_spec spec = { .env = &env, .errors = &errors };
	int status = 0;

	if (src->selected && (!make_list(src, part, &text) || !fs_write_atomic(list, text.buf, text.len, err)))
		return !error_is_set(err);
	make_arguments(src, c, o, part, list, &argv);
	make_environment(c, o, &env);
	spec.argv = (const char *const *)argv.items;
	if (!proc_run(&spec, cancel, &status, err))
		return error_prefix(err, "pg_restore");
	return judge(part, o, status, &errors, log, err);
}
