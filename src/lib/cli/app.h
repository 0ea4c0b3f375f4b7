/* SPDX-License-Identifier: PostgreSQL
 *
 * app.h - the running application: what main.c sets up and every command gets.
 */
#ifndef DBOPS_APP_H
#define DBOPS_APP_H

#include "cancel.h"
#include "command.h"
#include "log.h"
#include "report.h"

struct config;

struct app {
	struct log log; /* first member: the sink casts back */
	struct cancel *cancel;
	const struct command *command; /* the one that runs */
	struct strvec operands;
	struct config *config; /* parsed dbops.yaml; never NULL */
	struct report_options report; /* stdout, --format, colour, width */
	bool quiet, verbose, dry_run, yes;
	bool stderr_is_terminal;
	enum exit_code status; /* what main returns after a successful run(); EXIT_DONE */
	unsigned warnings;     /* counted by the log sink */

	/* connection options as given (NULL = not): NEED_SERVER */
	const char *dbname, *host, *port, *user;
	/* NEED_REPOSITORY */
	const char *dir, *from;
};

/* Shows the plan on stderr and asks: "yes" typed on a terminal, or --yes. With --dry-run prints
 * the plan and returns false without an error set. Otherwise EXIT_CONFIG with a hint. */
bool app_confirm(struct app *app, const char *plan, struct error *err);

#endif
