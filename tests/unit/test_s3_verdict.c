/* SPDX-License-Identifier: PostgreSQL
 *
 * test_s3_verdict.c - what is tried again, what is final, and with which exit code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <curl/curl.h>
#include "s3_verdict.h"

struct answer {
	int curl_code, status;
	const char *code; /* in an <Error>; NULL: an HTML body */
	enum s3_verdict verdict;
	enum exit_code exit_code;
	bool error_in_200;
	const char *region;
};

static const struct answer answers[] = {
	{ CURLE_OK, 200, NULL, S3_SUCCESS, EXIT_DONE },
	{ CURLE_OK, 204, NULL, S3_SUCCESS, EXIT_DONE },
	{ CURLE_OK, 206, NULL, S3_SUCCESS, EXIT_DONE },
	{ CURLE_OK, 200, "InternalError", S3_RETRY, EXIT_UNAVAILABLE, true },
	{ CURLE_OK, 200, "SlowDown", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE, true },
	{ CURLE_OK, 200, "Unheard", S3_RETRY, EXIT_UNAVAILABLE, true },
	{ CURLE_OK, 200, "AccessDenied", S3_FAILURE, EXIT_PERMISSION, true },
	{ CURLE_OK, 200, NULL, S3_SUCCESS, EXIT_DONE, true },
	{ CURLE_OK, 408, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 429, NULL, S3_RETRY_SLOWLY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 500, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 502, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 503, NULL, S3_RETRY_SLOWLY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 503, "SlowDown", S3_RETRY_SLOWLY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 504, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 501, NULL, S3_FAILURE, EXIT_REFUSED },
	{ CURLE_OK, 505, NULL, S3_FAILURE, EXIT_REFUSED },
	{ CURLE_OK, 507, NULL, S3_FAILURE, EXIT_CANNOT_WRITE },
	{ CURLE_OK, 400, "RequestTimeout", S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 400, "BadDigest", S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 400, "IncompleteBody", S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 409, "OperationAborted", S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OK, 400, "ExpiredToken", S3_RETRY_REFRESH, EXIT_PERMISSION },
	{ CURLE_OK, 403, "RequestTimeTooSkewed", S3_RETRY_SKEW, EXIT_PERMISSION },
	{ CURLE_OK, 403, "SignatureDoesNotMatch", S3_FAILURE, EXIT_PERMISSION },
	{ CURLE_OK, 403, "AccessDenied", S3_FAILURE, EXIT_PERMISSION },
	{ CURLE_OK, 403, NULL, S3_FAILURE, EXIT_PERMISSION },
	{ CURLE_OK, 401, NULL, S3_FAILURE, EXIT_PERMISSION },
	{ CURLE_OK, 404, "NoSuchBucket", S3_FAILURE, EXIT_NOT_FOUND },
	{ CURLE_OK, 404, "NoSuchKey", S3_FAILURE, EXIT_NOT_FOUND },
	{ CURLE_OK, 404, NULL, S3_FAILURE, EXIT_NOT_FOUND },
	{ CURLE_OK, 416, "InvalidRange", S3_FAILURE, EXIT_DAMAGED },
	{ CURLE_OK, 400, "EntityTooSmall", S3_FAILURE, EXIT_REFUSED },
	{ CURLE_OK, 400, "Unheard", S3_FAILURE, EXIT_REFUSED },
	{ CURLE_OK, 403, "QuotaExceeded", S3_FAILURE, EXIT_CANNOT_WRITE },
	{ CURLE_OK, 301, "PermanentRedirect", S3_RETRY_REGION, EXIT_CONFIG, false, "eu-x" },
	{ CURLE_OK, 301, "PermanentRedirect", S3_FAILURE, EXIT_CONFIG },
	{ CURLE_OK, 301, NULL, S3_FAILURE, EXIT_CONFIG },
	{ CURLE_OK, 400, "AuthorizationHeaderMalformed", S3_RETRY_REGION, EXIT_CONFIG, false, "eu-x" },
	{ CURLE_COULDNT_CONNECT, 0, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_COULDNT_RESOLVE_HOST, 0, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_OPERATION_TIMEDOUT, 0, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_RECV_ERROR, 0, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_SEND_ERROR, 0, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_GOT_NOTHING, 0, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_PARTIAL_FILE, 200, NULL, S3_RETRY, EXIT_UNAVAILABLE },
	{ CURLE_PEER_FAILED_VERIFICATION, 0, NULL, S3_FAILURE, EXIT_UNAVAILABLE },
	{ CURLE_SSL_CACERT_BADFILE, 0, NULL, S3_FAILURE, EXIT_CONFIG },
	{ CURLE_URL_MALFORMAT, 0, NULL, S3_FAILURE, EXIT_CONFIG },
};

static void test_answer(const struct answer *a)
{
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "PUT",
		.key = "some/key",
		.error_in_200 = a->error_in_200,
	};

	r.reply.status = a->status;
	r.reply.region = xstrdup(a->region);
	if (a->code)
		strbuf_addf(&r.reply.body, "<Error><Code>%s</Code><Message>text\nof it</Message></Error>", a->code);
	else
		strbuf_adds(&r.reply.body, "<html><p>hello");

	enum s3_verdict v = s3_judge(&r, a->curl_code, "");

	if (v != a->verdict || r.error.code != a->exit_code)
		fail_msg("curl %d, status %d, code %s: verdict %d, exit code %d", a->curl_code, a->status,
			a->code ? a->code : "-", v, r.error.code);
	assert_int_equal(error_is_set(&r.error), v != S3_SUCCESS);
	if (a->code && v != S3_SUCCESS) {
		assert_non_null(strstr(r.error.message, a->code));
		assert_string_equal(r.error.detail, "text of it");
	}
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		test_answer(&answers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers) };

	return cmocka_run_group_tests_name("s3_verdict", tests, NULL, NULL);
}
