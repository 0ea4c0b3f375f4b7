/* SPDX-License-Identifier: PostgreSQL
 *
 * lock_mode.h - the eight lock modes and which of them conflict.
 *
 * Source: PostgreSQL documentation, "Explicit Locking", table "Conflicting Lock Modes". The lock manager uses the same
 * modes and conflicts for every kind of object (relations, rows, transactions, advisory locks).
 */
#ifndef DBOPS_LOCK_MODE_H
#define DBOPS_LOCK_MODE_H

#include <stdbool.h>

/* In rising order of strength, numbered as the server numbers them. */
enum lock_mode {
	LOCK_NONE, /* none of them; predicate locks (SIReadLock), which block nobody */
	LOCK_ACCESS_SHARE,
	LOCK_ROW_SHARE,
	LOCK_ROW_EXCLUSIVE,
	LOCK_SHARE_UPDATE_EXCLUSIVE,
	LOCK_SHARE,
	LOCK_SHARE_ROW_EXCLUSIVE,
	LOCK_EXCLUSIVE,
	LOCK_ACCESS_EXCLUSIVE,
};

/* "ACCESS EXCLUSIVE", as LOCK TABLE and the documentation write it; "" for LOCK_NONE. */
const char *lock_mode_name(enum lock_mode m);
/* pg_locks.mode ("AccessExclusiveLock") of m; "SIReadLock" for LOCK_NONE. */
const char *lock_mode_catalog_name(enum lock_mode m);
/* Reads pg_locks.mode or the documentation's name, in any case; LOCK_NONE for everything else. */
enum lock_mode lock_mode_parse(const char *name);
/* Whether two sessions cannot hold a and b at once. */
bool lock_modes_conflict(enum lock_mode a, enum lock_mode b);

#endif
