/* SPDX-License-Identifier: PostgreSQL
 *
 * storage_key.h - the one place that knows which keys are allowed.
 */
#ifndef DBOPS_STORAGE_KEY_H
#define DBOPS_STORAGE_KEY_H

#include "error.h"

/* True for a relative key without empty, "." and ".." segments, else false with EXIT_BUG: keys
 * are made by dbops, a bad one is never the user's doing. */
bool storage_key_check(const char *key, struct error *err);

/* The same for a prefix, which may be "" and may end with '/' or in the middle of a segment. */
bool storage_prefix_check(const char *prefix, struct error *err);

#endif
