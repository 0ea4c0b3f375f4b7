/* SPDX-License-Identifier: PostgreSQL */
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "fs.h"

/* Only async-signal-safe calls: other threads may hold any lock at the fork. */
_Noreturn static void guard_main(const char *path, int fd)
{
	int null = open("/dev/null", O_RDWR);
	char byte;

	setsid(); /* a ^C is for dbops */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	dup2(fd, 0);
	dup2(null, 1);
	dup2(null, 2);
	close_range(3, ~0U, 0); /* nobody shall wait for a pipe that only the guard still holds */
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	execl("/bin/rm", "rm", "-rf", "--", path, (char *)NULL);
	_exit(127);
}

bool temp_open(struct temp_dir *t, const char *prefix, struct error *err)
{
	int fds[2];

	*t = (struct temp_dir){ .pipe = -1 };
	t->path = fs_make_temp_dir(NULL, prefix, err);
	if (!t->path)
		return false;
	if (pipe2(fds, O_CLOEXEC) != 0) {
		error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot create a pipe");
		temp_close(t);
		return false;
	}
	t->guard = fork();
	if (t->guard == 0)
		guard_main(t->path, fds[0]);
	close(fds[0]);
	t->pipe = fds[1];
	return true; /* without a guard the folder is removed by temp_close() all the same */
}

void temp_close(struct temp_dir *t)
{
	if (!t->path)
		return;
	fs_remove_tree(t->path, NULL);
	if (t->guard > 0) {
		kill(t->guard, SIGKILL);
		while (waitpid(t->guard, NULL, 0) < 0 && errno == EINTR)
			;
	}
	cleanup_fd(&t->pipe);
	free(t->path);
	*t = (struct temp_dir){ .pipe = -1 };
}
