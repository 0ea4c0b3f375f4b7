/* SPDX-License-Identifier: PostgreSQL
 *
 * test_storage_file.c - what only the file storage promises: modes, publish, empty folders, full disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "file_writer.h"
#include "fs.h"
#include "storage.h"
#include "thread.h"

struct fixture {
	char *folder;
	struct storage *s;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	autofree char *base = fs_make_temp_dir(NULL, "dbops-file-", &f->err);

	f->folder = fs_join(base, "repo/deep");
	f->s = storage_file_open(f->folder, true, &f->err);
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	storage_close(f->s);
	*strstr(f->folder, "/repo/deep") = '\0';
	fs_remove_tree(f->folder, NULL);
	error_release(&f->err);
	free(f->folder);
	free(f);
	return 0;
}

static void check(struct fixture *f, bool ok)
{
	if (!ok)
		fail_msg("%s", f->err.message);
}

static bool there(struct fixture *f, const char *key)
{
	autofree char *path = fs_join(f->folder, key);

	return fs_exists(path);
}

static unsigned mode_of(struct fixture *f, const char *key)
{
	autofree char *path = fs_join(f->folder, key);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_private_modes(void **state)
{
	struct fixture *f = *state;
	struct storage_stream *st = NULL;

	umask(0);
	check(f, storage_put(f->s, "a/b", "x", 1, &f->err));
	check(f, storage_stream_open(f->s, "c/d", &st, &f->err));
	check(f, storage_stream_commit(st, &f->err));
	assert_int_equal(mode_of(f, "a/b"), 0600);
	assert_int_equal(mode_of(f, "c/d"), 0600);
	assert_int_equal(mode_of(f, "a"), 0700);
	assert_int_equal(mode_of(f, ""), 0700);
}

static void test_missing_root(void **state)
{
	struct fixture *f = *state;
	autofree char *missing = fs_join(f->folder, "missing");

	assert_null(storage_file_open(missing, false, &f->err));
	assert_int_equal(f->err.code, EXIT_NOT_FOUND);
}

static void test_publish(void **state)
{
	struct fixture *f = *state;

	check(f, storage_put(f->s, "db/.tmp-1/toc", "x", 1, &f->err));
	check(f, f->s->ops->publish(f->s, "db/.tmp-1", "db/1", &f->err));
	assert_true(there(f, "db/1/toc"));
	assert_false(there(f, "db/.tmp-1"));
	check(f, storage_put(f->s, "db/.tmp-2/toc", "x", 1, &f->err));
	assert_false(f->s->ops->publish(f->s, "db/.tmp-2", "db/1", &f->err)); /* never over another */
	assert_true(there(f, "db/.tmp-2/toc"));
	assert_false(f->s->ops->publish(f->s, "db/.tmp-2", "../1", &f->err));
	assert_int_equal(f->err.code, EXIT_BUG);
}

static void test_empty_folders_go(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = { "a/y", "a/b/c/x", "a/b/z" };

	check(f, storage_put(f->s, "a/b/c/x", "x", 1, &f->err));
	check(f, storage_put(f->s, "a/b/z", "x", 1, &f->err));
	check(f, storage_put(f->s, "a/y", "x", 1, &f->err));
	check(f, storage_remove(f->s, &keys[1], 1, &f->err));
	assert_false(there(f, "a/b/c"));
	assert_true(there(f, "a/b/z"));
	check(f, storage_remove(f->s, keys, 3, &f->err));
	assert_false(there(f, "a"));
	assert_true(fs_is_dir(f->folder)); /* the root stays */
}

/* A stream never writes over what another one wrote; put does, and leaves no temporary file. */
static void test_existing_file(void **state)
{
	struct fixture *f = *state;
	struct storage_stream *st = NULL;
	_cleanup_listing_ struct storage_listing l = { 0 };

	check(f, storage_put(f->s, "x", "first", 5, &f->err));
	assert_false(storage_stream_open(f->s, "x", &st, &f->err));
	check(f, storage_put(f->s, "x", "second", 6, &f->err));
	check(f, storage_list(f->s, "", false, &l, &f->err));
	assert_int_equal(l.len, 1);
	assert_int_equal(l.items[0].size, 6);
}

static void test_links_are_not_followed(void **state)
{
	struct fixture *f = *state;
	autofree char *link = fs_join(f->folder, "loop");
	_cleanup_listing_ struct storage_listing l = { 0 };

	assert_int_equal(symlink(f->folder, link), 0);
	check(f, storage_put(f->s, "x", "1", 1, &f->err));
	check(f, storage_list(f->s, "", false, &l, &f->err));
	assert_int_equal(l.len, 1);
}

/* Bytes that tell where they are. */
static char *pattern(size_t len)
{
	char *data = xmalloc(len);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i ^ i >> 8 ^ i >> 16);
	return data;
}

static struct storage_stream *write_pieces(struct fixture *f, const char *key, const char *data, size_t len, size_t piece)
{
	struct storage_stream *st = NULL;

	check(f, storage_stream_open(f->s, key, &st, &f->err));
	for (size_t at = 0; at < len; at += piece)
		check(f, storage_stream_append(st, data + at, len - at < piece ? len - at : piece, &f->err));
	return st;
}

/* Around the borders of the writer's buffers, in pieces that do not meet them. */
static void test_streams_of_all_sizes(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0, 1, FILE_WRITER_BUFFER - 1, FILE_WRITER_BUFFER, FILE_WRITER_BUFFER + 1, FILE_WRITER_BYTES,
		FILE_WRITER_BYTES + 4095, 3 * FILE_WRITER_BYTES + 777 };
	static const size_t pieces[] = { 371017, 2 * FILE_WRITER_BUFFER + 1 };
	autofree char *data = pattern(3 * FILE_WRITER_BYTES + 777);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 2; i++) {
		size_t len = sizes[i / 2];
		autofree char *key = xasprintf("f/%zu", i);
		_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

		check(f, storage_stream_commit(write_pieces(f, key, data, len, pieces[i % 2]), &f->err));
		check(f, storage_get(f->s, key, 0, SIZE_MAX, &got, &f->err));
		assert_int_equal(got.len, len);
		assert_memory_equal(got.buf, data, len);
	}
}

/* Where the file system is one for it; a build folder on another only says so. */
static void test_page_cache_is_spared(void **state)
{
	struct fixture *f = *state;
	enum { LEN = 3 * FILE_WRITER_BYTES };
	autofree char *data = pattern(LEN), *path = fs_join(f->folder, "x");
	autofree unsigned char *resident = xmalloc(LEN / 4096);
	struct statfs fs;
	size_t cached = 0;

	check(f, storage_stream_commit(write_pieces(f, "x", data, LEN, FILE_WRITER_BUFFER), &f->err));
	assert_int_equal(statfs(f->folder, &fs), 0);
	if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_SUPER_MAGIC) {
		print_message("file system 0x%lx: through the page cache\n", (unsigned long)fs.f_type);
		return;
	}

	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mincore(map, LEN, resident), 0);
	for (size_t i = 0; i < LEN / 4096; i++)
		cached += resident[i] & 1;
	munmap(map, LEN);
	assert_int_equal(cached, 0);
}

static void test_abort_while_it_is_written(void **state)
{
	struct fixture *f = *state;
	autofree char *data = pattern(3 * FILE_WRITER_BYTES);

	storage_stream_abort(write_pieces(f, "x", data, 3 * FILE_WRITER_BYTES, FILE_WRITER_BUFFER));
	assert_false(there(f, "x"));
}

/* The size limit of a process stands in for a full disk: write(2) fails in the same place. The error comes with a later
 * append or at the end, and never as a shorter file. */
static void full_disk(struct fixture *f, size_t limit, size_t len)
{
	struct rlimit before, small = { .rlim_cur = limit };
	struct storage_stream *st = NULL;
	autofree char *data = pattern(len);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	check(f, storage_stream_open(f->s, "big", &st, &f->err));
	if (!storage_stream_append(st, data, len, &f->err))
		assert_false(storage_stream_commit(st, NULL)); /* it stays failed */
	else
		assert_false(storage_stream_commit(st, &f->err));
	assert_int_equal(f->err.code, EXIT_CANNOT_WRITE);
	assert_non_null(strstr(f->err.hint, "free on the file system"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_false(there(f, "big"));
	error_release(&f->err);
}

static void test_full_disk(void **state)
{
	struct fixture *f = *state;

	full_disk(f, 5000, 8192);
	full_disk(f, FILE_WRITER_BUFFER + 5000, FILE_WRITER_BUFFER + 8192);
	full_disk(f, FILE_WRITER_BUFFER + 5000, 3 * FILE_WRITER_BYTES);
	full_disk(f, 3 * FILE_WRITER_BYTES - 1, 3 * FILE_WRITER_BYTES);
}

/* No thread can be had with a stack of that size: the bytes are written by whoever appends them. */
static void stack_size(size_t bytes, size_t *ret_before)
{
	pthread_attr_t attr;

	assert_int_equal(pthread_getattr_default_np(&attr), 0);
	assert_int_equal(pthread_attr_getstacksize(&attr, ret_before), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, bytes), 0);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	pthread_attr_destroy(&attr);
}

static void *nothing(void *arg)
{
	return arg;
}

static void test_without_a_thread(void **state)
{
	struct fixture *f = *state;
	enum { LEN = 3 * FILE_WRITER_BYTES + 777 };
	autofree char *data = pattern(LEN);
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;
	size_t before, ignored;
	pthread_t thread;

	stack_size((size_t)1 << 50, &before);
	assert_false(thread_start(&thread, nothing, NULL, NULL));
	check(f, storage_stream_commit(write_pieces(f, "x", data, LEN, 371017), &f->err));
	check(f, storage_get(f->s, "x", 0, SIZE_MAX, &got, &f->err));
	assert_int_equal(got.len, LEN);
	assert_memory_equal(got.buf, data, LEN);
	full_disk(f, FILE_WRITER_BUFFER + 5000, 3 * FILE_WRITER_BYTES);
	stack_size(before, &ignored);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_private_modes),
		T(test_missing_root),
		T(test_publish),
		T(test_empty_folders_go),
		T(test_existing_file),
		T(test_links_are_not_followed),
		T(test_streams_of_all_sizes),
		T(test_page_cache_is_spared),
		T(test_abort_while_it_is_written),
		T(test_full_disk),
		T(test_without_a_thread),
	};

	return cmocka_run_group_tests_name("storage_file", tests, NULL, NULL);
}
