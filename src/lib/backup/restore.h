/* SPDX-License-Identifier: PostgreSQL
 *
 * restore.h - puts a backup into a database.
 *
 * Definitions, large objects, sequences, indexes and constraints are pg_restore's; the rows are
 * loaded by several workers, straight from the storage, several of them in one table. An archive
 * without dbops' manifest is left to pg_restore -j as a whole.
 */
#ifndef DBOPS_RESTORE_H
#define DBOPS_RESTORE_H

#include "cancel.h"
#include "log.h"
#include "pg.h"
#include "repo.h"
#include "temp.h"
#include "toc.h"
#include "tools.h"

struct restore_options {
	int64_t jobs;
	const char *bindir;
	bool clean, if_exists, no_owner, no_privileges, no_tablespaces, disable_triggers;
	bool schema_only, data_only, keep_going, no_check, no_verify, no_subscriptions;
	struct strvec tables, schemas; /* "name" or "schema.name", shell wildcards; borrowed */
};

struct restore_source {
	struct storage *storage;         /* borrowed; NULL for a foreign archive */
	const struct backup_entry *entry;/* borrowed; NULL for a foreign archive */
	char *path;                      /* what pg_restore reads: the backup's folder or file, or a staging folder */
	struct temp_dir temp;            /* private folder: lists for pg_restore, large objects from S3 */
	struct toc toc;
	bool *selected;                  /* per TOC entry */
	bool *companion;                 /* per TOC entry: came along, what it serves was asked for */
	size_t left_out;                 /* entries that match but need something not selected */
	struct pg_tools tools;           /* pg_restore */
	bool foreign;                    /* the data is pg_restore's, too */
};

struct restore_result {
	int64_t tables, rows, raw_bytes;
	int64_t unchecked;               /* tables that could not be compared, each with a warning */
	double seconds, seconds_pre, seconds_data, seconds_post, seconds_check;
	struct strvec differences;       /* "public.t: 3 rows instead of 4" */
};
void restore_result_release(struct restore_result *r);
#define _cleanup_restore_result_ _cleanup_(restore_result_release)

/* Opens a backup of dbops (entry) or, entry NULL, an archive of pg_dump at path (-Fd or -Fc). Reads
 * the TOC, finds pg_restore, selects. EXIT_NOT_FOUND when the selection is empty. */
bool restore_open(struct restore_source *src, struct storage *s, const struct backup_entry *e, const char *path,
	const struct restore_options *o, struct error *err);
void restore_close(struct restore_source *src);
#define _cleanup_source_ _cleanup_(restore_close)

/* What would happen, for people: goes before the confirmation. */
void restore_describe(const struct restore_source *src, const struct restore_options *o, const char *server,
	const char *database, bool create, struct strbuf *out);

/* True with *ret_relations: how many user relations the database has already. */
bool restore_count_relations(struct pg_conn *c, int64_t *ret_relations, struct error *err);
/* CREATE DATABASE with the source's encoding and locale (the server's own, with a warning, when
 * it does not know the locale). */
bool restore_create_database(struct pg_conn *c, const char *name, const struct restore_source *src, struct log *log,
	struct error *err);

/* Restores into the database c is connected to. Differences found by the check are in ret, not an
 * error. On failure err's detail says what was done before. */
bool restore_run(struct restore_source *src, struct pg_conn *c, const struct restore_options *o, struct log *log,
	const struct cancel *cancel, struct restore_result *ret, struct error *err);

#endif
