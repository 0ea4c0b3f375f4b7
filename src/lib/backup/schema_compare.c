/* SPDX-License-Identifier: PostgreSQL */
#include "schema_compare.h"

#include "fs.h"
#include "proc.h"
#include "xalloc.h"

#define TOC_MAX_BYTES ((size_t)2 << 30)

static bool is_compared(const struct toc_entry *e)
{
	static const char *const others[] = { "ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES",
		"ACL", "DEFAULT ACL", "SECURITY LABEL", "SUBSCRIPTION", "BLOB", "BLOBS", "BLOB METADATA", "BLOB COMMENTS",
		"TABLE DATA", "MATERIALIZED VIEW DATA", "SEQUENCE SET", "STATISTICS DATA", NULL };

	for (const char *const *o = others; *o; o++)
		if (strcmp(e->desc, *o) == 0)
			return false;
	/* a comment on the database, and the schema that every database has */
	if (strncmp(e->tag, "DATABASE ", 9) == 0 || strncmp(e->tag, "LARGE OBJECT", 12) == 0)
		return false;
	return !(strcmp(e->desc, "SCHEMA") == 0 && strcmp(e->tag, "public") == 0) && strcmp(e->tag, "SCHEMA public") != 0;
}

static int compare_names(const struct toc_entry *a, const struct toc_entry *b)
{
	int r = strcmp(a->desc, b->desc);

	r = r ? r : strcmp(a->schema ? a->schema : "", b->schema ? b->schema : "");
	return r ? r : strcmp(a->tag, b->tag);
}

/* Function definitions of one name (overloads) differ in their text: that orders them, too. */
static int by_name(const void *a, const void *b)
{
	const struct toc_entry *x = *(const struct toc_entry *const *)a, *y = *(const struct toc_entry *const *)b;
	int r = compare_names(x, y);

	return r ? r : strcmp(x->defn ? x->defn : "", y->defn ? y->defn : "");
}

static const struct toc_entry **sorted_entries(const struct toc *t, size_t *ret_n)
{
	VEC(const struct toc_entry *) list = { 0 };

	for (size_t i = 0; i < t->len; i++)
		if (is_compared(&t->items[i]))
			*vec_push(&list) = &t->items[i];
	if (list.len)
		qsort(list.items, list.len, sizeof(*list.items), by_name);
	*ret_n = list.len;
	return list.items;
}

static void differ(struct verify_result *ret, const struct toc_entry *e, const char *what)
{
	autofree char *text = xasprintf("definition of %s \"%s%s%s\" %s", e->desc, e->schema ? e->schema : "",
		e->schema ? "." : "", e->tag, what);

	verify_add_problem(ret, "", NULL, -1, text);
}

/* The lines of a definition, without the commas between them, sorted. */
static char *sorted_lines(const char *defn)
{
	_cleanup_strvec_ struct strvec lines = { 0 };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	while (*defn) {
		size_t n = strcspn(defn, "\n");
		size_t keep = n && defn[n - 1] == ',' ? n - 1 : n;

		strvec_push_take(&lines, xstrndup(defn, keep));
		defn += n + (defn[n] == '\n');
	}
	strvec_sort(&lines);
	for (size_t i = 0; i < lines.len; i++)
		strbuf_addf(&out, "%s\n", lines.items[i]);
	return strbuf_detach(&out);
}

/* A table that was made a child later has its columns in another order after any restore:
 * INHERITS puts the parent's first. */
static bool same_definition(const struct toc_entry *a, const struct toc_entry *b)
{
	const char *x = a->defn ? a->defn : "", *y = b->defn ? b->defn : "";

	if (strcmp(x, y) == 0)
		return true;
	if (strcmp(a->desc, "TABLE") != 0 || !strstr(x, "\nINHERITS (") || !strstr(y, "\nINHERITS ("))
		return false;

	autofree char *p = sorted_lines(x), *q = sorted_lines(y);

	return strcmp(p, q) == 0;
}

/* Merge of two sorted lists. */
static void compare_entries(const struct toc *want, const struct toc *got, struct verify_result *ret)
{
	size_t n, m, i = 0, k = 0;
	autofree const struct toc_entry **a = sorted_entries(want, &n);
	autofree const struct toc_entry **b = sorted_entries(got, &m);

	while (i < n || k < m) {
		int r = i == n ? 1 : k == m ? -1 : compare_names(a[i], b[k]);

		if (r < 0) {
			differ(ret, a[i++], "is missing after the restore");
		} else if (r > 0) {
			differ(ret, b[k++], "is not in the backup");
		} else {
			if (!same_definition(a[i], b[k]))
				differ(ret, a[i], "differs after the restore");
			i++;
			k++;
		}
	}
}

static bool dump_definitions(const struct pg_conn *c, const struct pg_tools *tools, const char *file,
	const struct cancel *cancel, struct error *err)
{
	_cleanup_strvec_ struct strvec argv = { 0 };
	_cleanup_strbuf_ struct strbuf errors = STRBUF_INIT;
	struct proc_spec spec = { .env = &c->env, .errors = &errors };
	int status = 0;

	strvec_push_take(&argv, pg_tools_path(tools, "pg_dump"));
	strvec_push(&argv, "--format=custom");
	strvec_push(&argv, "--schema-only");
	strvec_push(&argv, "--no-password");
	strvec_pushf(&argv, "--file=%s", file);
	strvec_pushf(&argv, "--dbname=%s", c->child_conninfo);
	spec.argv = (const char *const *)argv.items;
	if (!proc_run(&spec, cancel, &status, err))
		return error_prefix(err, "pg_dump");
	if (status == 0)
		return true;
	error_set(err, EXIT_UNAVAILABLE, "pg_dump of the restored database failed with status %d", status);
	return error_detail(err, "%s", errors.buf);
}

bool schema_compare(const struct restore_source *src, const struct pg_conn *c, const struct pg_tools *tools,
	struct log *log, const struct cancel *cancel, struct verify_result *ret, struct error *err)
{
	const char *const programs[] = { "pg_dump", NULL };
	_cleanup_tools_ struct pg_tools dump = { 0 };
	autofree char *file = fs_join(src->temp.path, "definitions");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_error_ struct error ignored = ERROR_INIT;
	int major = (int)strtol(src->entry->manifest.dump_version, NULL, 10);

	if (!src->toc.len || tools->major != major || !pg_tools_find(tools->bindir, programs, major, major, &dump, &ignored)) {
		log_warning(log, "verify.definitions", "definitions were not compared: that needs pg_dump and server of version %d",
			major);
		return true;
	}
	if (!dump_definitions(c, &dump, file, cancel, err) || !fs_read(file, TOC_MAX_BYTES, &text, err))
		return false;

	struct toc got = { 0 };

	if (!toc_parse(text.buf, text.len, TOC_KEEP_ALL, false, &got, err))
		return false;
	compare_entries(&src->toc, &got, ret);
	toc_release(&got);
	return true;
}
