/* SPDX-License-Identifier: PostgreSQL
 *
 * help.h - what the tables say, for people and for machines: --help, roff, JSON.
 */
#ifndef DBOPS_HELP_H
#define DBOPS_HELP_H

#include <stdio.h>
#include "command.h"
#include "json.h"
#include "strbuf.h"

/* Prints the help of c, which the user calls by path ("dbops config show"). */
bool help_print(FILE *out, const struct command *c, const char *path, int width, struct error *err);
/* "dbops 0.1.0" */
bool version_print(FILE *out, struct error *err);
/* Writes text to out; false: output_failed(). */
bool print_text(FILE *out, const struct strbuf *text, struct error *err);

/* The manual page of c (section 1) or of dbops.yaml (section 5), with man(7) macros. */
void man_page(const struct command *c, const char *path, struct strbuf *out);
void man_config_page(const struct command *root, struct strbuf *out);

/* The command c, which is called by path, and the tree below it as members of the current object. */
void introspect(const struct command *c, const char *path, struct json *j);

/* "[OPTION]... [BACKUP]" */
void usage_operands(const struct command *c, struct strbuf *out);
/* "N", "FILE", "table|json": what stands behind the option; NULL for a flag. Caller frees. */
char *option_metavar(const struct option *o);
/* False when an option of an earlier set has the same letter. */
bool short_name_is_free(const struct option_sets *sets, const struct option *o);

#endif
