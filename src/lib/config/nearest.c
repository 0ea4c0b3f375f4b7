/* SPDX-License-Identifier: PostgreSQL */
#include "nearest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 63

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t row[3][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *cur = row[i % 3];
		const size_t *up = row[(i - 1) % 3], *up2 = row[(i + 1) % 3];

		cur[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t cost = a[i - 1] != b[j - 1];

			cur[j] = min2(min2(up[j] + 1, cur[j - 1] + 1), up[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cur[j] = min2(cur[j], up2[j - 2] + 1);
		}
	}
	return row[la % 3][lb];
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t len = strlen(n->word);
	size_t allowed = len < 6 ? 1 + (len > 2) : len / 3;
	size_t distance = edit_distance(n->word, candidate);

	/* a word cut short is the commonest slip: "part" for "partitions" */
	if (len >= 3 && strncmp(candidate, n->word, len) == 0)
		distance = 1;
	if (distance > allowed || distance >= strlen(candidate))
		return;
	if (n->best && distance >= n->distance)
		return;
	n->best = candidate;
	n->distance = distance;
}

const char *nearest_choice(const char *word, const char *const *choices)
{
	struct nearest n = NEAREST_INIT(word);

	for (; *choices; choices++)
		nearest_try(&n, *choices);
	return n.best;
}
