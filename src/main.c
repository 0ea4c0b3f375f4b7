/* SPDX-License-Identifier: PostgreSQL */
/*
 * main.c - signals, run the command, print the one error, exit status. Nothing else.
 */
#include <stdlib.h>

#include "app.h"
#include "setup.h"

static struct cancel cancel = CANCEL_INIT;

int main(int argc, char *argv[])
{
	_cleanup_error_ struct error err = ERROR_INIT;
	char **words = setup_argv(argc, argv);
	struct app app;

	setup_standard_fds();
	setup_secrecy();
	setup_signals(&cancel);
	setup_locale();
	app_init(&app, &root_command, &cancel, stdin, stdout, stderr);

	bool ok = cancel_open(&cancel, &err) && app_run(&app, argc, words, &err);
	int status = ok ? (int)app.status : app_failure_status(&app, &err);

	if (!ok)
		app_print_error(&app, &err);
	app_release(&app);
	for (int i = 0; i < argc; i++)
		free(words[i]);
	free(words);
	return status;
}
