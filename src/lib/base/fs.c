/* SPDX-License-Identifier: PostgreSQL */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "xalloc.h"

enum exit_code fs_exit_code(int errnum)
{
	switch (errnum) {
	case EACCES:
	case EPERM:
	case EROFS:
		return EXIT_PERMISSION;
	case ENOENT:
		return EXIT_NOT_FOUND;
	default:
		return EXIT_CANNOT_WRITE;
	}
}

char *fs_join(const char *a, const char *b)
{
	size_t n = strlen(a);

	return xasprintf("%s%s%s", a, n && a[n - 1] == '/' ? "" : "/", b);
}

char *fs_absolute(const char *path)
{
	if (path[0] == '/')
		return xstrdup(path);

	autofree char *cwd = getcwd(NULL, 0);

	while (strncmp(path, "./", 2) == 0)
		path += 2 + strspn(path + 2, "/");
	return cwd ? fs_join(cwd, path) : xstrdup(path);
}

bool fs_read(const char *path, size_t limit, struct strbuf *ret, struct error *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot open \"%s\"", path);
	strbuf_reset(ret);
	for (;;) {
		char chunk[65536];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot read \"%s\"", path);
		if (n == 0)
			return true;
		if (!strbuf_add_bounded(ret, chunk, (size_t)n, limit))
			return error_set(err, EXIT_DAMAGED, "\"%s\" is larger than %zu bytes", path, limit);
	}
}

bool fs_write_all(int fd, const char *path, const void *data, size_t len, struct error *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(
				err, fs_exit_code(errno), errno, "cannot write \"%s\"", path);
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_temp(int fd, const char *temp, const void *data, size_t len, struct error *err)
{
	if (!fs_write_all(fd, temp, data, len, err))
		return false;
	if (fsync(fd) != 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot sync \"%s\"", temp);
	return true;
}

static bool write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
	autofree char *temp = xasprintf("%s.tmp-XXXXXX", path);
	autofree char *copy = xstrdup(path);
	autoclose int fd = mkostemp(temp, O_CLOEXEC); /* 0600, and never a file or link that is there */

	if (fd < 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot create a file beside \"%s\"", path);
	if (!write_temp(fd, temp, data, len, err)) {
		unlink(temp);
		return false;
	}
	if (mode != 0600 && fchmod(fd, mode) != 0) {
		error_set_errno(err, fs_exit_code(errno), errno, "cannot change the mode of \"%s\"", temp);
		unlink(temp);
		return false;
	}
	if (rename(temp, path) != 0) {
		error_set_errno(err, fs_exit_code(errno), errno, "cannot rename \"%s\"", temp);
		unlink(temp);
		return false;
	}
	return fs_sync_dir(dirname(copy), err);
}

bool fs_write_atomic(const char *path, const void *data, size_t len, struct error *err)
{
	return write_atomic(path, data, len, 0600, err);
}

bool fs_write_public(const char *path, const void *data, size_t len, struct error *err)
{
	mode_t mask = umask(0);

	umask(mask);
	return write_atomic(path, data, len, 0666 & ~mask, err);
}

bool fs_mkdirs(const char *path, struct error *err)
{
	autofree char *copy = xstrdup(path);

	if (!path[0])
		return error_set(err, EXIT_CANNOT_WRITE, "a folder without a name cannot be created");
	for (char *p = copy + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;

		char saved = *p;

		*p = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			return error_set_errno(
				err, fs_exit_code(errno), errno, "cannot create folder \"%s\"", copy);
		*p = saved;
		if (!saved)
			break;
	}
	if (!fs_is_dir(path))
		return error_set(err, EXIT_CANNOT_WRITE, "\"%s\" is not a folder", path);
	return true;
}

bool fs_sync_dir(const char *path, struct error *err)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot open folder \"%s\"", path);
	if (fsync(fd) != 0 && errno != EINVAL)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot sync folder \"%s\"", path);
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

bool fs_remove_tree(const char *path, struct error *err)
{
	if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot remove \"%s\"", path);
	return true;
}

char *fs_make_temp_dir(const char *dir, const char *prefix, struct error *err)
{
	const char *base = dir ? dir : getenv("TMPDIR");

	if (!base || !base[0])
		base = "/tmp";

	autofree char *name = xasprintf("%s/%sXXXXXX", base, prefix);

	if (!mkdtemp(name)) {
		error_set_errno(err, fs_exit_code(errno), errno, "cannot create a folder in \"%s\"", base);
		return NULL;
	}
	return steal(name);
}

bool fs_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fs_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool fs_is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

long long fs_free_bytes(const char *path)
{
	struct statvfs vfs;

	if (statvfs(path, &vfs) != 0)
		return -1;
	return (long long)vfs.f_bavail * (long long)vfs.f_frsize;
}
