/* SPDX-License-Identifier: PostgreSQL */
#include "command.h"

#include "app.h"
#include "nearest.h"

const struct command *command_child(const struct command *c, const char *name)
{
	for (const struct command *const *child = c->children; child && *child; child++)
		if (strcmp((*child)->name, name) == 0)
			return *child;
	return NULL;
}

const char *command_nearest_child(const struct command *c, const char *name)
{
	struct nearest n = NEAREST_INIT(name);

	for (const struct command *const *child = c->children; child && *child; child++)
		if (!((*child)->flags & COMMAND_HIDDEN))
			nearest_try(&n, (*child)->name);
	return n.best;
}

void command_walk(const struct command *c, const char *path,
	void (*visit)(const struct command *c, const char *path, void *data), void *data)
{
	visit(c, path, data);
	for (const struct command *const *child = c->children; child && *child; child++) {
		if ((*child)->flags & COMMAND_HIDDEN)
			continue;

		autofree char *child_path = xasprintf("%s %s", path, (*child)->name);

		command_walk(*child, child_path, visit, data);
	}
}

static void add_set(
	struct option_sets *sets, const char *title, const struct option *options, bool of_app)
{
	if (options)
		sets->items[sets->len++] = (struct option_set){ title, options, of_app };
}

/* Only a command that prints something gets --format, and only its own formats. */
static const struct option *format_options(const struct command *c)
{
	if (c->flags & COMMAND_DOCUMENT)
		return app_document_options;
	if (c->flags & COMMAND_INSPECT)
		return app_inspect_format_options;
	if (c->flags & COMMAND_ROWS)
		return c->columns ? app_rows_options : app_document_options;
	return NULL;
}

void command_option_sets(const struct command *c, struct option_sets *ret)
{
	ret->len = 0;
	add_set(ret, "Options", c->options, false);
	add_set(ret, "Output", format_options(c), true);
	if (c->flags & COMMAND_INSPECT)
		add_set(ret, "Inspection", app_inspect_options, true);
	if (c->flags & COMMAND_DELTA)
		add_set(ret, "Two samples", app_delta_options, true);
	if (c->flags & COMMAND_DESTRUCTIVE)
		add_set(ret, "Safety", app_change_options, true);
	if (c->needs & NEED_REPOSITORY)
		add_set(ret, "Where the backups are", app_repository_options, true);
	if (c->needs & (NEED_REPOSITORY | NEED_REMOTE))
		add_set(ret, "Storage", app_remote_options, true);
	if (c->needs & NEED_SERVER)
		add_set(ret, "Connection", app_server_options, true);
	add_set(ret, "Global options", app_global_options, true);
	if (c->flags & COMMAND_ROOT)
		add_set(ret, NULL, app_root_options, true);
}

const struct option *sets_find_long(const struct option_sets *sets, const char *name, size_t len)
{
	for (size_t i = 0; i < sets->len; i++) {
		const struct option *o = option_find_long(sets->items[i].options, name, len);

		if (o)
			return o;
	}
	return NULL;
}

const struct option *sets_find_short(const struct option_sets *sets, char name)
{
	for (size_t i = 0; i < sets->len; i++) {
		const struct option *o = option_find_short(sets->items[i].options, name);

		if (o)
			return o;
	}
	return NULL;
}

bool sets_has(const struct option_sets *sets, const struct option *option)
{
	for (size_t i = 0; i < sets->len; i++)
		for (const struct option *o = sets->items[i].options; o->type != OPTION_END; o++)
			if (o == option)
				return true;
	return false;
}
