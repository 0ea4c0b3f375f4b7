/* SPDX-License-Identifier: PostgreSQL */
/* Child processes: their status, their pipes, their environment, and that they end. Nothing waits by time but the one
 * child that has to be killed. */
#include "unit.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/wait.h>
#include "clock.h"
#include "proc.h"

struct run {
	struct proc_spec spec;
	const char *argv[4];
	struct strbuf out, errors;
	struct error err;
	struct cancel cancel;
	int status;
	bool ok;
};

static int setup(void **state)
{
	struct run *r = calloc(1, sizeof(*r));

	signal(SIGPIPE, SIG_IGN); /* as main.c does */
	r->out = (struct strbuf)STRBUF_INIT;
	r->errors = (struct strbuf)STRBUF_INIT;
	r->cancel = (struct cancel)CANCEL_INIT;
	assert_true(cancel_open(&r->cancel, &r->err));
	r->spec = (struct proc_spec){ .argv = r->argv, .output = &r->out, .errors = &r->errors };
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct run *r = *state;

	strbuf_release(&r->out);
	strbuf_release(&r->errors);
	error_release(&r->err);
	close(r->cancel.wake_fd);
	close(r->cancel.write_fd);
	free(r);
	return 0;
}

static void shell(struct run *r, const char *script)
{
	r->argv[0] = "/bin/sh";
	r->argv[1] = "-c";
	r->argv[2] = script;
	r->status = -1;
	strbuf_reset(&r->out);
	strbuf_reset(&r->errors);
	r->ok = proc_run(&r->spec, &r->cancel, &r->status, &r->err);
}

static void check_ran(const struct run *r, int status)
{
	if (!r->ok)
		fail_msg("%s", r->err.message);
	if (r->status != status)
		fail_msg("status %d instead of %d: %s", r->status, status, r->errors.buf);
}

static void test_status(void **state)
{
	static const struct {
		const char *script;
		int status;
	} cases[] = {
		{ .script = "exit 0", .status = 0 },
		{ .script = "exit 7", .status = 7 },
		{ .script = "exit 255", .status = 255 },
		{ .script = "kill -KILL $$", .status = 128 + SIGKILL },
		{ .script = "kill -TERM $$", .status = 128 + SIGTERM },
	};
	struct run *r = *state;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		shell(r, cases[i].script);
		check_ran(r, cases[i].status);
	}
}

static void test_cannot_start(void **state)
{
	static const struct {
		const char *program;
		int status;
	} cases[] = { { .program = "/no/such/program", .status = 127 }, { .program = "/etc/passwd", .status = 126 } };
	struct run *r = *state;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		r->argv[0] = cases[i].program;
		r->ok = proc_run(&r->spec, NULL, &r->status, &r->err);
		check_ran(r, cases[i].status);
	}
}

static void test_output(void **state)
{
	struct run *r = *state;

	shell(r, "echo out; echo err >&2; printf 'a\\000b'");
	check_ran(r, 0);
	assert_int_equal(r->out.len, 7);
	assert_memory_equal(r->out.buf, "out\na\0b", 7);
	assert_string_equal(r->errors.buf, "err\n");
}

/* More than a pipe holds on both at once: neither may block the other. */
static void test_much_output(void **state)
{
	struct run *r = *state;

	r->spec.output_limit = 300000;
	shell(r, "head -c 300000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero | tr '\\0' y >&2; printf end >&2");
	check_ran(r, 0);
	assert_int_equal(r->out.len, 300000);
	/* of stderr the last part, at most 64 KiB */
	assert_true(r->errors.len > 16384 && r->errors.len <= 65536);
	assert_string_equal(r->errors.buf + r->errors.len - 4, "yend");
}

static void test_output_limit(void **state)
{
	struct run *r = *state;

	r->spec.output_limit = 1000;
	shell(r, "head -c 1000 /dev/zero");
	check_ran(r, 0);
	shell(r, "head -c 1001 /dev/zero");
	assert_false(r->ok);
	assert_non_null(strstr(r->err.message, "/bin/sh"));
	shell(r, "exec cat /dev/zero"); /* without end */
	assert_false(r->ok);
	r->spec.output_limit = 0;
	shell(r, "head -c 1048576 /dev/zero");
	check_ran(r, 0);
	shell(r, "head -c 1048577 /dev/zero");
	assert_false(r->ok);
}

static void test_input(void **state)
{
	struct run *r = *state;
	autofree char *text = malloc(500000);

	memset(text, 'i', 500000);
	r->spec.input = text;
	r->spec.input_len = 500000;
	shell(r, "cat"); /* more than both pipes hold */
	check_ran(r, 0);
	assert_int_equal(r->out.len, 500000);
	assert_memory_equal(r->out.buf, text, 500000);
	r->spec.input_len = 0;
	shell(r, "wc -c");
	check_ran(r, 0);
	assert_string_equal(r->out.buf, "0\n");
	r->spec.input = NULL;
	shell(r, "cat");
	check_ran(r, 0);
	assert_int_equal(r->out.len, 0);
}

/* A child that does not read its input is its own affair, not a failure and not a SIGPIPE. */
static void test_input_not_read(void **state)
{
	struct run *r = *state;
	autofree char *text = calloc(1, 500000);

	r->spec.input = text;
	r->spec.input_len = 500000;
	shell(r, "exec <&-; exit 3");
	check_ran(r, 3);
}

static void test_environment(void **state)
{
	_cleanup_strvec_ struct strvec env = { 0 };
	struct run *r = *state;

	setenv("UNIT_KEPT", "kept", 1);
	setenv("UNIT_CHANGED", "old", 1);
	setenv("UNIT_GONE", "old", 1);
	setenv("UNIT_GONE_NOT", "stays", 1); /* begins with another one's name */
	strvec_push(&env, "UNIT_CHANGED=new=1");
	strvec_push(&env, "UNIT_GONE");
	strvec_push(&env, "UNIT_ADDED=");
	r->spec.env = &env;
	shell(r, "env | grep ^UNIT_ | sort");
	check_ran(r, 0);
	assert_string_equal(r->out.buf, "UNIT_ADDED=\nUNIT_CHANGED=new=1\nUNIT_GONE_NOT=stays\nUNIT_KEPT=kept\n");
	assert_string_equal(getenv("UNIT_CHANGED"), "old"); /* ours is left alone */
}

/* Signals: none blocked, SIGPIPE as usual, SIGINT (a terminal's ^C) ignored. No descriptor of ours is inherited. */
static void test_clean_state(void **state)
{
	struct run *r = *state;
	sigset_t usr1, before;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* what this test itself inherited */
	shell(r, "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l");
	sigprocmask(SIG_SETMASK, &before, NULL);
	check_ran(r, 0);
	if (!strstr(r->out.buf, "SigBlk:\t0000000000000000\n"))
		fail_msg("%s", r->out.buf);

	const char *ignored = strstr(r->out.buf, "SigIgn:\t");
	unsigned long long mask = strtoull(ignored + 8, NULL, 16);

	assert_int_equal(mask >> (SIGPIPE - 1) & 1, 0);
	assert_int_equal(mask >> (SIGINT - 1) & 1, 1);
	assert_string_equal(strrchr(ignored, '\n') - 1, "4\n"); /* 0, 1, 2 and ls's own folder */
}

static void test_run_as(void **state)
{
	struct run *r = *state;

	r->spec.run_as_uid = 65534;
	r->spec.run_as_gid = 65533;
	shell(r, "id -u; id -g; id -G");
	if (geteuid() == 0) {
		check_ran(r, 0);
		assert_string_equal(r->out.buf, "65534\n65533\n65533\n");
	} else {
		check_ran(r, 126); /* never as somebody else than asked for */
	}
}

/* Requests a stop as soon as the child has said that it runs. */
static bool cancel_when_ready(void *data)
{
	struct run *r = data;

	if (r->out.len && !cancel_requested(&r->cancel))
		cancel_request(&r->cancel, SIGTERM);
	return false;
}

static bool stop_when_ready(void *data)
{
	struct run *r = data;

	return r->out.len > 0;
}

static void test_cancel(void **state)
{
	struct run *r = *state;

	r->spec.watch = cancel_when_ready;
	r->spec.watch_data = r;
	shell(r, "echo $$; exec sleep 1000");
	assert_false(r->ok);
	assert_int_equal(r->err.code, EXIT_TERMINATED);
	assert_int_equal(kill((pid_t)strtol(r->out.buf, NULL, 10), 0), -1); /* gone and reaped */
}

static void test_watch(void **state)
{
	struct run *r = *state;

	r->spec.watch = stop_when_ready;
	r->spec.watch_data = r;
	shell(r, "echo $$; exec sleep 1000");
	check_ran(r, 128 + SIGTERM);
}

/* SIGTERM ignored: SIGKILL after 5 s, whether a stop was requested or the output was too long. */
static void test_stubborn(void **state)
{
	struct run *r = *state;
	double begin = clock_monotonic();

	r->spec.watch = stop_when_ready;
	r->spec.watch_data = r;
	shell(r, "trap '' TERM; echo $$; exec sleep 1000");
	check_ran(r, 128 + SIGKILL);
	assert_true(clock_monotonic() - begin >= 5);
	r->spec.watch = NULL;
	r->spec.output_limit = 10;
	shell(r, "trap '' TERM; echo $$ is too long; exec sleep 1000");
	assert_false(r->ok);
	assert_non_null(strstr(r->err.message, "too long"));
}

/* What a child left behind may hold the pipes open for ever. */
static void test_grandchild(void **state)
{
	struct run *r = *state;

	shell(r, "sleep 1000 & echo $!");
	check_ran(r, 0);
	assert_true(r->out.len > 1);
	assert_int_equal(kill((pid_t)strtol(r->out.buf, NULL, 10), SIGKILL), 0);

	/* also when it never stops talking (its pipe is gone afterwards, and SIGPIPE ends it) */
	r->spec.output_limit = 10;
	shell(r, "cat /dev/zero & echo this is too long");
	assert_false(r->ok);
	assert_non_null(strstr(r->err.message, "too long"));
}

/* The end of us is the end of the child: it holds the pipe, whose end of file is its end. */
static void test_dies_with_us(void **state)
{
	struct run *r = *state;
	int ends[2];
	char c;

	assert_int_equal(pipe(ends), 0);

	pid_t pid = fork();

	if (pid == 0) {
		autofree char *script = NULL;

		close(ends[0]);
		r->spec.output = NULL;
		if (asprintf(&script, "echo >&%d; exec sleep 1000", ends[1]) > 0)
			shell(r, script);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &c, 1), 1); /* it runs */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(read(ends[0], &c, 1), 0);
	close(ends[0]);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_status),
		CASE(test_cannot_start),
		CASE(test_output),
		CASE(test_much_output),
		CASE(test_output_limit),
		CASE(test_input),
		CASE(test_input_not_read),
		CASE(test_environment),
		CASE(test_clean_state),
		CASE(test_run_as),
		CASE(test_cancel),
		CASE(test_watch),
		CASE(test_stubborn),
		CASE(test_grandchild),
		CASE(test_dies_with_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
