/* SPDX-License-Identifier: PostgreSQL
 *
 * command.h - a command is a constant record; the framework does the rest.
 *
 * To add a command: one file src/cmd/<name>.c that defines a struct command, one line in
 * src/cmd/commands.c. Help, man page, completion, configuration keys, exit codes and the
 * contract tests follow from the record. contrib/cmd-template.c is a whole example.
 */
#ifndef DBOPS_COMMAND_H
#define DBOPS_COMMAND_H

#include "error.h"
#include "option.h"
#include "report.h"

struct app;

/* What the framework provides before run() is called. */
#define NEED_SERVER     1u /* connection options (-d -h -p -U -w); app_connection_params() */
#define NEED_REPOSITORY 2u /* --dir and --from; app_open_repository() */
#define NEED_REMOTE     4u /* S3 options of a remote (--ca-file, …) without --dir/--from */

/* Flags. */
#define COMMAND_DESTRUCTIVE 1u /* gets --yes and --dry-run: app_confirm(), app->dry_run */
#define COMMAND_HIDDEN      2u
#define COMMAND_ROWS        4u /* prints rows or a document: gets --format */
#define COMMAND_WATCH       8u /* gets --watch SECONDS */
#define COMMAND_JUDGES      16u /* also formats prom and nagios */

/* Operands after the options. The last one may repeat (max > 1; 0 = any number). */
struct operand {
	const char *name, *help;
	unsigned min, max;
	enum completion complete;
	const char *const *choices;
};

struct example {
	const char *command, *text; /* "dbops backup -d app --upload s3", "what it does" */
};

struct command {
	const char *name;
	const char *summary; /* one line, lower case, no full stop */
	const char *detail;  /* paragraphs separated by "\n\n"; DESCRIPTION of the man page */
	const struct option *options;     /* ends with OPT_END; NULL = none of its own */
	const struct operand *operands;   /* ends with { .name = NULL }; NULL = none */
	const struct column *columns;     /* ends with COLUMN_END; NULL = no rows */
	const struct example *examples;   /* ends with { NULL, NULL }; NULL = none */
	const struct command *const *children; /* ends with NULL; a group has children and no run */
	size_t args_size;
	unsigned needs, flags;
	/* args is the filled args struct; operands come through app->operands (struct strvec).
	 * Fails with false + err, or succeeds with true; a success that is not status 0
	 * (warnings, a check) sets app->status. */
	bool (*run)(struct app *app, const void *args, struct error *err);
};

/* The root: its children are the commands (src/cmd/commands.c). */
extern const struct command root_command;

#endif
