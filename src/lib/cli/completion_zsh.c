/* SPDX-License-Identifier: PostgreSQL */
#include "complete.h"
#include "help.h"

static const char head[] =
	"#compdef dbops\n"
	"# Made by 'dbops completion zsh' from the command tables.\n"
	"\n"
	"# Values that live in the configuration or in a repository.\n"
	"_dbops_values()\n"
	"{\n"
	"\tlocal -a found\n"
	"\tfound=(${(f)\"$(_call_program values $words[1] complete -- "
	"${(q)words[2,CURRENT]} 2>/dev/null)\"})\n"
	"\tfound=(${found#$IPREFIX})\n"
	"\tcompadd -- $found\n"
	"}\n"
	"\n"
	"_dbops()\n"
	"{\n"
	"\tlocal command=dbops skip=0 word\n"
	"\tlocal -a specs values children\n"
	"\tfor word in dbops ${words[2,CURRENT-1]}; do\n"
	"\t\tif (( skip )); then\n"
	"\t\t\tskip=0\n"
	"\t\t\tcontinue\n"
	"\t\telif [[ $word == -* ]]; then\n"
	"\t\t\tif (( ${values[(Ie)$word]} )); then skip=1; fi\n"
	"\t\t\tcontinue\n"
	"\t\telif (( ${children[(Ie)$word]} )); then\n"
	"\t\t\tcommand+=\" $word\"\n"
	"\t\telif [[ $word != dbops ]]; then\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\tcase $command in\n";

static const char tail[] =
	"\t\tesac\n"
	"\tdone\n"
	"\t_arguments -s -S $specs\n"
	"}\n"
	"\n"
	"if [[ $funcstack[1] == _dbops ]]; then\n"
	"\t_dbops \"$@\"\n"
	"else\n"
	"\tcompdef _dbops dbops\n"
	"fi\n";

/* Text inside [brackets] or between colons of an _arguments specification. */
static void add_escaped(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("[]:\\", *s))
			strbuf_addch(out, '\\');
		strbuf_addch(out, *s);
	}
}

static const char *action_of(const struct option *o)
{
	switch (o->complete) {
	case COMPLETE_FILE:
		return "_files";
	case COMPLETE_DIR:
		return "_files -/";
	case COMPLETE_NONE:
		return " ";
	default:
		return "_dbops_values";
	}
}

static void add_value(struct strbuf *spec, const struct option *o)
{
	autofree char *metavar = option_metavar(o);

	strbuf_addch(spec, ':');
	add_escaped(spec, o->type == OPTION_ENUM ? o->long_name : metavar);
	strbuf_addch(spec, ':');
	if (!o->choices) {
		strbuf_adds(spec, action_of(o));
		return;
	}
	strbuf_addch(spec, '(');
	for (unsigned i = 0; o->choices[i]; i++)
		strbuf_addf(spec, "%s%s", i ? " " : "", o->choices[i]);
	strbuf_addch(spec, ')');
}

static void add_spec(struct strbuf *out, const char *name, const char *end, const struct option *o)
{
	_cleanup_strbuf_ struct strbuf spec = STRBUF_INIT;

	strbuf_addf(&spec, "%s%s%s[", o->type == OPTION_LIST ? "*" : "", name, end);
	add_escaped(&spec, o->help);
	strbuf_addch(&spec, ']');
	if (option_takes_value(o))
		add_value(&spec, o);
	strbuf_adds(out, "\t\t\t\t");
	add_shell_quoted(out, spec.buf);
	strbuf_addch(out, '\n');
}

static void add_option(const struct option_sets *sets, const struct option *o, void *data)
{
	autofree char *name = xasprintf("--%s", o->long_name);
	bool value = option_takes_value(o);

	if (o->flags & OPTION_SECRET)
		return;
	add_spec(data, name, value ? "=" : "", o);
	if (short_name_is_free(sets, o) && o->short_name != '?') {
		const char letter[] = { '-', o->short_name, '\0' };

		add_spec(data, letter, value ? "+" : "", o);
	}
}

static void add_value_name(const struct option_sets *sets, const struct option *o, void *data)
{
	if (!option_takes_value(o) || (o->flags & OPTION_SECRET))
		return;
	strbuf_addf(data, " --%s", o->long_name);
	if (short_name_is_free(sets, o))
		strbuf_addf(data, " -%c", o->short_name);
}

static void add_children(struct strbuf *out, const struct command *c)
{
	_cleanup_strbuf_ struct strbuf spec = STRBUF_INIT;

	strbuf_adds(&spec, "*:command:((");
	for (const struct command *const *child = c->children; *child; child++) {
		if ((*child)->flags & COMMAND_HIDDEN)
			continue;
		strbuf_addf(&spec, " %s\\:\"", (*child)->name);
		add_escaped(&spec, (*child)->summary);
		strbuf_addch(&spec, '"');
	}
	strbuf_adds(&spec, " ))");
	strbuf_adds(out, "\t\t\t\t");
	add_shell_quoted(out, spec.buf);
	strbuf_addch(out, '\n');
}

static void add_command(const struct command *c, const char *path, void *data)
{
	struct strbuf *out = data;

	strbuf_addf(out, "\t\t('%s')\n\t\t\tchildren=(", path);
	for (const struct command *const *child = c->children; child && *child; child++)
		if (!((*child)->flags & COMMAND_HIDDEN))
			strbuf_addf(out, " %s", (*child)->name);
	strbuf_adds(out, " )\n\t\t\tvalues=(");
	each_option(c, add_value_name, out);
	strbuf_adds(out, " )\n\t\t\tspecs=(\n");
	each_option(c, add_option, out);
	if (c->children)
		add_children(out, c);
	else if (c->operands)
		strbuf_adds(out, "\t\t\t\t'*: :_dbops_values'\n");
	strbuf_adds(out, "\t\t\t)\n\t\t\t;;\n");
}

void completion_zsh(const struct command *root, struct strbuf *out)
{
	strbuf_adds(out, head);
	command_walk(root, root->name, add_command, out);
	strbuf_adds(out, tail);
}
