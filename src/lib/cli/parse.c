/* SPDX-License-Identifier: PostgreSQL */
#include "parse.h"

#include <ctype.h>
#include "nearest.h"
#include "strbuf.h"

struct parser {
	struct parsed *p;
	struct option_sets sets; /* of p->command */
	char *const *words;
	int n, i;                /* words[i] is the current one */
	struct error *err;
};

void parsed_release(struct parsed *p)
{
	strvec_release(&p->path);
	strvec_release(&p->operands);
	strvec_release(&p->shown);
	vec_release(p);
}

char *parsed_path(const struct parsed *p)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < p->path.len; i++)
		strbuf_addf(&sb, "%s%s", i ? " " : "", p->path.items[i]);
	return strbuf_detach(&sb);
}

const struct setting *parsed_setting(const struct parsed *p, const struct option *o)
{
	for (size_t i = p->len; i-- > 0;)
		if (p->items[i].option == o)
			return &p->items[i];
	return NULL;
}

static bool hint_help(struct parser *c)
{
	autofree char *path = parsed_path(c->p);

	return error_hint(c->err, "Try '%s --help'.", path);
}

static bool add_setting(
	struct parser *c, const struct option *o, char *shown, const char *value)
{
	struct parsed *p = c->p;

	strvec_push_take(&p->shown, shown);
	if (o->flags & OPTION_SECRET) {
		error_set(c->err, EXIT_USAGE, "%s is a secret and not accepted on the command line", shown);
		return error_hint(c->err, "Every user of this machine can read command lines. Use %s%s%s.",
			o->env ? o->env : "", o->env && o->config_key ? " or the configuration key " : "",
			o->config_key ? o->config_key : "");
	}
	p->items = vec_grow(p->items, &p->alloc, p->len + 1, sizeof(*p->items));
	p->items[p->len++] = (struct setting){ .option = o, .value = value, .shown = shown };
	return true;
}

/* The word behind an option that needs a value. */
static bool take_value(struct parser *c, const struct option *o, char *shown)
{
	if (c->i + 1 < c->n)
		return add_setting(c, o, shown, c->words[++c->i]);
	strvec_push_take(&c->p->shown, shown);
	error_set(c->err, EXIT_USAGE, "%s needs a value: %s %s", shown, shown,
		o->metavar ? o->metavar : "VALUE");
	return hint_help(c);
}

static void try_options(struct nearest *n, const struct option *options)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++)
		if (option_is_real(o) && !(o->flags & OPTION_HIDDEN))
			nearest_try(n, o->long_name);
}

/* Words of commands below c that know the option: "dbops --jobs 4 backup". */
static bool known_below(const struct command *c, const char *name, size_t len)
{
	for (const struct command *const *child = c->children; child && *child; child++) {
		struct option_sets sets;

		command_option_sets(*child, &sets);
		if (sets_find_long(&sets, name, len) || known_below(*child, name, len))
			return true;
	}
	return false;
}

static bool unknown_option(struct parser *c, const char *name, size_t len)
{
	autofree char *word = xstrndup(name, len);
	struct nearest n = NEAREST_INIT(word);

	error_set(c->err, EXIT_USAGE, "unknown option '--%s'", word);
	if (known_below(c->p->command, name, len))
		return error_hint(c->err, "Options of a command stand behind its name.");
	for (size_t i = 0; i < c->sets.len; i++)
		try_options(&n, c->sets.items[i].options);
	if (n.best)
		return error_hint(c->err, "Did you mean '--%s'?", n.best);
	return hint_help(c);
}

/* --no-NAME of a flag; NULL when that is not it. */
static const struct option *find_negated(struct parser *c, const char *name, size_t len)
{
	if (len <= 3 || memcmp(name, "no-", 3) != 0)
		return NULL;

	const struct option *o = sets_find_long(&c->sets, name + 3, len - 3);

	return o && o->type == OPTION_FLAG ? o : NULL;
}

static bool parse_long(struct parser *c, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option *o = sets_find_long(&c->sets, name, len);
	const struct option *negated = o ? NULL : find_negated(c, name, len);
	const struct option *known = o ? o : negated;

	if (!known)
		return unknown_option(c, name, len);

	char *shown = xasprintf("--%.*s", (int)len, name);

	if (option_takes_value(known))
		return equals ? add_setting(c, known, shown, equals + 1) : take_value(c, known, shown);
	if (!equals)
		return add_setting(c, known, shown, negated ? "false" : "true");
	strvec_push_take(&c->p->shown, shown);
	error_set(c->err, EXIT_USAGE, "%s takes no value", shown);
	return hint_help(c);
}

/* -h is --help where no option took the letter; so is -?. */
static const struct option *find_short(struct parser *c, char letter)
{
	const struct option *o = sets_find_short(&c->sets, letter);

	if (!o && (letter == 'h' || letter == '?'))
		o = sets_find_long(&c->sets, "help", 4);
	return o;
}

/* "-vj4": flags one after the other; the first that takes a value gets the rest or the next word. */
static bool parse_short(struct parser *c, const char *letters)
{
	for (; *letters; letters++) {
		const struct option *o = find_short(c, *letters);
		bool ok;

		if (!o) {
			if (isprint((unsigned char)*letters))
				error_set(c->err, EXIT_USAGE, "unknown option '-%c'", *letters);
			else
				error_set(c->err, EXIT_USAGE, "unknown option in '-%s'", letters);
			return hint_help(c);
		}

		char *shown = xasprintf("-%c", *letters);

		if (option_takes_value(o))
			return letters[1] ? add_setting(c, o, shown, letters + 1) :
					    take_value(c, o, shown);
		ok = add_setting(c, o, shown, "true");
		if (!ok)
			return false;
	}
	return true;
}

static void enter(struct parser *c, const struct command *command)
{
	c->p->command = command;
	strvec_push(&c->p->path, command->name);
	command_option_sets(command, &c->sets);
}

static bool unknown_command(struct parser *c, const char *word)
{
	const char *near = command_nearest_child(c->p->command, word);
	autofree char *path = parsed_path(c->p);

	error_set(c->err, EXIT_USAGE, "'%s' is not a command of %s", word, path);
	if (near)
		return error_hint(c->err, "Did you mean '%s %s'?", path, near);
	return hint_help(c);
}

/* An option of the parent's own work, before the child's name: nothing would read it. */
static bool check_earlier_settings(struct parser *c)
{
	for (size_t i = 0; i < c->p->len; i++) {
		const struct setting *s = &c->p->items[i];
		autofree char *path = NULL;

		if (sets_has(&c->sets, s->option))
			continue;
		path = parsed_path(c->p);
		error_set(c->err, EXIT_USAGE, "%s is not an option of %s", s->shown, path);
		return hint_help(c);
	}
	return true;
}

static bool parse_word(struct parser *c, const char *word)
{
	const struct command *child;

	if (!c->p->command->children) {
		strvec_push(&c->p->operands, word);
		return true;
	}
	child = command_child(c->p->command, word);
	if (!child)
		return unknown_command(c, word);
	enter(c, child);
	return check_earlier_settings(c);
}

bool parse_words(const struct command *root, int n, char *const words[], struct parsed *ret,
	struct error *err)
{
	struct parser c = { .p = ret, .words = words, .n = n, .err = err };
	bool only_operands = false;

	enter(&c, root);
	for (c.i = 0; c.i < n; c.i++) {
		const char *word = words[c.i];
		bool ok;

		if (only_operands || word[0] != '-' || !word[1])
			ok = parse_word(&c, word);
		else if (strcmp(word, "--") == 0)
			ok = only_operands = true;
		else
			ok = word[1] == '-' ? parse_long(&c, word + 2) : parse_short(&c, word + 1);
		if (!ok)
			return false;
	}
	return true;
}

static bool missing_command(const struct parsed *p, struct error *err)
{
	_cleanup_strbuf_ struct strbuf names = STRBUF_INIT;
	autofree char *path = parsed_path(p);

	for (const struct command *const *c = p->command->children; *c; c++)
		if (!((*c)->flags & COMMAND_HIDDEN))
			strbuf_addf(&names, "%s%s", names.len ? ", " : "", (*c)->name);
	error_set(err, EXIT_USAGE, "%s needs a command", path);
	return error_hint(err, "One of %s; try '%s --help'.", names.buf, path);
}

static bool check_choice(const struct operand *o, const char *word, struct error *err)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;

	if (!o->choices)
		return true;
	for (unsigned i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], word) == 0)
			return true;
		strbuf_addf(&all, "%s%s", i ? ", " : "", o->choices[i]);
	}

	const char *near = nearest_choice(word, o->choices);

	error_set(err, EXIT_USAGE, "%s: '%s' is not one of %s", o->name, word, all.buf);
	return near ? error_hint(err, "Did you mean '%s'?", near) : false;
}

bool parse_check_operands(const struct parsed *p, struct error *err)
{
	autofree char *path = parsed_path(p);
	size_t used = 0;

	if (command_is_group(p->command))
		return missing_command(p, err);
	for (const struct operand *o = p->command->operands; o && o->name; o++) {
		size_t max = o->max ? o->max : SIZE_MAX, count = 0;

		while (count < max && used < p->operands.len) {
			if (!check_choice(o, p->operands.items[used++], err))
				return false;
			count++;
		}
		if (count < o->min) {
			error_set(err, EXIT_USAGE, "%s is missing", o->name);
			return error_hint(err, "Try '%s --help'.", path);
		}
	}
	if (used == p->operands.len)
		return true;
	error_set(err, EXIT_USAGE, "one operand too many: '%s'", p->operands.items[used]);
	return error_hint(err, "Try '%s --help'.", path);
}
