/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include <stdlib.h>
#include "resolve.h"

struct args {
	bool force;
	int64_t jobs, size, wait;
	const char *name, *mode;
	struct strvec tables;
};

static const char *const modes[] = { "fast", "safe", NULL };

static const struct option options[] = {
	OPT_FLAG(struct args, force, .long_name = "force", .config_key = "force"),
	OPT_INT(struct args, jobs, .short_name = 'j', .long_name = "jobs", .env = "TEST_JOBS",
		.config_key = "backup.jobs", .fallback = "2", .min = 1, .max = 64),
	OPT_SIZE(struct args, size, .long_name = "size", .config_key = "size", .fallback = "1MiB", .min = 1024),
	OPT_DURATION(struct args, wait, .long_name = "wait", .config_key = "wait", .max = 3600000),
	OPT_STRING(struct args, name, .long_name = "name", .env = "TEST_NAME", .config_key = "name"),
	OPT_ENUM(struct args, mode, .long_name = "mode", .choices = modes, .config_key = "mode"),
	OPT_LIST(struct args, tables, .long_name = "table", .config_key = "tables"),
	OPT_END,
};

static const struct command run_command = { .name = "run", .options = options };
static const struct command *const children[] = { &run_command, NULL };
static const struct command root = { .name = "dbops", .children = children, .flags = COMMAND_ROOT };

static const char yaml[] = "backup: {jobs: 4}\n"
			   "name: top\n"
			   "tables: [a, b]\n"
			   "profiles:\n"
			   "  p:\n"
			   "    backup:\n"
			   "      jobs: 8\n"
			   "    name:\n"
			   "    tables: []\n";

struct fixture {
	struct config *config;
	struct parsed parsed;
	struct args args;
	struct error err;
};

static void fixture_release(struct fixture *f)
{
	config_free(f->config);
	parsed_release(&f->parsed);
	option_release(options, &f->args);
	error_release(&f->err);
}

/* Resolves with the words, the text of a file and a profile. */
static bool resolve(struct fixture *f, char *const *words, int n, const char *text, const char *profile)
{
	*f = (struct fixture){ .config = config_new(), .err = ERROR_INIT };
	assert_true(config_parse(f->config, "t.yaml", text, strlen(text), &f->err));
	f->config->path = xstrdup("t.yaml");
	assert_true(parse_words(&root, n, words, &f->parsed, &f->err));

	const struct resolve_context ctx = { &f->parsed, f->config, profile };

	return resolve_options(&ctx, options, &f->args, &f->err);
}
#define RESOLVE(f, text, profile, ...)                                           \
	resolve(f, (char *[]){ (char[]){ "run" }, __VA_ARGS__ },                 \
		(int)(sizeof((char *[]){ NULL, __VA_ARGS__ }) / sizeof(char *)), text, profile)

static void test_defaults(void **state)
{
	_cleanup_(fixture_release) struct fixture f;

	(void)state;
	assert_true(RESOLVE(&f, "", NULL, ));
	assert_false(f.args.force);
	assert_int_equal(f.args.jobs, 2);
	assert_int_equal(f.args.size, 1 << 20);
	assert_int_equal(f.args.wait, 0);
	assert_null(f.args.name);
	assert_null(f.args.mode);
	assert_int_equal(f.args.tables.len, 0);
}

static void test_top_level(void **state)
{
	_cleanup_(fixture_release) struct fixture f;

	(void)state;
	assert_true(RESOLVE(&f, yaml, NULL, ));
	assert_int_equal(f.args.jobs, 4);
	assert_string_equal(f.args.name, "top");
	assert_int_equal(f.args.tables.len, 2);
	assert_string_equal(f.args.tables.items[1], "b");
}

/* null in a profile means "not said", an empty list is a value. */
static void test_profile(void **state)
{
	_cleanup_(fixture_release) struct fixture f;

	(void)state;
	assert_true(RESOLVE(&f, yaml, "p", ));
	assert_int_equal(f.args.jobs, 8);
	assert_string_equal(f.args.name, "top");
}

static void test_environment(void **state)
{
	_cleanup_(fixture_release) struct fixture f, g;

	(void)state;
	setenv("TEST_JOBS", "16", 1);
	setenv("TEST_NAME", "", 1);
	bool first = RESOLVE(&f, yaml, "p", );
	bool second = RESOLVE(&g, yaml, "p", (char[]){ "-j32" }, (char[]){ "--name=" }, (char[]){ "--force" });

	unsetenv("TEST_JOBS");
	unsetenv("TEST_NAME");
	assert_true(first);
	assert_int_equal(f.args.jobs, 16);
	assert_string_equal(f.args.name, "top");
	assert_true(second);
	assert_int_equal(g.args.jobs, 32);
	assert_string_equal(g.args.name, "");
	assert_true(g.args.force);
}

/* A list on the command line replaces that of the file, it does not add to it. */
static void test_lists(void **state)
{
	_cleanup_(fixture_release) struct fixture f;

	(void)state;
	assert_true(RESOLVE(&f, yaml, NULL, (char[]){ "--table=x" }, (char[]){ "--table=y" },
		(char[]){ "--table=z" }));
	assert_int_equal(f.args.tables.len, 3);
	assert_string_equal(f.args.tables.items[0], "x");
}

static void test_flag_off(void **state)
{
	_cleanup_(fixture_release) struct fixture f;

	(void)state;
	assert_true(RESOLVE(&f, "force: yes\n", NULL, (char[]){ "--no-force" }));
	assert_false(f.args.force);
}

static void test_wrong_argument(void **state)
{
	static const struct {
		const char *word, *message;
	} cases[] = {
		{ "--jobs=x", "--jobs: 'x' is not a whole number" },
		{ "--jobs=", "--jobs: '' is not a whole number" },
		{ "--jobs=4x", "--jobs: '4x' is not a whole number" },
		{ "--jobs= 4", "--jobs: ' 4' is not a whole number" },
		{ "--jobs=0", "--jobs: '0' is less than 1" },
		{ "-j65", "-j: '65' is more than 64" },
		{ "--jobs=99999999999999999999", "--jobs: '99999999999999999999' is not a whole number" },
		{ "--size=1", "--size: '1' is less than 1.0 KiB" },
		{ "--size=big", "--size: 'big' is not a size such as 64MiB" },
		{ "--wait=2h", "--wait: '2h' is more than 60 min 00 s" },
		{ "--wait=soon", "--wait: 'soon' is not a time such as 30s or 1h30min" },
		{ "--mode=fats", "--mode: 'fats' is not one of fast, safe" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_(fixture_release) struct fixture f;
		autofree char *word = xstrdup(cases[i].word);

		assert_false(RESOLVE(&f, "", NULL, word));
		assert_int_equal(f.err.code, EXIT_USAGE);
		assert_string_equal(f.err.message, cases[i].message);
	}
}

static void test_wrong_elsewhere(void **state)
{
	_cleanup_(fixture_release) struct fixture f, g;

	(void)state;
	assert_false(RESOLVE(&f, "x: 1\nbackup:\n  jobs: many\n", NULL, ));
	assert_int_equal(f.err.code, EXIT_CONFIG);
	assert_string_equal(f.err.message, "t.yaml:3:9: backup.jobs: 'many' is not a whole number");
	setenv("TEST_JOBS", "many", 1);

	bool ok = RESOLVE(&g, "", NULL, );

	unsetenv("TEST_JOBS");
	assert_false(ok);
	assert_int_equal(g.err.code, EXIT_CONFIG);
	assert_string_equal(g.err.message, "TEST_JOBS: 'many' is not a whole number");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),       cmocka_unit_test(test_top_level),
		cmocka_unit_test(test_profile),        cmocka_unit_test(test_environment),
		cmocka_unit_test(test_lists),          cmocka_unit_test(test_flag_off),
		cmocka_unit_test(test_wrong_argument), cmocka_unit_test(test_wrong_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
