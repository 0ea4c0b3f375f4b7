/* SPDX-License-Identifier: PostgreSQL
 *
 * test_s3_xml.c - answers of S3 and STS, and texts that pretend to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "s3_xml.h"

static void parse(const char *text, struct s3_xml *x)
{
	_cleanup_error_ struct error err = ERROR_INIT;

	if (!s3_xml_parse(text, strlen(text), x, &err))
		fail_msg("%s", err.message);
}

static void test_list(void **state)
{
	(void)state;
	_cleanup_s3_xml_ struct s3_xml x = { 0 };

	parse("<?xml version='1.0' encoding='UTF-8'?>\n"
	      "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Name>b</Name><Prefix>p</Prefix>"
	      "<IsTruncated>true</IsTruncated><NextContinuationToken>a+b/c=</NextContinuationToken>"
	      "<Contents><Key>a&amp;b &#233;</Key><LastModified>2026-11-20T20:36:16.000Z</LastModified>"
	      "<ETag>&quot;x&quot;</ETag><Size>12</Size><Owner><ID>i</ID></Owner></Contents>"
	      "<CommonPrefixes><Prefix>p/q/</Prefix></CommonPrefixes></ListBucketResult>",
		&x);
	assert_string_equal(x.root, "ListBucketResult");
	assert_string_equal(x.truncated, "true");
	assert_string_equal(x.next_token, "a+b/c=");
	assert_int_equal(x.items.len, 2);
	assert_int_equal(x.items.items[0].kind, S3_ITEM_OBJECT);
	assert_string_equal(x.items.items[0].key, "a&b \xc3\xa9");
	assert_string_equal(x.items.items[0].size, "12");
	assert_string_equal(x.items.items[0].time, "2026-11-20T20:36:16.000Z");
	assert_int_equal(x.items.items[1].kind, S3_ITEM_FOLDER);
	assert_string_equal(x.items.items[1].key, "p/q/");
}

static void test_uploads(void **state)
{
	(void)state;
	_cleanup_s3_xml_ struct s3_xml x = { 0 };

	parse("<ListMultipartUploadsResult><UploadIdMarker/><NextKeyMarker>k</NextKeyMarker>"
	      "<NextUploadIdMarker>u</NextUploadIdMarker><IsTruncated>false</IsTruncated>"
	      "<Upload><Key>k1</Key><UploadId>id</UploadId><Initiated>2026-11-20T20:36:16Z</Initiated></Upload>"
	      "</ListMultipartUploadsResult>",
		&x);
	assert_string_equal(x.next_key, "k");
	assert_string_equal(x.next_upload, "u");
	assert_int_equal(x.items.len, 1);
	assert_string_equal(x.items.items[0].upload_id, "id");
}

static void test_results(void **state)
{
	(void)state;
	struct s3_xml x = { 0 };

	parse("<InitiateMultipartUploadResult><Bucket>b</Bucket><UploadId>VXBsb2Fk</UploadId>"
	      "</InitiateMultipartUploadResult>",
		&x);
	assert_string_equal(x.upload_id, "VXBsb2Fk");
	s3_xml_release(&x);
	parse("   \r\n\t <ns:CompleteMultipartUploadResult><ns:ETag>\"e-2\"</ns:ETag></ns:CompleteMultipartUploadResult>",
		&x);
	assert_string_equal(x.root, "CompleteMultipartUploadResult");
	assert_string_equal(x.etag, "\"e-2\"");
	s3_xml_release(&x);
	parse("<DeleteResult><Deleted><Key>ok</Key></Deleted><Error><Key>bad</Key><Code>AccessDenied</Code>"
	      "<Message>no</Message></Error></DeleteResult>",
		&x);
	assert_int_equal(x.items.len, 1);
	assert_int_equal(x.items.items[0].kind, S3_ITEM_FAILURE);
	assert_string_equal(x.items.items[0].key, "bad");
	assert_string_equal(x.items.items[0].code, "AccessDenied");
	s3_xml_release(&x);
}

static void test_errors(void **state)
{
	(void)state;
	struct s3_xml x = { 0 };

	parse("<Error><Code>PermanentRedirect</Code><Message>m</Message><Region>eu-x</Region>"
	      "<Endpoint>e</Endpoint></Error>",
		&x);
	assert_string_equal(x.code, "PermanentRedirect");
	assert_string_equal(x.region, "eu-x");
	assert_string_equal(x.endpoint, "e");
	s3_xml_release(&x);
	parse("<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code></Error></ErrorResponse>", &x);
	assert_string_equal(x.root, "ErrorResponse");
	assert_string_equal(x.code, "ExpiredToken");
	s3_xml_release(&x);
}

static void test_sts(void **state)
{
	(void)state;
	_cleanup_s3_xml_ struct s3_xml x = { 0 };

	parse("<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>i</AccessKeyId>"
	      "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>e</Expiration>"
	      "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
		&x);
	assert_string_equal(x.access_key_id, "i");
	assert_string_equal(x.secret_access_key, "s");
	assert_string_equal(x.session_token, "t");
	assert_string_equal(x.expiration, "e");
}

static void refused(const char *text, size_t len)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct s3_xml x = { 0 };

	if (s3_xml_parse(text, len, &x, &err))
		fail_msg("accepted: %.60s", text);
	assert_int_equal(err.code, EXIT_DAMAGED);
	assert_null(x.root);
	assert_int_equal(x.items.len, 0);
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", "   ", "plain", "<a>", "<a></b>", "<html><body>x<br></body></html>", "{\"json\":1}",
		"<!DOCTYPE html><html></html>",
		"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Error><Code>&b;</Code></Error>",
		"<Error><Code>\x01</Code></Error>", "<Error><Code>\xff\xfe</Code></Error>",
		"<Error></Error><Error></Error>",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i], strlen(texts[i]));
	refused("<Error>\0</Error>", 16);
}

static void repeated(struct strbuf *sb, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_adds(sb, text);
}

static void test_limits(void **state)
{
	(void)state;
	_cleanup_strbuf_ struct strbuf deep = STRBUF_INIT, text = STRBUF_INIT, many = STRBUF_INIT,
				       name = STRBUF_INIT;

	repeated(&deep, "<a>", 1000);
	repeated(&deep, "</a>", 1000);
	refused(deep.buf, deep.len);
	strbuf_adds(&text, "<Error><Code>");
	repeated(&text, "x", 70000);
	strbuf_adds(&text, "</Code></Error>");
	refused(text.buf, text.len);
	strbuf_adds(&many, "<ListBucketResult>");
	repeated(&many, "<Contents/>", 100001);
	strbuf_adds(&many, "</ListBucketResult>");
	refused(many.buf, many.len);
	strbuf_adds(&name, "<Error><");
	repeated(&name, "x", 5000);
	strbuf_adds(&name, "/></Error>");
	refused(name.buf, name.len);
}

/* A key may hold what XML escapes; what is written is read back. */
static void test_escape(void **state)
{
	(void)state;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	_cleanup_s3_xml_ struct s3_xml x = { 0 };

	strbuf_adds(&sb, "<Error><Code>");
	s3_xml_escape("<a>&\"b\"'\xc3\xa9", &sb);
	strbuf_adds(&sb, "</Code></Error>");
	parse(sb.buf, &x);
	assert_string_equal(x.code, "<a>&\"b\"'\xc3\xa9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests_name("s3_xml", tests, NULL, NULL);
}
