/* SPDX-License-Identifier: PostgreSQL */
#include "complete.h"
#include "help.h"

struct fish {
	struct strbuf *out;
	const char *path;
};

/* fish knows two escapes inside single quotes. */
static void add_quoted(struct strbuf *out, const char *s)
{
	strbuf_addch(out, '\'');
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			strbuf_addch(out, '\\');
		strbuf_addch(out, *s);
	}
	strbuf_addch(out, '\'');
}

static void add_value_name(const struct option_sets *sets, const struct option *o, void *data)
{
	if (!option_takes_value(o))
		return;
	strbuf_addf(data, " --%s", o->long_name);
	if (short_name_is_free(sets, o))
		strbuf_addf(data, " -%c", o->short_name);
}

static void add_children_case(const struct command *c, const char *path, void *data)
{
	if (!c->children)
		return;
	strbuf_addf(data, "                case '%s'\n                    set children", path);
	for (const struct command *const *child = c->children; *child; child++)
		if (!((*child)->flags & COMMAND_HIDDEN))
			strbuf_addf(data, " %s", (*child)->name);
	strbuf_adds(data, "\n");
}

/* Only global options stand before a command's name, so theirs are the values to skip. */
static void add_functions(struct strbuf *out, const struct command *root)
{
	strbuf_adds(out, "# fish completion for dbops\n"
			 "# Made by 'dbops completion fish' from the command tables.\n"
			 "\n"
			 "function __dbops_path\n"
			 "    set -l path dbops\n"
			 "    set -l skip 0\n"
			 "    set -l tokens (commandline -opc)\n"
			 "    for word in $tokens[2..-1]\n"
			 "        if test $skip = 1\n"
			 "            set skip 0\n"
			 "        else if contains -- $word");
	each_option(root, add_value_name, out);
	strbuf_adds(out, "\n"
			 "            set skip 1\n"
			 "        else\n"
			 "            set -l children\n"
			 "            switch \"$path\"\n");
	command_walk(root, root->name, add_children_case, out);
	strbuf_adds(out, "            end\n"
			 "            if contains -- $word $children\n"
			 "                set path \"$path $word\"\n"
			 "            end\n"
			 "        end\n"
			 "    end\n"
			 "    echo $path\n"
			 "end\n"
			 "\n"
			 "function __dbops_at\n"
			 "    test (__dbops_path) = \"$argv\"\n"
			 "end\n"
			 "\n"
			 "# Values that live in the configuration or in a repository.\n"
			 "function __dbops_values\n"
			 "    set -l tokens (commandline -opc) (commandline -ct)\n"
			 "    $tokens[1] complete -- $tokens[2..-1] 2>/dev/null | "
			 "string replace -r '^--[^=]*=' ''\n"
			 "end\n"
			 "\n"
			 "complete -c dbops -f\n");
}

static void add_action(struct strbuf *out, const struct option *o)
{
	switch (o->complete) {
	case COMPLETE_FILE:
		strbuf_adds(out, " -r -F");
		return;
	case COMPLETE_DIR:
		strbuf_adds(out, " -x -a '(__fish_complete_directories)'");
		return;
	case COMPLETE_NONE:
		strbuf_adds(out, " -x");
		return;
	default:
		break;
	}
	if (!o->choices) {
		strbuf_adds(out, " -x -a '(__dbops_values)'");
		return;
	}
	strbuf_adds(out, " -x -a '");
	for (unsigned i = 0; o->choices[i]; i++)
		strbuf_addf(out, "%s%s", i ? " " : "", o->choices[i]);
	strbuf_addch(out, '\'');
}

static void add_line_start(const struct fish *f)
{
	strbuf_addf(f->out, "complete -c dbops -n '__dbops_at %s'", f->path);
}

static void add_option(const struct option_sets *sets, const struct option *o, void *data)
{
	const struct fish *f = data;

	if (o->flags & OPTION_SECRET)
		return;
	add_line_start(f);
	if (short_name_is_free(sets, o))
		strbuf_addf(f->out, " -s '%c'", o->short_name);
	strbuf_addf(f->out, " -l %s", o->long_name);
	if (option_takes_value(o))
		add_action(f->out, o);
	strbuf_adds(f->out, " -d ");
	add_quoted(f->out, o->help);
	strbuf_addch(f->out, '\n');
}

static void add_command(const struct command *c, const char *path, void *data)
{
	struct fish f = { data, path };

	strbuf_addf(f.out, "\n# %s\n", path);
	for (const struct command *const *child = c->children; child && *child; child++) {
		if ((*child)->flags & COMMAND_HIDDEN)
			continue;
		add_line_start(&f);
		strbuf_addf(f.out, " -a %s -d ", (*child)->name);
		add_quoted(f.out, (*child)->summary);
		strbuf_addch(f.out, '\n');
	}
	if (c->operands) {
		add_line_start(&f);
		strbuf_adds(f.out, " -a '(__dbops_values)'\n");
	}
	each_option(c, add_option, &f);
}

void completion_fish(const struct command *root, struct strbuf *out)
{
	add_functions(out, root);
	command_walk(root, root->name, add_command, out);
}
