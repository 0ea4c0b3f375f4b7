/* SPDX-License-Identifier: PostgreSQL
 *
 * scratch_folder.c - whose the scratch folder is, how it is removed, and what happens to one
 * whose keeper was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fs.h"
#include "scratch_internal.h"

bool scratch_become(const struct scratch_user *user)
{
	if (!user->change)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(user->gid, user->gid, user->gid) == 0 &&
	       setresuid(user->uid, user->uid, user->uid) == 0;
}

static int make_private(const char *path, const struct scratch_user *user)
{
	if (mkdir(path, 0700) != 0)
		return errno;
	if (user->change && chown(path, user->uid, user->gid) != 0)
		return errno;
	return 0;
}

/* The file gets its name when it is locked: a sweep by another dbops must not be faster. */
static int take_lock(const char *folder, int *ret_fd)
{
	autofree char *path = fs_join(folder, SCRATCH_LOCK);
	autofree char *new = xasprintf("%s.new", path);

	*ret_fd = open(new, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*ret_fd < 0 || flock(*ret_fd, LOCK_EX | LOCK_NB) != 0 || rename(new, path) != 0)
		return errno;
	return 0;
}

int scratch_make(const struct scratch_plan *plan, int *ret_lock_fd)
{
	autofree char *link = fs_join(plan->folder, SCRATCH_SOCKET);
	int error = make_private(plan->folder, &plan->user);

	if (!error)
		error = take_lock(plan->folder, ret_lock_fd);
	if (error || strcmp(plan->socket_dir, plan->folder) == 0)
		return error;
	error = make_private(plan->socket_dir, &plan->user);
	if (error)
		return error;
	return symlink(plan->socket_dir, link) == 0 ? 0 : errno;
}

/* What root made in it; a link that its owner put in the folder's place is not followed. */
static void unlink_ours(const char *folder)
{
	autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	unlinkat(fd, SCRATCH_LOCK, 0);
	unlinkat(fd, SCRATCH_SOCKET, 0);
}

void scratch_remove(const char *folder, const struct scratch_user *user)
{
	pid_t pid = user->change ? fork() : -1;

	if (pid == 0) {
		if (scratch_become(user))
			fs_remove_tree(folder, NULL);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (user->change) {
		/* the user may not be allowed to enter or to change the folder above */
		unlink_ours(folder);
		rmdir(folder);
	} else {
		fs_remove_tree(folder, NULL);
	}
}

/* A keeper holds the lock while it lives, and a folder that is meant to stay has no lock file. */
static bool is_leftover(const char *folder, const struct scratch_user *user)
{
	autofree char *lock = fs_join(folder, SCRATCH_LOCK);
	struct stat st;

	if (lstat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != user->uid)
		return false;

	autoclose int fd = open(lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* The short folder of its socket, if it had one. */
static void sweep_socket(const char *folder, const struct scratch_user *user)
{
	autofree char *link = fs_join(folder, SCRATCH_SOCKET);
	char target[64];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = '\0';
	if (strncmp(target, SCRATCH_SOCKET_PREFIX, strlen(SCRATCH_SOCKET_PREFIX)) == 0 &&
		!strstr(target, ".."))
		scratch_remove(target, user);
}

static void sweep_one(const char *folder, const struct scratch_user *user)
{
	if (!is_leftover(folder, user))
		return;
	sweep_socket(folder, user);
	scratch_remove(folder, user);
}

void scratch_sweep(const char *base, const struct scratch_user *user)
{
	autofree char *pattern = fs_join(base, SCRATCH_PREFIX "*");
	glob_t g;

	if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		sweep_one(g.gl_pathv[i], user);
	globfree(&g);
}

static bool find_by_name(const char *name, struct scratch_user *ret, struct error *err)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw) {
		error_set(err, EXIT_CONFIG, "there is no user \"%s\" to run the scratch server",
			name);
		return error_hint(err, "PostgreSQL refuses to run as root; name an unprivileged "
				       "user with --run-as.");
	}
	if (pw->pw_uid == 0) {
		error_set(err, EXIT_CONFIG,
			"the scratch server cannot run as \"%s\", which is root", name);
		return error_hint(err, "PostgreSQL refuses to run as root; name an unprivileged "
				       "user with --run-as.");
	}
	*ret = (struct scratch_user){ true, pw->pw_uid, pw->pw_gid, xstrdup(name) };
	return true;
}

bool scratch_find_user(const char *run_as, struct scratch_user *ret, struct error *err)
{
	if (geteuid() == 0)
		return find_by_name(run_as ? run_as : "postgres", ret, err);

	const struct passwd *pw = getpwuid(geteuid());

	if (!pw) {
		error_set(err, EXIT_CONFIG, "user id %ld has no name, and initdb insists on one",
			(long)geteuid());
		return error_hint(err, "Add a line for it to /etc/passwd; containers that run with "
				       "arbitrary user ids do that at their start.");
	}
	*ret = (struct scratch_user){ false, geteuid(), getegid(), xstrdup(pw->pw_name) };
	if (!run_as || strcmp(run_as, ret->name) == 0)
		return true;
	free(steal(ret->name));
	return error_set(
		err, EXIT_PERMISSION, "only root can run the scratch server as \"%s\"", run_as);
}
