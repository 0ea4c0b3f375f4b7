/* SPDX-License-Identifier: PostgreSQL */
/* The example command of contrib/, run through the framework: parsing, confirmation, every format. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include "app.h"

extern const struct command greet_command;

static const struct command *const children[] = { &greet_command, NULL };
static const struct command root = {
	.name = "dbops", .summary = "test", .children = children, .flags = COMMAND_ROOT | COMMAND_NO_CONFIG,
};

struct outcome {
	bool ok;
	enum exit_code code;
	char *out, *err_text, *message, *hint;
};

static void outcome_release(struct outcome *o)
{
	free(o->out);
	free(o->err_text);
	free(o->message);
	free(o->hint);
}

/* Runs "dbops <words>"; input is what stands on stdin, which is no terminal. */
static struct outcome run(const char *const *words, int n)
{
	struct outcome o = { 0 };
	struct error err = ERROR_INIT;
	struct app app;
	size_t out_len, err_len;
	FILE *out = open_memstream(&o.out, &out_len), *err_file = open_memstream(&o.err_text, &err_len);
	FILE *in = fopen("/dev/null", "r");

	app_init(&app, &root, NULL, in, out, err_file);
	o.ok = app_run(&app, n, (char *const *)(uintptr_t)words, &err);
	o.code = o.ok ? app.status : err.code;
	o.message = xstrdup(err.message);
	o.hint = xstrdup(err.hint);
	app_release(&app);
	error_release(&err);
	fclose(in);
	fclose(out);
	fclose(err_file);
	return o;
}
#define RUN(...)                                                         \
	run((const char *const[]){ "dbops", "--config", "/dev/null", __VA_ARGS__ }, \
		(int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)) + 3)

static void test_formats(void **state)
{
	static const struct {
		const char *format, *expected;
	} cases[] = {
		{ "table", "GUEST  GREETING\nAda    Hello, Ada.\n" },
		{ "expanded", "guest:    Ada\ngreeting: Hello, Ada.\nlength:   11\n" },
		{ "csv", "guest,greeting,length\nAda,\"Hello, Ada.\",11\n" },
		{ "ndjson", "{\"guest\":\"Ada\",\"greeting\":\"Hello, Ada.\",\"length\":11}\n" },
		{ "json", "{\n  \"schema_version\": 1,\n  \"greetings\": [\n    {\n      \"guest\": \"Ada\",\n"
			  "      \"greeting\": \"Hello, Ada.\",\n      \"length\": 11\n    }\n  ]\n}\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_(outcome_release) struct outcome o =
			RUN("greet", "Ada", "--yes", "--format", cases[i].format);

		assert_true(o.ok);
		assert_int_equal(o.code, EXIT_DONE);
		assert_string_equal(o.out, cases[i].expected);
		assert_string_equal(o.err_text, "greet the guests\ndbops: greeted 1 guests\n");
	}
}

static void test_needs_confirmation(void **state)
{
	_cleanup_(outcome_release) struct outcome o = RUN("greet", "Ada");

	(void)state;
	assert_false(o.ok);
	assert_int_equal(o.code, EXIT_CONFIG);
	assert_non_null(strstr(o.hint, "--yes"));
	assert_string_equal(o.out, "");
}

/* Runs "dbops greet Ada" where stdin and stderr are a terminal on which answer was typed. */
static struct outcome run_on_terminal(const char *answer, int signal)
{
	struct cancel cancel = CANCEL_INIT;
	struct outcome o = { 0 };
	struct error err = ERROR_INIT;
	struct app app;
	size_t len;
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	assert_int_equal(write(master, answer, strlen(answer)), strlen(answer));
	assert_true(cancel_open(&cancel, &err));
	if (signal)
		cancel_request(&cancel, signal);

	/* not the controlling terminal: its hang-up would be ours */
	FILE *terminal = fdopen(open(ptsname(master), O_RDWR | O_NOCTTY), "r+"), *out = open_memstream(&o.out, &len);
	char *words[] = { (char[]){ "dbops" }, (char[]){ "--config=/dev/null" }, (char[]){ "greet" },
		(char[]){ "Ada" }, NULL };

	app_init(&app, &root, &cancel, terminal, out, terminal);
	o.ok = app_run(&app, 4, words, &err);
	o.code = o.ok ? app.status : err.code;
	o.message = xstrdup(err.message);
	app_release(&app);
	error_release(&err);
	fclose(terminal);
	fclose(out);
	close(master);
	close(cancel.wake_fd);
	close(cancel.write_fd);
	return o;
}

static void test_answers(void **state)
{
	static const struct {
		const char *answer;
		int signal;
		enum exit_code code;
		const char *message;
	} cases[] = {
		{ "yes\n", 0, EXIT_DONE, NULL },
		{ "no\n", 0, EXIT_CONFIG, "not confirmed, nothing was changed" },
		{ "y\n", 0, EXIT_CONFIG, "not confirmed, nothing was changed" },
		{ "\n", 0, EXIT_CONFIG, "not confirmed, nothing was changed" },
		{ "\x04", 0, EXIT_CONFIG, "not confirmed, nothing was changed" },
		{ "", SIGINT, EXIT_INTERRUPTED, "interrupted" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		_cleanup_(outcome_release) struct outcome o =
			run_on_terminal(cases[i].answer, cases[i].signal);

		assert_int_equal(o.code, cases[i].code);
		assert_int_equal(o.ok, cases[i].code == EXIT_DONE);
		if (cases[i].message)
			assert_string_equal(o.message, cases[i].message);
		else
			assert_non_null(strstr(o.out, "Hello, Ada."));
	}
}

static void test_dry_run(void **state)
{
	_cleanup_(outcome_release) struct outcome o = RUN("greet", "Ada", "--dry-run");

	(void)state;
	assert_true(o.ok);
	assert_int_equal(o.code, EXIT_DONE);
	assert_string_equal(o.out, "greet the guests\n");
}

static void test_dry_run_keeps_json_clean(void **state)
{
	_cleanup_(outcome_release) struct outcome o = RUN("greet", "Ada", "--dry-run", "--format=json");

	(void)state;
	assert_true(o.ok);
	assert_string_equal(o.out, "");
	assert_string_equal(o.err_text, "greet the guests\n");
}

static void test_own_error(void **state)
{
	_cleanup_(outcome_release) struct outcome o = RUN("greet", "", "-y");

	(void)state;
	assert_int_equal(o.code, EXIT_USAGE);
	assert_string_equal(o.message, "the guest has no name");
}

static void test_options(void **state)
{
	_cleanup_(outcome_release) struct outcome o = RUN(
		"greet", "-qyt2", "--guest", "Bo", "Ada", "--tone=loud", "--guest=Cy", "--format=csv");

	(void)state;
	assert_true(o.ok);
	assert_string_equal(o.out, "guest,greeting,length\nAda,\"Hello, Ada! Hello, Ada!\",23\n"
				   "Bo,\"Hello, Bo! Hello, Bo!\",21\nCy,\"Hello, Cy! Hello, Cy!\",21\n");
	assert_string_equal(o.err_text, "greet the guests\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_needs_confirmation),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_dry_run_keeps_json_clean),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_own_error),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
