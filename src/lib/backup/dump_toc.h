/* SPDX-License-Identifier: PostgreSQL
 *
 * dump_toc.h - the table of contents, by pg_dump itself.
 *
 * pg_dump -Fd writes and closes toc.dat before it opens the first data file. It is given a folder
 * whose path is so long (1015 bytes) that "<folder>/toc.dat" fits into its MAXPGPATH of 1024 but no
 * data file does: it stops by itself, before it sends a COPY. Should it go on in spite of that, a
 * watch on the folder stops it. Success is a toc.dat that parses to its end, not pg_dump's status.
 */
#ifndef DBOPS_DUMP_TOC_H
#define DBOPS_DUMP_TOC_H

#include "backup.h"
#include "tools.h"

/* Puts toc.dat into *ret. */
bool dump_toc(const struct backup_options *o, const struct pg_tools *tools, const struct pg_conn *conn,
	const char *snapshot, const struct cancel *cancel, struct strbuf *ret, struct error *err);

/* The whole dump by pg_dump -Fd -jN into folder (which must not exist), for archives whose TOC
 * dbops does not know. */
bool dump_whole(const struct backup_options *o, const struct pg_tools *tools, const struct pg_conn *conn,
	const char *snapshot, const char *folder, const struct cancel *cancel, struct error *err);

/* globals.sql by pg_dumpall --globals-only; *ret_no_passwords when role passwords could not be read. */
bool dump_globals(const struct pg_tools *tools, const struct pg_conn *conn, const struct cancel *cancel,
	struct strbuf *ret, bool *ret_no_passwords, struct error *err);

#endif
