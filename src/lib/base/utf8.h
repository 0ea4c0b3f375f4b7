/* SPDX-License-Identifier: PostgreSQL
 *
 * utf8.h - which bytes are UTF-8; names in a database of encoding SQL_ASCII need not be.
 *
 * Source: RFC 3629.
 */
#ifndef DBOPS_UTF8_H
#define DBOPS_UTF8_H

#include <stddef.h>

/* Length of the valid sequence at text (at most len bytes, and len > 0); 0 when there is none. */
size_t utf8_length(const char *text, size_t len);

#endif
