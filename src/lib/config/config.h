/* SPDX-License-Identifier: PostgreSQL
 *
 * config.h - dbops.yaml: read by libyaml events, kept with line and column.
 *
 *	default_profile: app
 *	profiles: { app: { dbname: …, backup: { jobs: 4 } } }
 *	backup: { jobs: 2 }
 *	remotes: { s3: { bucket: … } }
 *	retention: { trades: { table: …, keep: … } }
 *	holds: { lawsuit: { table: …, reason: … } }
 *	suppressions: { yearly: { finding: …, object: …, reason: … } }
 *
 * Every option of every command that has a config_key may stand at the top level and in a profile
 * under that key; nesting and dots mean the same ("backup: {jobs: 2}" is backup.jobs). Which keys
 * exist is not known here: config_check() gets them as option records.
 */
#ifndef DBOPS_CONFIG_H
#define DBOPS_CONFIG_H

#include "error.h"
#include "option.h"
#include "vec.h"

enum config_section { CONFIG_TOP, CONFIG_PROFILE, CONFIG_REMOTE, CONFIG_SUPPRESSION, CONFIG_RETENTION, CONFIG_HOLD, CONFIG_SECTIONS };

/* A section of names with settings: `remotes: {NAME: {…}}`. */
struct config_named {
	const char *key;   /* "remotes"; NULL: the section has no names (CONFIG_TOP) */
	const char *what;  /* "remote", for messages */
	const char *title; /* heading in the manual */
	const char *help;
	const struct option *options; /* the keys below a name; NULL = those of the commands (profiles) */
};
/* By enum config_section. To add a section: one line in config.c and its options. */
extern const struct config_named config_named[CONFIG_SECTIONS];

struct config_value {
	enum config_section section;
	char *name;            /* of the profile, remote …; NULL at the top */
	char *key;             /* "backup.jobs" */
	struct strvec values;  /* one; several for a YAML list; none for null (= not set) */
	bool list;
	int line, column;      /* of the value, from 1 */
};

struct config {
	char *path;            /* the file; NULL = there is none */
	struct config_value *items;
	size_t len, alloc;
	struct strvec names[CONFIG_SECTIONS]; /* of profiles, remotes, …, in the file's order */
	char *default_profile;
	bool exposed;          /* the file can be read by everybody on the machine */
};

struct config *config_new(void);
void config_free(struct config *c);
DEFINE_CLEANUP(struct config, config_free)
#define _cleanup_config_ _cleanup_(config_freep)

/* The file to use: given (--config), $DBOPS_CONFIG, ./dbops.yaml, $XDG_CONFIG_HOME/dbops/dbops.yaml
 * (~/.config without that variable), /etc/dbops/dbops.yaml; NULL = none. Caller frees. A named
 * file that does not exist is found, too: config_load() then says so. */
char *config_find(const char *given);

/* Reads path; NULL gives an empty configuration. NULL + EXIT_CONFIG when it cannot be read or is
 * not of the layout above; the message begins with "file:line:column". */
struct config *config_load(const char *path, struct error *err);

/* Adds the text of one YAML document; file is for messages. */
bool config_parse(struct config *c, const char *file, const char *text, size_t len,
	struct error *err);

/* The value of key in profile (NULL = none) or else at the top; NULL = not set. */
const struct config_value *config_get(const struct config *c, const char *profile, const char *key);
/* The value of key in that one section. */
const struct config_value *config_get_in(
	const struct config *c, enum config_section section, const char *name, const char *key);

/* Names, copied into ret. */
void config_profile_names(const struct config *c, struct strvec *ret);
void config_remote_names(const struct config *c, struct strvec *ret);

/* The keys that exist at the top and in profiles. */
struct config_schema {
	const struct option **items;
	size_t len, alloc;
};
/* Adds those of options (NULL is fine) that have a config_key not yet there. */
void config_schema_add(struct config_schema *s, const struct option *options);

struct config_problem {
	int line, column;
	char *message; /* without the place */
	char *hint;    /* or NULL */
};
struct config_problems {
	struct config_problem *items;
	size_t len, alloc;
};
void config_problems_release(struct config_problems *p);
#define _cleanup_problems_ _cleanup_(config_problems_release)

/* Looks for unknown keys (with the nearest known one), values of the wrong type and a
 * default_profile that does not exist. */
void config_check(const struct config *c, const struct config_schema *schema,
	struct config_problems *ret);
/* The first problem as an error (EXIT_CONFIG); true when there is none. */
bool config_problems_error(const struct config *c, const struct config_problems *p,
	struct error *err);

/* True when some value holds a password (a URL or conninfo with one, or an OPTION_SECRET). */
bool config_has_password(const struct config *c, const struct config_schema *schema);

/* A remote: `remotes: {NAME: {…}}`. Strings are owned; NULL = not set. */
struct config_remote {
	const char *bucket, *prefix, *region, *endpoint, *sse, *sse_kms_key_id, *storage_class, *profile;
	const char *ca_file, *access_key_id_file, *secret_access_key_file, *session_token_file;
	const char *access_key_id, *secret_access_key, *session_token; /* the *_file ones were read */
	int path_style; /* 1, 0, or -1: not said */
	int64_t part_size, slots, max_rate; /* 0: not said */
	bool content_md5;
	struct strvec owned;
};
void config_remote_release(struct config_remote *r);
#define _cleanup_remote_ _cleanup_(config_remote_release)

/* The keys of a remote as option records (for the manual, config show and messages). */
extern const struct option config_remote_options[];

/* A suppression: `suppressions: {NAME: {…}}`. Strings are borrowed from the configuration. */
struct config_suppression {
	const char *name, *finding, *object, *reason, *expires;
};
extern const struct option config_suppression_options[];
/* Fills ret with the suppression called name. A key that is missing or an `expires` that is no
 * date: EXIT_CONFIG. */
bool config_suppression(const struct config *c, const char *name, struct config_suppression *ret,
	struct error *err);

/* A policy of 'dbops partitions maintain': `retention: {NAME: {…}}`. Strings are borrowed; NULL = not set. */
struct config_retention {
	const char *name, *table, *database, *keep, *action, *to, *column, *interval, *timezone, *epoch;
	int64_t batch, ahead;
};
extern const struct option config_retention_options[];
/* Fills ret. EXIT_CONFIG when a key is missing or contradicts another. */
bool config_retention(const struct config *c, const char *name, struct config_retention *ret, struct error *err);

/* A legal hold: `holds: {NAME: {…}}`. */
struct config_hold {
	const char *name, *table, *rows, *reason, *until, *database;
	int64_t until_us; /* microseconds UTC at which it ends; INT64_MAX = never */
};
extern const struct option config_hold_options[];
bool config_hold(const struct config *c, const char *name, struct config_hold *ret, struct error *err);

/* Fills ret. Unknown name or missing bucket: EXIT_CONFIG; a key file that cannot be read:
 * EXIT_CONFIG. */
bool config_remote(const struct config *c, const char *name, struct config_remote *ret,
	struct error *err);

#endif
