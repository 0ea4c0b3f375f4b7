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

/* credential_process of a profile: run without a shell, JSON on its stdout. */
enum source_result credentials_from_process(const struct credentials_options *o, const char *profile,
	struct aws_credentials *ret, struct error *err);

/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS pod identity). */
enum source_result credentials_from_container(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err);

/* EC2 instance metadata, version 2 with a session token. */
enum source_result credentials_from_instance(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err);

/* AssumeRoleWithWebIdentity, set up by AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN or by the profile;
 * the token file is read anew each time. */
enum source_result credentials_from_web_identity(const struct credentials_options *o,
	const char *profile, struct aws_credentials *ret, struct error *err);

/* AssumeRole of a profile's role_arn, signed with base. */
bool credentials_assume_role(const struct credentials_options *o, const char *profile,
	const struct aws_credentials *base, struct aws_credentials *ret, struct error *err);

/* The JSON that credential_process, containers and instances give; token_name differs among them.
 * Errors never hold the text itself. */
bool credentials_parse_json(const char *text, size_t len, const char *token_name,
	struct aws_credentials *ret, struct error *err);

/* Asks the sources in their order (credentials.h). */
enum source_result credentials_search(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err);

#endif
