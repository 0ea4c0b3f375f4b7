/* SPDX-License-Identifier: PostgreSQL
 *
 * nearest.h - "did you mean": the known word that a mistyped one most likely stands for.
 *
 * Distance is optimal string alignment (insert, delete, replace, swap of neighbours, each 1);
 * a candidate counts when at most a third of the word, and at least one letter, may differ.
 */
#ifndef DBOPS_NEAREST_H
#define DBOPS_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;  /* mistyped */
	const char *best;  /* NULL = nothing is near; borrowed from nearest_try() */
	size_t distance;
};

#define NEAREST_INIT(w) { .word = (w) }

/* Offers a candidate; the first of several equally near ones wins. */
void nearest_try(struct nearest *n, const char *candidate);
/* The nearest of a NULL-terminated list; NULL = none. */
const char *nearest_choice(const char *word, const char *const *choices);

/* Edit distance of two words; words over 63 bytes are "far" (SIZE_MAX). */
size_t edit_distance(const char *a, const char *b);

#endif
