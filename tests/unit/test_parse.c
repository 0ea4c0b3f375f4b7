/* SPDX-License-Identifier: PostgreSQL */
#include "unit.h"

#include "parse.h"

struct args {
	bool force;
	int64_t jobs;
	const char *name, *password, *mode, *host;
	struct strvec tables;
};

static const char *const modes[] = { "fast", "safe", NULL };

static const struct option options[] = {
	OPT_FLAG(struct args, force, .short_name = 'f', .long_name = "force", .help = "x"),
	OPT_INT(struct args, jobs, .short_name = 'j', .long_name = "jobs", .help = "x"),
	OPT_GROUP("A heading"),
	OPT_STRING(struct args, name, .short_name = 'n', .long_name = "name", .help = "x"),
	OPT_STRING(struct args, password, .long_name = "password", .env = "TEST_PASSWORD",
		.config_key = "password", .flags = OPTION_SECRET, .help = "x"),
	OPT_ENUM(struct args, mode, .long_name = "mode", .choices = modes, .help = "x"),
	OPT_STRING(struct args, host, .short_name = 'h', .long_name = "host", .help = "x"),
	OPT_LIST(struct args, tables, .short_name = 't', .long_name = "table", .help = "x"),
	OPT_END,
};

static const struct operand operands[] = {
	{ "SOURCE", "x", 1, 1, COMPLETE_NONE },
	{ "MODE", "x", 0, 1, COMPLETE_CHOICES, modes },
	{ .name = NULL },
};
static const struct operand many[] = { { "FILE", "x", 1, 0, COMPLETE_NONE }, { .name = NULL } };

static const struct command copy = {
	.name = "copy", .options = options, .operands = operands,
};
static const struct command show = { .name = "show", .operands = many };
static const struct command check = { .name = "check" };
static const struct command *const group_children[] = { &show, &check, NULL };
static const struct command group = { .name = "group", .children = group_children };
static const struct command kill_child = { .name = "kill", .operands = many };
static const struct command *const look_children[] = { &kill_child, NULL };
static bool run_nothing(struct app *app, const void *args, struct error *err)
{
	(void)app;
	(void)args;
	(void)err;
	return true;
}
static const struct command look = {
	.name = "look", .options = options, .children = look_children, .run = run_nothing,
};
static const struct command secret = { .name = "secret", .flags = COMMAND_HIDDEN };
static const struct command *const root_children[] = { &copy, &group, &look, &secret, NULL };
static const struct command root = { .name = "dbops", .children = root_children, .flags = COMMAND_ROOT };

/* Words in one string, '|' between them. */
static bool parse(const char *line, struct parsed *p, struct error *err)
{
	_cleanup_strvec_ struct strvec words = { 0 };
	static struct strvec kept; /* values are borrowed from the words */

	strvec_release(&kept);
	while (*line) {
		size_t len = strcspn(line, "|");

		strvec_push_take(&words, xstrndup(line, len));
		line += len + (line[len] != '\0');
	}
	kept = words;
	words = (struct strvec){ 0 };

	bool ok = parse_words(&root, (int)kept.len, kept.items, p, err) && parse_check_operands(p, err);

	if (!kept.len)
		strvec_release(&kept);
	return ok;
}

/* What was understood, as text: "copy force=true jobs=4 [a]". */
static void describe(const struct parsed *p, struct strbuf *out)
{
	strbuf_adds(out, p->command->name);
	for (size_t i = 0; i < p->len; i++)
		strbuf_addf(out, " %s=%s", p->items[i].option->long_name, p->items[i].value);
	strbuf_adds(out, " [");
	for (size_t i = 0; i < p->operands.len; i++)
		strbuf_addf(out, "%s%s", i ? " " : "", p->operands.items[i]);
	strbuf_adds(out, "]");
}

static void test_good(void **state)
{
	static const char *const cases[][2] = {
		{ "copy|a", "copy [a]" },
		{ "copy|-f|a", "copy force=true [a]" },
		{ "copy|a|--force", "copy force=true [a]" },
		{ "copy|--no-force|a", "copy force=false [a]" },
		{ "copy|--jobs|4|a", "copy jobs=4 [a]" },
		{ "copy|--jobs=4|a", "copy jobs=4 [a]" },
		{ "copy|-j4|a", "copy jobs=4 [a]" },
		{ "copy|-j|4|a", "copy jobs=4 [a]" },
		{ "copy|-fj4|a", "copy force=true jobs=4 [a]" },
		{ "copy|-fqj|4|a", "copy force=true quiet=true jobs=4 [a]" },
		{ "copy|--name=|a", "copy name= [a]" },
		{ "copy|--name=a=b|a", "copy name=a=b [a]" },
		{ "copy|--name|--force|a", "copy name=--force [a]" },
		{ "copy|--name|-|a", "copy name=- [a]" },
		{ "copy|-|safe", "copy [- safe]" },
		{ "copy|--|--force", "copy [--force]" },
		{ "copy|-t|x|a|-t|y|--table=z", "copy table=x table=y table=z [a]" },
		{ "copy|-h|there|a", "copy host=there [a]" },
		{ "copy|a|-?", "copy help=true [a]" },
		{ "group|check|-h", "check help=true []" },
		{ "--profile|p|group|-v|check|-q", "check profile=p verbose=true quiet=true []" },
		{ "group|show|a|b|c", "show [a b c]" },
		{ "secret", "secret []" },
		{ "look", "look []" },
		{ "look|-j4|-q", "look jobs=4 quiet=true []" },
		{ "look|-q|kill|1|2", "kill quiet=true [1 2]" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_parsed_ struct parsed p = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		if (!parse(cases[i][0], &p, &err))
			fail_msg("'%s': %s", cases[i][0], err.message);
		describe(&p, &sb);
		assert_string_equal(sb.buf, cases[i][1]);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *line, *message, *hint;
	} cases[] = {
		{ "", "dbops needs a command", "One of copy, group, look; try 'dbops --help'." },
		{ "cpoy", "'cpoy' is not a command of dbops", "Did you mean 'dbops copy'?" },
		{ "secert", "'secert' is not a command of dbops", "Try 'dbops --help'." },
		{ "group", "dbops group needs a command", "One of show, check; try 'dbops group --help'." },
		{ "group|chekc", "'chekc' is not a command of dbops group", "Did you mean 'dbops group check'?" },
		{ "copy", "SOURCE is missing", "Try 'dbops copy --help'." },
		{ "copy|a|fats", "MODE: 'fats' is not one of fast, safe", "Did you mean 'fast'?" },
		{ "copy|a|safe|c", "one operand too many: 'c'", "Try 'dbops copy --help'." },
		{ "copy|--frce|a", "unknown option '--frce'", "Did you mean '--force'?" },
		{ "copy|--forc|a", "unknown option '--forc'", "Did you mean '--force'?" },
		{ "copy|--xyzzy=1|a", "unknown option '--xyzzy'", "Try 'dbops copy --help'." },
		{ "copy|-fx|a", "unknown option '-x'", "Try 'dbops copy --help'." },
		{ "copy|--force=1|a", "--force takes no value", "Try 'dbops copy --help'." },
		{ "copy|--no-jobs|a", "unknown option '--no-jobs'", "Try 'dbops copy --help'." },
		{ "copy|a|--jobs", "--jobs needs a value: --jobs VALUE", "Try 'dbops copy --help'." },
		{ "copy|a|-fj", "-j needs a value: -j VALUE", "Try 'dbops copy --help'." },
		{ "--jobs|4|copy|a", "unknown option '--jobs'", "Options of a command stand behind its name." },
		{ "copy|--password=geheim|a", "--password is a secret and not accepted on the command line",
			"Every user of this machine can read command lines. Use TEST_PASSWORD or the "
			"configuration key password." },
		{ "look|klil", "'klil' is not a command of dbops look", "Did you mean 'dbops look kill'?" },
		{ "look|--jobs=4|kill|1", "--jobs is not an option of dbops look kill", "Try 'dbops look kill --help'." },
		{ "look|kill", "FILE is missing", "Try 'dbops look kill --help'." },
		{ "group|show", "FILE is missing", "Try 'dbops group show --help'." },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_parsed_ struct parsed p = { 0 };
		_cleanup_error_ struct error err = ERROR_INIT;

		if (parse(cases[i].line, &p, &err))
			fail_msg("'%s' was accepted", cases[i].line);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.hint, cases[i].hint);
	}
}

static void test_last_wins(void **state)
{
	_cleanup_parsed_ struct parsed p = { 0 };

	(void)state;
	assert_true(parse("copy|-j1|--jobs=2|-j3|--force|--no-force|a", &p, NULL));
	assert_string_equal(parsed_setting(&p, &options[1])->value, "3");
	assert_string_equal(parsed_setting(&p, &options[1])->shown, "-j");
	assert_string_equal(parsed_setting(&p, &options[0])->value, "false");
	assert_null(parsed_setting(&p, &options[3]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_last_wins),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	struct parsed p = { 0 };

	parse("", &p, NULL); /* frees the words of the last case */
	parsed_release(&p);
	return failed;
}
