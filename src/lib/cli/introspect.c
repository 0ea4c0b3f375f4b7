/* SPDX-License-Identifier: PostgreSQL */
/* The tables as JSON: what tests and generators walk. */
#include "help.h"

#include "build_config.h"
#include "xalloc.h"

static const char *const option_types[] = {
	[OPTION_END] = "end",       [OPTION_GROUP] = "group",   [OPTION_FLAG] = "flag",
	[OPTION_INT] = "integer",   [OPTION_SIZE] = "size",     [OPTION_DURATION] = "duration",
	[OPTION_STRING] = "string", [OPTION_PATH] = "path",     [OPTION_ENUM] = "choice",
	[OPTION_LIST] = "list",
};

static const char *const cell_types[] = {
	[CELL_END] = "end",   [CELL_TEXT] = "text",         [CELL_INT] = "integer", [CELL_ID] = "id",
	[CELL_SIZE] = "size", [CELL_DURATION] = "duration", [CELL_TIME] = "time",
	[CELL_BOOL] = "bool", [CELL_PERCENT] = "percent", [CELL_JSON] = "json",
	[CELL_LATENCY] = "duration", [CELL_NUMBER] = "number", [CELL_PID] = "integer",
};

static const char *const completions[] = {
	[COMPLETE_NONE] = "none",       [COMPLETE_FILE] = "file",       [COMPLETE_DIR] = "directory",
	[COMPLETE_PROFILE] = "profile", [COMPLETE_REMOTE] = "remote",   [COMPLETE_BACKUP] = "backup",
	[COMPLETE_COMMAND] = "command", [COMPLETE_CHOICES] = "choices", [COMPLETE_TABLE] = "table",
};

static void add_choices(struct json *j, const char *const *choices)
{
	if (!choices)
		return;
	jsonw_array_begin(j, "choices");
	for (; *choices; choices++)
		jsonw_string(j, NULL, *choices);
	jsonw_array_end(j);
}

static void add_option(struct json *j, const struct option_sets *sets, const struct option *o)
{
	autofree char *metavar = option_metavar(o);
	const char short_name[] = { o->short_name, '\0' };

	jsonw_object_begin(j, NULL);
	jsonw_string(j, "name", o->long_name);
	jsonw_string(j, "short", short_name_is_free(sets, o) ? short_name : NULL);
	jsonw_string(j, "type", option_types[o->type]);
	jsonw_string(j, "metavar", metavar);
	jsonw_string(j, "help", o->help);
	jsonw_string(j, "default", o->fallback);
	jsonw_string(j, "environment", o->env);
	jsonw_string(j, "config", o->config_key);
	jsonw_string(j, "complete", completions[o->complete]);
	jsonw_bool(j, "required", o->flags & OPTION_REQUIRED);
	jsonw_bool(j, "secret", o->flags & OPTION_SECRET);
	add_choices(j, o->choices);
	jsonw_object_end(j);
}

static void add_options(struct json *j, const struct command *c)
{
	struct option_sets sets;

	command_option_sets(c, &sets);
	jsonw_array_begin(j, "options");
	for (size_t i = 0; i < sets.len; i++)
		for (const struct option *o = sets.items[i].options; o->type != OPTION_END; o++)
			if (option_is_real(o) && !(o->flags & OPTION_HIDDEN))
				add_option(j, &sets, o);
	jsonw_array_end(j);
}

static void add_operands(struct json *j, const struct command *c)
{
	jsonw_array_begin(j, "operands");
	for (const struct operand *o = c->operands; o && o->name; o++) {
		jsonw_object_begin(j, NULL);
		jsonw_string(j, "name", o->name);
		jsonw_string(j, "help", o->help);
		jsonw_int(j, "min", o->min);
		jsonw_int(j, "max", o->max);
		jsonw_string(j, "complete", completions[o->complete]);
		add_choices(j, o->choices);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void add_columns(struct json *j, const char *key, const struct column *columns)
{
	jsonw_array_begin(j, key);
	for (const struct column *column = columns; column && column->type != CELL_END; column++) {
		jsonw_object_begin(j, NULL);
		jsonw_string(j, "key", column->key);
		jsonw_string(j, "type", cell_types[column->type]);
		jsonw_string(j, "title", column->title);
		jsonw_string(j, "help", column->help);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void add_more_columns(struct json *j, const struct command *c)
{
	jsonw_object_begin(j, "more_columns");
	for (const struct column_set *s = c->more_columns; s && s->when; s++)
		add_columns(j, s->when, s->columns);
	jsonw_object_end(j);
}

static void add_examples(struct json *j, const struct command *c)
{
	jsonw_array_begin(j, "examples");
	for (const struct example *e = c->examples; e && e->command; e++) {
		jsonw_object_begin(j, NULL);
		jsonw_string(j, "command", e->command);
		jsonw_string(j, "text", e->text);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void add_command(const struct command *c, const char *path, void *data)
{
	struct json *j = data;

	jsonw_object_begin(j, NULL);
	jsonw_string(j, "path", path);
	jsonw_string(j, "summary", c->summary);
	jsonw_string(j, "detail", c->detail);
	jsonw_bool(j, "group", command_is_group(c));
	jsonw_bool(j, "destructive", c->flags & COMMAND_DESTRUCTIVE);
	jsonw_bool(j, "server", c->needs & NEED_SERVER);
	jsonw_bool(j, "repository", c->needs & NEED_REPOSITORY);
	add_options(j, c);
	add_operands(j, c);
	add_columns(j, "columns", c->columns);
	add_more_columns(j, c);
	add_examples(j, c);
	jsonw_object_end(j);
}

static void add_exit_codes(struct json *j)
{
	const char *name, *sentence;
	int number;

	jsonw_array_begin(j, "exit_codes");
	for (unsigned i = 0; exit_code_at(i, &number, &name, &sentence); i++) {
		jsonw_object_begin(j, NULL);
		jsonw_int(j, "code", number);
		jsonw_string(j, "name", name);
		jsonw_string(j, "text", sentence);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

void introspect(const struct command *c, const char *path, struct json *j)
{
	jsonw_string(j, "version", DBOPS_VERSION);
	jsonw_array_begin(j, "commands");
	command_walk(c, path, add_command, j);
	jsonw_array_end(j);
	add_exit_codes(j);
}
