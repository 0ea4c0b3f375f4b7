/* SPDX-License-Identifier: PostgreSQL */
#include "s3_verdict.h"

#include <curl/curl.h>
#include "s3_xml.h"

struct rule {
	const char *code;
	enum s3_verdict verdict;
	enum exit_code exit_code;
	const char *hint;
};

#define CHECK_CLOCK "Set this machine's clock; S3 refuses requests that are 15 minutes off."
#define STORE_FULL "The store is full: make room or raise the quota."
#define SHORT_OBJECT "The object is shorter than it should be."
#define CHECK_SECRET                                                                               \
	"Check the secret access key; behind a proxy that changes the path or the host, signatures " \
	"never match."

/* By S3 error code. Codes that are not here are judged by the HTTP status. */
static const struct rule rules[] = {
	{ "RequestTimeout", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "RequestTimeoutException", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "InternalError", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "ServiceUnavailable", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "OperationAborted", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "PriorRequestNotComplete", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "BadDigest", S3_RETRY, EXIT_UNAVAILABLE, "The bytes changed on the way to the store." },
	{ "XAmzContentSHA256Mismatch", S3_RETRY, EXIT_UNAVAILABLE,
		"The bytes changed on the way to the store." },
	{ "IncompleteBody", S3_RETRY, EXIT_UNAVAILABLE, NULL },
	{ "SlowDown", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "Throttling", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "ThrottlingException", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "ThrottledException", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "RequestThrottled", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "RequestThrottledException", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "TooManyRequests", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "TooManyRequestsException", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "BandwidthLimitExceeded", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL },
	{ "ExpiredToken", S3_RETRY_REFRESH, EXIT_PERMISSION, "The session token has expired." },
	{ "TokenRefreshRequired", S3_RETRY_REFRESH, EXIT_PERMISSION, "The session token has expired." },
	{ "RequestTimeTooSkewed", S3_RETRY_SKEW, EXIT_PERMISSION, CHECK_CLOCK },
	{ "RequestExpired", S3_RETRY_SKEW, EXIT_PERMISSION, CHECK_CLOCK },
	{ "PermanentRedirect", S3_RETRY_REGION, EXIT_CONFIG, "Set the region of the bucket." },
	{ "TemporaryRedirect", S3_RETRY_REGION, EXIT_CONFIG, "Set the region of the bucket." },
	{ "AuthorizationHeaderMalformed", S3_RETRY_REGION, EXIT_CONFIG,
		"Set the region of the bucket." },
	{ "IllegalLocationConstraintException", S3_RETRY_REGION, EXIT_CONFIG,
		"Set the region of the bucket." },
	{ "SignatureDoesNotMatch", S3_FAILURE, EXIT_PERMISSION, CHECK_SECRET },
	{ "InvalidAccessKeyId", S3_FAILURE, EXIT_PERMISSION, "Check the access key id." },
	{ "InvalidToken", S3_FAILURE, EXIT_PERMISSION, "Check the session token." },
	{ "AccessDenied", S3_FAILURE, EXIT_PERMISSION,
		"The keys need s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and "
		"s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects." },
	{ "AllAccessDisabled", S3_FAILURE, EXIT_PERMISSION, NULL },
	{ "NoSuchBucket", S3_FAILURE, EXIT_NOT_FOUND,
		"Create the bucket, or check its name and region." },
	{ "NoSuchKey", S3_FAILURE, EXIT_NOT_FOUND, NULL },
	{ "NoSuchUpload", S3_FAILURE, EXIT_NOT_FOUND, NULL },
	{ "InvalidRange", S3_FAILURE, EXIT_DAMAGED, SHORT_OBJECT },
	{ "QuotaExceeded", S3_FAILURE, EXIT_CANNOT_WRITE, STORE_FULL },
	{ "InsufficientStorage", S3_FAILURE, EXIT_CANNOT_WRITE, STORE_FULL },
	{ "XMinioStorageFull", S3_FAILURE, EXIT_CANNOT_WRITE, STORE_FULL },
	{ "EntityTooSmall", S3_FAILURE, EXIT_REFUSED,
		"Choose a larger part size; most stores want 5 MiB at least." },
	{ "EntityTooLarge", S3_FAILURE, EXIT_REFUSED, "Choose a smaller part size." },
	{ "NotImplemented", S3_FAILURE, EXIT_REFUSED, NULL },
};

static struct rule by_status(int status)
{
	switch (status) {
	case 401:
	case 403:
		return (struct rule){ NULL, S3_FAILURE, EXIT_PERMISSION,
			"Check the access key and its rights." };
	case 404:
		return (struct rule){ NULL, S3_FAILURE, EXIT_NOT_FOUND, NULL };
	case 408:
		return (struct rule){ NULL, S3_RETRY, EXIT_UNAVAILABLE, NULL };
	case 416:
		return (struct rule){ NULL, S3_FAILURE, EXIT_DAMAGED, SHORT_OBJECT };
	case 429:
	case 503:
		return (struct rule){ NULL, S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, NULL };
	case 301:
	case 307:
		return (struct rule){ NULL, S3_RETRY_REGION, EXIT_CONFIG, "Set the region of the bucket." };
	case 501:
	case 505:
		return (struct rule){ NULL, S3_FAILURE, EXIT_REFUSED, NULL };
	case 507:
		return (struct rule){ NULL, S3_FAILURE, EXIT_CANNOT_WRITE, STORE_FULL };
	default:
		if (status >= 500)
			return (struct rule){ NULL, S3_RETRY, EXIT_UNAVAILABLE, NULL };
		return (struct rule){ NULL, S3_FAILURE, EXIT_REFUSED, NULL };
	}
}

static struct rule find_rule(const char *code, int status)
{
	for (size_t i = 0; code && i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcmp(rules[i].code, code) == 0)
			return rules[i];
	return by_status(status);
}

/* Printable and short: the text is the server's. */
static char *clean(const char *text)
{
	struct strbuf sb = STRBUF_INIT;

	for (; text && *text && sb.len < 300; text++)
		strbuf_addch(&sb, (unsigned char)*text < ' ' || *text == 127 ? ' ' : *text);
	strbuf_trim(&sb);
	return strbuf_detach(&sb);
}

static void describe(struct s3_request *r, const struct rule *rule, const struct s3_xml *x)
{
	autofree char *message = clean(x->message);
	autofree char *code = clean(r->code);

	error_set(&r->error, rule->exit_code, "S3 refused %s%s%s%s: %s%sHTTP %d", r->method,
		r->key ? " \"" : "", r->key ? r->key : "", r->key ? "\"" : "", code, *code ? ", " : "",
		r->reply.status);
	if (*message)
		error_detail(&r->error, "%s", message);
	if (rule->hint)
		error_hint(&r->error, "%s", rule->hint);
}

/* The body is an S3 error, HTML from something in between, or empty (HEAD). */
static enum s3_verdict judge_status(struct s3_request *r, bool only_if_error)
{
	_cleanup_s3_xml_ struct s3_xml x = { 0 };
	bool parsed = r->reply.body.len &&
		      s3_xml_parse(r->reply.body.buf, r->reply.body.len, &x, NULL) &&
		      strcmp(x.root, "Error") == 0;

	if (only_if_error && !parsed)
		return S3_SUCCESS;
	free(r->code);
	r->code = parsed ? steal(x.code) : NULL;

	struct rule rule = find_rule(r->code, r->reply.status);

	/* an error inside a 200 without a known code: S3 documents it as "retry" */
	if (only_if_error && !rule.code)
		rule = (struct rule){ NULL, S3_RETRY, EXIT_UNAVAILABLE, NULL };
	if (x.region && !r->reply.region)
		r->reply.region = steal(x.region);
	if (rule.verdict == S3_RETRY_REGION && !r->reply.region && !r->reply.location)
		rule.verdict = S3_FAILURE;
	describe(r, &rule, &x);
	return rule.verdict;
}

static enum s3_verdict transport_error(struct s3_request *r, CURLcode rc, const char *text)
{
	error_set(&r->error, EXIT_UNAVAILABLE, "cannot reach S3: %s",
		text && *text ? text : curl_easy_strerror(rc));
	switch (rc) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		error_hint(&r->error, "For a store with a certificate of a private authority, give that "
				      "authority's certificate with --ca-file or AWS_CA_BUNDLE.");
		return S3_FAILURE;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_SSL_CERTPROBLEM:
		r->error.code = EXIT_CONFIG;
		return S3_FAILURE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		error_hint(&r->error, "Check the endpoint and the region.");
		return S3_RETRY;
	default:
		return S3_RETRY;
	}
}

enum s3_verdict s3_judge(struct s3_request *r, int curl_code, const char *curl_text)
{
	error_release(&r->error);
	if (r->sink_overflow) {
		error_set(&r->error, EXIT_DAMAGED, "\"%s\" is larger than %zu bytes", r->key,
			r->sink_limit);
		return S3_FAILURE;
	}
	if (r->range_ignored) {
		error_set(&r->error, EXIT_REFUSED, "the store ignores the Range of a GET");
		return S3_FAILURE;
	}
	if (curl_code != CURLE_OK)
		return transport_error(r, (CURLcode)curl_code, curl_text);
	if (r->reply.status < 200 || r->reply.status > 299)
		return judge_status(r, false);
	return r->error_in_200 ? judge_status(r, true) : S3_SUCCESS;
}
