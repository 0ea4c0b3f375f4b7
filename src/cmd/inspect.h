/* SPDX-License-Identifier: PostgreSQL
 *
 * inspect.h - how an inspection runs: connect, ask, judge, print, again with --watch.
 *
 * An inspection command gives two functions and its columns; everything that is the same for all of
 * them (formats, --check, --watch, --interval, --since, --save, --output, suppressions, reconnecting)
 * is here. connections.c is the shortest whole example.
 */
#ifndef DBOPS_CMD_INSPECT_H
#define DBOPS_CMD_INSPECT_H

#include "answer.h"
#include "app.h"
#include "inspector.h"
#include "sample.h"

/* What collect() gets. */
struct look {
	struct app *app;
	struct inspector *inspector;
	const void *args;
	struct sample *before; /* the earlier sample; NULL = there is none (no rates) */
	struct sample *now;    /* COMMAND_DELTA: to be filled, with sample_add() */
	struct answer *answer; /* to be filled; at is set */
	const struct column *columns; /* the inspection's; collect() may choose another table for its rows */
};

struct inspection {
	const char *name;             /* the command, word of the Nagios line: "locks" */
	const char *array;            /* array of the rows in JSON; NULL = name */
	const struct column *columns; /* as in the command's record */
	const char *const *counters;  /* COMMAND_DELTA: what a sample holds, NULL-terminated */
	bool rows_are_findings;
	/* Asks the server and judges. The rows, to be given to print() and release(); NULL + err on failure. */
	void *(*collect)(struct look *look, struct error *err);
	/* Gives the rows to the report; a may be written to the JSON header already. */
	void (*print)(const void *rows, const struct answer *a, struct report *r);
	/* The answer as a text of its own instead of rows: fills out and returns true when the command was asked for
	 * that (a script, say). May be NULL. */
	bool (*text)(const void *rows, const struct answer *a, struct strbuf *out);
	void (*release)(void *rows);
};

/* The whole run. */
bool inspect(struct app *app, const struct inspection *i, const void *args, struct error *err);

/* Where rows came from that no connection gave. */
struct inspect_source {
	const char *server, *database;
	int server_version; /* 150020 */
	const struct column *columns;
};
/* Prints rows and answer as inspect() does, and sets the exit status; rows stay the caller's. */
bool inspect_show(struct app *app, const struct inspection *i, const struct inspect_source *s, const void *rows, const struct answer *a,
	struct error *err);

/* Notes in a that sessions of other roles cannot be seen, when that is so; decisive for a check. */
void gap_stats(struct answer *a, const struct probe *p, const char *what);

#endif
