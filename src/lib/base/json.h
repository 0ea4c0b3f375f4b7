/* SPDX-License-Identifier: PostgreSQL
 *
 * json.h - a streaming JSON writer (RFC 8259). Reading is jansson's, whose names start with json_.
 *
 * Writes into a strbuf; a caller that streams empties the strbuf between calls. Commas, nesting
 * and escaping are the writer's; a value or container needs a key inside an object and must
 * have none (NULL) inside an array. Bytes that are not UTF-8 are written as U+FFFD.
 */
#ifndef DBOPS_JSON_H
#define DBOPS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "strbuf.h"

struct json {
	struct strbuf *out;
	int indent;         /* spaces a level; 0 = one line */
	unsigned depth;
	unsigned char started[32]; /* per level: a member was written */
};

#define JSON_INIT(sb, spaces) { .out = (sb), .indent = (spaces) }

void jsonw_object_begin(struct json *j, const char *key);
void jsonw_object_end(struct json *j);
void jsonw_array_begin(struct json *j, const char *key);
void jsonw_array_end(struct json *j);
/* s NULL writes null. */
void jsonw_string(struct json *j, const char *key, const char *s);
void jsonw_stringn(struct json *j, const char *key, const char *s, size_t len);
void jsonw_stringf(struct json *j, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void jsonw_int(struct json *j, const char *key, int64_t value);
/* A 64-bit identifier as a string, because JavaScript loses digits above 2^53. */
void jsonw_int_string(struct json *j, const char *key, uint64_t value);
/* Three decimals; not finite writes null. */
void jsonw_seconds(struct json *j, const char *key, double value);
/* Shortest form that reads back; not finite writes null. */
void jsonw_double(struct json *j, const char *key, double value);
/* Nine significant digits, for what was measured; not finite writes null. */
void jsonw_real(struct json *j, const char *key, double value);
void jsonw_bool(struct json *j, const char *key, bool value);
/* A value that is JSON already. */
void jsonw_raw(struct json *j, const char *key, const char *json);
void jsonw_null(struct json *j, const char *key);
/* ISO 8601 UTC; 0 writes null. */
void jsonw_time(struct json *j, const char *key, int64_t us);

#endif
