/* SPDX-License-Identifier: PostgreSQL
 *
 * tools.h - finds the server's own programs (pg_dump, pg_restore, postgres …) by version.
 */
#ifndef DBOPS_TOOLS_H
#define DBOPS_TOOLS_H

#include "error.h"
#include "vec.h"

struct pg_tools {
	char *bindir;
	int major;           /* 15 */
	char *version;       /* "15.18", "19devel" */
};
void pg_tools_release(struct pg_tools *t);
#define _cleanup_tools_ _cleanup_(pg_tools_release)

/* Finds a folder that has all the programs named (NULL-terminated), of major version min_major or
 * greater - exactly that one if there is one, else the next greater. Searched in order: bindir
 * (--pg-bindir; then nothing else), the folder of the program in PATH (unless it is Debian's
 * pg_wrapper), pg_config --bindir, then the places distributions use
 * (/usr/lib/postgresql/N/bin, /usr/pgsql-N/bin, /usr/libexec/postgresqlN, /usr/local/pgsql/bin …).
 * max_major 0 = any. Error EXIT_UNAVAILABLE with what was found and the package to install. */
bool pg_tools_find(const char *bindir, const char *const *programs, int min_major, int max_major,
	struct pg_tools *ret, struct error *err);

/* Reads "pg_dump (PostgreSQL) 15.18 (Debian …)" -> "15.18" (caller frees), 15; false if it is not that. */
bool pg_tools_parse_version(const char *text, char **ret_version, int *ret_major);

/* "<bindir>/<program>", caller frees. */
char *pg_tools_path(const struct pg_tools *t, const char *program);

#endif
