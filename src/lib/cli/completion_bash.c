/* SPDX-License-Identifier: PostgreSQL */
#include "complete.h"

static const char head[] =
	"# bash completion for dbops                                  -*- shell-script -*-\n"
	"# Made by 'dbops completion bash' from the command tables.\n"
	"\n"
	"# Sets commands, options, values (options that take one), files and folders.\n"
	"_dbops_facts()\n"
	"{\n"
	"\tcommands='' options='' values='' files='' folders=''\n"
	"\tcase $1 in\n";

static const char tail[] =
	"\tesac\n"
	"}\n"
	"\n"
	"_dbops_has()\n"
	"{\n"
	"\t[[ \" $1 \" == *\" $2 \"* ]]\n"
	"}\n"
	"\n"
	"# COMP_WORDS with what readline split at '=' and ':' put together again.\n"
	"_dbops_join()\n"
	"{\n"
	"\tlocal i glue=1\n"
	"\tjoined=()\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"\t\tif [[ ${COMP_WORDS[i]} == [=:]* && i -gt 1 ]]; then\n"
	"\t\t\tjoined[${#joined[@]}-1]+=${COMP_WORDS[i]}\n"
	"\t\t\tglue=1\n"
	"\t\telif ((glue && i > 1)); then\n"
	"\t\t\tjoined[${#joined[@]}-1]+=${COMP_WORDS[i]}\n"
	"\t\t\tglue=0\n"
	"\t\telse\n"
	"\t\t\tjoined+=(\"${COMP_WORDS[i]}\")\n"
	"\t\t\tglue=0\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"\n"
	"# Sets path, the facts of it, and expect: the option whose value is typed.\n"
	"_dbops_walk()\n"
	"{\n"
	"\tlocal word\n"
	"\tpath=dbops expect=''\n"
	"\t_dbops_facts \"$path\"\n"
	"\tfor word in \"${joined[@]:1:${#joined[@]}-2}\"; do\n"
	"\t\tif [[ -n $expect ]]; then\n"
	"\t\t\texpect=''\n"
	"\t\telif [[ $word == -* ]]; then\n"
	"\t\t\tif _dbops_has \"$values\" \"$word\"; then expect=$word; fi\n"
	"\t\telif _dbops_has \"$commands\" \"$word\"; then\n"
	"\t\t\tpath+=\" $word\"\n"
	"\t\t\t_dbops_facts \"$path\"\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"\n"
	"_dbops_reply()\n"
	"{\n"
	"\tlocal line\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS='' read -r line; do\n"
	"\t\tCOMPREPLY+=(\"${line#\"$cut\"}\")\n"
	"\tdone\n"
	"}\n"
	"\n"
	"_dbops()\n"
	"{\n"
	"\tlocal commands options values files folders joined path expect cur cut=''\n"
	"\t_dbops_join\n"
	"\tcur=${joined[${#joined[@]}-1]}\n"
	"\t# readline replaces only what stands behind its last break\n"
	"\tif [[ $cur == *[=:]* ]]; then\n"
	"\t\tcut=${cur%\"${cur##*[=:]}\"}\n"
	"\tfi\n"
	"\t_dbops_walk\n"
	"\tif [[ -z $expect && $cur == --*=* ]]; then\n"
	"\t\texpect=${cur%%=*}\n"
	"\t\tif _dbops_has \"$files $folders\" \"$expect\"; then cur=${cur#*=}; cut=''; fi\n"
	"\tfi\n"
	"\tif [[ -n $expect ]] && _dbops_has \"$files\" \"$expect\"; then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t_dbops_reply < <(compgen -f -- \"$cur\")\n"
	"\telif [[ -n $expect ]] && _dbops_has \"$folders\" \"$expect\"; then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t_dbops_reply < <(compgen -d -- \"$cur\")\n"
	"\telif [[ -z $expect && $cur == -* ]]; then\n"
	"\t\t_dbops_reply < <(compgen -W \"$options\" -- \"$cur\")\n"
	"\telif [[ -z $expect && -n $commands ]]; then\n"
	"\t\t_dbops_reply < <(compgen -W \"$commands\" -- \"$cur\")\n"
	"\telse\n"
	"\t\t_dbops_reply < <(\"$1\" complete -- \"${joined[@]:1}\" 2>/dev/null)\n"
	"\tfi\n"
	"}\n"
	"\n"
	"complete -F _dbops dbops\n";

struct facts {
	struct strbuf options, values, files, folders;
};

static void add_word(struct strbuf *sb, const char *format, const char *word)
{
	strbuf_addf(sb, "%s", sb->len ? " " : "");
	strbuf_adds(sb, format);
	strbuf_adds(sb, word);
}

static void add_name(struct strbuf *sb, const struct option_sets *sets, const struct option *o)
{
	const char letter[] = { o->short_name, '\0' };

	add_word(sb, "--", o->long_name);
	if (o->short_name && sets_find_short(sets, o->short_name) == o)
		add_word(sb, "-", letter);
}

static void collect(const struct option_sets *sets, const struct option *o, void *data)
{
	struct facts *f = data;

	if (o->flags & OPTION_SECRET)
		return;
	add_word(&f->options, "--", o->long_name);
	if (!option_takes_value(o))
		return;
	add_name(&f->values, sets, o);
	if (o->complete == COMPLETE_FILE)
		add_name(&f->files, sets, o);
	else if (o->complete == COMPLETE_DIR)
		add_name(&f->folders, sets, o);
}

static void add_fact(struct strbuf *out, const char *name, struct strbuf *value)
{
	if (value->len)
		strbuf_addf(out, "\t\t%s='%s'\n", name, value->buf);
	strbuf_release(value);
}

static void add_command(const struct command *c, const char *path, void *data)
{
	struct facts f = { STRBUF_INIT, STRBUF_INIT, STRBUF_INIT, STRBUF_INIT };
	struct strbuf commands = STRBUF_INIT, *out = data;

	each_option(c, collect, &f);
	for (const struct command *const *child = c->children; child && *child; child++)
		if (!((*child)->flags & COMMAND_HIDDEN))
			add_word(&commands, "", (*child)->name);
	strbuf_addf(out, "\t'%s')\n", path);
	add_fact(out, "commands", &commands);
	add_fact(out, "options", &f.options);
	add_fact(out, "values", &f.values);
	add_fact(out, "files", &f.files);
	add_fact(out, "folders", &f.folders);
	strbuf_adds(out, "\t\t;;\n");
}

void completion_bash(const struct command *root, struct strbuf *out)
{
	strbuf_adds(out, head);
	command_walk(root, root->name, add_command, out);
	strbuf_adds(out, tail);
}
