/* SPDX-License-Identifier: PostgreSQL
 *
 * archive_csv.h - one partition as a gzipped CSV file, for a warehouse, with the same proof as an archive.
 *
 *	<database>/csv/<table>-<id>.csv.gz    a header, then the rows as COPY … (FORMAT csv) writes them, UTF-8, one gzip member
 *	<database>/csv/<table>-<id>.json      columns and types, rows, hashes; stored last, after the file was read back
 *
 * Fingerprints are of CSV records, which may hold newlines: reading back parses the quotes.
 */
#ifndef DBOPS_PARTITION_ARCHIVE_CSV_H
#define DBOPS_PARTITION_ARCHIVE_CSV_H

#include "archive.h"

/* Exports all columns of s on a session of its own, reads the file back from the storage, and describes it. After a failure nothing is left
 * that looks like an export. *ret serves archive_drop() as that of archive_prove() does. */
bool archive_csv(const struct archive_options *o, const struct archive_subject *s, const struct pg_conn *c, struct log *log,
	const struct cancel *cancel, struct archive_proof *ret, struct error *err);

/* Adds the records of a piece of CSV text to *f, as they were counted when written; a record may go over pieces. Exposed for its
 * test. */
struct csv_reader {
	struct strbuf record;
	bool quoted, skip; /* inside quotes; the next record is the header */
	int64_t rows;
	struct fingerprint fingerprint;
};
void csv_read(struct csv_reader *r, const char *text, size_t len);

#endif
