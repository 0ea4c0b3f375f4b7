/* SPDX-License-Identifier: PostgreSQL */
/*
 * main.c - signals, run the command, print the one error, exit status. Nothing else.
 */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "app.h"
#include "redact.h"

static struct cancel cancel = CANCEL_INIT;

static void on_signal(int signal)
{
	cancel_request(&cancel, signal == SIGINT ? SIGINT : SIGTERM);
}

/* SA_RESTART: poll() returns anyway, and nobody else has to think of EINTR. */
static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	sigemptyset(&stop.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup(1) ignores SIGHUP, and means it */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Passwords and keys live in this process: no core file, no ptrace by others. */
static void keep_secrets(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

/* Names are UTF-8 in the table writer, under cron's empty environment, too. Numbers stay C's. */
static void use_utf8(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

/* A copy of argv; a password in the original is overwritten, because ps(1) shows that one. */
static char **take_argv(int argc, char *argv[])
{
	char **copy = xcalloc((size_t)argc + 1, sizeof(*copy));
	size_t start, len;

	for (int i = 0; i < argc; i++) {
		copy[i] = xstrdup(argv[i]);

		const char *value = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : argv[i];
		char *text = value && value != argv[i] ? argv[i] + (value + 1 - argv[i]) : argv[i];

		while (conninfo_password(text, 0, &start, &len) && text[start] != '*')
			memset(text + start, '*', len);
	}
	return copy;
}

int main(int argc, char *argv[])
{
	_cleanup_error_ struct error err = ERROR_INIT;
	char **words = take_argv(argc, argv);
	struct app app;

	keep_secrets();
	catch_signals();
	use_utf8();
	app_init(&app, &root_command, &cancel, stdin, stdout, stderr);

	bool ok = cancel_open(&cancel, &err) && app_run(&app, argc, words, &err);
	int status = ok ? (int)app.status : (int)err.code;

	if (!ok)
		app_print_error(&app, &err);
	app_release(&app);
	for (int i = 0; i < argc; i++)
		free(words[i]);
	free(words);
	return status;
}
