/* SPDX-License-Identifier: PostgreSQL */
#include "lock_mode.h"

#include <strings.h>

#define AS  (1u << LOCK_ACCESS_SHARE)
#define RS  (1u << LOCK_ROW_SHARE)
#define RX  (1u << LOCK_ROW_EXCLUSIVE)
#define SUX (1u << LOCK_SHARE_UPDATE_EXCLUSIVE)
#define S   (1u << LOCK_SHARE)
#define SRX (1u << LOCK_SHARE_ROW_EXCLUSIVE)
#define X   (1u << LOCK_EXCLUSIVE)
#define AX  (1u << LOCK_ACCESS_EXCLUSIVE)

static const struct {
	const char *name, *catalog;
	unsigned conflicts;
} modes[] = {
	[LOCK_NONE] = { "", "SIReadLock", 0 },
	[LOCK_ACCESS_SHARE] = { "ACCESS SHARE", "AccessShareLock", AX },
	[LOCK_ROW_SHARE] = { "ROW SHARE", "RowShareLock", X | AX },
	[LOCK_ROW_EXCLUSIVE] = { "ROW EXCLUSIVE", "RowExclusiveLock", S | SRX | X | AX },
	[LOCK_SHARE_UPDATE_EXCLUSIVE] = { "SHARE UPDATE EXCLUSIVE", "ShareUpdateExclusiveLock",
		SUX | S | SRX | X | AX },
	[LOCK_SHARE] = { "SHARE", "ShareLock", RX | SUX | SRX | X | AX },
	[LOCK_SHARE_ROW_EXCLUSIVE] = { "SHARE ROW EXCLUSIVE", "ShareRowExclusiveLock",
		RX | SUX | S | SRX | X | AX },
	[LOCK_EXCLUSIVE] = { "EXCLUSIVE", "ExclusiveLock", RS | RX | SUX | S | SRX | X | AX },
	[LOCK_ACCESS_EXCLUSIVE] = { "ACCESS EXCLUSIVE", "AccessExclusiveLock",
		AS | RS | RX | SUX | S | SRX | X | AX },
};

const char *lock_mode_name(enum lock_mode m)
{
	return modes[m].name;
}

const char *lock_mode_catalog_name(enum lock_mode m)
{
	return modes[m].catalog;
}

enum lock_mode lock_mode_parse(const char *name)
{
	for (enum lock_mode m = LOCK_ACCESS_SHARE; m <= LOCK_ACCESS_EXCLUSIVE; m++)
		if (strcasecmp(name, modes[m].name) == 0 || strcasecmp(name, modes[m].catalog) == 0)
			return m;
	return LOCK_NONE;
}

bool lock_modes_conflict(enum lock_mode a, enum lock_mode b)
{
	return (modes[a].conflicts & (1u << b)) != 0;
}
