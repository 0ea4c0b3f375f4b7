/* SPDX-License-Identifier: PostgreSQL
 *
 * complete.h - completion: what may stand at the cursor, and the scripts that ask.
 *
 * The scripts know the tables' constant part (commands, options, choices); for values that live
 * in the configuration or in a repository they call `dbops complete -- WORD…`.
 */
#ifndef DBOPS_COMPLETE_H
#define DBOPS_COMPLETE_H

#include "command.h"
#include "strbuf.h"

/* Where the cursor stands. */
struct cursor {
	const struct command *command;
	const struct option *option;   /* whose value is being typed; NULL = none */
	const struct operand *operand; /* which operand; NULL = none is left, or a command's name */
	struct strvec operands;        /* words before the cursor that are operands */
	const char *prefix;            /* what is typed of the candidate; borrowed */
	char *before;                  /* put before each candidate: "--format=" */
	bool is_option;                /* an option's name is being typed */
};
void cursor_release(struct cursor *c);
#define _cleanup_cursor_ _cleanup_(cursor_release)

/* Finds it: words are those behind "dbops", the last one is being typed (may be ""). Wrong words
 * before it are passed over. */
void cursor_find(const struct command *root, int n, char *const words[], struct cursor *ret);

/* Adds what the tables know: commands, options, choices, command names of `dbops help`. */
void cursor_candidates(const struct command *root, const struct cursor *c, struct strvec *out);
/* Which live values fit; COMPLETE_NONE, _FILE, _DIR, _CHOICES and _COMMAND are not. */
enum completion cursor_kind(const struct cursor *c);

/* The scripts. */
void completion_bash(const struct command *root, struct strbuf *out);
void completion_zsh(const struct command *root, struct strbuf *out);
void completion_fish(const struct command *root, struct strbuf *out);

/* Adds s in single quotes for the shell (bash and zsh; fish quotes differently). */
void add_shell_quoted(struct strbuf *out, const char *s);
/* Calls visit for each option of c that is not hidden. */
void each_option(const struct command *c,
	void (*visit)(const struct option_sets *sets, const struct option *o, void *data), void *data);

#endif
