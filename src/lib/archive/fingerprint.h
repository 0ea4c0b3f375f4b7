/* SPDX-License-Identifier: PostgreSQL
 *
 * fingerprint.h - what a table contains, independent of the order of its rows.
 *
 * XXH3 128-bit hash of each COPY text line (without its newline), summed modulo 2^128. Equal
 * rows on two servers give equal fingerprints when the sessions pin the same settings
 * (archive/session.h). Empty table: 0.
 */
#ifndef DBOPS_FINGERPRINT_H
#define DBOPS_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fingerprint {
	uint64_t low, high;
};

#define FINGERPRINT_HEX_LEN 32

void fingerprint_add_line(struct fingerprint *f, const char *line, size_t len);
void fingerprint_add(struct fingerprint *f, const struct fingerprint *other);
static inline bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
	return a->low == b->low && a->high == b->high;
}
/* 32 hex digits and a NUL. */
void fingerprint_format(const struct fingerprint *f, char ret[FINGERPRINT_HEX_LEN + 1]);
bool fingerprint_parse(const char *hex, struct fingerprint *ret);
/* Adds every line of a block of COPY text; returns the number of lines. Text after the last
 * newline (none in a sound block) counts as a line. */
uint64_t fingerprint_add_text(struct fingerprint *f, const char *text, size_t len);

#endif
