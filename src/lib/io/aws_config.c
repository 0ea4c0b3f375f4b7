/* SPDX-License-Identifier: PostgreSQL */
#include "aws_config.h"

#include <openssl/crypto.h>
#include <strings.h>
#include "fs.h"
#include "strbuf.h"

enum { MAX_FILE = 1 << 20 };

const char *aws_env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

bool aws_env_true(const char *name)
{
	const char *value = aws_env(name);

	return value && strcasecmp(value, "true") == 0;
}

/* The path the variable names ('~' is the home folder), else the usual one; NULL without a home. */
static char *file_path(const char *variable, const char *usual)
{
	const char *home = aws_env("HOME"), *path = aws_env(variable);

	if (!path)
		path = usual;
	if (path[0] != '~' || path[1] != '/')
		return xstrdup(path);
	return home ? fs_join(home, path + 2) : NULL;
}

static bool load(const char *variable, const char *usual, struct aws_ini *ret, struct error *err)
{
	autofree char *path = file_path(variable, usual);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!path || !fs_exists(path))
		return true;

	bool ok = fs_read(path, MAX_FILE, &text, err) &&
		  (aws_ini_parse(text.buf, text.len, ret, err) || error_prefix(err, "\"%s\"", path));

	OPENSSL_cleanse(text.buf, text.len);
	return ok;
}

bool aws_config_load(const char *profile, struct aws_config *ret, struct error *err)
{
	const char *name = profile;

	if (!name)
		name = aws_env("AWS_PROFILE");
	if (!name)
		name = aws_env("AWS_DEFAULT_PROFILE");
	*ret = (struct aws_config){
		.profile = xstrdup(name ? name : "default"),
		.profile_chosen = profile != NULL,
	};
	if (!load("AWS_CONFIG_FILE", "~/.aws/config", &ret->config, err) ||
		!load("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", &ret->credentials, err)) {
		aws_config_release(ret);
		return false;
	}
	if (name && !aws_config_has(ret, name)) {
		error_set(err, EXIT_CONFIG, "there is no AWS profile \"%s\"", name);
		aws_config_release(ret);
		return error_hint(err, "Profiles stand in ~/.aws/config as \"[profile NAME]\" and in "
				       "~/.aws/credentials as \"[NAME]\".");
	}
	return true;
}

void aws_config_release(struct aws_config *c)
{
	aws_ini_release(&c->config);
	aws_ini_release(&c->credentials);
	free(c->profile);
	*c = (struct aws_config){ 0 };
}

static const char *in_config(const struct aws_config *c, const char *profile, const char *name)
{
	autofree char *section = xasprintf("profile %s", profile);
	const char *value = aws_ini_get(&c->config, section, name);

	if (!value && strcmp(profile, "default") == 0)
		value = aws_ini_get(&c->config, "default", name);
	return value;
}

const char *aws_config_get(const struct aws_config *c, const char *profile, const char *name)
{
	const char *value = aws_ini_get(&c->credentials, profile, name);

	if (!value || !*value)
		value = in_config(c, profile, name);
	return value && *value ? value : NULL;
}

bool aws_config_has(const struct aws_config *c, const char *profile)
{
	return aws_ini_has(&c->credentials, profile) || in_config(c, profile, "");
}
