/* SPDX-License-Identifier: PostgreSQL
 *
 * test_s3_config.c - the AWS files, the environment, and where a bucket is because of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "fs.h"
#include "s3_endpoint.h"

static void test_ini(void **state)
{
	(void)state;
	_cleanup_aws_ini_ struct aws_ini ini = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;
	static const char text[] = "# comment\r\n; another\n\n[default]\r\nRegion = eu-west-1 \r\n"
				   "secret=a=b#c\nempty =\n[profile  'my  name']\nkey = 1\nkey = 2\n"
				   "s3 =\n  addressing_style = path\n\tendpoint_url=http://x\n"
				   "next = n\n  continued line\n[ last ]";

	assert_true(aws_ini_parse(text, sizeof(text) - 1, &ini, &err));
	assert_string_equal(aws_ini_get(&ini, "default", "region"), "eu-west-1");
	assert_string_equal(aws_ini_get(&ini, "default", "secret"), "a=b#c");
	assert_string_equal(aws_ini_get(&ini, "default", "empty"), "");
	assert_string_equal(aws_ini_get(&ini, "profile my name", "key"), "2");
	assert_string_equal(aws_ini_get(&ini, "profile my name", "s3.addressing_style"), "path");
	assert_string_equal(aws_ini_get(&ini, "profile my name", "s3.endpoint_url"), "http://x");
	assert_string_equal(aws_ini_get(&ini, "profile my name", "next"), "n");
	assert_true(aws_ini_has(&ini, "last"));
	assert_false(aws_ini_has(&ini, "other"));
	assert_null(aws_ini_get(&ini, "default", "key"));
}

static void test_ini_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
		const char *line;
	} cases[] = {
		{ "key = before a section", 22, "line 1 " },
		{ "[a]\nno equal sign", 17, "line 2 " },
		{ "[a]\n\n= value", 12, "line 3 " },
		{ "[unclosed\n", 10, "line 1 " },
		{ "[a]\nk = v\0v", 11, "line 2 " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		struct aws_ini ini;

		assert_false(aws_ini_parse(cases[i].text, cases[i].len, &ini, &err));
		assert_int_equal(err.code, EXIT_CONFIG);
		assert_non_null(strstr(err.message, cases[i].line));
		assert_int_equal(ini.len, 0);
	}
}

/* A folder with both files; the environment points there. */
static int setup(void **state)
{
	static const char *const names[] = { "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" };
	static const char config[] = "[default]\nregion = eu-central-1\n"
				     "[profile minio]\nendpoint_url = http://minio:9000/\nregion = m\n"
				     "[profile services]\nservices = local\n"
				     "[services local]\ns3 =\n  endpoint_url = https://s3.local\n"
				     "[profile virtual]\nendpoint_url = https://r2.example\ns3 =\n  addressing_style = virtual\n";
	static const char credentials[] = "[keys]\naws_access_key_id = K\nregion = from-credentials\n";
	char *folder = fs_make_temp_dir(NULL, "dbops-aws-", NULL);
	autofree char *config_path = fs_join(folder, "config");
	autofree char *credentials_path = fs_join(folder, "credentials");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	assert_true(fs_write_atomic(config_path, config, sizeof(config) - 1, NULL));
	assert_true(fs_write_atomic(credentials_path, credentials, sizeof(credentials) - 1, NULL));
	setenv("AWS_CONFIG_FILE", config_path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path, 1);
	*state = folder;
	return 0;
}

static int teardown(void **state)
{
	fs_remove_tree(*state, NULL);
	free(*state);
	return 0;
}

static void test_config(void **state)
{
	(void)state;
	_cleanup_error_ struct error err = ERROR_INIT;
	struct aws_config c;

	assert_true(aws_config_load(NULL, &c, &err));
	assert_string_equal(c.profile, "default");
	assert_false(c.profile_chosen);
	assert_string_equal(aws_config_get(&c, "default", "region"), "eu-central-1");
	assert_string_equal(aws_config_get(&c, "keys", "region"), "from-credentials");
	assert_null(aws_config_get(&c, "nobody", "region"));
	aws_config_release(&c);
	setenv("AWS_PROFILE", "keys", 1);
	assert_true(aws_config_load(NULL, &c, &err));
	assert_string_equal(c.profile, "keys");
	aws_config_release(&c);
	assert_true(aws_config_load("minio", &c, &err)); /* the option wins */
	assert_string_equal(c.profile, "minio");
	assert_true(c.profile_chosen);
	aws_config_release(&c);
	assert_false(aws_config_load("nobody", &c, &err));
	assert_int_equal(err.code, EXIT_CONFIG);
	setenv("AWS_CONFIG_FILE", "/nonexistent/file", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/file", 1);
	unsetenv("AWS_PROFILE");
	assert_true(aws_config_load(NULL, &c, &err)); /* no files are fine */
	aws_config_release(&c);
}

struct place {
	const char *name;
	struct s3_options options;
	const char *env[2][2]; /* name, value */
	const char *key;       /* NULL: the bucket */
	const char *scheme, *host, *path, *region;
};

static const struct place places[] = {
	{ "aws", { .bucket = "b", .path_style = -1 }, { { 0 } }, "k", "https",
		"b.s3.eu-central-1.amazonaws.com", "/k", "eu-central-1" },
	{ "bucket itself", { .bucket = "b", .path_style = -1 }, { { 0 } }, NULL, "https",
		"b.s3.eu-central-1.amazonaws.com", "/", "eu-central-1" },
	{ "dotted bucket", { .bucket = "a.b", .path_style = -1 }, { { 0 } }, "k", "https",
		"s3.eu-central-1.amazonaws.com", "/a.b/k", "eu-central-1" },
	{ "region option", { .bucket = "b", .region = "r-1", .path_style = -1 },
		{ { "AWS_REGION", "r-2" } }, "k", "https", "b.s3.r-1.amazonaws.com", "/k", "r-1" },
	{ "AWS_REGION", { .bucket = "b", .path_style = -1 },
		{ { "AWS_REGION", "r-2" }, { "AWS_DEFAULT_REGION", "r-3" } }, "k", "https",
		"b.s3.r-2.amazonaws.com", "/k", "r-2" },
	{ "AWS_DEFAULT_REGION", { .bucket = "b", .path_style = 1 }, { { "AWS_DEFAULT_REGION", "r-3" } },
		"k", "https", "s3.r-3.amazonaws.com", "/b/k", "r-3" },
	{ "China", { .bucket = "b", .region = "cn-north-1", .path_style = -1 }, { { 0 } }, "k", "https",
		"b.s3.cn-north-1.amazonaws.com.cn", "/k", "cn-north-1" },
	{ "endpoint", { .bucket = "b", .endpoint = "http://127.0.0.1:9000", .path_style = -1 },
		{ { "AWS_ENDPOINT_URL_S3", "http://no" } }, "a b/\xc3\xa9", "http", "127.0.0.1:9000",
		"/b/a%20b/%C3%A9", "eu-central-1" },
	{ "endpoint, virtual", { .bucket = "b", .endpoint = "https://s3.example/", .path_style = 0 },
		{ { 0 } }, "k", "https", "b.s3.example", "/k", "eu-central-1" },
	{ "own port of the scheme", { .bucket = "b", .endpoint = "https://s3.example:443", .path_style = -1 },
		{ { 0 } }, "k", "https", "s3.example", "/b/k", "eu-central-1" },
	{ "other port", { .bucket = "b", .endpoint = "http://s3.example:443", .path_style = -1 },
		{ { 0 } }, "k", "http", "s3.example:443", "/b/k", "eu-central-1" },
	{ "no scheme", { .bucket = "b", .endpoint = "s3.example", .path_style = -1 }, { { 0 } }, NULL, "https",
		"s3.example", "/b", "eu-central-1" },
	{ "path below the endpoint",
		{ .bucket = "b", .endpoint = "https://x.supabase.co/storage/v1/s3/", .path_style = -1 },
		{ { 0 } }, "k", "https", "x.supabase.co", "/storage/v1/s3/b/k", "eu-central-1" },
	{ "IPv6", { .bucket = "b", .endpoint = "http://[::1]:9000", .path_style = -1 }, { { 0 } }, "k", "http",
		"[::1]:9000", "/b/k", "eu-central-1" },
	{ "AWS_ENDPOINT_URL_S3", { .bucket = "b", .path_style = -1 },
		{ { "AWS_ENDPOINT_URL_S3", "http://one" }, { "AWS_ENDPOINT_URL", "http://two" } }, "k", "http",
		"one", "/b/k", "eu-central-1" },
	{ "AWS_ENDPOINT_URL", { .bucket = "b", .path_style = -1 }, { { "AWS_ENDPOINT_URL", "http://two" } }, "k",
		"http", "two", "/b/k", "eu-central-1" },
	{ "ignored endpoint", { .bucket = "b", .path_style = -1 },
		{ { "AWS_ENDPOINT_URL", "http://two" }, { "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE" } }, "k",
		"https", "b.s3.eu-central-1.amazonaws.com", "/k", "eu-central-1" },
	{ "profile endpoint", { .bucket = "b", .profile = "minio", .path_style = -1 }, { { 0 } }, "k", "http",
		"minio:9000", "/b/k", "m" },
	{ "services section", { .bucket = "b", .profile = "services", .path_style = -1 }, { { 0 } }, "k", "https",
		"s3.local", "/b/k", "us-east-1" },
	{ "addressing style of the profile", { .bucket = "b", .profile = "virtual", .path_style = -1 }, { { 0 } },
		"k", "https", "b.r2.example", "/k", "us-east-1" },
};

static void test_place(const struct place *p)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf host = STRBUF_INIT, path = STRBUF_INIT;
	struct aws_config c;
	struct s3_endpoint e;

	for (size_t i = 0; i < 2 && p->env[i][0]; i++)
		setenv(p->env[i][0], p->env[i][1], 1);
	assert_true(aws_config_load(p->options.profile, &c, &err));
	if (!s3_endpoint_resolve(&p->options, &c, &e, &err))
		fail_msg("%s: %s", p->name, err.message);
	s3_endpoint_locate(&e, p->options.bucket, p->key, &host, &path);
	if (strcmp(host.buf, p->host) != 0 || strcmp(path.buf, p->path) != 0 ||
		strcmp(e.scheme, p->scheme) != 0 || strcmp(e.region, p->region) != 0)
		fail_msg("%s: %s://%s%s in %s", p->name, e.scheme, host.buf, path.buf, e.region);
	s3_endpoint_release(&e);
	aws_config_release(&c);
	for (size_t i = 0; i < 2 && p->env[i][0]; i++)
		unsetenv(p->env[i][0]);
}

static void test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		test_place(&places[i]);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct s3_options bad[] = {
		{ .bucket = NULL },
		{ .bucket = "" },
		{ .bucket = "a/b" },
		{ .bucket = "a b" },
		{ .bucket = "b?x" },
		{ .bucket = "b", .region = "evil.example/" },
		{ .bucket = "b", .endpoint = "ftp://x" },
		{ .bucket = "b", .endpoint = "http://user:hunter2@x" },
		{ .bucket = "b", .endpoint = "http://user:hunter2@[x" },
		{ .bucket = "b", .endpoint = "http://" },
	};
	struct aws_config c;

	assert_true(aws_config_load(NULL, &c, NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		struct s3_endpoint e;

		if (s3_endpoint_resolve(&bad[i], &c, &e, &err))
			fail_msg("case %zu was accepted", i);
		assert_int_equal(err.code, EXIT_CONFIG);
		assert_null(strstr(err.message, "hunter2"));
	}
	aws_config_release(&c);
}

static void test_learned_region(void **state)
{
	(void)state;
	struct aws_config c;
	struct s3_endpoint e;
	const struct s3_options o = { .bucket = "b", .path_style = -1 };

	assert_true(aws_config_load(NULL, &c, NULL));
	assert_true(s3_endpoint_resolve(&o, &c, &e, NULL));
	s3_endpoint_set_region(&e, "eu-north-1");
	assert_string_equal(e.host, "s3.eu-north-1.amazonaws.com");
	s3_endpoint_set_region(&e, "evil.example/?"); /* a server cannot choose the host */
	assert_string_equal(e.host, "s3.eu-north-1.amazonaws.com");
	assert_string_equal(e.region, "eu-north-1");
	s3_endpoint_release(&e);
	aws_config_release(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ini),
		cmocka_unit_test(test_ini_refused),
		T(test_config),
		T(test_places),
		T(test_refused),
		T(test_learned_region),
	};

	return cmocka_run_group_tests_name("s3_config", tests, NULL, NULL);
}
