/* SPDX-License-Identifier: PostgreSQL
 *
 * lock_record.h - facts about locks in a file: one JSON object a line, one line a look.
 *
 * Every line stands alone, so a recording that was cut off, or written by two runs, can be read as far as its lines are whole.
 * docs/schema/locks-record.json describes a line.
 */
#ifndef DBOPS_LOCK_RECORD_H
#define DBOPS_LOCK_RECORD_H

#include "error.h"
#include "lock_graph.h"
#include "strbuf.h"

struct lock_instant {
	char *server, *database;
	int server_version; /* 150020 */
	struct lock_facts facts;
};

void lock_instant_release(struct lock_instant *i);
#define _cleanup_lock_instant_ _cleanup_(lock_instant_release)

/* Adds the line of i, with its newline. */
void lock_instant_write(const struct lock_instant *i, struct strbuf *out);
/* Reads a line (len bytes, without its newline). What is no line of a recording: EXIT_DAMAGED. */
bool lock_instant_read(const char *line, size_t len, struct lock_instant *ret, struct error *err);
/* Appends the line of i to the file at path, which is made when it is not there; after a line that was cut off a new one begins.
 * EXIT_CANNOT_WRITE. */
bool lock_instant_append(const struct lock_instant *i, const char *path, struct error *err);

#endif
