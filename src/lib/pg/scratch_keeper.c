/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "clock.h"
#include "fs.h"
#include "scratch_internal.h"

enum { STOP_SECONDS = 10 };

struct keeper {
	const struct scratch_plan *plan;
	int control_fd, status_fd, signal_fd;
	int lock_fd; /* open to the end of our life */
};

/* The scratch server stands back behind everything else on this machine, and goes first when
 * memory runs out. Failures do not matter. */
static void be_modest(void)
{
	const struct rlimit no_core = { 0, 0 };
	enum { BEST_EFFORT = 2 << 13, LOWEST = 7 };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t ignored = write(fd, "500", 3);

		(void)ignored;
		close(fd);
	}
	errno = 0;
	if (nice(10) == -1 && errno)
		errno = 0;
	syscall(SYS_ioprio_set, 1, 0, BEST_EFFORT | LOWEST);
	setrlimit(RLIMIT_CORE, &no_core);
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void run_program(
	const struct scratch_plan *plan, const struct strvec *argv, int death_signal, pid_t keeper)
{
	const char *path = argv == &plan->initdb ? plan->initdb_log : plan->log;
	int log;

	be_modest(); /* while still root: a negative oom_score_adj may be inherited */
	if (!scratch_become(&plan->user))
		_exit(SCRATCH_NO_USER);
	prctl(PR_SET_PDEATHSIG, death_signal); /* after the change of user, which clears it */
	if (getppid() != keeper)
		_exit(SCRATCH_NO_USER);
	if (chdir(plan->folder) != 0)
		_exit(SCRATCH_NO_FOLDER);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log < 0)
		_exit(SCRATCH_NO_FOLDER);
	dup2(log, 1);
	dup2(log, 2);
	reset_signals();
	execve(argv->items[0], argv->items, plan->env.items);
	_exit(SCRATCH_NO_PROGRAM);
}

static pid_t spawn(const struct keeper *k, const struct strvec *argv, int death_signal)
{
	pid_t keeper = getpid(), pid = fork();

	if (pid == 0)
		run_program(k->plan, argv, death_signal, keeper);
	return pid;
}

/* True when child ended; also takes in whatever the subreaper inherited. */
static bool reap(pid_t child, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		ended = true;
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return ended || (pid < 0 && errno == ECHILD);
}

/* Empties the signalfd; true when it held a request to stop. */
static bool stop_signalled(const struct keeper *k)
{
	struct signalfd_siginfo info;
	bool stop = false;

	while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		stop |= info.ssi_signo != SIGCHLD;
	return stop;
}

/* Waits until child ends (true, with its status) or we shall stop (false). child 0: until stop. */
static bool wait_child(const struct keeper *k, pid_t child, int *ret_status)
{
	struct pollfd fds[2] = { { k->control_fd, POLLIN, 0 }, { k->signal_fd, POLLIN, 0 } };

	for (;;) {
		if (child && reap(child, ret_status))
			return true;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents || (fds[1].revents && stop_signalled(k)))
			return false;
	}
}

static void end_child(const struct keeper *k, pid_t child, int signum)
{
	struct pollfd fd = { k->signal_fd, POLLIN, 0 };
	double deadline = clock_monotonic() + STOP_SECONDS;
	bool ended = false;
	int status;

	kill(child, signum);
	while (!(ended = reap(child, &status)) && clock_monotonic() < deadline) {
		poll(&fd, 1, 50);
		stop_signalled(k);
	}
	if (!ended)
		kill(child, SIGKILL);
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
}

static void tell(const struct keeper *k, int what, int status)
{
	const struct scratch_report report = { what, status };
	ssize_t ignored = write(k->status_fd, &report, sizeof(report));

	(void)ignored;
}

/* Runs one program to its end; false when we were told to stop meanwhile. */
static bool run_to_end(
	const struct keeper *k, const struct strvec *argv, int stop_signal, int *ret_status)
{
	pid_t pid = spawn(k, argv, stop_signal);

	*ret_status = SCRATCH_NO_PROGRAM;
	if (pid < 0 || wait_child(k, pid, ret_status))
		return true;
	end_child(k, pid, stop_signal);
	return false;
}

static void serve(struct keeper *k)
{
	int status = scratch_make(k->plan, &k->lock_fd);

	if (status) {
		tell(k, SCRATCH_FOLDER_FAILED, status);
		wait_child(k, 0, &status);
		return;
	}
	if (!run_to_end(k, &k->plan->initdb, SIGKILL, &status))
		return;
	if (status == 0) {
		if (!run_to_end(k, &k->plan->server, SIGQUIT, &status))
			return;
		tell(k, SCRATCH_SERVER_ENDED, status);
	} else {
		tell(k, SCRATCH_INITDB_FAILED, status);
	}
	wait_child(k, 0, &status); /* dbops wants to read the log first */
}

static void close_between(int first, int last)
{
	if (first > last)
		return;
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0)
		return;
#endif
	for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd <= last && fd < end; fd++)
		close((int)fd);
}

/* Nothing of dbops but the two pipes: not its sockets, not its locks, not its terminal. */
static void detach(int *control_fd, int *status_fd)
{
	enum { HIGH = 100 };
	int null = open("/dev/null", O_RDWR);

	/* one after the other, so in ascending order */
	*control_fd = fcntl(*control_fd, F_DUPFD_CLOEXEC, HIGH);
	*status_fd = fcntl(*status_fd, F_DUPFD_CLOEXEC, HIGH);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	close_between(3, *control_fd - 1);
	close_between(*control_fd + 1, *status_fd - 1);
	close_between(*status_fd + 1, INT_MAX);
	setsid();
	umask(077);
	if (chdir("/") != 0)
		errno = 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	reset_signals();
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Leaves the folder without the lock file, so that no sweep takes it for a leftover. */
static void forget(const struct scratch_plan *plan)
{
	autofree char *lock = fs_join(plan->folder, SCRATCH_LOCK);

	unlink(lock);
}

_Noreturn void scratch_keeper(const struct scratch_plan *plan, int control_fd, int status_fd)
{
	struct keeper k;

	detach(&control_fd, &status_fd);
	k = (struct keeper){ plan, control_fd, status_fd, open_signals(), -1 };
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	serve(&k);
	if (strcmp(plan->socket_dir, plan->folder) != 0)
		scratch_remove(plan->socket_dir, &plan->user);
	if (plan->keep)
		forget(plan);
	else
		scratch_remove(plan->folder, &plan->user);
	_exit(0);
}
