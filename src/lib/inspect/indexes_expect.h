/* SPDX-License-Identifier: PostgreSQL
 *
 * indexes_expect.h - a list of indexes that must exist, compared with those that do.
 */
#ifndef DBOPS_INDEXES_EXPECT_H
#define DBOPS_INDEXES_EXPECT_H

#include "indexes.h"

struct expected_index {
	char *schema, *table, *name; /* schema, name: NULL = any */
	char *method;
	char *form;                  /* columns and condition in one form */
	char *head, *tail;           /* "CREATE UNIQUE INDEX ", "schema.table USING … (…) …" as written */
	bool unique;
};

struct expected_indexes {
	VEC(struct expected_index) items;
};
void indexes_expected_release(struct expected_indexes *e);
#define _cleanup_expected_ _cleanup_(indexes_expected_release)

/* Adds the CREATE INDEX statements in text, separated by ';'. Anything else: EXIT_USAGE. */
bool indexes_expect_add(struct expected_indexes *e, const char *text, struct error *err);
/* Marks the indexes that are to be compared, before indexes_model_details(). */
void indexes_expect_want(struct index_model *m, const struct expected_indexes *e);
/* Adds what is missing, invalid or different, after indexes_model_details(). An index of another name will do. */
void indexes_judge_expected(struct index_model *m, const struct expected_indexes *e, struct index_findings *f);

#endif
