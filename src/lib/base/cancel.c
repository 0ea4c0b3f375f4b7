/* SPDX-License-Identifier: PostgreSQL */
#include "cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include "clock.h"

bool cancel_open(struct cancel *c, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return error_set_errno(err, EXIT_BUG, errno, "cannot create a pipe");
	c->wake_fd = fds[0];
	c->write_fd = fds[1];
	return true;
}

void cancel_request(struct cancel *c, int signal)
{
	int saved = errno;

	atomic_store(&c->signal, signal);
	if (c->write_fd >= 0) {
		ssize_t ignored = write(c->write_fd, "x", 1);

		(void)ignored;
	}
	errno = saved;
}

bool cancel_check(const struct cancel *c, struct error *err)
{
	int signal = cancel_requested(c);

	if (!signal)
		return true;
	return error_set(err, signal == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED,
		signal == SIGINT ? "interrupted" : "terminated");
}

bool cancel_pause(const struct cancel *c, int64_t ms, struct error *err)
{
	struct pollfd fd = { .fd = c ? c->wake_fd : -1, .events = POLLIN };
	double end = clock_monotonic() + (double)ms / 1000;

	for (double left; !cancel_requested(c) && (left = (end - clock_monotonic()) * 1000) > 0;)
		if (poll(&fd, 1, (int)fmin(ceil(left), INT_MAX)) < 0 && errno != EINTR)
			return error_set_errno(err, EXIT_BUG, errno, "cannot wait");
	return cancel_check(c, err);
}
