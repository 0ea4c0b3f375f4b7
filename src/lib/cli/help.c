/* SPDX-License-Identifier: PostgreSQL */
#include "help.h"

#include <errno.h>
#include "build_config.h"
#include "xalloc.h"

#define OPTION_COLUMN 26
#define WIDTH_MAX     100

bool print_text(FILE *out, const struct strbuf *text, struct error *err)
{
	errno = 0;
	if (fwrite(text->buf, 1, text->len, out) == text->len && fflush(out) == 0)
		return true;
	return output_failed(out, err);
}

bool version_print(FILE *out, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, "dbops " DBOPS_VERSION "\n");
	return print_text(out, &text, err);
}

/* Bytes that are not UTF-8 continuation bytes: columns, near enough for our own texts. */
static size_t columns_of(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

/* Adds text, whose first line continues at column at, broken at spaces before width. */
static void add_wrapped(struct strbuf *out, const char *text, size_t indent, size_t at, size_t width)
{
	bool first = true;

	while (*(text += strspn(text, " "))) {
		size_t len = strcspn(text, " \n");
		size_t columns = columns_of(text, len);

		if (!first && at + 1 + columns > width) {
			strbuf_addf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			strbuf_addch(out, ' ');
			at++;
		}
		strbuf_add(out, text, len);
		at += columns;
		text += len;
		first = false;
		if (*text == '\n') {
			strbuf_addf(out, "\n%*s", text[1] == '\n' ? 0 : (int)indent, "");
			at = indent;
			text++;
			first = true;
		}
	}
	strbuf_addch(out, '\n');
}

/* "left" in a column, text behind it. */
static void add_pair(struct strbuf *out, const char *left, const char *text, size_t column, size_t width)
{
	size_t at = columns_of(left, strlen(left));

	strbuf_adds(out, left);
	if (at + 2 > column) {
		strbuf_addch(out, '\n');
		at = 0;
	}
	strbuf_addf(out, "%*s", (int)(column - at), "");
	add_wrapped(out, text, column, column, width);
}

static const char *default_metavar(enum option_type type)
{
	switch (type) {
	case OPTION_INT:
		return "N";
	case OPTION_SIZE:
		return "SIZE";
	case OPTION_DURATION:
		return "TIME";
	case OPTION_PATH:
		return "FILE";
	default:
		return "VALUE";
	}
}

char *option_metavar(const struct option *o)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (!option_takes_value(o))
		return NULL;
	if (o->metavar)
		return xstrdup(o->metavar);
	if (o->type != OPTION_ENUM)
		return xstrdup(default_metavar(o->type));
	for (unsigned i = 0; o->choices[i]; i++)
		strbuf_addf(&sb, "%s%s", i ? "|" : "", o->choices[i]);
	return strbuf_detach(&sb);
}

bool short_name_is_free(const struct option_sets *sets, const struct option *o)
{
	return o->short_name && sets_find_short(sets, o->short_name) == o;
}

static void add_option(struct strbuf *out, const struct option_sets *sets, const struct option *o, size_t width)
{
	_cleanup_strbuf_ struct strbuf left = STRBUF_INIT, text = STRBUF_INIT;
	autofree char *metavar = option_metavar(o);

	if (short_name_is_free(sets, o))
		strbuf_addf(&left, "  -%c, ", o->short_name);
	else
		strbuf_adds(&left, "      ");
	strbuf_addf(&left, "--%s%s%s", o->long_name, metavar ? " " : "", metavar ? metavar : "");
	strbuf_adds(&text, o->help);
	if (o->type == OPTION_LIST && !strstr(o->help, "repeated"))
		strbuf_adds(&text, "; may be repeated");
	if (o->fallback && o->type != OPTION_FLAG)
		strbuf_addf(&text, " (default: %s)", o->fallback);
	add_pair(out, left.buf, text.buf, OPTION_COLUMN, width);
}

static void add_set(struct strbuf *out, const struct option_sets *sets, const struct option_set *set, size_t width)
{
	if (set->title)
		strbuf_addf(out, "\n%s:\n", set->title);
	for (const struct option *o = set->options; o->type != OPTION_END; o++) {
		if (o->type == OPTION_GROUP)
			strbuf_addf(out, "\n%s:\n", o->long_name);
		else if (!(o->flags & OPTION_HIDDEN))
			add_option(out, sets, o, width);
	}
}

/* A table that begins with a heading needs no "Options:" above it. */
static struct option_set without_title(struct option_set set)
{
	if (set.options->type == OPTION_GROUP)
		set.title = NULL;
	return set;
}

void usage_operands(const struct command *c, struct strbuf *out)
{
	strbuf_adds(out, " [OPTION]...");
	if (c->children)
		strbuf_adds(out, command_is_group(c) ? " COMMAND" : " [COMMAND]");
	for (const struct operand *o = c->operands; o && o->name; o++)
		strbuf_addf(out, " %s%s%s%s", o->min ? "" : "[", o->name, o->max == 1 ? "" : "...",
			o->min ? "" : "]");
}

static void add_children(struct strbuf *out, const struct command *c, size_t width)
{
	strbuf_adds(out, "\nCommands:\n");
	for (const struct command *const *child = c->children; *child; child++) {
		if ((*child)->flags & COMMAND_HIDDEN)
			continue;

		autofree char *left = xasprintf("  %s", (*child)->name);

		add_pair(out, left, (*child)->summary, 16, width);
	}
}

static void add_operands(struct strbuf *out, const struct command *c, size_t width)
{
	strbuf_adds(out, "\nOperands:\n");
	for (const struct operand *o = c->operands; o->name; o++) {
		autofree char *left = xasprintf("  %s", o->name);

		add_pair(out, left, o->help, OPTION_COLUMN, width);
	}
}

static void add_examples(struct strbuf *out, const struct command *c, size_t width)
{
	strbuf_adds(out, "\nExamples:\n");
	for (const struct example *e = c->examples; e->command; e++) {
		strbuf_addf(out, "  %s\n      ", e->command);
		add_wrapped(out, e->text, 6, 6, width);
	}
}

bool help_print(FILE *out, const struct command *c, const char *path, int width, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	size_t w = width > WIDTH_MAX || width < 40 ? WIDTH_MAX : (size_t)width;
	struct option_sets sets;

	command_option_sets(c, &sets);
	strbuf_addf(&text, "Usage: %s", path);
	usage_operands(c, &text);
	strbuf_addf(&text, "\n%s - ", path);
	add_wrapped(&text, c->summary, 2, strlen(path) + 3, w);
	if (c->detail) {
		strbuf_addch(&text, '\n');
		add_wrapped(&text, c->detail, 0, 0, w);
	}
	if (c->children)
		add_children(&text, c, w);
	if (c->operands)
		add_operands(&text, c, w);
	for (size_t i = 0; i < sets.len; i++) {
		const struct option_set set = without_title(sets.items[i]);

		add_set(&text, &sets, &set, w);
	}
	if (c->examples)
		add_examples(&text, c, w);
	return print_text(out, &text, err);
}
