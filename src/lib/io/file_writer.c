/* SPDX-License-Identifier: PostgreSQL */
#include "file_writer.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "fs.h"
#include "thread.h"
#include "xalloc.h"

/* What O_DIRECT wants of addresses and lengths at most: the page. */
#define ALIGNMENT 4096
/* Without O_DIRECT: write-back starts this early, so that the fsync at the end finds little left to do. */
#define FLUSH_STEP (8u << 20)

struct file_writer {
	int fd;
	const char *path;
	char *buffers[FILE_WRITER_BUFFERS]; /* aligned; made when first needed */
	size_t used;                        /* of the buffer that is being filled */
	pthread_t thread;
	bool running;
	bool direct;                        /* the thread's, as the next two */
	uint64_t bytes, flushed;
	pthread_mutex_t lock;               /* everything below */
	pthread_cond_t changed;
	unsigned filled, written;           /* buffers since the beginning */
	bool over, dropped, failed;
	struct error error;
};

struct file_writer *file_writer_new(int fd, const char *path)
{
	struct file_writer *w = xcalloc(1, sizeof(*w));

	*w = (struct file_writer){ .fd = fd, .path = path, .lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER, .error = ERROR_INIT };
	return w;
}

/* Elsewhere (NFS, FUSE, btrfs, tmpfs) it is refused, slow, or not what it says. */
static bool is_direct_welcome(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && (s.f_type == EXT4_SUPER_MAGIC || s.f_type == XFS_SUPER_MAGIC);
}

static void set_direct(struct file_writer *w, bool direct)
{
	int flags = fcntl(w->fd, F_GETFL);

	w->direct = flags >= 0 && fcntl(w->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0 && direct;
}

static void start_write_back(struct file_writer *w)
{
	if (w->bytes - w->flushed < FLUSH_STEP)
		return;
	/* advice only: a file system that cannot do it syncs at the end all the same */
	(void)sync_file_range(w->fd, (off_t)w->flushed, (off_t)(w->bytes - w->flushed), SYNC_FILE_RANGE_WRITE);
	w->flushed = w->bytes;
}

/* A direct write that was refused or cut short goes on through the page cache, which also says what is wrong. */
static bool write_buffer(struct file_writer *w, const char *buffer, struct error *err)
{
	size_t done = 0;

	if (w->direct) {
		ssize_t n = write(w->fd, buffer, FILE_WRITER_BUFFER);

		done = n < 0 ? 0 : (size_t)n;
		if (done < FILE_WRITER_BUFFER)
			set_direct(w, false);
	}
	if (!fs_write_all(w->fd, w->path, buffer + done, FILE_WRITER_BUFFER - done, err))
		return false;
	w->bytes += FILE_WRITER_BUFFER;
	if (!w->direct)
		start_write_back(w);
	return true;
}

/* The next buffer to write; NULL when there is nothing left to do. */
static const char *wait_for_buffer(struct file_writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->filled == w->written && !w->over && !w->dropped)
		pthread_cond_wait(&w->changed, &w->lock);

	const char *buffer =
		w->filled == w->written || w->dropped ? NULL : w->buffers[w->written % FILE_WRITER_BUFFERS];

	pthread_mutex_unlock(&w->lock);
	return buffer;
}

static bool buffer_done(struct file_writer *w, bool ok, struct error *err)
{
	pthread_mutex_lock(&w->lock);
	w->written++;
	w->failed = !ok;
	if (!ok)
		error_move(&w->error, err);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return ok;
}

static void *writer_main(void *arg)
{
	struct file_writer *w = arg;
	_cleanup_error_ struct error err = ERROR_INIT;
	const char *buffer;

	set_direct(w, is_direct_welcome(w->fd));
	while ((buffer = wait_for_buffer(w)))
		if (!buffer_done(w, write_buffer(w, buffer, &err), &err))
			break;
	set_direct(w, false);
	return NULL;
}

static char *current_buffer(struct file_writer *w)
{
	char **buffer = &w->buffers[w->filled % FILE_WRITER_BUFFERS];

	if (!*buffer)
		*buffer = xaligned_alloc(ALIGNMENT, FILE_WRITER_BUFFER);
	return *buffer;
}

/* The reason goes to whoever asks first; another thread may append after that. */
static bool give_error(struct file_writer *w, struct error *err)
{
	if (error_is_set(&w->error))
		return error_move(err, &w->error);
	return error_set(err, EXIT_CANNOT_WRITE, "writing \"%s\" has failed before", w->path);
}

/* Hands the full buffer over, and waits until there is another to fill. Where no thread can be had it is written here. */
static bool next_buffer(struct file_writer *w, struct error *err)
{
	if (!w->running && !(w->running = thread_start(&w->thread, writer_main, w, NULL))) {
		w->used = 0;
		if (!write_buffer(w, current_buffer(w), err))
			w->failed = true;
		return !w->failed;
	}
	pthread_mutex_lock(&w->lock);
	w->filled++;
	w->used = 0;
	pthread_cond_broadcast(&w->changed);
	while (!w->failed && w->filled - w->written == FILE_WRITER_BUFFERS)
		pthread_cond_wait(&w->changed, &w->lock);

	bool ok = !w->failed || give_error(w, err);

	pthread_mutex_unlock(&w->lock);
	return ok;
}

bool file_writer_append(struct file_writer *w, const void *data, size_t len, struct error *err)
{
	const char *p = data;

	while (len) {
		size_t n = FILE_WRITER_BUFFER - w->used < len ? FILE_WRITER_BUFFER - w->used : len;

		memcpy(current_buffer(w) + w->used, p, n);
		w->used += n;
		p += n;
		len -= n;
		if (w->used == FILE_WRITER_BUFFER && !next_buffer(w, err))
			return false;
	}
	return true;
}

static void join(struct file_writer *w, bool drop)
{
	if (!w->running)
		return;
	pthread_mutex_lock(&w->lock);
	w->over = true;
	w->dropped = drop;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	w->running = false;
}

bool file_writer_finish(struct file_writer *w, struct error *err)
{
	join(w, false);
	if (w->failed)
		return give_error(w, err);
	return !w->used || fs_write_all(w->fd, w->path, current_buffer(w), w->used, err);
}

void file_writer_free(struct file_writer *w)
{
	if (!w)
		return;
	join(w, true);
	for (unsigned i = 0; i < FILE_WRITER_BUFFERS; i++)
		free(w->buffers[i]);
	error_release(&w->error);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
