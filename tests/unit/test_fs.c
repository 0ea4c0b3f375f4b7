/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "fs.h"

struct fixture {
	char *folder, *path; /* path: "<folder>/file" */
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->folder = fs_make_temp_dir(NULL, "dbops-fs-", &f->err);
	assert_non_null(f->folder);
	f->path = fs_join(f->folder, "file");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_true(fs_remove_tree(f->folder, &f->err));
	assert_false(fs_exists(f->folder));
	error_release(&f->err);
	free(f->folder);
	free(f->path);
	free(f);
	return 0;
}

static void check(struct fixture *f, bool ok)
{
	if (!ok)
		fail_msg("%s", f->err.message);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static size_t count_entries(const char *folder)
{
	DIR *d = opendir(folder);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void check_content(struct fixture *f, const char *path, const char *want)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	check(f, fs_read(path, 1 << 20, &text, &f->err));
	assert_string_equal(text.buf, want);
}

static void test_write_atomic(void **state)
{
	struct fixture *f = *state;

	umask(0);
	check(f, fs_write_atomic(f->path, "first", 5, &f->err));
	check_content(f, f->path, "first");
	assert_int_equal(mode_of(f->path), 0600);
	check(f, fs_write_atomic(f->path, "2", 1, &f->err));
	check_content(f, f->path, "2");
	check(f, fs_write_atomic(f->path, NULL, 0, &f->err));
	check_content(f, f->path, "");
	assert_int_equal(count_entries(f->folder), 1); /* no temporary file stays */
}

/* A reader that has the old file open keeps reading the old one: it was replaced, not overwritten. */
static void test_write_atomic_replaces(void **state)
{
	struct fixture *f = *state;
	char old[4] = "";

	check(f, fs_write_atomic(f->path, "old", 3, &f->err));

	autoclose int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	check(f, fs_write_atomic(f->path, "new", 3, &f->err));
	assert_int_equal(read(fd, old, 3), 3);
	assert_string_equal(old, "old");
}

static void test_write_atomic_fails(void **state)
{
	struct fixture *f = *state;
	autofree char *missing = fs_join(f->folder, "no/file"), *folder = fs_join(f->folder, "folder");

	assert_false(fs_write_atomic(missing, "x", 1, &f->err));
	assert_int_equal(f->err.code, EXIT_NOT_FOUND);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_false(fs_write_atomic(folder, "x", 1, &f->err));
	assert_int_equal(count_entries(f->folder), 1);
}

/* A full disk, played by a limit of the file size: the old content stays, and nothing else. */
static void test_write_atomic_full(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small;
	static const char big[8192];

	check(f, fs_write_atomic(f->path, "old", 3, &f->err));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 4096, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);

	bool ok = fs_write_atomic(f->path, big, sizeof(big), &f->err);

	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_false(ok);
	assert_int_equal(f->err.code, EXIT_CANNOT_WRITE);
	check_content(f, f->path, "old");
	assert_int_equal(count_entries(f->folder), 1);
}

/* Somebody else's link with the temporary file's name is neither followed nor a reason to keep its mode. */
static void test_write_atomic_link(void **state)
{
	struct fixture *f = *state;
	autofree char *temp = xasprintf("%s.tmp-%ld", f->path, (long)getpid());
	autofree char *victim = fs_join(f->folder, "victim");

	check(f, fs_write_atomic(victim, "victim", 6, &f->err));
	assert_int_equal(symlink(victim, temp), 0);
	check(f, fs_write_atomic(f->path, "x", 1, &f->err));
	check_content(f, victim, "victim");
	check_content(f, f->path, "x");

	struct stat st;

	assert_int_equal(lstat(f->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void test_read(void **state)
{
	struct fixture *f = *state;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	check(f, fs_write_atomic(f->path, "a\0c", 3, &f->err));
	strbuf_adds(&text, "earlier content");
	check(f, fs_read(f->path, 3, &text, &f->err));
	assert_int_equal(text.len, 3);
	assert_memory_equal(text.buf, "a\0c", 4);
	assert_false(fs_read(f->path, 2, &text, &f->err));
	assert_int_equal(f->err.code, EXIT_DAMAGED);
	assert_false(fs_read(f->folder, 10, &text, &f->err));
	unlink(f->path);
	assert_false(fs_read(f->path, 2, &text, &f->err));
	assert_int_equal(f->err.code, EXIT_NOT_FOUND);
	assert_non_null(strstr(f->err.message, f->path));
}

static void test_mkdirs(void **state)
{
	static const char *const paths[] = { "a", "a/b/c", "a/b/c/", "x//y", "a/./d" };
	struct fixture *f = *state;

	umask(0);
	for (size_t i = 0; i < LENGTH(paths); i++) {
		autofree char *path = fs_join(f->folder, paths[i]);

		check(f, fs_mkdirs(path, &f->err));
		assert_true(fs_is_dir(path));
		assert_int_equal(mode_of(path), 0700);
		check(f, fs_mkdirs(path, &f->err)); /* again is fine */
	}
	check(f, fs_mkdirs("/", &f->err));
	check(f, fs_write_atomic(f->path, "x", 1, &f->err));
	assert_false(fs_mkdirs(f->path, &f->err));
	assert_int_equal(f->err.code, EXIT_CANNOT_WRITE);

	autofree char *below = fs_join(f->path, "below");

	assert_false(fs_mkdirs(below, &f->err));
	assert_false(fs_mkdirs("", &f->err));
}

static void test_remove_tree(void **state)
{
	struct fixture *f = *state;
	autofree char *outside = fs_join(f->folder, "outside"), *kept = fs_join(outside, "kept");
	autofree char *tree = fs_join(f->folder, "tree"), *deep = fs_join(tree, "a/b/c"), *link = fs_join(tree, "link");
	autofree char *file_link = fs_join(deep, "file-link"), *loop = fs_join(deep, "loop"), *dangling = fs_join(deep, "dangling");

	check(f, fs_mkdirs(outside, &f->err));
	check(f, fs_write_atomic(kept, "kept", 4, &f->err));
	check(f, fs_mkdirs(deep, &f->err));
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(symlink(kept, file_link), 0);
	assert_int_equal(symlink(tree, loop), 0);
	assert_int_equal(symlink("/no/such/place", dangling), 0);
	check(f, fs_remove_tree(tree, &f->err));
	assert_false(fs_exists(tree));
	check_content(f, kept, "kept");
	check(f, fs_remove_tree(tree, &f->err)); /* a missing path is fine */
}

/* The path itself a link: the link goes, what it points to stays. */
static void test_remove_link(void **state)
{
	struct fixture *f = *state;
	autofree char *outside = fs_join(f->folder, "outside"), *kept = fs_join(outside, "kept"), *link = fs_join(f->folder, "link");

	check(f, fs_mkdirs(outside, &f->err));
	check(f, fs_write_atomic(kept, "kept", 4, &f->err));
	assert_int_equal(symlink(outside, link), 0);
	check(f, fs_remove_tree(link, &f->err));
	assert_false(fs_exists(link));
	check_content(f, kept, "kept");
	check(f, fs_remove_tree(kept, &f->err)); /* a single file */
	assert_false(fs_exists(kept));
}

static void test_temp_dir(void **state)
{
	struct fixture *f = *state;
	autofree char *before = xstrdup(getenv("TMPDIR")), *missing = fs_join(f->folder, "missing");

	umask(0);
	setenv("TMPDIR", f->folder, 1);

	autofree char *a = fs_make_temp_dir(NULL, "x-", &f->err), *b = fs_make_temp_dir(f->folder, "x-", &f->err);

	setenv("TMPDIR", "", 1);

	autofree char *c = fs_make_temp_dir(NULL, "dbops-x-", &f->err);

	if (before)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
	assert_int_equal(strncmp(a, f->folder, strlen(f->folder)), 0);
	assert_int_equal(strncmp(c, "/tmp/dbops-x-", 13), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(mode_of(a), 0700);
	check(f, fs_remove_tree(c, &f->err));
	assert_null(fs_make_temp_dir(missing, "x-", &f->err));
	assert_int_equal(f->err.code, EXIT_NOT_FOUND);
}

static void test_paths(void **state)
{
	static const struct {
		const char *a, *b, *joined;
	} cases[] = {
		{ "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "/", "b", "/b" }, { "/a/b", "c/d", "/a/b/c/d" }, { "", "b", "/b" },
	};
	autofree char *cwd = getcwd(NULL, 0), *relative = fs_absolute("x/y"), *dot = fs_absolute(".//./x"), *absolute = fs_absolute("/x");
	autofree char *want_relative = xasprintf("%s/x/y", cwd), *want_dot = xasprintf("%s/x", cwd);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		autofree char *joined = fs_join(cases[i].a, cases[i].b);

		assert_string_equal(joined, cases[i].joined);
	}
	assert_string_equal(relative, want_relative);
	assert_string_equal(dot, want_dot);
	assert_string_equal(absolute, "/x");
}

static void test_questions(void **state)
{
	struct fixture *f = *state;
	autofree char *dangling = fs_join(f->folder, "dangling");

	check(f, fs_write_atomic(f->path, "x", 1, &f->err));
	assert_int_equal(symlink("/no/such/place", dangling), 0);
	assert_true(fs_is_dir(f->folder));
	assert_false(fs_is_dir(f->path));
	assert_true(fs_exists(dangling)); /* the link does */
	assert_false(fs_is_dir(dangling));
	assert_false(fs_is_executable(f->path));
	assert_int_equal(chmod(f->path, 0700), 0);
	assert_true(fs_is_executable(f->path));
	assert_false(fs_is_executable(f->folder));
	assert_true(fs_free_bytes(f->folder) >= 0);
	assert_int_equal(fs_free_bytes("/no/such/place"), -1);
}

static void test_exit_codes(void **state)
{
	static const struct {
		int errnum;
		enum exit_code code;
	} cases[] = {
		{ EACCES, EXIT_PERMISSION }, { EPERM, EXIT_PERMISSION }, { EROFS, EXIT_PERMISSION }, { ENOENT, EXIT_NOT_FOUND },
		{ ENOSPC, EXIT_CANNOT_WRITE }, { EDQUOT, EXIT_CANNOT_WRITE }, { EIO, EXIT_CANNOT_WRITE },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(fs_exit_code(cases[i].errnum), cases[i].code);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_write_atomic),
		CASE(test_write_atomic_replaces),
		CASE(test_write_atomic_fails),
		CASE(test_write_atomic_full),
		CASE(test_write_atomic_link),
		CASE(test_read),
		CASE(test_mkdirs),
		CASE(test_remove_tree),
		CASE(test_remove_link),
		CASE(test_temp_dir),
		cmocka_unit_test(test_paths),
		CASE(test_questions),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
