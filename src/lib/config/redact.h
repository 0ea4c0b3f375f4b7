/* SPDX-License-Identifier: PostgreSQL
 *
 * redact.h - finds the password in a connection string, to hide it or to warn about it.
 *
 * Knows both forms of libpq (documentation, "Connection Strings"): URLs (user:password@host and
 * ?password=) and keyword/value strings (password=, also quoted).
 */
#ifndef DBOPS_REDACT_H
#define DBOPS_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include "strbuf.h"

/* Where the first password at or behind offset from is; false = there is none. */
bool conninfo_password(const char *s, size_t from, size_t *ret_start, size_t *ret_len);
/* Adds s to out with "********" for each password. */
void conninfo_redact(const char *s, struct strbuf *out);

#endif
