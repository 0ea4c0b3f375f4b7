/* SPDX-License-Identifier: PostgreSQL
 *
 * storage_walk.h - the listing of a folder as the keys a bucket would show.
 */
#ifndef DBOPS_STORAGE_WALK_H
#define DBOPS_STORAGE_WALK_H

#include "storage.h"

struct storage_walk {
	const char *root;            /* folder of the storage */
	const char *prefix;          /* what keys must begin with, "" for all */
	bool delimiter;              /* stop at the first folder behind the prefix */
	struct storage_listing *ret; /* gets the regular files and folders, sorted bytewise */
};

/* Walks from folder ("", or the prefix up to its last '/'), which may be missing unless it is the
 * root. Symbolic links are not followed and not listed: a loop would never end, and a removal
 * must stay inside the root. */
bool storage_walk(const struct storage_walk *w, const char *folder, struct error *err);

#endif
