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
#define NEED_SERVER     1u /* -d -h -p -U -w: app->dbname, host, port, user, no_password */
#define NEED_REPOSITORY 2u /* --dir and --from: app->dir, app->from; and --ca-file */
#define NEED_REMOTE     4u /* --ca-file of a remote without --dir/--from: app->ca_file */

/* Flags. */
#define COMMAND_DESTRUCTIVE 1u /* gets --yes and --dry-run: app_confirm(), app->dry_run */
#define COMMAND_HIDDEN      2u
#define COMMAND_ROWS        4u /* gets --format: all formats when it has columns, else text|json */
#define COMMAND_DOCUMENT    8u /* prints one document: --format text|json, columns or not */
#define COMMAND_NO_CONFIG   16u /* runs without dbops.yaml, even with a broken one */
#define COMMAND_INSPECT     64u /* judges: --check, --watch, --output; --format prom and nagios (src/cmd/inspect.h) */
#define COMMAND_DELTA       128u /* compares two samples: --interval, --since, --save */
#define COMMAND_ROOT        32u /* dbops itself: gets --version */

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

/* Columns of a further kind of rows that a command can print. */
struct column_set {
	const char *when; /* "with --live": completes "Columns …:" */
	const struct column *columns;
};

struct command {
	const char *name;
	const char *summary; /* one line, lower case, no full stop */
	const char *detail;  /* paragraphs separated by "\n\n"; DESCRIPTION of the man page */
	const struct option *options;     /* ends with OPT_END; NULL = none of its own */
	const struct operand *operands;   /* ends with { .name = NULL }; NULL = none */
	const struct column *columns;     /* ends with COLUMN_END; NULL = no rows */
	const struct column_set *more_columns; /* ends with { NULL, NULL }; NULL = none */
	const struct example *examples;   /* ends with { NULL, NULL }; NULL = none */
	const struct command *const *children; /* ends with NULL; a group has children and no run, see command_is_group() */
	size_t args_size;
	unsigned needs, flags;
	/* args is the filled args struct; operands come through app->operands (struct strvec).
	 * Fails with false + err, or succeeds with true; a success that is not status 0
	 * (warnings, a check) sets app->status. */
	bool (*run)(struct app *app, const void *args, struct error *err);
};

/* Only its children do something. A command with run and children does its own work when no child is named: `dbops
 * connections`, `dbops connections plan`. It has no operands, so that a word behind it is always a child's name, and options
 * before that name must be the child's, too. */
static inline bool command_is_group(const struct command *c)
{
	return c->children && !c->run;
}

/* The root: its children are the commands (src/cmd/commands.c). */
extern const struct command root_command;

/* The child called name; NULL = there is none. Hidden ones are found, too. */
const struct command *command_child(const struct command *c, const char *name);
/* The child whose name is nearest to a mistyped one, or NULL. */
const char *command_nearest_child(const struct command *c, const char *name);

/* Calls visit for c and everything below it, hidden ones left out, parents first; path is what
 * the user types: "dbops config show". */
void command_walk(const struct command *c, const char *path,
	void (*visit)(const struct command *c, const char *path, void *data), void *data);

/* How the framework's options come to a command. */
#define OPTION_SETS_MAX 9
struct option_set {
	const char *title;            /* heading in --help */
	const struct option *options;
	bool of_app;                  /* offsets are into struct app, not into the args struct */
};
struct option_sets {
	struct option_set items[OPTION_SETS_MAX];
	size_t len;
};
/* All options that c accepts, its own first. */
void command_option_sets(const struct command *c, struct option_sets *ret);
/* The option called name (len bytes) or with that letter, in the order of the sets; NULL = none. */
const struct option *sets_find_long(const struct option_sets *sets, const char *name, size_t len);
const struct option *sets_find_short(const struct option_sets *sets, char name);
/* Whether o itself is one of them, not another of its name. */
bool sets_has(const struct option_sets *sets, const struct option *o);

#endif
