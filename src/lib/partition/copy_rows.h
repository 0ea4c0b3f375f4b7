/* SPDX-License-Identifier: PostgreSQL
 *
 * copy_rows.h - COPY … TO STDOUT, row by row, while a stop request is heard.
 */
#ifndef DBOPS_PARTITION_COPY_ROWS_H
#define DBOPS_PARTITION_COPY_ROWS_H

#include "cancel.h"
#include "fingerprint.h"
#include "pg.h"

/* Calls row for each row (its text with the final newline); false from it ends everything. what is for messages. After a failure in
 * the middle the session is good for nothing but closing. */
bool copy_rows(struct pg_conn *c, const char *sql, const char *what, const struct cancel *cancel,
	bool (*row)(void *data, const char *text, size_t len, struct error *err), void *data, struct error *err);

#endif
