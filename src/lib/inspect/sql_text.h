/* SPDX-License-Identifier: PostgreSQL
 *
 * sql_text.h - what two texts of one statement have in common.
 *
 * pg_stat_statements' queryid changes with the major version, before PostgreSQL 18 also when a table is
 * created anew and with the number of constants in an IN list. The fingerprint depends on the text alone: constants
 * and parameters become "$", lists of equal elements one element, rows of VALUES one row, comments and white
 * space go, words outside quotes become lower case.
 * Lexical rules: PostgreSQL documentation, "Lexical Structure".
 */
#ifndef DBOPS_SQL_TEXT_H
#define DBOPS_SQL_TEXT_H

#include <stdint.h>
#include "strbuf.h"

/* Adds text's normal form, its tokens separated by one space. Any bytes will do; what is not terminated ends with the text. */
void sql_text_normalise(struct strbuf *out, const char *text);
/* 64 bits of the normal form, the same on every machine. */
uint64_t sql_text_fingerprint(const char *text);

#endif
