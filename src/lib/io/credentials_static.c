/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials_static.c - sources that hold long-lived keys: options, environment, profile.
 */
#include "credentials_sources.h"

static enum source_result take(const char *source, const char *id, const char *secret,
	const char *token, struct aws_credentials *ret, struct error *err)
{
	if (!id && !secret)
		return SOURCE_NONE;
	if (!id || !secret) {
		error_set(err, EXIT_CONFIG, "the %s gives an access key id without its secret, "
			"or a secret without its id", source);
		return SOURCE_FAILED;
	}
	*ret = (struct aws_credentials){
		.access_key_id = xstrdup(id),
		.secret_access_key = xstrdup(secret),
		.session_token = xstrdup(token),
		.source = source,
	};
	return SOURCE_FOUND;
}

enum source_result credentials_from_options(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err)
{
	return take("configuration", o->access_key_id, o->secret_access_key, o->session_token, ret, err);
}

enum source_result credentials_from_environment(struct aws_credentials *ret, struct error *err)
{
	return take("environment", aws_env("AWS_ACCESS_KEY_ID"), aws_env("AWS_SECRET_ACCESS_KEY"),
		aws_env("AWS_SESSION_TOKEN"), ret, err);
}

enum source_result credentials_from_profile_keys(const struct credentials_options *o,
	const char *profile, struct aws_credentials *ret, struct error *err)
{
	const struct aws_config *c = o->config;

	return take("profile", aws_config_get(c, profile, "aws_access_key_id"),
		aws_config_get(c, profile, "aws_secret_access_key"),
		aws_config_get(c, profile, "aws_session_token"), ret, err);
}
