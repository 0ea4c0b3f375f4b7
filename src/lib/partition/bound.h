/* SPDX-License-Identifier: PostgreSQL
 *
 * bound.h - the bounds of one partition, as the server prints them and as dbops writes them.
 *
 * The catalog keeps bounds as a node tree; pg_get_expr(relpartbound, 0) is their only public form, and
 * it depends on session settings. model.c reads it under TimeZone = UTC, DateStyle = ISO and
 * standard_conforming_strings = on (see partition_begin()), so the same value is always the same text:
 * values of one type are equal exactly when their texts are. Grammar: PostgreSQL documentation, CREATE
 * TABLE, partition_bound_spec; src/backend/utils/adt/ruleutils.c, get_const_expr().
 */
#ifndef DBOPS_PARTITION_BOUND_H
#define DBOPS_PARTITION_BOUND_H

#include <stdint.h>
#include "error.h"
#include "strbuf.h"
#include "vec.h"

enum bound_value_kind { BOUND_VALUE, BOUND_NULL, BOUND_MINVALUE, BOUND_MAXVALUE };

struct bound_value {
	enum bound_value_kind kind;
	char *text; /* BOUND_VALUE: without quotes, as the type's output function writes it; else NULL */
};

struct bound_values {
	struct bound_value *items;
	size_t len, alloc;
};

enum bound_kind {
	BOUND_NONE,    /* not a partition */
	BOUND_UNKNOWN, /* a text that bound_parse() does not understand; only the text is known */
	BOUND_DEFAULT,
	BOUND_RANGE,   /* from <= key < to, one value for each key column */
	BOUND_LIST,    /* values; NULL is one of them where it says so */
	BOUND_HASH,    /* modulus and remainder */
};

struct bound {
	enum bound_kind kind;
	char *text;               /* what the server said: "FOR VALUES FROM ('2025-01-01') TO …"; NULL = nothing */
	struct bound_values from; /* BOUND_RANGE */
	struct bound_values to;   /* BOUND_RANGE */
	struct bound_values list; /* BOUND_LIST */
	int64_t modulus, remainder;
};

/* Reads text into *ret (zeroed before). False with EXIT_REFUSED when it is not a partition bound; ret is then
 * BOUND_UNKNOWN and keeps the text. Release ret in either case. */
bool bound_parse(const char *text, struct bound *ret, struct error *err);
void bound_release(struct bound *b);
#define _cleanup_bound_ _cleanup_(bound_release)

/* Adds one value: a copy of text for BOUND_VALUE (else text is ignored). */
void bound_add_value(struct bound_values *v, enum bound_value_kind kind, const char *text);
void bound_copy(struct bound *dst, const struct bound *src);

/* Adds "FOR VALUES …" or "DEFAULT" as ATTACH PARTITION takes it. Every value is a quoted literal, which the
 * server reads as the key column's type. Not for BOUND_NONE and BOUND_UNKNOWN. */
void bound_add_sql(struct strbuf *sql, const struct bound *b);
/* The same for people, without "FOR VALUES": "FROM ('2025-01-01') TO ('2025-02-01')", "IN ('a', NULL)". */
void bound_add_display(struct strbuf *out, const struct bound *b);

/* Equal kind, values, modulus and remainder. The texts are not compared, so the form may differ. */
bool bound_equal(const struct bound *a, const struct bound *b);
bool bound_values_equal(const struct bound_values *a, const struct bound_values *b);

#endif
