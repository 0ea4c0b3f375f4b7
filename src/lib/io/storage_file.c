/* SPDX-License-Identifier: PostgreSQL
 *
 * storage_file.c - the storage that is a folder: one file a key, 0600, fsynced.
 */
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include "clock.h"
#include "file_writer.h"
#include "fs.h"
#include "storage_key.h"
#include "storage_walk.h"

struct file_storage {
	struct storage base;
	char *root;
	atomic_uint_fast64_t requests, sent, received;
};

struct file_stream {
	struct storage_stream base;
	char *path;
	int fd;
	struct file_writer *writer;
};

static struct file_storage *of(struct storage *s)
{
	return (struct file_storage *)s;
}

static char *path_of(struct storage *s, const char *key)
{
	atomic_fetch_add(&of(s)->requests, 1);
	return fs_join(of(s)->root, key);
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");
}

/* A full disk is the failure a backup meets most, so it says how full. */
static bool add_space_hint(const struct file_storage *f, struct error *err)
{
	long long free_bytes = fs_free_bytes(f->root);

	if (!err || err->code != EXIT_CANNOT_WRITE || free_bytes < 0)
		return false;

	_cleanup_strbuf_ struct strbuf size = STRBUF_INIT;

	size_format(free_bytes, &size);
	return error_hint(err, "%s are free on the file system of \"%s\"; make room, or write elsewhere.",
		size.buf, f->root);
}

/* Makes path's parents below root, each durable in its own parent. */
static bool make_parents(const struct file_storage *f, const char *path, struct error *err)
{
	autofree char *copy = xstrdup(path);

	for (char *p = strchr(copy + strlen(f->root) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0700) == 0) {
			autofree char *parent = parent_of(copy);

			if (!fs_sync_dir(parent, err))
				return false;
		} else if (errno != EEXIST) {
			return error_set_errno(
				err, fs_exit_code(errno), errno, "cannot create folder \"%s\"", copy);
		}
		*p = '/';
	}
	return true;
}

static bool file_put(
	struct storage *s, const char *key, const void *data, size_t len, struct error *err)
{
	struct file_storage *f = of(s);
	autofree char *path = path_of(s, key);

	if (!make_parents(f, path, err) || !fs_write_atomic(path, data, len, err))
		return add_space_hint(f, err);
	atomic_fetch_add(&f->sent, len);
	return true;
}

static void stream_free(struct file_stream *st)
{
	file_writer_free(st->writer);
	if (st->fd >= 0)
		close(st->fd);
	free(st->path);
	free(st->base.key);
	free(st);
}

static bool file_stream_open(
	struct storage *s, const char *key, struct storage_stream **ret, struct error *err)
{
	struct file_storage *f = of(s);
	autofree char *path = path_of(s, key);

	if (!make_parents(f, path, err))
		return add_space_hint(f, err);

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		error_set_errno(err, fs_exit_code(errno), errno, "cannot create \"%s\"", path);
		return add_space_hint(f, err);
	}

	struct file_stream *st = xcalloc(1, sizeof(*st));

	st->base = (struct storage_stream){ .storage = s, .key = xstrdup(key) };
	st->path = steal(path);
	st->fd = fd;
	st->writer = file_writer_new(fd, st->path);
	*ret = &st->base;
	return true;
}

static bool file_stream_append(
	struct storage_stream *base, const void *data, size_t len, struct error *err)
{
	struct file_stream *st = (struct file_stream *)base;
	struct file_storage *f = of(base->storage);

	if (!file_writer_append(st->writer, data, len, err))
		return add_space_hint(f, err);
	base->bytes += len;
	atomic_fetch_add(&f->sent, len);
	return true;
}

/* The content; the name in its folder becomes durable with the put or publish that comes after all
 * streams - one sync of the folder instead of thousands. */
static bool close_durably(struct file_stream *st, struct error *err)
{
	if (!file_writer_finish(st->writer, err))
		return false;
	if (fsync(st->fd) != 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot sync \"%s\"", st->path);

	int fd = steal_fd(&st->fd);

	if (close(fd) != 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot close \"%s\"", st->path);
	return true;
}

static bool file_stream_commit(struct storage_stream *base, struct error *err)
{
	struct file_stream *st = (struct file_stream *)base;
	struct file_storage *f = of(base->storage);
	bool ok = close_durably(st, err);

	if (!ok) {
		unlink(st->path);
		add_space_hint(f, err);
	}
	stream_free(st);
	return ok;
}

static void file_stream_abort(struct storage_stream *base)
{
	struct file_stream *st = (struct file_stream *)base;

	unlink(st->path);
	stream_free(st);
}

static bool open_for_reading(const char *path, const char *key, int *ret, struct error *err)
{
	struct stat st;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err,
			errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : fs_exit_code(errno), errno,
			"cannot open \"%s\"", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return error_set(err, EXIT_NOT_FOUND, "\"%s\" is not a file", key);
	*ret = steal_fd(&fd);
	return true;
}

/* Reads at most want bytes into ret's tail; *got is less only at the end of the file. */
static bool read_some(int fd, const char *path, uint64_t offset, size_t want, struct strbuf *ret,
	size_t *got, struct error *err)
{
	strbuf_grow(ret, want);
	for (*got = 0; *got < want;) {
		ssize_t n = pread(fd, ret->buf + ret->len, want - *got, (off_t)(offset + *got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot read \"%s\"", path);
		if (n == 0)
			break;
		strbuf_setlen(ret, ret->len + (size_t)n);
		*got += (size_t)n;
	}
	return true;
}

static bool read_to_end(int fd, const char *path, uint64_t offset, size_t limit, struct strbuf *ret,
	size_t *got, struct error *err)
{
	enum { STEP = 1 << 20 };

	for (*got = 0;;) {
		size_t n, want = limit - *got < STEP ? limit - *got + 1 : STEP;

		if (!read_some(fd, path, offset + *got, want, ret, &n, err))
			return false;
		*got += n;
		if (*got > limit)
			return error_set(err, EXIT_DAMAGED, "\"%s\" is larger than %zu bytes", path, limit);
		if (n < want)
			return true;
	}
}

static bool file_get(struct storage *s, const char *key, uint64_t offset, size_t len, size_t limit,
	struct strbuf *ret, struct error *err)
{
	autofree char *path = path_of(s, key);
	autoclose int fd = -1;
	size_t got = 0, before = ret->len;
	bool ok = open_for_reading(path, key, &fd, err);

	if (ok && len == SIZE_MAX)
		ok = read_to_end(fd, path, offset, limit, ret, &got, err);
	else if (ok && read_some(fd, path, offset, len, ret, &got, err))
		ok = got == len ||
		     error_set(err, EXIT_DAMAGED, "\"%s\" ends %zu bytes too early", path, len - got);
	else
		ok = false;
	if (!ok && ret->len > before)
		strbuf_setlen(ret, before);
	atomic_fetch_add(&of(s)->received, got);
	return ok;
}

static bool file_list(struct storage *s, const char *prefix, bool delimiter,
	struct storage_listing *ret, struct error *err)
{
	struct file_storage *f = of(s);
	const char *slash = strrchr(prefix, '/');
	autofree char *folder = xstrndup(prefix, slash ? (size_t)(slash - prefix) + 1 : 0);

	atomic_fetch_add(&f->requests, 1);
	return storage_walk(&(struct storage_walk){ f->root, prefix, delimiter, ret }, folder, err);
}

/* Removes path when it is an empty folder, then its parents up to root, and makes that durable. */
static bool prune_folders(const struct file_storage *f, char *path, struct error *err)
{
	size_t root = strlen(f->root);

	while (strlen(path) > root && (rmdir(path) == 0 || errno == ENOENT))
		*strrchr(path, '/') = '\0';
	return fs_sync_dir(strlen(path) > root ? path : f->root, err);
}

static bool remove_one(const char *path, struct error *err)
{
	if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
		return true;
	return error_set_errno(err, fs_exit_code(errno), errno, "cannot remove \"%s\"", path);
}

static bool file_remove(struct storage *s, const char *const *keys, size_t n, struct error *err)
{
	autofree char *last = NULL; /* folder of the previous key: pruned when the keys leave it */

	for (size_t i = 0; i < n; i++) {
		autofree char *path = path_of(s, keys[i]);
		autofree char *parent = parent_of(path);

		if (last && strcmp(last, parent) != 0 && !prune_folders(of(s), last, err))
			return false;
		if (!remove_one(path, err))
			return false;
		free(last);
		last = steal(parent);
	}
	return !last || prune_folders(of(s), last, err);
}

static bool file_stat(
	struct storage *s, const char *key, struct storage_entry *ret, struct error *err)
{
	struct stat st;
	autofree char *path = path_of(s, key);

	if (stat(path, &st) != 0)
		return error_set_errno(err,
			errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : fs_exit_code(errno), errno,
			"cannot look at \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EXIT_NOT_FOUND, "\"%s\" is not a file", path);
	*ret = (struct storage_entry){
		.key = xstrdup(key),
		.size = (int64_t)st.st_size,
		.mtime = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
	};
	return true;
}

static bool file_publish(struct storage *s, const char *from, const char *to, struct error *err)
{
	if (!storage_key_check(from, err) || !storage_key_check(to, err))
		return false;

	autofree char *old = path_of(s, from);
	autofree char *new = path_of(s, to);
	autofree char *old_parent = parent_of(old);
	autofree char *new_parent = parent_of(new);

	if (!make_parents(of(s), new, err) || !fs_sync_dir(old, err))
		return add_space_hint(of(s), err);
	if (rename(old, new) != 0)
		return error_set_errno(err, fs_exit_code(errno), errno,
			"cannot rename \"%s\" to \"%s\"", old, new);
	return fs_sync_dir(new_parent, err) &&
	       (strcmp(old_parent, new_parent) == 0 || fs_sync_dir(old_parent, err));
}

static void file_stats(struct storage *s, struct storage_stats *ret)
{
	*ret = (struct storage_stats){
		.requests = atomic_load(&of(s)->requests),
		.bytes_sent = atomic_load(&of(s)->sent),
		.bytes_received = atomic_load(&of(s)->received),
	};
}

static void file_close(struct storage *s)
{
	free(of(s)->root);
	free(s->url);
	free(s);
}

static const struct storage_ops file_ops = {
	.name = "file",
	.put = file_put,
	.stream_open = file_stream_open,
	.stream_append = file_stream_append,
	.stream_commit = file_stream_commit,
	.stream_abort = file_stream_abort,
	.get = file_get,
	.list = file_list,
	.remove = file_remove,
	.stat = file_stat,
	.publish = file_publish,
	.stats = file_stats,
	.close = file_close,
};

struct storage *storage_file_open(const char *path, bool create, struct error *err)
{
	autofree char *root = fs_absolute(path);
	size_t len = strlen(root);

	while (len > 1 && root[len - 1] == '/')
		root[--len] = '\0';
	if (create && !fs_mkdirs(root, err))
		return NULL;
	if (!fs_is_dir(root)) {
		error_set(err, EXIT_NOT_FOUND, "there is no folder \"%s\"", root);
		return NULL;
	}

	struct file_storage *f = xcalloc(1, sizeof(*f));

	f->base = (struct storage){ .ops = &file_ops, .url = xasprintf("file://%s", root) };
	f->root = steal(root);
	return &f->base;
}
