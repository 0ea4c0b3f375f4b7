/* SPDX-License-Identifier: PostgreSQL
 *
 * audit.h - the parts of "dbops indexes audit".
 */
#ifndef DBOPS_CMD_INDEXES_AUDIT_H
#define DBOPS_CMD_INDEXES_AUDIT_H

#include "indexes.h"
#include "indexes_expect.h"
#include "inspect.h"

/* Adds the scans that the standby at dsn counts to m; what dsn leaves out is as in the primary's connection. One that
 * cannot be asked is a gap in the answer; one that is no standby of this server fails (EXIT_USAGE). */
bool audit_sample_standby(struct look *look, struct index_model *m, const char *dsn, struct error *err);

/* Reads the file of --expect: SQL, or (.yaml, .yml) a YAML list of statements. EXIT_NOT_FOUND, EXIT_USAGE. */
bool audit_read_expected(const char *path, struct expected_indexes *ret, struct error *err);

#endif
