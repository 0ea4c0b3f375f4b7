/* SPDX-License-Identifier: PostgreSQL */
#include "dump_toc.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include "fs.h"
#include "proc.h"
#include "temp.h"
#include "toc.h"
#include "xalloc.h"

#define LONG_PATH_BYTES 1015
#define TOC_MAX_BYTES   ((size_t)4 << 30)
#define GLOBALS_MAX     ((size_t)256 << 20)

/* base, then nested folders, until the path has exactly LONG_PATH_BYTES; the last one is left to
 * pg_dump to create. Caller frees. */
static char *long_path(const char *base, struct error *err)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;

	strbuf_adds(&path, base);
	if (path.len > LONG_PATH_BYTES - 2) {
		error_set(err, EXIT_CONFIG, "the name of the temporary folder \"%s\" is too long", base);
		return NULL;
	}
	while (path.len < LONG_PATH_BYTES) {
		size_t left = LONG_PATH_BYTES - path.len;
		/* never leave a rest of one byte, which would be a slash alone */
		size_t part = left <= 200 ? left : left == 201 ? 199 : 200;

		if (path.len > strlen(base) && !fs_mkdirs(path.buf, err))
			return NULL;
		strbuf_addch(&path, '/');
		for (size_t i = 1; i < part; i++)
			strbuf_addch(&path, 't');
	}
	return strbuf_detach(&path);
}

static void add_patterns(struct strvec *argv, const char *option, const struct strvec *patterns)
{
	for (size_t i = 0; i < patterns->len; i++)
		strvec_pushf(argv, "--%s=%s", option, patterns->items[i]);
}

static void dump_arguments(const struct backup_options *o, const struct pg_tools *tools,
	const struct pg_conn *conn, const char *snapshot, const char *folder, struct strvec *argv)
{
	strvec_push_take(argv, pg_tools_path(tools, "pg_dump"));
	strvec_push(argv, "--format=directory");
	strvec_push(argv, "--no-password");
	strvec_push(argv, "--no-sync");
	strvec_pushf(argv, "--snapshot=%s", snapshot);
	strvec_pushf(argv, "--file=%s", folder);
	strvec_pushf(argv, "--lock-wait-timeout=%" PRId64, o->lock_timeout_ms > 0 ? o->lock_timeout_ms : 1);
	add_patterns(argv, "table", &o->tables);
	add_patterns(argv, "exclude-table", &o->exclude_tables);
	add_patterns(argv, "schema", &o->schemas);
	add_patterns(argv, "exclude-schema", &o->exclude_schemas);
	add_patterns(argv, "exclude-table-data", &o->exclude_table_data);
	if (o->schema_only)
		strvec_push(argv, "--schema-only");
	if (o->data_only)
		strvec_push(argv, "--data-only");
	if (conn->child_conninfo && conn->child_conninfo[0])
		strvec_pushf(argv, "--dbname=%s", conn->child_conninfo);
}

struct watch {
	const char *folder;
};

/* A name other than toc.dat: pg_dump has gone on to the data. */
static bool data_file_appeared(void *data)
{
	const struct watch *w = data;
	DIR *dir = w->folder ? opendir(w->folder) : NULL;
	bool found = false;

	if (!dir)
		return false;
	for (struct dirent *e; !found && (e = readdir(dir));)
		found = e->d_name[0] != '.' && strcmp(e->d_name, "toc.dat") != 0;
	closedir(dir);
	return found;
}

static bool run_program(const char *name, const struct strvec *argv, const struct pg_conn *conn,
	const char *watched, const struct cancel *cancel, struct strbuf *output, struct strbuf *errors,
	int *ret_status, struct error *err)
{
	struct watch watch = { watched };
	_cleanup_strvec_ struct strvec env = { 0 };
	struct proc_spec spec = {
		.argv = (const char *const *)argv->items,
		.env = &env,
		.output = output,
		.output_limit = GLOBALS_MAX,
		.errors = errors,
		.watch = watched ? data_file_appeared : NULL,
		.watch_data = &watch,
	};

	for (size_t i = 0; i < conn->env.len; i++)
		strvec_push(&env, conn->env.items[i]);
	strvec_push(&env, "LC_ALL=C"); /* program_failed() reads its messages */
	if (!proc_run(&spec, cancel, ret_status, err))
		return error_prefix(err, "%s", name);
	return true;
}

/* Turns a program's own words into our error; its exit status alone says little. */
static bool program_failed(const char *name, int status, const struct strbuf *errors, struct error *err)
{
	const char *text = errors->buf;
	enum exit_code code = EXIT_REFUSED;

	if (strstr(text, "permission denied") || strstr(text, "authentication failed"))
		code = EXIT_PERMISSION;
	else if (strstr(text, "lock timeout"))
		code = EXIT_BUSY;
	else if (strstr(text, "no matching"))
		code = EXIT_NOT_FOUND;
	else if (strstr(text, "No space left"))
		code = EXIT_CANNOT_WRITE;
	else if (strstr(text, "connection to server"))
		code = EXIT_UNAVAILABLE;
	error_set(err, code, "%s failed with status %d", name, status);
	return error_detail(err, "%s", text[0] ? text : "It printed nothing.");
}

static bool read_toc(const char *folder, struct strbuf *ret, struct error *err)
{
	autofree char *path = fs_join(folder, "toc.dat");

	return fs_read(path, TOC_MAX_BYTES, ret, err);
}

bool dump_toc(const struct backup_options *o, const struct pg_tools *tools, const struct pg_conn *conn,
	const char *snapshot, const struct cancel *cancel, struct strbuf *ret, struct error *err)
{
	_cleanup_temp_ struct temp_dir base = { 0 };
	autofree char *folder = temp_open(&base, "dbops-toc-", err) ? long_path(base.path, err) : NULL;
	_cleanup_strvec_ struct strvec argv = { 0 };
	_cleanup_strbuf_ struct strbuf errors = STRBUF_INIT;
	_cleanup_error_ struct error unreadable = ERROR_INIT;
	int status = 0;
	bool ok = folder != NULL;

	if (ok) {
		dump_arguments(o, tools, conn, snapshot, folder, &argv);
		ok = run_program("pg_dump", &argv, conn, folder, cancel, NULL, &errors, &status, err);
	}
	if (ok && !read_toc(folder, ret, &unreadable))
		ok = status ? program_failed("pg_dump", status, &errors, err) :
			      error_set(err, EXIT_REFUSED, "pg_dump ended well but wrote no table of contents");

	struct toc toc = { 0 };

	/* a pg_dump that died while writing it leaves half a TOC: say what pg_dump said */
	if (ok && status && !toc_parse(ret->buf, ret->len, TOC_KEEP_DATA, true, &toc, &unreadable) &&
		unreadable.code == EXIT_DAMAGED)
		ok = program_failed("pg_dump", status, &errors, err);
	toc_release(&toc);
	return ok;
}

bool dump_whole(const struct backup_options *o, const struct pg_tools *tools, const struct pg_conn *conn,
	const char *snapshot, const char *folder, const struct cancel *cancel, struct error *err)
{
	_cleanup_strvec_ struct strvec argv = { 0 };
	_cleanup_strbuf_ struct strbuf errors = STRBUF_INIT;
	int status = 0;

	dump_arguments(o, tools, conn, snapshot, folder, &argv);
	strvec_pushf(&argv, "--jobs=%" PRId64, o->jobs);
	strvec_pushf(&argv, "--compress=%" PRId64, o->level);
	if (!run_program("pg_dump", &argv, conn, NULL, cancel, NULL, &errors, &status, err))
		return false;
	return status == 0 || program_failed("pg_dump", status, &errors, err);
}

static bool run_dumpall(const struct pg_tools *tools, const struct pg_conn *conn, bool passwords,
	const struct cancel *cancel, struct strbuf *ret, struct strbuf *errors, int *ret_status, struct error *err)
{
	_cleanup_strvec_ struct strvec argv = { 0 };
	_cleanup_strbuf_ struct strbuf database = STRBUF_INIT;

	/* a conninfo, not a bare name: a database may be called "a=b" */
	strbuf_adds(&database, "dbname='");
	for (const char *p = conn->database; *p; p++) {
		if (*p == '\'' || *p == '\\')
			strbuf_addch(&database, '\\');
		strbuf_addch(&database, *p);
	}
	strbuf_addch(&database, '\'');
	strvec_push_take(&argv, pg_tools_path(tools, "pg_dumpall"));
	strvec_push(&argv, "--globals-only");
	strvec_push(&argv, "--no-password");
	strvec_pushf(&argv, "--database=%s", database.buf);
	if (conn->child_conninfo && conn->child_conninfo[0])
		strvec_pushf(&argv, "--dbname=%s", conn->child_conninfo);
	if (!passwords)
		strvec_push(&argv, "--no-role-passwords");
	strbuf_reset(ret);
	strbuf_reset(errors);
	return run_program("pg_dumpall", &argv, conn, NULL, cancel, ret, errors, ret_status, err);
}

bool dump_globals(const struct pg_tools *tools, const struct pg_conn *conn, const struct cancel *cancel,
	struct strbuf *ret, bool *ret_no_passwords, struct error *err)
{
	_cleanup_strbuf_ struct strbuf errors = STRBUF_INIT;
	int status = 0;

	*ret_no_passwords = false;
	if (!run_dumpall(tools, conn, true, cancel, ret, &errors, &status, err))
		return false;
	if (status == 0)
		return true;
	/* pg_authid is a superuser's; managed services never show it */
	if (!strstr(errors.buf, "permission denied"))
		return program_failed("pg_dumpall", status, &errors, err);
	*ret_no_passwords = true;
	if (!run_dumpall(tools, conn, false, cancel, ret, &errors, &status, err))
		return false;
	return status == 0 || program_failed("pg_dumpall", status, &errors, err);
}
