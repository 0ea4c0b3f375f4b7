/* SPDX-License-Identifier: PostgreSQL
 *
 * repo.h - how backups are named and found in a storage.
 *
 *	<database>/<id>/dbops.json      a complete backup (the manifest is the commit)
 *	<database>/<id>.partial/        one being written to a folder; renamed at the end
 *
 * <database> is percent-encoded; ids sort by time: 20261120T203616Z-4f9a10c7e.
 */
#ifndef DBOPS_REPO_H
#define DBOPS_REPO_H

#include "manifest.h"
#include "storage.h"

#define PARTIAL_SUFFIX ".partial"

/* Folder name of a database's backups. Caller frees. */
char *repo_series(const char *database);
/* The database name behind a folder name. Caller frees. */
char *repo_database(const char *series);
/* A new id for the time. Caller frees. */
char *repo_new_id(int64_t now_us);
/* The time an id was made at; false when it is not an id. */
bool repo_id_time(const char *id, int64_t *ret_us);
/* "<database>/<id>/" . Caller frees. */
char *repo_prefix(const char *database, const char *id);

struct backup_entry {
	char *id;
	char *series;        /* folder, as stored */
	char *prefix;        /* key prefix with its final '/'; "" when the storage's root is the backup */
	bool complete;       /* has a manifest that can be read */
	bool unfinished;     /* no manifest at all: a run that did not finish, or a prune that did not */
	char *problem;       /* why it is not complete, or NULL */
	struct manifest manifest; /* of a complete one; without tables unless loaded whole */
	struct verification verified; /* at 0 = never */
};
struct catalog {
	struct backup_entry *items;
	size_t len, alloc;
};
void backup_entry_release(struct backup_entry *e);
void catalog_release(struct catalog *c);
#define _cleanup_catalog_ _cleanup_(catalog_release)
#define _cleanup_entry_   _cleanup_(backup_entry_release)

/* All backups below the storage's root, oldest first, incomplete ones included. */
bool catalog_load(struct storage *s, struct catalog *ret, struct error *err);

/* Finds one: id, unique prefix of an id, or "latest" (the newest complete one of database; NULL when
 * the repository has only one). Loads its manifest whole. EXIT_NOT_FOUND, EXIT_USAGE (ambiguous),
 * EXIT_DAMAGED (also when the newest has a manifest that cannot be read). */
bool catalog_find(struct storage *s, const char *database, const char *operand, struct backup_entry *ret,
	struct error *err);
/* The backup that is the storage's root itself (path or URL of an archive). */
bool catalog_open_root(struct storage *s, struct backup_entry *ret, struct error *err);

/* Key of a file of the backup. Caller frees. */
char *backup_key(const struct backup_entry *e, const char *name);
/* Reads one of the plain files and proves its size and SHA-256 (EXIT_DAMAGED naming it). */
bool backup_read_file(struct storage *s, const struct backup_entry *e, const char *name, struct strbuf *ret,
	struct error *err);

/* Proves one of the plain files without keeping it (any size). */
bool backup_check_file(struct storage *s, const struct backup_entry *e, const struct manifest_plain *f,
	struct error *err);

/* Removes all that lies below prefix ("<database>/<id>/"), the manifest first: from then on it is no
 * backup any more, whatever happens. EXIT_REFUSED when something that is no file of ours keeps the folder. */
bool backup_remove(struct storage *s, const char *prefix, struct error *err);

/* Stores a verification result beside the manifest. */
bool backup_store_verification(struct storage *s, const struct backup_entry *e, const struct verification *v,
	struct error *err);

#endif
