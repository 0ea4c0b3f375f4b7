/* SPDX-License-Identifier: PostgreSQL
 *
 * aws_config.h - the shared AWS configuration: environment, profiles, both files.
 */
#ifndef DBOPS_AWS_CONFIG_H
#define DBOPS_AWS_CONFIG_H

#include "aws_ini.h"

struct aws_config {
	struct aws_ini config, credentials;
	char *profile;       /* the one in use; "default" unless chosen */
	bool profile_chosen; /* by the option, which then wins over keys in the environment */
};

/* Reads AWS_CONFIG_FILE (~/.aws/config) and AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), which
 * may be missing. profile: the option, or NULL for AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". A
 * chosen profile that is in neither file is EXIT_CONFIG. */
bool aws_config_load(const char *profile, struct aws_config *ret, struct error *err);
void aws_config_release(struct aws_config *c);

/* A setting of a profile (credentials file first), borrowed; NULL when absent or empty. */
const char *aws_config_get(const struct aws_config *c, const char *profile, const char *name);
bool aws_config_has(const struct aws_config *c, const char *profile);

/* An environment variable that is set and not empty, else NULL. */
const char *aws_env(const char *name);
/* True for "true" in any case. */
bool aws_env_true(const char *name);

#endif
