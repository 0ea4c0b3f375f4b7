/* SPDX-License-Identifier: PostgreSQL */
/* libyaml's events -> struct config_value with line and column. */
#include "config.h"

#include <yaml.h>
#include "strbuf.h"

#define DEPTH_MAX 8

struct reader {
	yaml_parser_t yaml;
	yaml_event_t event; /* the current one; valid when has_event */
	bool has_event;
	struct config *config;
	const char *file;
	struct error *err;
};

static void reader_release(struct reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	yaml_parser_delete(&r->yaml);
}

static bool fail_at(struct reader *r, yaml_mark_t mark, const char *what)
{
	return error_set(r->err, EXIT_CONFIG, "%s:%zu:%zu: %s", r->file, mark.line + 1,
		mark.column + 1, what);
}

static bool next(struct reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	r->has_event = yaml_parser_parse(&r->yaml, &r->event);
	if (!r->has_event)
		return fail_at(r, r->yaml.problem_mark,
			r->yaml.problem ? r->yaml.problem : "this is not YAML");
	if (r->event.type == YAML_ALIAS_EVENT)
		return fail_at(r, r->event.start_mark, "aliases (*name) are not supported here");
	return true;
}

static bool is_null(const yaml_event_t *e)
{
	const char *s = (const char *)e->data.scalar.value;

	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*s || strcmp(s, "~") == 0 || strcmp(s, "null") == 0);
}

static bool check_text(struct reader *r)
{
	if (strlen((const char *)r->event.data.scalar.value) == r->event.data.scalar.length)
		return true;
	return fail_at(r, r->event.start_mark, "a NUL byte is not allowed here");
}

static bool read_list(struct reader *r, struct strvec *ret)
{
	for (;;) {
		if (!next(r))
			return false;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (r->event.type != YAML_SCALAR_EVENT)
			return fail_at(r, r->event.start_mark, "a list may only hold plain values");
		if (!check_text(r))
			return false;
		strvec_push(ret, (const char *)r->event.data.scalar.value);
	}
}

/* A new value without text; NULL when the key stands there already. */
static struct config_value *new_value(struct reader *r, enum config_section section, const char *name,
	const char *key, yaml_mark_t mark)
{
	struct config *c = r->config;

	if (config_get_in(c, section, name, key)) {
		autofree char *what = xasprintf("'%s' stands here twice", key);

		fail_at(r, mark, what);
		return NULL;
	}
	c->items = vec_grow(c->items, &c->alloc, c->len + 1, sizeof(*c->items));
	c->items[c->len] = (struct config_value){
		.section = section,
		.name = xstrdup(name),
		.key = xstrdup(key),
		.line = (int)mark.line + 1,
		.column = (int)mark.column + 1,
	};
	return &c->items[c->len++];
}

/* The current event is the value of key. */
static bool add_value(
	struct reader *r, enum config_section section, const char *name, const char *key)
{
	struct config_value *v = new_value(r, section, name, key, r->event.start_mark);

	if (!v)
		return false;
	v->list = r->event.type == YAML_SEQUENCE_START_EVENT;
	if (v->list)
		return read_list(r, &v->values);
	if (!check_text(r))
		return false;
	if (!is_null(&r->event))
		strvec_push(&v->values, (const char *)r->event.data.scalar.value);
	return true;
}

/* Reads the next event, which must be a key of a mapping, or sees the mapping's end (NULL + *end). */
static char *read_key(struct reader *r, bool *end)
{
	*end = false;
	if (!next(r))
		return NULL;
	if (r->event.type == YAML_MAPPING_END_EVENT) {
		*end = true;
		return NULL;
	}
	if (r->event.type != YAML_SCALAR_EVENT) {
		fail_at(r, r->event.start_mark, "a key must be a word");
		return NULL;
	}
	if (!check_text(r))
		return NULL;
	return xstrdup((const char *)r->event.data.scalar.value);
}

/* The members of a mapping whose start is the current event; keys get prefix before them. */
static bool read_members(struct reader *r, enum config_section section, const char *name,
	const char *prefix, unsigned depth)
{
	yaml_mark_t mark = r->event.start_mark;

	if (depth > DEPTH_MAX)
		return fail_at(r, mark, "nested too deeply");
	for (bool any = false;; any = true) {
		bool end;
		autofree char *word = read_key(r, &end);

		if (end && !any && *prefix) /* "backup: {}" is kept, so that "bakcup: {}" is noticed */
			return new_value(r, section, name, prefix, mark) != NULL;
		if (!word)
			return end;

		autofree char *key = xasprintf("%s%s%s", prefix, *prefix ? "." : "", word);

		if (!next(r))
			return false;

		bool ok = r->event.type == YAML_MAPPING_START_EVENT ?
				  read_members(r, section, name, key, depth + 1) :
				  add_value(r, section, name, key);

		if (!ok)
			return false;
	}
}

/* profiles: {name: {…}}, remotes: {name: {…}} …; the current event is the value. */
static bool read_named(struct reader *r, enum config_section section, struct strvec *names)
{
	if (r->event.type == YAML_SCALAR_EVENT && is_null(&r->event))
		return true;
	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fail_at(r, r->event.start_mark, "names with their settings are expected here");
	for (;;) {
		bool end;
		autofree char *name = read_key(r, &end);

		if (!name)
			return end;
		if (strvec_contains(names, name))
			return fail_at(r, r->event.start_mark, "this name stands here twice");
		strvec_push(names, name);
		if (!next(r))
			return false;
		if (r->event.type == YAML_SCALAR_EVENT && is_null(&r->event))
			continue;
		if (r->event.type != YAML_MAPPING_START_EVENT)
			return fail_at(r, r->event.start_mark, "settings (key: value) are expected here");
		if (!read_members(r, section, name, "", 0))
			return false;
	}
}

static bool read_default_profile(struct reader *r)
{
	if (r->event.type != YAML_SCALAR_EVENT || !check_text(r))
		return fail_at(r, r->event.start_mark, "the name of a profile is expected here");
	free(r->config->default_profile);
	r->config->default_profile =
		is_null(&r->event) ? NULL : xstrdup((const char *)r->event.data.scalar.value);
	return true;
}

static bool read_root_value(struct reader *r, const char *key)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		if (config_named[i].key && strcmp(key, config_named[i].key) == 0)
			return read_named(r, (enum config_section)i, &r->config->names[i]);
	if (strcmp(key, "default_profile") == 0)
		return read_default_profile(r);
	if (r->event.type == YAML_MAPPING_START_EVENT)
		return read_members(r, CONFIG_TOP, NULL, key, 1);
	return add_value(r, CONFIG_TOP, NULL, key);
}

static bool read_root(struct reader *r)
{
	if (r->event.type == YAML_SCALAR_EVENT && is_null(&r->event))
		return true;
	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fail_at(r, r->event.start_mark, "settings (key: value) are expected here");
	for (;;) {
		bool end;
		autofree char *key = read_key(r, &end);

		if (!key)
			return end;
		if (!next(r) || !read_root_value(r, key))
			return false;
	}
}

static bool read_stream(struct reader *r)
{
	bool document = false;

	for (;;) {
		if (!next(r))
			return false;
		switch (r->event.type) {
		case YAML_STREAM_END_EVENT:
			return true;
		case YAML_DOCUMENT_START_EVENT:
			if (document)
				return fail_at(r, r->event.start_mark,
					"only one document is allowed in this file");
			document = true;
			if (!next(r) || !read_root(r))
				return false;
			break;
		default:
			break;
		}
	}
}

bool config_parse(struct config *c, const char *file, const char *text, size_t len,
	struct error *err)
{
	_cleanup_(reader_release) struct reader r = { .config = c, .file = file, .err = err };

	if (!yaml_parser_initialize(&r.yaml))
		return error_set(err, EXIT_BUG, "cannot start the YAML parser");
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
	return read_stream(&r);
}
