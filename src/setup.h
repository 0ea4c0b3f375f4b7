/* SPDX-License-Identifier: PostgreSQL
 *
 * setup.h - what the process must be before anything else happens. Private to main.c.
 */
#ifndef DBOPS_SETUP_H
#define DBOPS_SETUP_H

#include "cancel.h"

/* SIGINT, SIGTERM and SIGHUP ask c to stop, a second SIGINT ends at once; SIGPIPE is an error of write(2); abort(3), which is how
 * an internal error ends, has the documented exit status. */
void setup_signals(struct cancel *c);
/* Opens what a careless parent closed of stdin, stdout, stderr, so that no data file becomes one of
 * them; using them still fails. */
void setup_standard_fds(void);
/* Passwords and keys live in this process: no core file, no ptrace by others. */
void setup_secrecy(void);
/* Names are UTF-8 in the table writer, under cron's empty environment, too. Numbers stay C's. */
void setup_locale(void);
/* A copy of argv; a password in the original is overwritten, because ps(1) shows that one.
 * The caller frees the words and the array. */
char **setup_argv(int argc, char *argv[]);

#endif
