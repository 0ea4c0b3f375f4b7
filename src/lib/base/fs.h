/* SPDX-License-Identifier: PostgreSQL
 *
 * fs.h - files and folders, with the durability a backup needs.
 *
 * New files are 0600 and new folders 0700: a backup is as secret as its database.
 */
#ifndef DBOPS_FS_H
#define DBOPS_FS_H

#include "error.h"
#include "strbuf.h"
#include "vec.h"

/* Reads a whole file, at most limit bytes (larger: EXIT_DAMAGED). Missing: EXIT_NOT_FOUND. */
bool fs_read(const char *path, size_t limit, struct strbuf *ret, struct error *err);

/* Writes path.tmp-XXXXXX beside path, fsyncs, renames, fsyncs the folder: whole or not at all. */
bool fs_write_atomic(const char *path, const void *data, size_t len, struct error *err);

/* The same for what others shall read, a monitoring agent say: mode 0666 less the umask. */
bool fs_write_public(const char *path, const void *data, size_t len, struct error *err);

/* write(2) until everything is written. */
bool fs_write_all(int fd, const char *path, const void *data, size_t len, struct error *err);

/* Makes path and its missing parents. */
bool fs_mkdirs(const char *path, struct error *err);

/* fsync of a folder, so that names in it survive a crash. */
bool fs_sync_dir(const char *path, struct error *err);

/* Removes a file or a whole tree; a missing path is fine. Does not follow symbolic links. */
bool fs_remove_tree(const char *path, struct error *err);

/* A new private folder "<dir>/<prefix>XXXXXX"; dir NULL: $TMPDIR, else /tmp. Caller frees. */
char *fs_make_temp_dir(const char *dir, const char *prefix, struct error *err);

/* "<a>/<b>" with one slash between. Caller frees. */
char *fs_join(const char *a, const char *b);
/* Absolute form of path (which need not exist). Caller frees. */
char *fs_absolute(const char *path);

bool fs_is_dir(const char *path);
bool fs_exists(const char *path);
bool fs_is_executable(const char *path);

/* Bytes an unprivileged user may still write on path's file system; -1 when unknown. */
long long fs_free_bytes(const char *path);

/* The exit code for a failed write, by errno: no space and friends are EXIT_CANNOT_WRITE, too;
 * EACCES, EPERM, EROFS are EXIT_PERMISSION. */
enum exit_code fs_exit_code(int errnum);

#endif
