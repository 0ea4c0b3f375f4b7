/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials_metadata.c - credentials from the machine dbops runs on: the container endpoint of
 * ECS and EKS, and the instance metadata of EC2 (version 2).
 */
#include <openssl/crypto.h>
#include <strings.h>
#include "credentials_sources.h"
#include "fs.h"
#include "http_call.h"
#include "s3_endpoint.h"

enum { MAX_TOKEN = 65536, CONTAINER_TIMEOUT_MS = 2000, CONTAINER_TRIES = 3 };

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"
#define INSTANCE_HOST_V6 "http://[fd00:ec2::254]"

/* Plain http only where nobody can listen: on this host and on the link-local services. */
static bool container_host_ok(const char *scheme, const char *host)
{
	static const char *const allowed[] = { "localhost", "169.254.170.2", "169.254.170.23",
		"[fd00:ec2::23]", "[::1]" };
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (strcmp(scheme, "https") == 0 || strncmp(host, "127.", 4) == 0)
		return true;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strlen(allowed[i]) == len && strncasecmp(allowed[i], host, len) == 0)
			return true;
	return false;
}

/* NULL: not configured, or not allowed (then err is set). Caller frees. */
static char *container_url(struct error *err)
{
	const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	autofree char *scheme = NULL, *host = NULL, *path = NULL;

	if (relative)
		return xasprintf("%s%s%s", CONTAINER_HOST, relative[0] == '/' ? "" : "/", relative);
	if (!full || !s3_url_split(full, &scheme, &host, &path, err))
		return NULL;
	if (!container_host_ok(scheme, host)) {
		error_set(err, EXIT_CONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI is plain http to \"%s\"",
			host);
		return NULL;
	}
	return xstrdup(full);
}

/* The file's content wins and is read each time: EKS rotates it. */
static bool container_token(struct strbuf *token, struct error *err)
{
	const char *file = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (file && !fs_read(file, MAX_TOKEN, token, err))
		return false;
	if (!file && text)
		strbuf_adds(token, text);
	strbuf_trim(token);
	if (strpbrk(token->buf, "\r\n"))
		return error_set(err, EXIT_CONFIG, "the container's authorization token has a line break");
	return true;
}

static bool ask_container(const struct credentials_options *o, const char *url,
	struct aws_credentials *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf token = STRBUF_INIT, body = STRBUF_INIT;
	_cleanup_strvec_ struct strvec headers = { 0 };
	int status = 0;

	if (!container_token(&token, err))
		return false;
	if (token.len)
		strvec_pushf(&headers, "Authorization: %s", token.buf);
	strvec_push(&headers, "Accept: application/json");
	if (!http_call(
		    &(struct http_call){
			    .method = "GET",
			    .url = url,
			    .headers = &headers,
			    .ca_file = o->ca_file,
			    .timeout_ms = CONTAINER_TIMEOUT_MS,
			    .tries = CONTAINER_TRIES,
			    .direct = true,
			    .cancel = o->cancel,
		    },
		    &status, &body, err))
		return false;

	bool ok = status == 200 ? credentials_parse_json(body.buf, body.len, "Token", ret, err)
				: error_set(err, EXIT_PERMISSION, "HTTP %d", status);

	OPENSSL_cleanse(body.buf, body.len);
	OPENSSL_cleanse(token.buf, token.len);
	return ok;
}

enum source_result credentials_from_container(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err)
{
	_cleanup_error_ struct error failure = ERROR_INIT;
	autofree char *url = container_url(&failure);

	if (!url && !error_is_set(&failure))
		return SOURCE_NONE;
	if (!url || !ask_container(o, url, ret, &failure)) {
		error_prefix(&failure, "the container's credentials endpoint");
		error_move(err, &failure);
		return SOURCE_FAILED;
	}
	ret->source = "container";
	return SOURCE_FOUND;
}

static long setting_number(const char *name, long fallback, long most)
{
	const char *text = aws_env(name);
	char *end;
	long value = text ? strtol(text, &end, 10) : fallback;

	return text && (*end || value < 1 || value > most) ? fallback : value;
}

static const char *instance_host(void)
{
	const char *endpoint = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (endpoint)
		return endpoint;
	return mode && strcasecmp(mode, "ipv6") == 0 ? INSTANCE_HOST_V6 : INSTANCE_HOST;
}

static bool ask_instance(const struct credentials_options *o, const char *method, const char *path,
	const char *header, int *status, struct strbuf *body, struct error *err)
{
	_cleanup_strvec_ struct strvec headers = { 0 };
	const char *host = instance_host();
	size_t len = strlen(host);
	autofree char *url = xasprintf(
		"%.*s%s", (int)(len && host[len - 1] == '/' ? len - 1 : len), host, path);

	strvec_push(&headers, header);
	return http_call(
		&(struct http_call){
			.method = method,
			.url = url,
			.headers = &headers,
			.timeout_ms = 1000 * setting_number("AWS_METADATA_SERVICE_TIMEOUT", 1, 60),
			.tries = (unsigned)setting_number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1, 10),
			.direct = true,
			.cancel = o->cancel,
		},
		status, body, err);
}

#define ROLES "/latest/meta-data/iam/security-credentials/"

static enum source_result instance_role(const struct credentials_options *o, const char *header,
	struct aws_credentials *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf role = STRBUF_INIT, body = STRBUF_INIT;
	int status = 0;

	if (!ask_instance(o, "GET", ROLES, header, &status, &role, err))
		return SOURCE_FAILED;
	strbuf_trim(&role);
	if (status == 404 || (status == 200 && !role.len))
		return SOURCE_NONE; /* a machine without a role */

	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;

	strbuf_adds(&path, ROLES);
	role.buf[strcspn(role.buf, "\r\n")] = '\0';
	strbuf_add_percent(&path, role.buf, "");
	if (status == 200 && !ask_instance(o, "GET", path.buf, header, &status, &body, err))
		return SOURCE_FAILED;
	if (status != 200)
		error_set(err, EXIT_PERMISSION, "HTTP %d", status);

	bool ok = status == 200 && credentials_parse_json(body.buf, body.len, "Token", ret, err);

	OPENSSL_cleanse(body.buf, body.len);
	return ok ? SOURCE_FOUND : SOURCE_FAILED;
}

enum source_result credentials_from_instance(
	const struct credentials_options *o, struct aws_credentials *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf token = STRBUF_INIT;
	_cleanup_error_ struct error nobody = ERROR_INIT;
	int status = 0;

	if (aws_env_true("AWS_EC2_METADATA_DISABLED"))
		return SOURCE_NONE;
	if (!ask_instance(o, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600",
		    &status, &token, &nobody)) {
		if (cancel_check(o->cancel, err))
			return SOURCE_NONE; /* not on EC2 */
		return SOURCE_FAILED;
	}
	strbuf_trim(&token);
	if (status != 200 || !token.len || strpbrk(token.buf, "\r\n")) {
		error_set(err, EXIT_PERMISSION, "instance metadata gave no session token: HTTP %d", status);
		return SOURCE_FAILED;
	}

	autofree char *header = xasprintf("X-aws-ec2-metadata-token: %s", token.buf);
	enum source_result r = instance_role(o, header, ret, err);

	OPENSSL_cleanse(header, strlen(header));
	if (r == SOURCE_FAILED)
		error_prefix(err, "instance metadata");
	ret->source = r == SOURCE_FOUND ? "instance metadata" : NULL;
	return r;
}
