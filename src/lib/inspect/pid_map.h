/* SPDX-License-Identifier: PostgreSQL
 *
 * pid_map.h - a number for each of many pids, found without looking through them.
 *
 *	struct pid_map m = { 0 };
 *	*pid_map_at(&m, pid) = 7;
 *	pid_map_release(&m);
 */
#ifndef DBOPS_PID_MAP_H
#define DBOPS_PID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct pid_slot {
	int64_t pid, number;
	unsigned char used;
};

struct pid_map {
	struct pid_slot *slots; /* alloc of them, a power of two; at most half are used */
	size_t len, alloc;
};

void pid_map_release(struct pid_map *m);

/* Where pid's number is: 0 when nobody asked for it before. Valid until the next call. */
int64_t *pid_map_at(struct pid_map *m, int64_t pid);

#endif
