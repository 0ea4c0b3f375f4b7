/* SPDX-License-Identifier: PostgreSQL
 *
 * manifest.h - dbops.json: what a backup is, and by its presence, that it is complete.
 *
 * docs/FORMAT.md describes the file. The blocks of all data files stand in dbops.blocks, 52
 * bytes each (data_file.h), tables in manifest order, then large objects; the manifest holds
 * that file's SHA-256. One field table serves writing and reading.
 */
#ifndef DBOPS_MANIFEST_H
#define DBOPS_MANIFEST_H

#include <stdint.h>
#include "error.h"
#include "fingerprint.h"
#include "strbuf.h"
#include "vec.h"

#define MANIFEST_NAME           "dbops.json"
#define BLOCKS_NAME             "dbops.blocks"
#define VERIFIED_NAME           "dbops.verified.json"
#define PARTITION_NAME          "dbops.partition.json" /* of an archived partition: what it was part of */
#define MANIFEST_FORMAT_VERSION 1
#define MANIFEST_MAX_BYTES      ((size_t)1 << 30)

/* A data file: a table's rows or one large object. */
struct manifest_file {
	char *schema, *name;     /* of the table; NULL for a large object */
	uint64_t oid;            /* of the relation or large object */
	char *file;              /* "3353.dat.gz" */
	char *columns;           /* COPY column list, verbatim; "" for none */
	char *root;              /* quoted name of the root to load through, or NULL */
	char *condition;         /* WHERE clause of an extension's configuration table, or NULL */
	int64_t rows, raw_bytes, stored_bytes;
	struct fingerprint fingerprint;
	int64_t blocks, first_block; /* records in dbops.blocks */
	int64_t unit_pages;      /* > 0: unit i is heap pages [i * unit_pages, (i + 1) * unit_pages), the last open-ended */
};

/* Any other file, hashed as a whole. */
struct manifest_plain {
	char *name, *sha256;
	int64_t bytes;
};

/* What is not in this backup. */
struct manifest_exclusion {
	char *kind, *name, *reason; /* name may be NULL */
};

struct manifest {
	int64_t format_version;
	char *id, *label, *database, *system_identifier;
	char *server_version, *dump_version, *dbops_version, *archive_version;
	int64_t server_version_num;
	int64_t started_at, finished_at, snapshot_at; /* microseconds UTC */
	char *snapshot_lsn;
	bool in_recovery;
	char *encoding, *collate, *ctype, *locale_provider, *icu_locale, *lc_monetary;
	int64_t database_bytes;
	int64_t table_count, large_object_count;
	int64_t rows, raw_bytes, stored_bytes;
	double seconds, seconds_locking, seconds_toc, seconds_data, seconds_globals;
	char *content; /* "full", "schema", "data" */
	char *compression;
	int64_t jobs;
	bool fallback; /* data files were written by pg_dump itself: no rows, no fingerprints */
	struct { struct manifest_file *items; size_t len, alloc; } tables, large_objects;
	struct { struct manifest_plain *items; size_t len, alloc; } files;
	struct { struct manifest_exclusion *items; size_t len, alloc; } exclusions;
	struct strvec options;  /* the filters given, "--table=…" */
	struct strvec warnings;
};

void manifest_release(struct manifest *m);
#define _cleanup_manifest_ _cleanup_(manifest_release)

/* Appends the JSON document. */
void manifest_write(const struct manifest *m, struct strbuf *out);
/* EXIT_DAMAGED when it is not a manifest; EXIT_REFUSED for a newer format version. */
bool manifest_parse(const char *text, size_t len, struct manifest *ret, struct error *err);

/* Records a plain file with its hash. */
void manifest_add_file(struct manifest *m, const char *name, const void *data, size_t len);
const struct manifest_plain *manifest_find_file(const struct manifest *m, const char *name);
/* The archive of one partition, made by "dbops partitions archive": no backup of the database, whatever its age. */
bool manifest_is_partition(const struct manifest *m);
void manifest_add_exclusion(struct manifest *m, const char *kind, const char *name, const char *reason);

/* dbops.verified.json: the last proof of each depth. */
struct verification {
	int64_t at;          /* microseconds UTC; 0 = never */
	char depth[8];       /* "quick", "full", "restore" */
	bool ok;
	double seconds;      /* of the run; for "restore" the measured restore time */
	double restore_seconds;
};
void verification_write(const struct verification *v, const char *backup_id, struct strbuf *out);
/* False when it is not one (then there simply is no verification). */
bool verification_parse(const char *text, size_t len, struct verification *ret);

#endif
