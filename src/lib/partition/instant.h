/* SPDX-License-Identifier: PostgreSQL
 *
 * instant.h - partition key values as points in time, whatever the type that holds them.
 *
 * One number for all: microseconds since 1970-01-01 00:00 UTC. date and timestamp have no zone; they are
 * taken as if they were UTC, so differences and order are right, and comparing them with now() needs the
 * zone that the table's users mean. Infinite and unrepresentable values saturate.
 */
#ifndef DBOPS_PARTITION_INSTANT_H
#define DBOPS_PARTITION_INSTANT_H

#include <stdbool.h>
#include <stdint.h>
#include "bound.h"

#define INSTANT_MIN INT64_MIN /* '-infinity', MINVALUE */
#define INSTANT_MAX INT64_MAX /* 'infinity', MAXVALUE */

enum key_kind {
	KEY_OTHER,       /* text, numeric, …: ordered by the server alone */
	KEY_DATE,
	KEY_TIMESTAMP,
	KEY_TIMESTAMPTZ,
	KEY_INTEGER,     /* int2, int4, int8; a time only when somebody states the unit */
	KEY_UUID,        /* a time if the values are version 7 (RFC 9562, section 5.7) */
};

/* The kind of a type, by its OID (src/include/catalog/pg_type.dat: built-in types keep theirs). */
enum key_kind key_kind_of_type(int64_t oid);

/* Unit of an integer key that counts from 1970-01-01 UTC. */
enum epoch_unit { EPOCH_NONE, EPOCH_SECONDS, EPOCH_MILLISECONDS, EPOCH_MICROSECONDS, EPOCH_NANOSECONDS };

/* "2025-01-31", "2025-01-31 12:00:00.5", "… +00", "… BC", "infinity": what the output functions of date,
 * timestamp and timestamptz write under DateStyle = ISO, TimeZone = UTC (offsets other than +00 are honoured,
 * too). False when it is none of them. */
bool instant_parse(const char *text, int64_t *ret);
/* The reverse: "2025-01-31", "2025-01-31 12:00:00" or "2025-01-31 12:00:00+00". Times before the year 1 and
 * infinite ones are written as PostgreSQL does. */
void instant_format(int64_t us, enum key_kind kind, struct strbuf *out);

/* The 48-bit milliseconds at the start of a UUID's text, as microseconds; false when it is not a UUID. */
bool instant_of_uuid(const char *text, int64_t *ret);
/* The smallest version 7 UUID of that millisecond: version and variant set, the rest zero. Half-open bounds made
 * of it hold exactly the version 7 values of [from, to). us is 0 up to the year 10889. */
void instant_add_uuid(int64_t us, struct strbuf *out);

/* A bound's value as a time. False when the kind has none (KEY_OTHER, KEY_INTEGER with EPOCH_NONE) or the text is not
 * one; MINVALUE and MAXVALUE are INSTANT_MIN and INSTANT_MAX. */
bool instant_of_value(const struct bound_value *v, enum key_kind kind, enum epoch_unit unit, int64_t *ret);
/* The value of that kind for a time, as bound_add_value() wants it. Not for KEY_OTHER, EPOCH_NONE. */
void instant_add_value(int64_t us, enum key_kind kind, enum epoch_unit unit, struct strbuf *out);

/* Order of two values of one kind: negative, 0, positive. KEY_OTHER is ordered by bytes, which is not the server's
 * order for every type: good for display, not for finding gaps. */
int bound_value_compare(const struct bound_value *a, const struct bound_value *b, enum key_kind kind);

#endif
