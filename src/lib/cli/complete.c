/* SPDX-License-Identifier: PostgreSQL */
#include "complete.h"

void cursor_release(struct cursor *c)
{
	strvec_release(&c->operands);
	free(c->before);
}

struct walk {
	struct cursor *c;
	struct option_sets sets;
	const struct option *pending; /* the word before needs a value */
	bool only_operands;
};

static const struct option *find_long(const struct walk *w, const char *word)
{
	return sets_find_long(&w->sets, word + 2, strcspn(word + 2, "="));
}

/* "-vj": the last letter decides whether the next word is a value. */
static const struct option *find_pending_short(const struct walk *w, const char *letters)
{
	for (; *letters; letters++) {
		const struct option *o = sets_find_short(&w->sets, *letters);

		if (o && option_takes_value(o))
			return letters[1] ? NULL : o;
	}
	return NULL;
}

static void pass_plain(struct walk *w, const char *word)
{
	const struct command *child = command_child(w->c->command, word);

	if (!child) {
		strvec_push(&w->c->operands, word);
		return;
	}
	w->c->command = child;
	command_option_sets(child, &w->sets);
}

static void pass_word(struct walk *w, const char *word)
{
	if (w->pending) {
		w->pending = NULL;
	} else if (w->only_operands || word[0] != '-' || !word[1]) {
		pass_plain(w, word);
	} else if (strcmp(word, "--") == 0) {
		w->only_operands = true;
	} else if (word[1] != '-') {
		w->pending = find_pending_short(w, word + 1);
	} else if (!strchr(word, '=')) {
		const struct option *o = find_long(w, word);

		w->pending = o && option_takes_value(o) ? o : NULL;
	}
}

static const struct operand *find_operand(const struct cursor *c)
{
	size_t left = c->operands.len;

	for (const struct operand *o = c->command->operands; o && o->name; o++) {
		if (!o->max || left < o->max)
			return o;
		left -= o->max;
	}
	return NULL;
}

static void look_at_last(struct walk *w, const char *word)
{
	struct cursor *c = w->c;
	const char *equals = strchr(word, '=');

	c->prefix = word;
	c->option = w->pending;
	if (w->pending)
		return;
	if (w->only_operands || word[0] != '-') {
		c->operand = find_operand(c);
		return;
	}
	if (strncmp(word, "--", 2) == 0 && equals) {
		c->option = find_long(w, word);
		c->before = xstrndup(word, (size_t)(equals - word) + 1);
		c->prefix = equals + 1;
		return;
	}
	c->is_option = true;
}

void cursor_find(const struct command *root, int n, char *const words[], struct cursor *ret)
{
	struct walk w = { .c = ret };

	*ret = (struct cursor){ .command = root, .prefix = "" };
	command_option_sets(root, &w.sets);
	for (int i = 0; i + 1 < n; i++)
		pass_word(&w, words[i]);
	look_at_last(&w, n ? words[n - 1] : "");
}

static void offer(const struct cursor *c, const char *candidate, struct strvec *out)
{
	if (strncmp(candidate, c->prefix, strlen(c->prefix)) == 0)
		strvec_pushf(out, "%s%s", c->before ? c->before : "", candidate);
}

static void offer_children(const struct cursor *c, const struct command *command, struct strvec *out)
{
	for (const struct command *const *child = command->children; child && *child; child++)
		if (!((*child)->flags & COMMAND_HIDDEN))
			offer(c, (*child)->name, out);
}

struct offering {
	const struct cursor *c;
	struct strvec *out;
};

static void offer_option(const struct option_sets *sets, const struct option *o, void *data)
{
	struct offering *x = data;
	autofree char *name = xasprintf("--%s", o->long_name);

	(void)sets;
	if (!(o->flags & OPTION_SECRET))
		offer(x->c, name, x->out);
}

void each_option(const struct command *c,
	void (*visit)(const struct option_sets *sets, const struct option *o, void *data), void *data)
{
	struct option_sets sets;

	command_option_sets(c, &sets);
	for (size_t i = 0; i < sets.len; i++)
		for (const struct option *o = sets.items[i].options; o->type != OPTION_END; o++)
			if (option_is_real(o) && !(o->flags & OPTION_HIDDEN))
				visit(&sets, o, data);
}

static void offer_choices(const struct cursor *c, const char *const *choices, struct strvec *out)
{
	for (; choices && *choices; choices++)
		offer(c, *choices, out);
}

/* `dbops help config s…`: the operands so far name a command. */
static void offer_commands(const struct command *root, const struct cursor *c, struct strvec *out)
{
	const struct command *at = root;

	for (size_t i = 0; i < c->operands.len && at; i++)
		at = command_child(at, c->operands.items[i]);
	if (at)
		offer_children(c, at, out);
}

void cursor_candidates(const struct command *root, const struct cursor *c, struct strvec *out)
{
	struct offering x = { c, out };

	if (c->is_option) {
		each_option(c->command, offer_option, &x);
		return;
	}
	if (c->option) {
		offer_choices(c, c->option->choices, out);
		return;
	}
	if (c->before) /* the value of an option that does not exist */
		return;
	offer_children(c, c->command, out);
	if (!c->operand)
		return;
	offer_choices(c, c->operand->choices, out);
	if (c->operand->complete == COMPLETE_COMMAND)
		offer_commands(root, c, out);
}

enum completion cursor_kind(const struct cursor *c)
{
	if (c->option)
		return c->option->complete;
	return c->operand ? c->operand->complete : COMPLETE_NONE;
}

void add_shell_quoted(struct strbuf *out, const char *s)
{
	strbuf_addch(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			strbuf_adds(out, "'\\''");
		else
			strbuf_addch(out, *s);
	}
	strbuf_addch(out, '\'');
}
