/* SPDX-License-Identifier: PostgreSQL
 *
 * toc.h - reads the table of contents of a pg_dump archive (toc.dat of -Fd, head of -Fc).
 *
 * Source: PostgreSQL src/bin/pg_dump/pg_backup_archiver.c, ReadHead() and ReadToc(), archive
 * versions 1.14 (PostgreSQL 13-15), 1.15 (16) and 1.16 (17, 18). dbops never writes one: the
 * TOC of a backup is pg_dump's own, byte for byte.
 */
#ifndef DBOPS_TOC_H
#define DBOPS_TOC_H

#include <stdint.h>
#include "error.h"
#include "vec.h"

enum toc_section {
	TOC_SECTION_NONE = 1,
	TOC_SECTION_PRE_DATA = 2,
	TOC_SECTION_DATA = 3,
	TOC_SECTION_POST_DATA = 4,
};

struct toc_entry {
	int dump_id;
	bool has_data;         /* hadDumper: there is a data file */
	enum toc_section section;
	uint32_t oid;
	char *tag, *desc, *schema, *owner; /* schema NULL: not in one */
	char *defn;            /* kept only where toc_keep says so; else NULL */
	char *drop_stmt;       /* only with TOC_KEEP_ALL */
	char *copy_stmt;       /* TABLE DATA: "COPY s.t (a, b) FROM stdin;\n" */
	char *filename;        /* "3353.dat", "blobs.toc"; NULL or "" = none */
	int *deps;
	size_t n_deps;
};

struct toc {
	int version;           /* 0x010e00 | … : major << 16 | minor << 8 | revision */
	char format;           /* 1 custom, 3 directory (and tar) */
	char *database, *server_version, *dump_version;
	char *encoding;        /* of the ENCODING entry, "UTF8"; NULL = none */
	struct toc_entry *items;
	size_t len, alloc;
	size_t bytes;          /* parsed: for -Fd this is the file's length */
};

/* What to keep of each entry: a dump of 5000 tables must stay small in memory. */
#define TOC_KEEP_DATA 0 /* entries with data, large object lists, ENCODING; no definitions */
#define TOC_KEEP_ALL  1 /* everything */

/* EXIT_DAMAGED when it is not a TOC or ends early; EXIT_REFUSED for a version we do not know
 * (then the caller falls back to pg_dump's and pg_restore's own ways). whole: bytes after the last
 * entry are damage too (directory format). */
bool toc_parse(const void *data, size_t len, int keep, bool whole, struct toc *ret, struct error *err);
void toc_release(struct toc *t);
#define _cleanup_toc_ _cleanup_(toc_release)

/* The entry with this dump id, or NULL. */
const struct toc_entry *toc_find(const struct toc *t, int dump_id);

/* The column list of a COPY statement verbatim: "(a, \"weird, col\")"; "" when there is none (zero
 * columns). NULL when the statement is not one of pg_dump's. Caller frees. */
char *toc_copy_columns(const char *copy_stmt);
/* The (quoted) relation name of a COPY statement verbatim. Caller frees. */
char *toc_copy_relation(const char *copy_stmt);
/* The quoted root of "-- load via partition root x.y", or NULL. Borrowed from defn. */
const char *toc_load_via_root(const struct toc_entry *e);

/* Walks the OIDs of a group of large objects (archive 1.16): the lines of its definition. Start with *at = NULL; false
 * when there are no more. */
bool toc_next_object(const struct toc_entry *group, const char **at, uint32_t *ret);

static inline bool toc_is_object_group(const struct toc_entry *e)
{
	return strcmp(e->desc, "BLOB METADATA") == 0;
}
static inline bool toc_is_table_data(const struct toc_entry *e)
{
	return e->has_data && strcmp(e->desc, "TABLE DATA") == 0;
}
static inline bool toc_is_blobs(const struct toc_entry *e)
{
	return e->has_data && strcmp(e->desc, "BLOBS") == 0;
}

#endif
