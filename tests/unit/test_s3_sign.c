/* SPDX-License-Identifier: PostgreSQL
 *
 * test_s3_sign.c - Signature Version 4 against the examples AWS publishes.
 *
 * "s3_" cases: Amazon S3 API Reference, "Signature Calculations for the Authorization Header" (all
 * with the keys, bucket and date of that page). "suite_" cases: AWS Signature Version 4 Test Suite
 * (those that need no path normalisation, which S3 does not do). Random requests are compared
 * with botocore in tests/e2e/test_storage_s3.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "s3_sign.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct example {
	const char *name, *method, *path;
	struct s3_pair query[3], headers[8];
	const char *payload_sha256, *signed_headers, *signature;
	bool suite;
};

#define S3_HOST { "Host", "examplebucket.s3.amazonaws.com" }
#define S3_DATE { "x-amz-date", "20130524T000000Z" }
#define SUITE_HOST { "Host", "example.amazonaws.com" }
#define SUITE_DATE { "X-Amz-Date", "20150830T123600Z" }

static const struct example examples[] = {
	{
		"s3_get_object", "GET", "/test.txt",
		.headers = { S3_HOST, { "Range", "bytes=0-9" }, { "x-amz-content-sha256", EMPTY_SHA256 }, S3_DATE },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;range;x-amz-content-sha256;x-amz-date",
		.signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
	},
	{
		"s3_put_object", "PUT", "/test%24file.text",
		.headers = { { "Date", "Fri, 24 May 2013 00:00:00 GMT" }, S3_HOST, S3_DATE,
			{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
			{ "x-amz-content-sha256",
				"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" } },
		.payload_sha256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
		.signed_headers = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		.signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
	},
	{
		"s3_get_lifecycle", "GET", "/",
		.query = { { "lifecycle", "" } },
		.headers = { S3_HOST, S3_DATE, { "x-amz-content-sha256", EMPTY_SHA256 } },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;x-amz-content-sha256;x-amz-date",
		.signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
	},
	{
		"s3_list_objects", "GET", "/",
		.query = { { "prefix", "J" }, { "max-keys", "2" } },
		.headers = { S3_HOST, S3_DATE, { "x-amz-content-sha256", EMPTY_SHA256 } },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;x-amz-content-sha256;x-amz-date",
		.signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
	},
	{
		"suite_get_vanilla", "GET", "/",
		.headers = { SUITE_HOST, SUITE_DATE },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;x-amz-date",
		.signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		.suite = true,
	},
	{
		"suite_get_vanilla_query_order_key_case", "GET", "/",
		.query = { { "Param2", "value2" }, { "Param1", "value1" } },
		.headers = { SUITE_HOST, SUITE_DATE },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;x-amz-date",
		.signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		.suite = true,
	},
	{
		"suite_post_vanilla", "POST", "/",
		.headers = { SUITE_HOST, SUITE_DATE },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;x-amz-date",
		.signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		.suite = true,
	},
	{
		"suite_get_header_value_trim", "GET", "/",
		.headers = { SUITE_HOST, { "My-Header1", " value1" }, { "My-Header2", " \"a   b   c\"" }, SUITE_DATE },
		.payload_sha256 = EMPTY_SHA256,
		.signed_headers = "host;my-header1;my-header2;x-amz-date",
		.signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
		.suite = true,
	},
};

static size_t count(const struct s3_pair *pairs, size_t most)
{
	size_t n = 0;

	while (n < most && pairs[n].name)
		n++;
	return n;
}

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const struct example *e = &examples[i];
		_cleanup_strbuf_ struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;

		s3_sign(&(struct s3_sign_input){
				.method = e->method,
				.path = e->path,
				.query = e->query,
				.n_query = count(e->query, 3),
				.headers = e->headers,
				.n_headers = count(e->headers, 8),
				.payload_sha256 = e->payload_sha256,
				.access_key_id = e->suite ? "AKIDEXAMPLE" : "AKIAIOSFODNN7EXAMPLE",
				.secret_access_key = e->suite ? "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
							      : "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
				.region = "us-east-1",
				.service = e->suite ? "service" : "s3",
				.time = e->suite ? 1440938160 : 1369353600,
			},
			&got);
		strbuf_addf(&want, "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s",
			e->suite ? "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
				 : "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
			e->signed_headers, e->signature);
		if (strcmp(got.buf, want.buf) != 0)
			fail_msg("%s:\n got %s\nwant %s", e->name, got.buf, want.buf);
	}
}

static void test_canonical_query(void **state)
{
	(void)state;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	const struct s3_pair query[] = { { "prefix", "a/b+c =&" }, { "a-b", "1" }, { "uploads", "" },
		{ "a", "2" }, { "a", "1" }, { "\xc3\xa9", "~" } };

	s3_canonical_query(query, 6, &sb);
	assert_string_equal(
		sb.buf, "%C3%A9=~&a=1&a=2&a-b=1&prefix=a%2Fb%2Bc%20%3D%26&uploads=");
}

static void test_path(void **state)
{
	(void)state;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	s3_encode_path("a b/../c+d/\xc3\xa9~*'()!@:,;=&$", &sb);
	assert_string_equal(sb.buf, "a%20b/../c%2Bd/%C3%A9~%2A%27%28%29%21%40%3A%2C%3B%3D%26%24");
}

static void test_hash_and_date(void **state)
{
	(void)state;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	char hex[SHA256_HEX_SIZE];

	sha256_hex("Welcome to Amazon S3.", 21, hex);
	assert_string_equal(hex, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	s3_amz_date(1369353600, &sb);
	assert_string_equal(sb.buf, "20130524T000000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_canonical_query),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_hash_and_date),
	};

	return cmocka_run_group_tests_name("s3_sign", tests, NULL, NULL);
}
