/* SPDX-License-Identifier: PostgreSQL */
/* The command line: any words are understood or refused with a usage error, and can be completed. */
#include <stddef.h>
#include <stdint.h>
#include "complete.h"
#include "parse.h"
#include "resolve.h"

struct args {
	bool force;
	int64_t jobs, size, wait;
	const char *name, *mode;
	struct strvec tables;
};

static const char *const modes[] = { "fast", "safe", NULL };

static const struct option options[] = {
	OPT_FLAG(struct args, force, .short_name = 'f', .long_name = "force", .help = "x"),
	OPT_INT(struct args, jobs, .short_name = 'j', .long_name = "jobs", .max = 64, .help = "x"),
	OPT_SIZE(struct args, size, .long_name = "size", .help = "x"),
	OPT_DURATION(struct args, wait, .long_name = "wait", .help = "x"),
	OPT_STRING(struct args, name, .short_name = 'n', .long_name = "name", .help = "x"),
	OPT_ENUM(struct args, mode, .long_name = "mode", .choices = modes, .help = "x"),
	OPT_LIST(struct args, tables, .short_name = 't', .long_name = "table", .help = "x"),
	OPT_END,
};
static const struct operand operands[] = {
	{ "SOURCE", "x", 1, 1, COMPLETE_NONE },
	{ "MODE", "x", 0, 1, COMPLETE_CHOICES, modes },
	{ .name = NULL },
};
static const struct command copy = { .name = "copy", .options = options, .operands = operands };
static const struct command *const group_children[] = { &copy, NULL };
static const struct command group = { .name = "group", .children = group_children };
static const struct command *const root_children[] = { &copy, &group, NULL };
static const struct command root = { .name = "dbops", .children = root_children, .flags = COMMAND_ROOT };

static void resolve(const struct parsed *p)
{
	const struct resolve_context ctx = { .parsed = p };
	struct args args = { 0 };

	if (p->command == &copy)
		resolve_options(&ctx, options, &args, NULL);
	option_release(options, &args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strvec_ struct strvec words = { 0 }, found = { 0 };
	_cleanup_parsed_ struct parsed p = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_cursor_ struct cursor cursor = { 0 };

	/* words end with '\n' in the input */
	for (size_t i = 0, start = 0; i <= size; i++)
		if (i == size || data[i] == '\n') {
			strvec_push_take(&words, xstrndup((const char *)data + start, i - start));
			start = i + 1;
		}
	if (parse_words(&root, (int)words.len, words.items, &p, &err) && parse_check_operands(&p, &err))
		resolve(&p);
	else if (err.code != EXIT_USAGE)
		BUG("refused with status %d", (int)err.code);
	cursor_find(&root, (int)words.len, words.items, &cursor);
	cursor_candidates(&root, &cursor, &found);
	return 0;
}
