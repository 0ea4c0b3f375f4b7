/* SPDX-License-Identifier: PostgreSQL
 *
 * archive.h - takes one partition out of a database without ever losing a row.
 *
 *	archive_subject_load()   what it is: columns, bounds, parent; all of which the catalog forgets after a detach
 *	archive_export()         a backup of this table alone, an ordinary folder that pg_restore restores; what it was part
 *	                         of stands beside the rows in dbops.partition.json
 *	archive_prove()          everything read back from the destination: hashes, rows, fingerprints
 *	archive_drop()           in one transaction: nobody can write any more, the rows are read once more and are
 *	                         those of the archive, DROP TABLE
 *
 * Each step takes what the one before has proven, so there is no way to a drop around a proof.
 */
#ifndef DBOPS_PARTITION_ARCHIVE_H
#define DBOPS_PARTITION_ARCHIVE_H

#include "backup.h"
#include "model.h"
#include "repo.h"

struct archive_table {
	uint32_t oid;
	char *schema, *name;
	char kind;   /* pg_class.relkind */
	char *shape; /* columns with numbers, types and whether they are generated, as text: equal = the same columns */
};

/* A table that is archived, with the partitions below it. */
struct archive_subject {
	uint32_t oid;
	char *schema, *name;
	char *shown, *sql; /* for people; quoted for SQL */
	char kind;
	bool attached, detach_pending;
	uint32_t parent_oid;
	/* NULL and BOUND_NONE: no partition. Of a detached one what the detach recorded, without the key. */
	char *parent_schema, *parent_name, *parent_key; /* "RANGE (at)" */
	struct bound bound;
	char *database, *system_identifier;             /* of a record only */
	struct { struct archive_table *items; size_t len, alloc; } tables; /* itself first */
};
void archive_subject_release(struct archive_subject *s);
#define _cleanup_subject_ _cleanup_(archive_subject_release)

/* Reads the catalog in a short transaction of its own. EXIT_REFUSED for what cannot be archived: foreign tables, tables whose
 * rows are visible in part only (row security). *ret zeroed before. */
bool archive_subject_load(struct pg_conn *c, uint32_t oid, struct archive_subject *ret, struct error *err);
/* Whether tables and columns are still those of s; *ret_what says in words what is not (caller frees). In any transaction. */
bool archive_subject_compare(struct pg_conn *c, const struct archive_subject *s, char **ret_what, struct error *err);

/* dbops.partition.json. A record names no tables below. */
void archive_record_write(const struct archive_subject *s, const struct pg_conn *c, struct strbuf *out);
bool archive_record_parse(const char *text, size_t len, struct archive_subject *ret, struct error *err);

/* Label of the archives of a table: each is a series of its own. Caller frees. */
char *archive_label(const char *schema, const char *name);

struct archive_options {
	struct pg_params server;
	struct storage *storage; /* borrowed */
	bool remote;             /* it is S3 */
	int64_t jobs, level, lock_timeout_ms;
	const char *bindir;
};
/* Exports. On success *ret_id is the id of the new backup (caller frees); nothing is proven yet. */
bool archive_export(const struct archive_options *o, const struct archive_subject *s, const struct pg_conn *c, struct log *log,
	const struct cancel *cancel, char **ret_id, struct error *err);

/* What a statement must still give for the table to be what was archived. */
struct archive_check {
	char *copy, *shown; /* COPY … TO STDOUT; the table, for people */
	bool header;        /* the first row is none */
	int64_t rows;
	struct fingerprint fingerprint;
};

/* An archive that was read back. */
struct archive_proof {
	char *id, *url;                 /* url: "s3://bucket/app/20261120…" */
	char *encoding;                 /* client_encoding of the checks; NULL = the database's */
	struct { struct archive_check *items; size_t len, alloc; } checks;
	int64_t rows, raw_bytes, stored_bytes;
	struct fingerprint fingerprint; /* of all tables together */
	char *manifest_sha256;          /* names the archive in the ledger: it holds the hashes of everything else */
	double seconds;
};
void archive_proof_release(struct archive_proof *p);
#define _cleanup_proof_ _cleanup_(archive_proof_release)

/* Reads every byte of it back from the storage and compares it with the manifest, and the manifest with s: the very tables, no
 * more, no less, whole, with fingerprints. EXIT_DAMAGED, EXIT_REFUSED (an archive without fingerprints). */
bool archive_prove(struct storage *storage, const char *database, const char *id, const struct archive_subject *s, int64_t jobs,
	struct log *log, const struct cancel *cancel, struct archive_proof *ret, struct error *err);

struct archive_drop_options {
	struct log *log;
	const struct cancel *cancel;
	int64_t lock_timeout_ms; /* for one attempt */
	int64_t max_wait_ms;     /* for all attempts of one lock */
	bool keep;               /* compare, drop nothing */
	bool (*agree)(void *data, struct error *err); /* asked in the transaction, under the lock; NULL = nobody is */
	void *data;
};
/* Locks the table against writers, compares every row with the archive and drops the table, without CASCADE, in one transaction.
 * proof NULL: compares no rows, but still drops no other table than s, with no other partitions or columns. The table must not be
 * attached any more. EXIT_BUSY: it is locked, or not what it was; nothing was dropped then. *ret_unknown: the connection broke in
 * COMMIT, so nobody knows. */
bool archive_drop(struct pg_conn *c, const struct archive_subject *s, const struct archive_proof *proof,
	const struct archive_drop_options *o, bool *ret_unknown, struct error *err);

#endif
