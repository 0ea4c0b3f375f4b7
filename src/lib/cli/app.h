/* SPDX-License-Identifier: PostgreSQL
 *
 * app.h - the running application: what main.c sets up and every command gets.
 */
#ifndef DBOPS_APP_H
#define DBOPS_APP_H

#include <stdio.h>
#include "cancel.h"
#include "command.h"
#include "config.h"
#include "log.h"
#include "parse.h"
#include "progress.h"
#include "report.h"

struct app {
	struct log log; /* first member: the sink casts back */
	struct cancel *cancel;
	const struct command *root, *command; /* command: the one that runs */
	struct strvec operands;
	struct config *config; /* parsed dbops.yaml; never NULL while a command runs */
	const char *config_profile; /* the profile in force; NULL = none */
	struct report_options report; /* stdout, --format, colour, width */
	bool quiet, verbose, dry_run, yes;
	bool stderr_is_terminal, stdin_is_terminal;
	enum exit_code status; /* what main returns after a successful run(); EXIT_DONE */
	unsigned warnings;     /* counted by the log sink */

	/* connection options as given (NULL = not): NEED_SERVER */
	const char *dbname, *host, *port, *user;
	bool no_password;
	/* NEED_REPOSITORY: dir is never NULL (default ./backups); from, when given, goes before it */
	const char *dir, *from;
	/* NEED_REPOSITORY, NEED_REMOTE */
	const char *ca_file;

	/* COMMAND_INSPECT; milliseconds */
	bool check;
	const char *output;
	int64_t watch, statement_timeout, lock_timeout;
	/* COMMAND_DELTA; milliseconds */
	int64_t interval;
	const char *since, *save;

	/* global options as text */
	const char *config_path, *profile, *log_format, *progress_mode, *color_mode, *format;
	bool help, version;

	FILE *in, *err;          /* stdin and stderr; stdout is report.out */
	struct progress progress;
	struct parsed parsed;
	bool log_json;
};

/* Prepares app for the three streams. */
void app_init(struct app *app, const struct command *root, struct cancel *cancel, FILE *in, FILE *out,
	FILE *err);
void app_release(struct app *app);

/* Parses argv, reads the configuration, resolves the options and runs the command. False + err,
 * or true with app->status = the exit status. */
bool app_run(struct app *app, int argc, char *const argv[], struct error *err);

/* For completion: parses words and resolves whatever can be, without complaint; app->config is
 * set in any case. Nothing runs. */
void app_prepare(struct app *app, int n, char *const words[]);

/* The exit status of a failed run: err's, or 3 when a check could not be answered (--check) and for every failure
 * under --format nagios. */
int app_failure_status(const struct app *app, const struct error *err);

/* Prints the one error: "dbops: error: …", detail, hint - or one JSON line. */
void app_print_error(struct app *app, const struct error *err);

/* Shows the plan on stderr and asks: "yes" typed on a terminal, or --yes. With --dry-run prints
 * the plan (on stdout in the text format) and returns false without an error set; run() then
 * returns false, too, and the exit status is 0. Not answered: EXIT_CONFIG with a hint. */
bool app_confirm(struct app *app, const char *plan, struct error *err);

/* The schema of dbops.yaml: the config keys of all commands below root. Caller releases items. */
void app_config_schema(const struct command *root, struct config_schema *ret);
/* Loads and checks the configuration that --config or the search gives, into app->config, and
 * chooses the profile. */
bool app_load_config(struct app *app, struct error *err);

/* The framework's own options: offsets into struct app. */
extern const struct option app_global_options[], app_root_options[], app_server_options[],
	app_repository_options[], app_remote_options[], app_change_options[], app_rows_options[],
	app_document_options[], app_inspect_options[], app_inspect_format_options[], app_delta_options[];

#define DBOPS_MAN_DATE "2026-11-20"

#endif
