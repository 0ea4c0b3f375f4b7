/* SPDX-License-Identifier: PostgreSQL */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "clock.h"

void proc_child_setup(pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_IGN); /* a terminal's ^C goes to dbops, which stops its children in order */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
}

/* Whether an entry of the environment has the name of "NAME=value" or "NAME". */
static bool same_name(const char *entry, const char *assignment)
{
	size_t n = strcspn(assignment, "=");

	return strncmp(entry, assignment, n) == 0 && entry[n] == '=';
}

/* Our environment with the additions; strings are borrowed. Caller frees the array. */
static char **merged_environment(const struct strvec *add)
{
	VEC(char *) env = { 0 };

	for (char **e = environ; *e; e++) {
		bool replaced = false;

		for (size_t i = 0; add && i < add->len; i++)
			replaced |= same_name(*e, add->items[i]);
		if (!replaced)
			*vec_push(&env) = *e;
	}
	for (size_t i = 0; add && i < add->len; i++)
		if (strchr(add->items[i], '='))
			*vec_push(&env) = add->items[i];
	*vec_push(&env) = NULL;
	return env.items;
}

struct child {
	pid_t pid;
	int in, out, errors; /* our ends; -1 = none */
	int ended;           /* pidfd: wakes poll() when the child ends; -1 on an old kernel */
};

static void child_close(struct child *c)
{
	cleanup_fd(&c->in);
	cleanup_fd(&c->out);
	cleanup_fd(&c->errors);
	cleanup_fd(&c->ended);
	c->in = c->out = c->errors = c->ended = -1;
}

static bool change_user(const struct proc_spec *spec)
{
	if (!spec->run_as_uid)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(spec->run_as_gid, spec->run_as_gid, spec->run_as_gid) == 0 &&
	       setresuid(spec->run_as_uid, spec->run_as_uid, spec->run_as_uid) == 0;
}

_Noreturn static void exec_child(const struct proc_spec *spec, char **env, int in, int out, int errors,
	pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(in >= 0 ? in : null, 0);
	dup2(out >= 0 ? out : null, 1);
	dup2(errors >= 0 ? errors : null, 2);
	if (!change_user(spec))
		_exit(126);
	proc_child_setup(parent); /* after the change of user, which clears the death signal */
	execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv, env);
	_exit(errno == ENOENT ? 127 : 126);
}

static bool start(const struct proc_spec *spec, struct child *child, struct error *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errors[2] = { -1, -1 };
	autofree char **env = merged_environment(spec->env);
	pid_t parent = getpid();
	bool ok = (!spec->input || pipe2(in, O_CLOEXEC) == 0) &&
		  (!spec->output || pipe2(out, O_CLOEXEC) == 0) &&
		  (!spec->errors || pipe2(errors, O_CLOEXEC) == 0);

	child->pid = ok ? fork() : -1;
	if (child->pid == 0)
		exec_child(spec, env, in[0], out[1], errors[1], parent);

	int saved = errno;

	cleanup_fd(&in[0]);
	cleanup_fd(&out[1]);
	cleanup_fd(&errors[1]);
	*child = (struct child){ child->pid, in[1], out[0], errors[0], -1 };
	if (child->pid < 0) {
		child_close(child);
		return error_set_errno(err, EXIT_UNAVAILABLE, saved, "cannot start \"%s\"", spec->argv[0]);
	}
	if (child->in >= 0)
		fcntl(child->in, F_SETFL, O_NONBLOCK);
#ifdef SYS_pidfd_open
	child->ended = (int)syscall(SYS_pidfd_open, child->pid, 0);
#endif
	return true;
}

/* Reads what is there into sb; closes *fd at the end. False: more than limit. */
static bool drain(int *fd, struct strbuf *sb, size_t limit, bool keep_tail)
{
	char chunk[16384];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return true;
	}
	if (strbuf_add_bounded(sb, chunk, (size_t)n, limit))
		return true;
	if (!keep_tail)
		return false;
	memmove(sb->buf, sb->buf + sb->len / 2, sb->len - sb->len / 2);
	strbuf_setlen(sb, sb->len - sb->len / 2);
	strbuf_add(sb, chunk, (size_t)n);
	return true;
}

static void feed(struct child *child, const struct proc_spec *spec, size_t *fed)
{
	ssize_t n = write(child->in, (const char *)spec->input + *fed, spec->input_len - *fed);

	if (n > 0)
		*fed += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || *fed == spec->input_len) {
		close(child->in);
		child->in = -1;
	}
}

/* One round of the child's pipes, at most 50 ms. False: too much output. */
static bool pump(struct child *child, const struct proc_spec *spec, size_t *fed)
{
	struct pollfd fds[4] = {
		{ .fd = child->in, .events = POLLOUT },
		{ .fd = child->out, .events = POLLIN },
		{ .fd = child->errors, .events = POLLIN },
		{ .fd = child->ended, .events = POLLIN },
	};
	size_t limit = spec->output_limit ? spec->output_limit : 1 << 20;

	if (poll(fds, 4, 50) <= 0)
		return true;
	if (fds[0].revents)
		feed(child, spec, fed);
	if (fds[1].revents && !drain(&child->out, spec->output, limit, false))
		return false;
	if (fds[2].revents)
		drain(&child->errors, spec->errors, 1 << 16, true);
	return true;
}

static bool reaped(pid_t pid, int *ret_status)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

bool proc_run(const struct proc_spec *spec, const struct cancel *cancel, int *ret_status,
	struct error *err)
{
	struct child child = { -1, -1, -1, -1, -1 };
	double stop_since = 0;
	size_t fed = 0;
	bool too_long = false, killed = false, done = false;

	if (!start(spec, &child, err))
		return false;
	while (!done || child.out >= 0 || child.errors >= 0) {
		if (!done)
			done = reaped(child.pid, ret_status);
		if (!pump(&child, spec, &fed))
			too_long = true;
		if (done) {
			/* a grandchild may keep the pipes open: take what is there and go */
			struct pollfd fds[2] = { { child.out, POLLIN, 0 }, { child.errors, POLLIN, 0 } };

			if (too_long || poll(fds, 2, 0) <= 0)
				break;
			continue;
		}
		bool stop = too_long || cancel_requested(cancel) || (spec->watch && spec->watch(spec->watch_data));

		if (stop && !stop_since) {
			stop_since = clock_monotonic();
			kill(child.pid, SIGTERM);
		} else if (stop_since && !killed && clock_monotonic() - stop_since > 5) {
			killed = true;
			kill(child.pid, SIGKILL);
		}
	}
	child_close(&child);
	if (too_long)
		return error_set(err, EXIT_BUG, "the output of \"%s\" is too long", spec->argv[0]);
	return cancel_check(cancel, err);
}
