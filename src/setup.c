/* SPDX-License-Identifier: PostgreSQL */
#include "setup.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "redact.h"
#include "xalloc.h"

static struct cancel *to_cancel;

static void on_stop(int signal)
{
	/* the second Ctrl-C means "now": what is left behind, the next run sweeps up */
	if (signal == SIGINT && cancel_requested(to_cancel) == SIGINT)
		_exit(EXIT_INTERRUPTED);
	cancel_request(to_cancel, signal == SIGINT ? SIGINT : SIGTERM);
}

static void on_abort(int signal)
{
	(void)signal;
	_exit(EXIT_BUG);
}

/* SA_RESTART: poll() returns anyway, and nobody else has to think of EINTR. */
void setup_signals(struct cancel *c)
{
	struct sigaction stop = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	struct sigaction aborted = { .sa_handler = on_abort };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	to_cancel = c;
	sigemptyset(&stop.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup(1) ignores SIGHUP, and means it */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGABRT, &aborted, NULL);
}

void setup_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0) /* the lowest free one is what open() gives */
			(void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

void setup_secrecy(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

void setup_locale(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

/* "--dbname=postgres://…": the value; otherwise the whole word. */
static char *value_of(char *word)
{
	char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;

	return equals ? equals + 1 : word;
}

char **setup_argv(int argc, char *argv[])
{
	char **copy = xcalloc((size_t)argc + 1, sizeof(*copy));
	size_t start, len;

	for (int i = 0; i < argc; i++) {
		char *value = value_of(argv[i]);
		size_t from = 0;

		copy[i] = xstrdup(argv[i]);
		for (; conninfo_password(value, from, &start, &len); from = start + len)
			memset(value + start, '*', len);
	}
	return copy;
}
