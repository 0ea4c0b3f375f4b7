/* SPDX-License-Identifier: PostgreSQL
 *
 * option.h - an option is a constant record.
 *
 * The same record gives parsing, --help, the man page, three completions, the environment
 * variable, the key in dbops.yaml and the JSON description of the command line. `offset` points
 * into the command's own args struct, so tables are static const and can be walked without
 * running anything; the OPT_ macros make a wrong field type a compile error.
 */
#ifndef DBOPS_OPTION_H
#define DBOPS_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "error.h"
#include "vec.h"

enum option_type {
	OPTION_END,
	OPTION_GROUP,    /* a heading in --help: long_name is its text */
	OPTION_FLAG,     /* bool; --no-NAME turns it off again (and overrides a config value) */
	OPTION_INT,      /* int64_t, min..max */
	OPTION_SIZE,     /* int64_t bytes: 64MiB */
	OPTION_DURATION, /* int64_t milliseconds: 30s, 1h30m */
	OPTION_STRING,   /* const char * */
	OPTION_PATH,     /* const char *, completed as a file name */
	OPTION_ENUM,     /* const char *, one of choices */
	OPTION_LIST,     /* struct strvec; may be given several times; a YAML list in the config */
};

enum completion {
	COMPLETE_NONE,
	COMPLETE_FILE,
	COMPLETE_DIR,
	COMPLETE_PROFILE, /* profiles of the config */
	COMPLETE_REMOTE,  /* remotes of the config */
	COMPLETE_BACKUP,  /* backup ids in the repository */
	COMPLETE_TABLE,   /* tables and partitions of the database */
	COMPLETE_COMMAND, /* command names (dbops help …) */
	COMPLETE_CHOICES, /* operand's or option's choices */
};

#define OPTION_SECRET   1u /* never accepted in argv: config, environment or *_file only */
#define OPTION_HIDDEN   2u /* parsed, but not in help and completion */
#define OPTION_REQUIRED 4u

struct option {
	enum option_type type;
	char short_name;
	const char *long_name, *metavar, *help;
	const char *env;        /* environment variable, or NULL */
	const char *config_key; /* "backup.jobs" in dbops.yaml, or NULL */
	const char *fallback;   /* default as text, or NULL = NULL/0/false/empty */
	const char *const *choices;
	int64_t min, max;       /* OPTION_INT, _SIZE, _DURATION; max 0 = no limit */
	size_t offset;
	unsigned flags;
	enum completion complete;
	/* OPTION_STRING: says whether text is of the form it must have; NULL = anything. Wrong: EXIT_USAGE. */
	bool (*check)(const char *text, struct error *err);
};

/* Each macro checks the field's type: OPT_INT(struct backup_args, jobs, .short_name = 'j', …) */
#define OPT_FIELD_(type_, args_, field_, ctype_, ...)                                             \
	{                                                                                         \
		.type = (type_),                                                                  \
		.offset = offsetof(args_, field_) +                                               \
			  0 * sizeof(char[_Generic(((args_ *)0)->field_, ctype_: 1, default: -1)]), \
		__VA_ARGS__                                                                       \
	}
#define OPT_FLAG(a, f, ...)     OPT_FIELD_(OPTION_FLAG, a, f, bool, __VA_ARGS__)
#define OPT_INT(a, f, ...)      OPT_FIELD_(OPTION_INT, a, f, int64_t, __VA_ARGS__)
#define OPT_SIZE(a, f, ...)     OPT_FIELD_(OPTION_SIZE, a, f, int64_t, __VA_ARGS__)
#define OPT_DURATION(a, f, ...) OPT_FIELD_(OPTION_DURATION, a, f, int64_t, __VA_ARGS__)
#define OPT_STRING(a, f, ...)   OPT_FIELD_(OPTION_STRING, a, f, const char *, __VA_ARGS__)
#define OPT_PATH(a, f, ...)     OPT_FIELD_(OPTION_PATH, a, f, const char *, .complete = COMPLETE_FILE, __VA_ARGS__)
#define OPT_ENUM(a, f, ...)     OPT_FIELD_(OPTION_ENUM, a, f, const char *, .complete = COMPLETE_CHOICES, __VA_ARGS__)
#define OPT_LIST(a, f, ...)     OPT_FIELD_(OPTION_LIST, a, f, struct strvec, __VA_ARGS__)
#define OPT_GROUP(text)         { .type = OPTION_GROUP, .long_name = (text) }
#define OPT_END                 { .type = OPTION_END }

/* Reads text as o's type says and stores it in o's field of args; a list gets one more item.
 * Strings are borrowed. Wrong text: EXIT_USAGE with what is wrong with it, without saying where
 * it came from (the caller puts that before it). */
bool option_set(const struct option *o, void *args, const char *text, struct error *err);
/* Frees the lists in args. */
void option_release(const struct option *options, void *args);

/* The option called name; NULL when there is none. options may be NULL. */
const struct option *option_find_long(const struct option *options, const char *name, size_t len);
const struct option *option_find_short(const struct option *options, char name);

/* False for flags. */
static inline bool option_takes_value(const struct option *o)
{
	return o->type != OPTION_FLAG;
}
/* Whether the value may be a connection string, a list's each. */
static inline bool option_may_hold_password(const struct option *o)
{
	return o->type == OPTION_STRING || o->type == OPTION_LIST;
}
/* False for headings. */
static inline bool option_is_real(const struct option *o)
{
	return o->type != OPTION_GROUP;
}

#endif
