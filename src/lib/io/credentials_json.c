/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials_json.c - credentials that come as JSON: their form, and credential_process.
 */
#include <ctype.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include "clock.h"
#include "credentials_sources.h"
#include "fs.h"
#include "proc.h"

static const char *member(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value && *value ? value : NULL;
}

static bool from_object(const json_t *object, const char *token_name, struct aws_credentials *ret,
	struct error *err)
{
	const char *id = member(object, "AccessKeyId"), *secret = member(object, "SecretAccessKey");
	const char *expiration = member(object, "Expiration");
	int64_t expires = 0;

	if (!id || !secret) {
		const char *code = member(object, "Code");

		return error_set(err, EXIT_PERMISSION, "the answer holds no credentials%s%s",
			code ? ": " : "", code ? code : "");
	}
	if (expiration && !clock_parse_utc(expiration, &expires))
		return error_set(err, EXIT_DAMAGED, "\"%s\" is not a time of expiry", expiration);
	*ret = (struct aws_credentials){
		.access_key_id = xstrdup(id),
		.secret_access_key = xstrdup(secret),
		.session_token = xstrdup(member(object, token_name)),
		.expires = expires,
	};
	return true;
}

bool credentials_parse_json(const char *text, size_t len, const char *token_name,
	struct aws_credentials *ret, struct error *err)
{
	json_auto_t *object = json_loadb(text, len, 0, NULL);

	if (!json_is_object(object))
		return error_set(err, EXIT_DAMAGED, "the answer is not a JSON object");
	return from_object(object, token_name, ret, err);
}

/* Words are parted by blanks; quotes hold them together, a backslash takes the next byte as it is. */
static bool split_words(const char *s, struct strvec *ret)
{
	struct strbuf word = STRBUF_INIT;
	bool in_word = false;
	char quote = '\0';

	for (; *s; s++) {
		if (!quote && isspace((unsigned char)*s)) {
			if (in_word)
				strvec_push_take(ret, strbuf_detach(&word));
			in_word = false;
			continue;
		}
		in_word = true;
		if (quote == *s)
			quote = '\0';
		else if (!quote && (*s == '"' || *s == '\''))
			quote = *s;
		else if (*s == '\\' && quote != '\'' && s[1])
			strbuf_addch(&word, *++s);
		else
			strbuf_addch(&word, *s);
	}
	if (in_word)
		strvec_push_take(ret, strbuf_detach(&word));
	strbuf_release(&word);
	return ret->len && !quote;
}

/* name, or where PATH has it. Caller frees. */
static char *find_program(const char *name)
{
	const char *path = aws_env("PATH");

	if (strchr(name, '/') || !path)
		return xstrdup(name);
	for (;;) {
		size_t len = strcspn(path, ":");
		autofree char *folder = xstrndup(path, len);
		autofree char *candidate = fs_join(len ? folder : ".", name);

		if (fs_is_executable(candidate))
			return steal(candidate);
		if (!path[len])
			return xstrdup(name);
		path += len + 1;
	}
}

static bool run_process(const struct credentials_options *o, const char *command,
	struct aws_credentials *ret, struct error *err)
{
	_cleanup_strvec_ struct strvec argv = { 0 };
	_cleanup_strbuf_ struct strbuf output = STRBUF_INIT;
	int status = 0;

	if (!split_words(command, &argv))
		return error_set(err, EXIT_CONFIG, "credential_process is not a command");

	autofree char *program = find_program(argv.items[0]);

	free(argv.items[0]);
	argv.items[0] = steal(program);
	if (!proc_run(&(struct proc_spec){ .argv = (const char *const *)argv.items, .output = &output },
		    o->cancel, &status, err))
		return false;

	bool ok = status == 0 ? credentials_parse_json(output.buf, output.len, "SessionToken", ret, err)
			      : error_set(err, EXIT_PERMISSION, "exit status %d", status);

	OPENSSL_cleanse(output.buf, output.len);
	return ok;
}

enum source_result credentials_from_process(const struct credentials_options *o, const char *profile,
	struct aws_credentials *ret, struct error *err)
{
	const char *command = aws_config_get(o->config, profile, "credential_process");

	if (!command)
		return SOURCE_NONE;
	if (!run_process(o, command, ret, err)) {
		error_prefix(err, "credential_process of the AWS profile \"%s\"", profile);
		return SOURCE_FAILED;
	}
	ret->source = "credential_process";
	return SOURCE_FOUND;
}
