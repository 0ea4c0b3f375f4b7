/* SPDX-License-Identifier: PostgreSQL */
#include "storage_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "fs.h"

static void add_entry(
	struct storage_listing *ret, const char *key, const struct stat *st)
{
	struct storage_entry *e = vec_push(ret);
	bool folder = S_ISDIR(st->st_mode);

	e->key = folder ? xasprintf("%s/", key) : xstrdup(key);
	e->size = folder ? -1 : (int64_t)st->st_size;
	e->mtime = folder ? 0 : (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
}

static void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool walk(const struct storage_walk *w, const char *folder, struct error *err);

static bool walk_name(const struct storage_walk *w, int dir_fd, const char *key, const char *name,
	struct error *err)
{
	struct stat st;
	size_t n = strlen(key), want = strlen(w->prefix);

	/* a key matches below the prefix; a folder also on the way to it */
	if (strncmp(key, w->prefix, n < want ? n : want) != 0)
		return true;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_set_errno(err, fs_exit_code(errno), errno,
						  "cannot look at \"%s/%s\"", w->root, key);
	if (S_ISDIR(st.st_mode) && (!w->delimiter || n < want)) {
		autofree char *below = xasprintf("%s/", key);

		return walk(w, below, err);
	}
	if (n >= want && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
		add_entry(w->ret, key, &st);
	return true;
}

/* folder is "" or ends with '/'. A folder that vanishes meanwhile is empty. */
static bool walk(const struct storage_walk *w, const char *folder, struct error *err)
{
	autofree char *path = fs_join(w->root, folder);
	_cleanup_(cleanup_dir) DIR *dir = opendir(path);

	if (!dir)
		return (errno == ENOENT && *folder) || error_set_errno(err, fs_exit_code(errno), errno,
							       "cannot read folder \"%s\"", path);
	for (;;) {
		errno = 0;

		struct dirent *d = readdir(dir);

		if (!d)
			return errno == 0 || error_set_errno(err, EXIT_UNAVAILABLE, errno,
						     "cannot read folder \"%s\"", path);
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;

		autofree char *key = xasprintf("%s%s", folder, d->d_name);

		if (!walk_name(w, dirfd(dir), key, d->d_name, err))
			return false;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct storage_entry *x = a, *y = b;

	return strcmp(x->key, y->key);
}

bool storage_walk(const struct storage_walk *w, const char *folder, struct error *err)
{
	if (!walk(w, folder, err))
		return false;
	if (w->ret->len)
		qsort(w->ret->items, w->ret->len, sizeof(*w->ret->items), by_key);
	return true;
}
