/* SPDX-License-Identifier: PostgreSQL
 *
 * resolve.h - which value an option has, and why: command line, else environment, else profile,
 * else top level of dbops.yaml, else the default.
 */
#ifndef DBOPS_RESOLVE_H
#define DBOPS_RESOLVE_H

#include "config.h"
#include "parse.h"

enum origin {
	ORIGIN_UNSET,
	ORIGIN_DEFAULT,
	ORIGIN_CONFIG,      /* top level of the file */
	ORIGIN_PROFILE,
	ORIGIN_ENVIRONMENT,
	ORIGIN_ARGUMENT,
};

struct resolved {
	enum origin origin;
	const struct config_value *config; /* ORIGIN_CONFIG, ORIGIN_PROFILE */
	const char *text;                  /* the other origins: the (last) text */
};

struct resolve_context {
	const struct parsed *parsed; /* NULL = no command line */
	const struct config *config; /* NULL = no file */
	const char *profile;         /* NULL = none */
};

/* Finds the value's origin; nothing is stored. */
struct resolved resolve_origin(const struct resolve_context *ctx, const struct option *o);

/* Stores the value of each option in its field of args. EXIT_USAGE when it comes from the command
 * line, else EXIT_CONFIG; the message says where it stands. */
bool resolve_options(const struct resolve_context *ctx, const struct option *options, void *args,
	struct error *err);

/* False with EXIT_USAGE when an OPTION_REQUIRED has no value. Called when every value that was given is known to be right:
 * a mistake in what stands there comes before what does not. */
bool resolve_check_required(const struct resolve_context *ctx, const struct option *options, struct error *err);

/* "argument", "environment", "profile", "config", "default", "unset" */
const char *origin_name(enum origin origin);
/* "--jobs", "DATABASE_URL", "dbops.yaml:3:8"; adds nothing for the others. */
void resolved_add_place(const struct resolve_context *ctx, const struct option *o,
	const struct resolved *r, struct strbuf *out);

#endif
