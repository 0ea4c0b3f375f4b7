/* SPDX-License-Identifier: PostgreSQL
 *
 * temp.h - a private temporary folder that goes with its process, whatever ends it.
 *
 * A guard process waits at a pipe: when dbops is gone without having said so (SIGKILL, power of
 * the OOM killer), it removes the folder.
 */
#ifndef DBOPS_TEMP_H
#define DBOPS_TEMP_H

#include <sys/types.h>
#include "error.h"

struct temp_dir {
	char *path; /* NULL = not open */
	pid_t guard;
	int pipe;
};

/* "<$TMPDIR or /tmp>/<prefix>XXXXXX", 0700. */
bool temp_open(struct temp_dir *t, const char *prefix, struct error *err);
/* Removes the folder with everything in it. */
void temp_close(struct temp_dir *t);
#define _cleanup_temp_ _cleanup_(temp_close)

#endif
