/* SPDX-License-Identifier: PostgreSQL
 *
 * parse.h - the command line -> the command, its settings and operands. Only reads tables; what a
 * value means is resolve.h's.
 */
#ifndef DBOPS_PARSE_H
#define DBOPS_PARSE_H

#include "command.h"

struct setting {
	const struct option *option;
	const char *value; /* borrowed from argv; "true"/"false" for a flag */
	const char *shown; /* how the user wrote it: "--jobs", "-j"; owned by parsed.shown */
};

struct parsed {
	const struct command *command; /* as deep as the words went; the root at first */
	struct strvec path;            /* "dbops", "config", "show" */
	struct setting *items;
	size_t len, alloc;
	struct strvec operands;
	struct strvec shown;
};

void parsed_release(struct parsed *p);
#define _cleanup_parsed_ _cleanup_(parsed_release)

/* Options may stand before, between and behind the command's words and operands; "--" ends them.
 * What was understood before a failure stays in ret. EXIT_USAGE with the nearest known word. */
bool parse_words(const struct command *root, int n, char *const words[], struct parsed *ret,
	struct error *err);

/* Number of operands and their choices; a group without its command. */
bool parse_check_operands(const struct parsed *p, struct error *err);

/* The last value given for o; NULL = not given. */
const struct setting *parsed_setting(const struct parsed *p, const struct option *o);
/* "dbops config show"; caller frees. */
char *parsed_path(const struct parsed *p);

#endif
