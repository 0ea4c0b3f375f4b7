/* SPDX-License-Identifier: PostgreSQL */
#include "toc.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "xalloc.h"

#define VERSION(major, minor) ((major) << 16 | (minor) << 8)
#define TOC_MAX_ENTRIES 50000000

struct reader {
	const uint8_t *data;
	size_t len, pos;
	unsigned int_size;
	bool failed; /* ran past the end, or a value that cannot be */
};

static uint8_t read_byte(struct reader *r)
{
	if (r->pos >= r->len) {
		r->failed = true;
		return 0;
	}
	return r->data[r->pos++];
}

/* WriteInt: a sign byte, then int_size bytes, least significant first. */
static int read_int(struct reader *r)
{
	bool negative = read_byte(r) != 0;
	uint64_t value = 0;

	for (unsigned i = 0; i < r->int_size; i++) {
		uint64_t b = read_byte(r);

		if (i < 8)
			value |= b << (8 * i);
	}
	if (value > INT_MAX) {
		r->failed = true;
		return 0;
	}
	return negative ? -(int)value : (int)value;
}

/* WriteStr: length, then the bytes; -1 is NULL. keep false skips and gives NULL. */
static char *read_string(struct reader *r, bool keep)
{
	int n = read_int(r);

	if (n < 0 || r->failed)
		return NULL;
	if ((size_t)n > r->len - r->pos) {
		r->failed = true;
		return NULL;
	}

	const char *s = (const char *)r->data + r->pos;

	r->pos += (size_t)n;
	if (memchr(s, '\0', (size_t)n)) {
		r->failed = true;
		return NULL;
	}
	return keep ? xstrndup(s, (size_t)n) : NULL;
}

static bool read_header(struct reader *r, struct toc *t, struct error *err)
{
	if (r->len < 11 || memcmp(r->data, "PGDMP", 5) != 0)
		return error_set(err, EXIT_DAMAGED, "this is not a pg_dump archive");
	r->pos = 5;
	t->version = read_byte(r) << 16;
	t->version |= read_byte(r) << 8;
	t->version |= read_byte(r);
	if (t->version < VERSION(1, 14) || t->version >= VERSION(1, 17))
		return error_set(err, EXIT_REFUSED, "pg_dump archive version %d.%d is not known to dbops",
			t->version >> 16, t->version >> 8 & 255);
	r->int_size = read_byte(r);
	if (r->int_size < 1 || r->int_size > 32)
		return error_set(err, EXIT_DAMAGED, "the archive header has an impossible integer size %u",
			r->int_size);
	read_byte(r); /* size of file offsets: only -Fc data positions use it */
	t->format = (char)read_byte(r);
	if (t->version >= VERSION(1, 15))
		read_byte(r); /* compression algorithm */
	else
		read_int(r); /* compression level */
	for (int i = 0; i < 7; i++)
		read_int(r); /* struct tm of the dump, in its local time: the manifest has a better one */
	t->database = read_string(r, true);
	t->server_version = read_string(r, true);
	t->dump_version = read_string(r, true);
	if (r->failed)
		return error_set(err, EXIT_DAMAGED, "the archive header ends early");
	return true;
}

static void entry_release(struct toc_entry *e)
{
	free(e->tag);
	free(e->desc);
	free(e->schema);
	free(e->owner);
	free(e->defn);
	free(e->drop_stmt);
	free(e->copy_stmt);
	free(e->filename);
	free(e->deps);
}

/* Dependencies are strings in the file, ended by NULL. */
static void read_deps(struct reader *r, struct toc_entry *e)
{
	VEC(int) deps = { 0 };

	while (!r->failed) {
		autofree char *dep = read_string(r, true);

		if (!dep)
			break;
		*vec_push(&deps) = (int)strtol(dep, NULL, 10);
	}
	e->deps = deps.items;
	e->n_deps = deps.len;
}

/* -Fc has a flag and an offset of off_size bytes after the dependencies, -Fd a file name. */
static void read_tail(struct reader *r, const struct toc *t, uint8_t off_size, struct toc_entry *e)
{
	if (t->format == 3) {
		e->filename = read_string(r, true);
		return;
	}
	read_byte(r);
	for (unsigned i = 0; i < off_size; i++)
		read_byte(r);
}

static void read_entry(struct reader *r, const struct toc *t, uint8_t off_size, struct toc_entry *e)
{
	e->dump_id = read_int(r);
	e->has_data = read_int(r) != 0;
	free(read_string(r, false)); /* oid of the catalog the object is in */

	autofree char *oid = read_string(r, true);

	e->oid = oid ? (uint32_t)strtoul(oid, NULL, 10) : 0;
	e->tag = read_string(r, true);
	e->desc = read_string(r, true);

	int section = read_int(r);

	if (section < TOC_SECTION_NONE || section > TOC_SECTION_POST_DATA)
		r->failed = true;
	e->section = (enum toc_section)section;
	e->defn = read_string(r, true);
	e->drop_stmt = read_string(r, true);
	e->copy_stmt = read_string(r, true);
	e->schema = read_string(r, true);
	free(read_string(r, false)); /* tablespace */
	free(read_string(r, false)); /* table access method, 1.14 */
	if (t->version >= VERSION(1, 16))
		read_int(r); /* relkind */
	e->owner = read_string(r, true);
	free(read_string(r, false)); /* "false": once WITH OIDS */
	read_deps(r, e);
	read_tail(r, t, off_size, e);
	if (!e->desc || !e->tag)
		r->failed = true;
}

static void drop_string(char **s)
{
	free(*s);
	*s = NULL;
}

/* Reduces an entry to what a backup run needs; false when nothing of it does. */
static bool slim(struct toc_entry *e)
{
	bool large_object = strncmp(e->desc, "BLOB", 4) == 0;

	if (!e->has_data && !large_object)
		return false;
	drop_string(&e->owner);
	drop_string(&e->drop_stmt);
	if (!large_object && !toc_load_via_root(e))
		drop_string(&e->defn);
	return true;
}

/* "SET client_encoding = 'UTF8';" */
static char *encoding_of(const char *defn)
{
	const char *from = defn ? strchr(defn, '\'') : NULL;
	const char *to = from ? strchr(from + 1, '\'') : NULL;

	return to ? xstrndup(from + 1, (size_t)(to - from - 1)) : NULL;
}

static bool read_entries(struct reader *r, int keep, uint8_t off_size, struct toc *t, struct error *err)
{
	int count = read_int(r);

	if (count < 0 || count > TOC_MAX_ENTRIES)
		r->failed = true;
	for (int i = 0; i < count && !r->failed; i++) {
		struct toc_entry e = { 0 };

		read_entry(r, t, off_size, &e);
		if (!r->failed && strcmp(e.desc, "ENCODING") == 0 && !t->encoding)
			t->encoding = encoding_of(e.defn);
		if (!r->failed && (keep == TOC_KEEP_ALL || slim(&e)))
			*vec_push(t) = e;
		else
			entry_release(&e);
	}
	t->bytes = r->pos;
	if (r->failed)
		return error_set(err, EXIT_DAMAGED, "the table of contents ends early or is damaged at byte %zu",
			r->pos);
	return true;
}

bool toc_parse(const void *data, size_t len, int keep, bool whole, struct toc *ret, struct error *err)
{
	struct reader r = { .data = data, .len = len };

	*ret = (struct toc){ 0 };

	bool ok = read_header(&r, ret, err) && read_entries(&r, keep, r.data[9], ret, err);

	if (ok && whole && r.pos != len)
		ok = error_set(err, EXIT_DAMAGED, "%zu bytes follow the table of contents", len - r.pos);
	if (!ok)
		toc_release(ret);
	return ok;
}

void toc_release(struct toc *t)
{
	for (size_t i = 0; i < t->len; i++)
		entry_release(&t->items[i]);
	free(t->items);
	free(t->database);
	free(t->server_version);
	free(t->dump_version);
	free(t->encoding);
	*t = (struct toc){ 0 };
}

const struct toc_entry *toc_find(const struct toc *t, int dump_id)
{
	for (size_t i = 0; i < t->len; i++)
		if (t->items[i].dump_id == dump_id)
			return &t->items[i];
	return NULL;
}

static const char *skip_quoted(const char *p)
{
	for (p++; *p; p++)
		if (*p == '"') {
			if (p[1] != '"')
				return p + 1;
			p++;
		}
	return p;
}

/* End of a possibly qualified, possibly quoted name. */
static const char *skip_name(const char *p)
{
	while (*p && *p != ' ' && *p != '(')
		p = *p == '"' ? skip_quoted(p) : p + 1;
	return p;
}

static const char *copy_name(const char *stmt)
{
	return stmt && strncmp(stmt, "COPY ", 5) == 0 ? stmt + 5 : NULL;
}

char *toc_copy_relation(const char *copy_stmt)
{
	const char *name = copy_name(copy_stmt);

	return name ? xstrndup(name, (size_t)(skip_name(name) - name)) : NULL;
}

char *toc_copy_columns(const char *copy_stmt)
{
	const char *name = copy_name(copy_stmt);

	if (!name)
		return NULL;

	const char *p = skip_name(name);

	while (*p == ' ')
		p++;
	if (*p != '(')
		return strncmp(p, "FROM stdin", 10) == 0 ? xstrdup("") : NULL;

	const char *start = p;

	for (p++; *p && *p != ')';)
		p = *p == '"' ? skip_quoted(p) : p + 1;
	if (*p != ')' || strncmp(p + 1, " FROM stdin", 11) != 0)
		return NULL;
	return xstrndup(start, (size_t)(p + 1 - start));
}

const char *toc_load_via_root(const struct toc_entry *e)
{
	static const char mark[] = "-- load via partition root ";

	return e->defn && strncmp(e->defn, mark, sizeof(mark) - 1) == 0 ? e->defn + sizeof(mark) - 1 : NULL;
}

bool toc_next_object(const struct toc_entry *group, const char **at, uint32_t *ret)
{
	const char *from = *at ? *at : group->defn;
	char *end;

	if (!from || !toc_is_object_group(group))
		return false;

	unsigned long oid = strtoul(from, &end, 10);

	if (end == from)
		return false;
	*at = end + strspn(end, " \r\n");
	*ret = (uint32_t)oid;
	return true;
}
