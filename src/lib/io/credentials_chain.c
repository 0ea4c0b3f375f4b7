/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials_chain.c - the order in which the sources are asked.
 */
#include <strings.h>
#include "credentials_sources.h"

enum { MAX_ROLE_CHAIN = 8 };

static enum source_result from_profile(const struct credentials_options *o, const char *profile,
	unsigned depth, struct aws_credentials *ret, struct error *err);

/* credential_source of a role: where its base credentials come from. */
static enum source_result from_named_source(const struct credentials_options *o, const char *name,
	struct aws_credentials *ret, struct error *err)
{
	if (strcasecmp(name, "Environment") == 0)
		return credentials_from_environment(ret, err);
	if (strcasecmp(name, "EcsContainer") == 0)
		return credentials_from_container(o, ret, err);
	if (strcasecmp(name, "Ec2InstanceMetadata") == 0)
		return credentials_from_instance(o, ret, err);
	error_set(err, EXIT_CONFIG, "\"%s\" is not a credential_source", name);
	return SOURCE_FAILED;
}

static enum source_result role_base(const struct credentials_options *o, const char *profile,
	unsigned depth, struct aws_credentials *ret, struct error *err)
{
	const char *source = aws_config_get(o->config, profile, "source_profile");
	const char *named = aws_config_get(o->config, profile, "credential_source");

	if (!source)
		return from_named_source(o, named, ret, err);
	if (strcmp(source, profile) == 0) /* a role that its own keys may take */
		return credentials_from_profile_keys(o, profile, ret, err);
	if (!aws_config_has(o->config, source)) {
		error_set(err, EXIT_CONFIG, "there is no AWS profile \"%s\" (source_profile of \"%s\")",
			source, profile);
		return SOURCE_FAILED;
	}
	return from_profile(o, source, depth + 1, ret, err);
}

static enum source_result from_role(const struct credentials_options *o, const char *profile,
	unsigned depth, struct aws_credentials *ret, struct error *err)
{
	_cleanup_credentials_ struct aws_credentials base = { 0 };
	const struct aws_config *c = o->config;

	if (!aws_config_get(c, profile, "role_arn"))
		return SOURCE_NONE;
	if (!aws_config_get(c, profile, "source_profile") &&
		!aws_config_get(c, profile, "credential_source"))
		return SOURCE_NONE;
	if (depth == MAX_ROLE_CHAIN) {
		error_set(err, EXIT_CONFIG, "the AWS profile \"%s\" leads to itself", profile);
		return SOURCE_FAILED;
	}

	enum source_result r = role_base(o, profile, depth, &base, err);

	if (r == SOURCE_NONE) {
		error_set(err, EXIT_CONFIG, "the AWS profile \"%s\" has a role, but no credentials to "
					    "take it with", profile);
		return SOURCE_FAILED;
	}
	return r == SOURCE_FOUND && credentials_assume_role(o, profile, &base, ret, err) ? SOURCE_FOUND
											 : SOURCE_FAILED;
}

static enum source_result refuse_sso(const struct credentials_options *o, const char *profile,
	struct error *err)
{
	if (!aws_config_get(o->config, profile, "sso_session") &&
		!aws_config_get(o->config, profile, "sso_start_url"))
		return SOURCE_NONE;
	error_set(err, EXIT_CONFIG, "the AWS profile \"%s\" is for SSO, which dbops does not speak",
		profile);
	error_hint(err, "Use \"credential_process = aws configure export-credentials --profile %s "
			"--format process\" in a profile of its own.", profile);
	return SOURCE_FAILED;
}

static enum source_result from_profile(const struct credentials_options *o, const char *profile,
	unsigned depth, struct aws_credentials *ret, struct error *err)
{
	enum source_result r = from_role(o, profile, depth, ret, err);

	if (r == SOURCE_NONE)
		r = credentials_from_web_identity(o, profile, ret, err);
	if (r == SOURCE_NONE)
		r = credentials_from_profile_keys(o, profile, ret, err);
	if (r == SOURCE_NONE)
		r = credentials_from_process(o, profile, ret, err);
	if (r == SOURCE_NONE)
		r = refuse_sso(o, profile, err);
	return r;
}

enum source_result credentials_search(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err)
{
	enum source_result r = credentials_from_options(o, ret, err);

	if (r == SOURCE_NONE && !o->config->profile_chosen)
		r = credentials_from_environment(ret, err);
	if (r == SOURCE_NONE)
		r = from_profile(o, o->config->profile, 0, ret, err);
	if (r == SOURCE_NONE)
		r = credentials_from_container(o, ret, err);
	if (r == SOURCE_NONE)
		r = credentials_from_instance(o, ret, err);
	return r;
}
