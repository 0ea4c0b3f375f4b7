/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials_sources.h - one function for each place that gives credentials.
 *
 * Each answers SOURCE_FOUND with ret filled, SOURCE_NONE when the place is not configured, or
 * SOURCE_FAILED with err set when it is configured and does not work.
 */
#ifndef DBOPS_CREDENTIALS_SOURCES_H
#define DBOPS_CREDENTIALS_SOURCES_H

#include "credentials.h"

enum source_result { SOURCE_NONE, SOURCE_FOUND, SOURCE_FAILED };

/* The keys of the options; one without the other is EXIT_CONFIG. */
enum source_result credentials_from_options(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err);

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
enum source_result credentials_from_environment(struct aws_credentials *ret, struct error *err);

/* aws_access_key_id and its companions in a profile. */
enum source_result credentials_from_profile_keys(const struct credentials_options *o,
	const char *profile, struct aws_credentials *ret, struct error *err);

#endif
