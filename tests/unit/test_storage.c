/* SPDX-License-Identifier: PostgreSQL
 *
 * test_storage.c - what every storage promises in storage.h, run against each implementation.
 *
 *	test_storage          the file storage, in a folder of its own
 *	test_storage s3       a bucket: DBOPS_TEST_S3_ENDPOINT and _BUCKET, keys in AWS_*; the server must
 *	                      accept small parts (tests/e2e/test_storage_s3.py starts one)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include "fs.h"
#include "storage.h"

enum { PART = 1000, SLOTS = 4, MANY = 1050, THREADS = 4 };

static bool use_s3;
static struct cancel stop = CANCEL_INIT;

struct fixture {
	struct storage *s;
	char *folder;
	struct error err;
};

/* Each test has its own folder, or its own prefix in the bucket. */
static int setup(void **state)
{
	static unsigned number;
	struct fixture *f = xcalloc(1, sizeof(*f));
	autofree char *prefix = xasprintf("conformance/%ld-%u", (long)getpid(), number++);

	atomic_store(&stop.signal, 0);
	if (use_s3) {
		f->s = storage_s3_open(
			&(struct s3_options){
				.bucket = getenv("DBOPS_TEST_S3_BUCKET"),
				.endpoint = getenv("DBOPS_TEST_S3_ENDPOINT"),
				.prefix = prefix,
				.path_style = -1,
				.part_size = PART,
				.slots = SLOTS,
				.retry_base_ms = 1,
				.cancel = &stop,
			},
			&f->err);
	} else {
		f->folder = fs_make_temp_dir(NULL, "dbops-storage-", &f->err);
		f->s = storage_file_open(f->folder, true, &f->err);
	}
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	storage_close(f->s);
	if (f->folder)
		fs_remove_tree(f->folder, NULL);
	error_release(&f->err);
	free(f->folder);
	free(f);
	return 0;
}

static void check(struct fixture *f, bool ok)
{
	if (!ok)
		fail_msg("%s (%s)", f->err.message, f->err.detail ? f->err.detail : "");
}

static void refused(struct fixture *f, bool ok, enum exit_code code)
{
	assert_false(ok);
	assert_non_null(f->err.message);
	if (f->err.code != code)
		fail_msg("code %d for: %s", f->err.code, f->err.message);
	assert_non_null(strstr(f->err.detail, f->s->url));
	error_release(&f->err);
}

static void put(struct fixture *f, const char *key, const char *text)
{
	check(f, storage_put(f->s, key, text, strlen(text), &f->err));
}

static void holds(struct fixture *f, const char *key, const void *data, size_t len)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	check(f, storage_get_all(f->s, key, len + 10, &got, &f->err));
	assert_int_equal(got.len, len);
	assert_memory_equal(got.buf, data, len);
}

static void no_uploads(struct fixture *f)
{
	struct storage_upload *u = NULL;
	size_t n = 0;

	if (!f->s->ops->uploads)
		return;
	check(f, f->s->ops->uploads(f->s, "", &u, &n, &f->err));
	assert_int_equal(n, 0);
	free(u);
}

/* The listing as "key:size key:size …". */
static void lists(struct fixture *f, const char *prefix, bool delimiter, const char *expected)
{
	_cleanup_listing_ struct storage_listing l = { 0 };
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	check(f, storage_list(f->s, prefix, delimiter, &l, &f->err));
	for (size_t i = 0; i < l.len; i++) {
		strbuf_addf(&got, "%s%s:%d", i ? " " : "", l.items[i].key, (int)l.items[i].size);
		assert_true(l.items[i].size < 0 || l.items[i].mtime > INT64_C(1600000000000000));
	}
	assert_string_equal(got.buf, expected);
}

static void test_whole_objects(void **state)
{
	struct fixture *f = *state;
	struct storage_entry e = { 0 };

	put(f, "a/b/c", "hello");
	holds(f, "a/b/c", "hello", 5);
	put(f, "a/b/c", "other and longer");
	holds(f, "a/b/c", "other and longer", 16);
	put(f, "empty", "");
	holds(f, "empty", "", 0);
	check(f, storage_stat(f->s, "a/b/c", &e, &f->err));
	assert_string_equal(e.key, "a/b/c");
	assert_int_equal(e.size, 16);
	assert_true(e.mtime > INT64_C(1600000000000000));
	free(e.key);
	refused(f, storage_stat(f->s, "a/b", &e, &f->err), EXIT_NOT_FOUND);
}

static void test_ranges(void **state)
{
	struct fixture *f = *state;
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	put(f, "digits", "0123456789");
	check(f, storage_get(f->s, "digits", 2, 3, &got, &f->err));
	check(f, storage_get(f->s, "digits", 9, 1, &got, &f->err));
	check(f, storage_get(f->s, "digits", 4, 0, &got, &f->err));
	assert_string_equal(got.buf, "2349"); /* appended */
	refused(f, storage_get(f->s, "digits", 8, 3, &got, &f->err), EXIT_DAMAGED);
	refused(f, storage_get(f->s, "digits", 10, 1, &got, &f->err), EXIT_DAMAGED);
	refused(f, storage_get(f->s, "nothing", 0, 1, &got, &f->err), EXIT_NOT_FOUND);
	refused(f, storage_get_all(f->s, "nothing", 100, &got, &f->err), EXIT_NOT_FOUND);
	refused(f, storage_get_all(f->s, "digits", 9, &got, &f->err), EXIT_DAMAGED);
	assert_string_equal(got.buf, "2349"); /* a failure leaves it alone */
	check(f, f->s->ops->get(f->s, "digits", 7, SIZE_MAX, 100, &got, &f->err));
	check(f, f->s->ops->get(f->s, "digits", 10, SIZE_MAX, 100, &got, &f->err));
	assert_string_equal(got.buf, "2349789");
}

static void test_lists(void **state)
{
	struct fixture *f = *state;

	lists(f, "", false, "");
	lists(f, "no/such/", true, "");
	put(f, "db/20/x", "1");
	put(f, "db/20/y", "12");
	put(f, "db/21/x", "123");
	put(f, "db-2/20/x", "1");
	put(f, "top", "1234");
	lists(f, "", false, "db-2/20/x:1 db/20/x:1 db/20/y:2 db/21/x:3 top:4");
	lists(f, "", true, "db-2/:-1 db/:-1 top:4");
	lists(f, "db/", true, "db/20/:-1 db/21/:-1");
	lists(f, "db/2", true, "db/20/:-1 db/21/:-1");
	lists(f, "db/20/", false, "db/20/x:1 db/20/y:2");
	lists(f, "db", false, "db-2/20/x:1 db/20/x:1 db/20/y:2 db/21/x:3");
	lists(f, "db/21", true, "db/21/:-1");
	lists(f, "top", false, "top:4");
	lists(f, "zzz", false, "");
}

struct putter {
	struct fixture *f;
	unsigned first;
	bool ok;
};

static void *put_many(void *data)
{
	struct putter *p = data;

	p->ok = true;
	for (unsigned i = p->first; i < MANY && p->ok; i += THREADS) {
		autofree char *key = xasprintf("many/%05u", i);

		p->ok = storage_put(p->f->s, key, key, strlen(key), NULL);
	}
	return NULL;
}

/* More than one page of a list and one batch of a removal; written from several threads. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];
	struct putter putters[THREADS];
	_cleanup_listing_ struct storage_listing l = { 0 };
	_cleanup_strvec_ struct strvec keys = { 0 };

	for (unsigned i = 0; i < THREADS; i++) {
		putters[i] = (struct putter){ .f = f, .first = i };
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, &putters[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(putters[i].ok);
	}
	put(f, "mark", "stays");
	check(f, storage_list(f->s, "many/", false, &l, &f->err));
	assert_int_equal(l.len, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		autofree char *key = xasprintf("many/%05u", i);

		assert_string_equal(l.items[i].key, key);
		strvec_push(&keys, key);
	}
	strvec_push(&keys, "many/never-was");
	check(f, storage_remove(f->s, (const char *const *)keys.items, keys.len, &f->err));
	lists(f, "", false, "mark:5");
}

static void test_remove(void **state)
{
	struct fixture *f = *state;

	put(f, "x/1", "1");
	put(f, "x/2", "2");
	check(f, storage_remove(f->s, (const char *const[]){ "x/1" }, 1, &f->err));
	lists(f, "", false, "x/2:1");
	check(f, storage_remove(f->s, (const char *const[]){ "x/1" }, 1, &f->err));
	check(f, storage_remove(f->s, (const char *const[]){ "x/1", "y/z", "x/2" }, 3, &f->err));
	lists(f, "", false, "");
	check(f, storage_remove(f->s, NULL, 0, &f->err));
}

static char *pattern(size_t len, unsigned seed)
{
	char *bytes = xmalloc(len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)((i * 31 + seed) % 251);
	return bytes;
}

static void write_stream(struct fixture *f, const char *key, const char *bytes, size_t len, size_t chunk)
{
	struct storage_stream *st = NULL;

	check(f, storage_stream_open(f->s, key, &st, &f->err));
	for (size_t done = 0; done < len; done += chunk)
		check(f, storage_stream_append(
				 st, bytes + done, len - done < chunk ? len - done : chunk, &f->err));
	assert_int_equal(st->bytes, len);
	check(f, storage_stream_commit(st, &f->err));
}

static void test_streams(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0, 1, PART - 1, PART, PART + 1, 2 * PART, 7 * PART / 2, 12 * PART };
	static const size_t chunks[] = { 77, PART, 5 * PART };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = 0; j < sizeof(chunks) / sizeof(chunks[0]); j++) {
			autofree char *bytes = pattern(sizes[i], (unsigned)(i + j));
			autofree char *key = xasprintf("s/%zu-%zu", sizes[i], chunks[j]);

			write_stream(f, key, bytes, sizes[i], chunks[j]);
			holds(f, key, bytes, sizes[i]);
		}
	no_uploads(f);
}

static void test_abort(void **state)
{
	struct fixture *f = *state;
	autofree char *bytes = pattern(8 * PART, 0);

	for (size_t len = 0; len <= 8 * PART; len += 2 * PART) {
		struct storage_stream *st = NULL;

		check(f, storage_stream_open(f->s, "gone", &st, &f->err));
		check(f, storage_stream_append(st, bytes, len, &f->err));
		storage_stream_abort(st);
	}
	storage_stream_abort(NULL);
	lists(f, "", false, "");
	no_uploads(f);
}

struct writer {
	struct fixture *f;
	unsigned number;
	bool ok;
};

static void *write_many(void *data)
{
	struct writer *w = data;
	autofree char *bytes = pattern(6 * PART + w->number, w->number);
	autofree char *key = xasprintf("par/%u", w->number);
	struct storage_stream *st = NULL;

	w->ok = storage_stream_open(w->f->s, key, &st, NULL);
	for (size_t done = 0; w->ok && done < 6 * PART; done += 10)
		w->ok = storage_stream_append(st, bytes + done, 10, NULL);
	w->ok = w->ok && storage_stream_append(st, bytes + 6 * PART, w->number, NULL) &&
		storage_stream_commit(st, NULL);
	return NULL;
}

/* As many streams as there are slots, each with a part that is never full at the same moment. */
static void test_parallel_streams(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[SLOTS];
	struct writer writers[SLOTS];

	for (unsigned i = 0; i < SLOTS; i++) {
		writers[i] = (struct writer){ .f = f, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(writers[i].ok);

		autofree char *bytes = pattern(6 * PART + i, i);
		autofree char *key = xasprintf("par/%u", i);

		holds(f, key, bytes, 6 * PART + i);
	}
}

/* One thread feeds all streams in turn: nobody may wait for a buffer that only it could set free. */
static void test_interleaved_streams(void **state)
{
	struct fixture *f = *state;
	struct storage_stream *st[SLOTS + 1], *too_many = NULL;
	autofree char *bytes = pattern(5 * PART, 3);

	for (unsigned i = 0; i <= SLOTS; i++) {
		autofree char *key = xasprintf("turn/%u", i);

		check(f, storage_stream_open(f->s, key, &st[i], &f->err));
	}
	if (use_s3) /* it might have to wait for ever */
		refused(f, storage_stream_open(f->s, "more", &too_many, &f->err), EXIT_BUG);
	for (size_t done = 0; done < 5 * PART; done += 100)
		for (unsigned i = 0; i <= SLOTS; i++)
			check(f, storage_stream_append(st[i], bytes + done, 100, &f->err));
	for (unsigned i = 0; i <= SLOTS; i++) {
		autofree char *key = xasprintf("turn/%u", i);

		check(f, storage_stream_commit(st[i], &f->err));
		holds(f, key, bytes, 5 * PART);
	}
}

static void test_odd_keys(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = { "a b", "\xc3\xa9t\xc3\xa9", "x+y", "p%41", "q&r=s", "~t", "(1)'*!",
		"a:b@c,d;e", "u<v>w\"", "..x/...y", "-", "k\\l", "{z}", "$0|^`", "h#i?j" };
	size_t n = sizeof(keys) / sizeof(keys[0]);
	_cleanup_listing_ struct storage_listing l = { 0 };

	for (size_t i = 0; i < n; i++) {
		autofree char *bytes = pattern(2 * PART, (unsigned)i);

		write_stream(f, keys[i], bytes, 2 * PART, PART);
		holds(f, keys[i], bytes, 2 * PART);
	}
	check(f, storage_list(f->s, "", false, &l, &f->err));
	assert_int_equal(l.len, n);
	check(f, storage_remove(f->s, keys, n, &f->err));
	lists(f, "", false, "");
}

static void test_hostile_keys(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = { "", ".", "..", "/etc/x", "../x", "a/../x", "a/./x", "a//x", "a/",
		"a/.." };
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;
	struct storage_stream *st = NULL;
	struct storage_entry e;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		refused(f, storage_put(f->s, keys[i], "x", 1, &f->err), EXIT_BUG);
		refused(f, storage_stream_open(f->s, keys[i], &st, &f->err), EXIT_BUG);
		refused(f, storage_get_all(f->s, keys[i], 10, &got, &f->err), EXIT_BUG);
		refused(f, storage_stat(f->s, keys[i], &e, &f->err), EXIT_BUG);
		refused(f, storage_remove(f->s, &keys[i], 1, &f->err), EXIT_BUG);
	}
	_cleanup_listing_ struct storage_listing l = { 0 };

	refused(f, storage_list(f->s, "../", false, &l, &f->err), EXIT_BUG);
}

/* After a stop request nothing new happens, but the run may clean up what it has stored. */
static void test_stop(void **state)
{
	struct fixture *f = *state;
	struct storage_stream *st = NULL;
	autofree char *bytes = pattern(3 * PART, 0);

	if (!use_s3)
		return; /* a folder answers at once: its callers look at the request themselves */
	put(f, "toc", "1");
	put(f, "data", "12");
	check(f, storage_stream_open(f->s, "s", &st, &f->err));
	check(f, storage_stream_append(st, bytes, 3 * PART, &f->err));
	cancel_request(&stop, SIGINT);
	refused(f, storage_stream_append(st, bytes, 1, &f->err), EXIT_INTERRUPTED);
	storage_stream_abort(st);
	refused(f, storage_put(f->s, "x", "x", 1, &f->err), EXIT_INTERRUPTED);
	lists(f, "", false, "data:2 toc:1");
	check(f, storage_remove(f->s, (const char *const[]){ "toc" }, 1, &f->err));
	check(f, storage_remove(f->s, (const char *const[]){ "toc", "data" }, 2, &f->err));
	lists(f, "", false, "");
	atomic_store(&stop.signal, SIGTERM);
	refused(f, storage_put(f->s, "x", "x", 1, &f->err), EXIT_TERMINATED);
	storage_close(f->s);
	atomic_store(&stop.signal, 0);
	f->s = storage_s3_open(
		&(struct s3_options){
			.bucket = getenv("DBOPS_TEST_S3_BUCKET"),
			.endpoint = getenv("DBOPS_TEST_S3_ENDPOINT"),
			.path_style = -1,
		},
		&f->err);
	no_uploads(f);
}

static void test_stats(void **state)
{
	struct fixture *f = *state;
	struct storage_stats before, after;

	f->s->ops->stats(f->s, &before);
	put(f, "x", "0123456789");
	holds(f, "x", "0123456789", 10);
	f->s->ops->stats(f->s, &after);
	assert_true(after.requests - before.requests >= 2);
	assert_true(after.bytes_sent - before.bytes_sent >= 10);
	assert_true(after.bytes_received - before.bytes_received >= 10);
	assert_string_equal(after.last_retry, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_whole_objects),
		T(test_ranges),
		T(test_lists),
		T(test_remove),
		T(test_many),
		T(test_streams),
		T(test_abort),
		T(test_parallel_streams),
		T(test_interleaved_streams),
		T(test_odd_keys),
		T(test_hostile_keys),
		T(test_stop),
		T(test_stats),
	};

	use_s3 = argc > 1 && strcmp(argv[1], "s3") == 0;
	if (!cancel_open(&stop, NULL))
		return 1;
	return cmocka_run_group_tests_name(use_s3 ? "storage s3" : "storage file", tests, NULL, NULL);
}
