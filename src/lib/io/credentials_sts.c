/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials_sts.c - roles: AWS STS gives temporary credentials for a web identity token or for
 * other credentials.
 */
#include <openssl/crypto.h>
#include <strings.h>
#include "clock.h"
#include "credentials_sources.h"
#include "fs.h"
#include "http_call.h"
#include "s3_endpoint.h"
#include "s3_sign.h"
#include "s3_xml.h"

enum { MAX_TOKEN = 65536, STS_TIMEOUT_MS = 10000, STS_TRIES = 3 };

#define FORM_TYPE "application/x-www-form-urlencoded"

static void add_field(struct strbuf *form, const char *name, const char *value)
{
	strbuf_addf(form, "%s%s=", form->len ? "&" : "", name);
	strbuf_add_percent(form, value, "");
}

static char *sts_url(const struct credentials_options *o)
{
	const char *url = aws_env("AWS_ENDPOINT_URL_STS");

	if (!url)
		url = aws_env("AWS_ENDPOINT_URL");
	if (url && !aws_env_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return xstrdup(url);

	const char *region = o->region && strcmp(o->region, "auto") != 0 ? o->region : "us-east-1";

	return xasprintf("https://sts.%s.amazonaws.com%s", region,
		strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static void sign(const struct credentials_options *o, const struct aws_credentials *base,
	const char *host, const char *path, const struct strbuf *form, struct strvec *headers)
{
	_cleanup_strbuf_ struct strbuf date = STRBUF_INIT, authorization = STRBUF_INIT;
	char hash[SHA256_HEX_SIZE];
	int64_t now = clock_now_us() / 1000000;

	s3_amz_date(now, &date);
	sha256_hex(form->buf, form->len, hash);

	struct s3_pair signed_headers[] = {
		{ "host", host },
		{ "content-type", FORM_TYPE },
		{ "x-amz-date", date.buf },
		{ "x-amz-security-token", base->session_token },
	};

	s3_sign(&(struct s3_sign_input){
			.method = "POST",
			.path = path,
			.headers = signed_headers,
			.n_headers = base->session_token ? 4 : 3,
			.payload_sha256 = hash,
			.access_key_id = base->access_key_id,
			.secret_access_key = base->secret_access_key,
			.region = o->region ? o->region : "us-east-1",
			.service = "sts",
			.time = now,
		},
		&authorization);
	strvec_pushf(headers, "X-Amz-Date: %s", date.buf);
	if (base->session_token)
		strvec_pushf(headers, "X-Amz-Security-Token: %s", base->session_token);
	strvec_pushf(headers, "Authorization: %s", authorization.buf);
}

static bool read_answer(int status, const struct strbuf *body, struct aws_credentials *ret,
	struct error *err)
{
	_cleanup_s3_xml_ struct s3_xml x = { 0 };
	bool parsed = s3_xml_parse(body->buf, body->len, &x, NULL);

	if (status != 200 || !parsed || !x.access_key_id || !x.secret_access_key || !x.session_token) {
		error_set(err, status >= 500 ? EXIT_UNAVAILABLE : EXIT_PERMISSION,
			"STS refused: %s, HTTP %d", parsed && x.code ? x.code : "no reason given", status);
		return parsed && x.message ? error_detail(err, "%s", x.message) : false;
	}

	int64_t expires = 0;

	if (x.expiration && !clock_parse_utc(x.expiration, &expires))
		return error_set(err, EXIT_DAMAGED, "STS gave \"%s\" as a time of expiry", x.expiration);
	*ret = (struct aws_credentials){
		.access_key_id = steal(x.access_key_id),
		.secret_access_key = steal(x.secret_access_key),
		.session_token = steal(x.session_token),
		.expires = expires,
	};
	return true;
}

/* base NULL: unsigned. */
static bool ask_sts(const struct credentials_options *o, const struct aws_credentials *base,
	const struct strbuf *form, struct aws_credentials *ret, struct error *err)
{
	autofree char *base_url = sts_url(o);
	autofree char *scheme = NULL, *host = NULL, *path = NULL;
	_cleanup_strvec_ struct strvec headers = { 0 };
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	int status = 0;

	if (!s3_url_split(base_url, &scheme, &host, &path, err))
		return false;

	autofree char *url = xasprintf("%s://%s%s", scheme, host, path);

	strvec_push(&headers, "Content-Type: " FORM_TYPE);
	if (base)
		sign(o, base, host, path, form, &headers);

	bool ok = http_call(&(struct http_call){
				    .method = "POST",
				    .url = url,
				    .headers = &headers,
				    .body = form->buf,
				    .ca_file = o->ca_file,
				    .timeout_ms = STS_TIMEOUT_MS,
				    .tries = STS_TRIES,
				    .cancel = o->cancel,
			    },
			  &status, &body, err) ||
		  error_prefix(err, "cannot reach STS at \"%s\"", host);

	ok = ok && read_answer(status, &body, ret, err);
	OPENSSL_cleanse(body.buf, body.len);
	return ok;
}

/* The environment sets up a web identity unless the profile was asked for, or is another's source. */
static const char *either(const char *variable, const struct aws_config *c, const char *profile,
	const char *name)
{
	bool use_env = !c->profile_chosen && strcmp(profile, c->profile) == 0;
	const char *value = use_env ? aws_env(variable) : NULL;

	return value ? value : aws_config_get(c, profile, name);
}

static void add_session_name(struct strbuf *form, const char *name)
{
	autofree char *made = xasprintf("dbops-%lld", (long long)(clock_now_us() / 1000000));

	add_field(form, "RoleSessionName", name ? name : made);
}

enum source_result credentials_from_web_identity(const struct credentials_options *o,
	const char *profile, struct aws_credentials *ret, struct error *err)
{
	const struct aws_config *c = o->config;
	const char *file = either("AWS_WEB_IDENTITY_TOKEN_FILE", c, profile, "web_identity_token_file");
	const char *role = either("AWS_ROLE_ARN", c, profile, "role_arn");
	_cleanup_strbuf_ struct strbuf token = STRBUF_INIT, form = STRBUF_INIT;

	if (!file)
		return SOURCE_NONE;
	if (!role) {
		error_set(err, EXIT_CONFIG,
			"a web identity token file is given, but no role (AWS_ROLE_ARN)");
		return SOURCE_FAILED;
	}
	if (!fs_read(file, MAX_TOKEN, &token, err))
		return SOURCE_FAILED;
	strbuf_trim(&token);
	add_field(&form, "Action", "AssumeRoleWithWebIdentity");
	add_field(&form, "Version", "2011-06-15");
	add_field(&form, "RoleArn", role);
	add_session_name(&form, either("AWS_ROLE_SESSION_NAME", c, profile, "role_session_name"));
	add_field(&form, "WebIdentityToken", token.buf);
	add_field(&form, "DurationSeconds", "3600");

	bool ok = ask_sts(o, NULL, &form, ret, err);

	OPENSSL_cleanse(form.buf, form.len);
	OPENSSL_cleanse(token.buf, token.len);
	if (!ok)
		return SOURCE_FAILED;
	ret->source = "web identity";
	return SOURCE_FOUND;
}

bool credentials_assume_role(const struct credentials_options *o, const char *profile,
	const struct aws_credentials *base, struct aws_credentials *ret, struct error *err)
{
	const struct aws_config *c = o->config;
	const char *external_id = aws_config_get(c, profile, "external_id");
	const char *duration = aws_config_get(c, profile, "duration_seconds");
	_cleanup_strbuf_ struct strbuf form = STRBUF_INIT;

	if (aws_config_get(c, profile, "mfa_serial")) {
		error_set(err, EXIT_CONFIG, "the AWS profile \"%s\" asks for an MFA code", profile);
		return error_hint(err, "Use \"credential_process = aws configure export-credentials "
				       "--profile %s --format process\" in a profile of its own.", profile);
	}
	add_field(&form, "Action", "AssumeRole");
	add_field(&form, "Version", "2011-06-15");
	add_field(&form, "RoleArn", aws_config_get(c, profile, "role_arn"));
	add_session_name(&form, aws_config_get(c, profile, "role_session_name"));
	if (external_id)
		add_field(&form, "ExternalId", external_id);
	add_field(&form, "DurationSeconds", duration ? duration : "3600");
	if (!ask_sts(o, base, &form, ret, err))
		return false;
	ret->source = "assumed role";
	return true;
}
