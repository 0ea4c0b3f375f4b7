/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include "config.h"
#include "fs.h"

struct args {
	int64_t jobs;
	const char *dbname, *password;
	struct strvec tables;
};

static const struct option options[] = {
	OPT_INT(struct args, jobs, .long_name = "jobs", .config_key = "backup.jobs", .max = 64),
	OPT_STRING(struct args, dbname, .long_name = "dbname", .config_key = "dbname"),
	OPT_STRING(struct args, password, .long_name = "password", .config_key = "password",
		.flags = OPTION_SECRET),
	OPT_LIST(struct args, tables, .long_name = "table", .config_key = "backup.table"),
	OPT_END,
};

static struct config *parse(const char *text)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct config *c = config_new();

	if (!config_parse(c, "t.yaml", text, strlen(text), &err))
		fail_msg("%s: %s", text, err.message);
	return c;
}

static void test_values(void **state)
{
	_cleanup_config_ struct config *c = parse("default_profile: app\n"
						  "dbname: 'it''s'\n"
						  "backup: {jobs: 4, keep: {daily: 7}}\n"
						  "backup.table: [a, \"b c\"]\n"
						  "profiles:\n"
						  "  app:\n"
						  "    dbname: x\n"
						  "  empty:\n"
						  "remotes:\n"
						  "  s3: {bucket: b}\n");

	(void)state;
	assert_string_equal(c->default_profile, "app");
	assert_string_equal(config_get(c, NULL, "dbname")->values.items[0], "it's");
	assert_string_equal(config_get(c, "app", "dbname")->values.items[0], "x");
	assert_string_equal(config_get(c, "app", "backup.jobs")->values.items[0], "4");
	assert_string_equal(config_get(c, "app", "backup.keep.daily")->values.items[0], "7");
	assert_string_equal(config_get(c, NULL, "backup.table")->values.items[1], "b c");
	assert_true(config_get(c, NULL, "backup.table")->list);
	assert_null(config_get(c, NULL, "bucket"));
	assert_int_equal(config_get(c, "app", "dbname")->line, 7);
	assert_int_equal(config_get(c, "app", "dbname")->column, 13);

	_cleanup_strvec_ struct strvec profiles = { 0 }, remotes = { 0 };

	config_profile_names(c, &profiles);
	config_remote_names(c, &remotes);
	assert_int_equal(profiles.len, 2);
	assert_string_equal(profiles.items[1], "empty");
	assert_string_equal(remotes.items[0], "s3");
}

static void test_nothing(void **state)
{
	static const char *const texts[] = { "", "# only this\n", "---\n", "~\n", "{}\n", "profiles:\nremotes: {}\n" };

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		_cleanup_config_ struct config *c = parse(texts[i]);

		assert_int_equal(c->len, 0);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "a: b: c\n", "t.yaml:1:5: mapping values are not allowed in this context" },
		{ "- a\n", "t.yaml:1:1: settings (key: value) are expected here" },
		{ "word\n", "t.yaml:1:1: settings (key: value) are expected here" },
		{ "profiles: x\n", "t.yaml:1:11: names with their settings are expected here" },
		{ "profiles: {a: 1}\n", "t.yaml:1:15: settings (key: value) are expected here" },
		{ "profiles: {a: {}, a: {}}\n", "t.yaml:1:19: this name stands here twice" },
		{ "a: 1\na: 2\n", "t.yaml:2:4: 'a' stands here twice" },
		{ "a: {b: 1}\na.b: 2\n", "t.yaml:2:6: 'a.b' stands here twice" },
		{ "a: &x 1\nb: *x\n", "t.yaml:2:4: aliases (*name) are not supported here" },
		{ "a: [[1]]\n", "t.yaml:1:5: a list may only hold plain values" },
		{ "? [a]\n: b\n", "t.yaml:1:3: a key must be a word" },
		{ "a: 1\n---\nb: 2\n", "t.yaml:2:1: only one document is allowed in this file" },
		{ "a: \"x\\0y\"\n", "t.yaml:1:4: a NUL byte is not allowed here" },
		{ "default_profile: [a]\n", "t.yaml:1:18: the name of a profile is expected here" },
		{ "a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}\n", "t.yaml:1:36: nested too deeply" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_config_ struct config *c = config_new();
		_cleanup_error_ struct error err = ERROR_INIT;

		if (config_parse(c, "t.yaml", cases[i].text, strlen(cases[i].text), &err))
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(err.code, EXIT_CONFIG);
		assert_string_equal(err.message, cases[i].message);
	}
}

static void test_problems(void **state)
{
	_cleanup_config_ struct config *c = parse("backup: {jbos: 4, jobs: [1], table: x}\n"
						  "profiles: {app: {backup: {jobs: 99}, dbnam: x}}\n"
						  "remotes: {s3: {bucket: b, regoin: x, slots: 0}}\n"
						  "default_profile: ap\n"
						  "backp: {}\n");
	static const struct {
		int line, column;
		const char *message, *hint;
	} expected[] = {
		{ 1, 16, "unknown key 'backup.jbos'", "Did you mean 'backup.jobs'?" },
		{ 1, 25, "'backup.jobs' takes one value, not a list", NULL },
		{ 2, 33, "backup.jobs: '99' is more than 64", NULL },
		{ 2, 45, "unknown key 'dbnam'", "Did you mean 'dbname'?" },
		{ 3, 35, "unknown key 'regoin' in remote 's3'", "Did you mean 'region'?" },
		{ 3, 45, "slots: '0' is less than 1", NULL },
		{ 5, 8, "unknown key 'backp'", NULL },
		{ 1, 1, "default_profile: there is no profile 'ap'", "Did you mean 'app'?" },
	};
	_cleanup_problems_ struct config_problems problems = { 0 };
	struct config_schema schema = { 0 };

	(void)state;
	config_schema_add(&schema, options);
	config_schema_add(&schema, options);
	assert_int_equal(schema.len, 4);
	config_check(c, &schema, &problems);
	vec_release(&schema);
	assert_int_equal(problems.len, LENGTH(expected));
	for (size_t i = 0; i < LENGTH(expected); i++) {
		assert_string_equal(problems.items[i].message, expected[i].message);
		assert_int_equal(problems.items[i].line, expected[i].line);
		assert_int_equal(problems.items[i].column, expected[i].column);
		if (expected[i].hint)
			assert_string_equal(problems.items[i].hint, expected[i].hint);
		else
			assert_null(problems.items[i].hint);
	}
}

static void test_heading_without_keys(void **state)
{
	_cleanup_config_ struct config *c = parse("backup:\nprofiles: {p: {backup: {}}}\n");
	_cleanup_problems_ struct config_problems problems = { 0 };
	struct config_schema schema = { 0 };

	(void)state;
	config_schema_add(&schema, options);
	config_check(c, &schema, &problems);
	vec_release(&schema);
	assert_int_equal(problems.len, 0);
}

static void test_passwords(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} cases[] = {
		{ "dbname: app\n", false },
		{ "dbname: postgres://u:p@h/d\n", true },
		{ "dbname: postgres://u@h/d\n", false },
		{ "profiles: {a: {dbname: 'host=h password=x'}}\n", true },
		{ "password: x\n", true },
		{ "password:\n", false },
		{ "backup.table: [a, 'host=h']\n", false },
		{ "backup.table: [a, 'host=h password=x']\n", true },
		{ "backup: {table: [postgres://u:p@h/d, a]}\n", true },
	};
	struct config_schema schema = { 0 };

	(void)state;
	config_schema_add(&schema, options);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_config_ struct config *c = parse(cases[i].text);

		assert_int_equal(config_has_password(c, &schema), cases[i].has);
	}
	vec_release(&schema);
}

static void test_remote(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *dir = fs_make_temp_dir(NULL, "dbops-unit-", &err);
	autofree char *file = fs_join(dir, "secret");
	autofree char *text = xasprintf("remotes:\n"
					"  a: {bucket: b, prefix: p, endpoint: 'https://x', part_size: 8MiB, "
					"max_rate: 1MB, path_style: no, secret_access_key_file: %s}\n"
					"  b: {region: r}\n"
					"  c: {bucket: b, ca_file: x, secret_access_key_file: %s/none}\n"
					"  d: {bucket: b, content_md5: true}\n",
		file, dir);
	_cleanup_config_ struct config *c = parse(text);
	_cleanup_remote_ struct config_remote r = { 0 }, other = { 0 };

	(void)state;
	assert_true(fs_write_atomic(file, "geheim\n", 7, &err));
	assert_true(config_remote(c, "a", &r, &err));
	assert_string_equal(r.bucket, "b");
	assert_string_equal(r.prefix, "p");
	assert_string_equal(r.secret_access_key, "geheim");
	assert_int_equal(r.part_size, 8 << 20);
	assert_int_equal(r.max_rate, 1 << 20);
	assert_int_equal(r.path_style, 0);
	assert_int_equal(r.slots, 0);
	assert_null(r.region);
	assert_false(config_remote(c, "b", &other, &err));
	assert_string_equal(err.message, "remote 'b': remote 'b' has no bucket");
	assert_false(config_remote(c, "c", &other, &err));
	assert_int_equal(err.code, EXIT_CONFIG);
	assert_true(config_remote(c, "d", &other, &err));
	assert_int_equal(other.path_style, -1);
	assert_true(other.content_md5);
	config_remote_release(&other);
	assert_false(config_remote(c, "x", &other, &err));
	assert_string_equal(err.message, "there is no remote 'x' in the configuration");
	assert_true(fs_remove_tree(dir, &err));
}

static void test_load(void **state)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	autofree char *dir = fs_make_temp_dir(NULL, "dbops-unit-", &err);
	autofree char *file = fs_join(dir, "dbops.yaml");

	(void)state;
	assert_null(config_load(file, &err));
	assert_int_equal(err.code, EXIT_CONFIG);
	assert_non_null(strstr(err.message, file));
	assert_true(fs_write_atomic(file, "dbname: x\n", 10, &err));

	_cleanup_config_ struct config *private = config_load(file, &err);

	assert_non_null(private);
	assert_false(private->exposed);
	assert_int_equal(chmod(file, 0644), 0);

	_cleanup_config_ struct config *public = config_load(file, &err);

	assert_true(public->exposed);

	_cleanup_config_ struct config *none = config_load(NULL, &err);

	assert_null(none->path);
	assert_true(fs_remove_tree(dir, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),   cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_problems),
		cmocka_unit_test(test_heading_without_keys), cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_remote),   cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
