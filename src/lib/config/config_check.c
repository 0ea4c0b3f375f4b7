/* SPDX-License-Identifier: PostgreSQL */
#include "config.h"

#include "nearest.h"
#include "redact.h"

static const struct option *schema_find(const struct config_schema *s, const char *key)
{
	for (size_t i = 0; i < s->len; i++)
		if (strcmp(s->items[i]->config_key, key) == 0)
			return s->items[i];
	return NULL;
}

void config_schema_add(struct config_schema *s, const struct option *options)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++) {
		if (!o->config_key || schema_find(s, o->config_key))
			continue;
		s->items = vec_grow(s->items, &s->alloc, s->len + 1, sizeof(const struct option *));
		s->items[s->len++] = o;
	}
}

void config_problems_release(struct config_problems *p)
{
	for (size_t i = 0; i < p->len; i++) {
		free(p->items[i].message);
		free(p->items[i].hint);
	}
	vec_release(p);
}

static struct config_problem *add_problem(
	struct config_problems *p, const struct config_value *v, char *message)
{
	struct config_problem *problem = vec_push(p);

	problem->line = v ? v->line : 1;
	problem->column = v ? v->column : 1;
	problem->message = message;
	return problem;
}

/* "backup:" with nothing below it is a heading, not an unknown key. */
static bool is_heading(const struct config_value *v, const char *known)
{
	size_t len = strlen(v->key);

	return !v->values.len && strncmp(known, v->key, len) == 0 && known[len] == '.';
}

static void check_unknown(const struct config_value *v, const struct config_schema *schema,
	struct config_problems *ret)
{
	struct nearest n = NEAREST_INIT(v->key);

	for (size_t i = 0; i < schema->len; i++) {
		if (is_heading(v, schema->items[i]->config_key))
			return;
		nearest_try(&n, schema->items[i]->config_key);
	}
	if (v->section == CONFIG_TOP) {
		for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
			if (config_named[i].key)
				nearest_try(&n, config_named[i].key);
		nearest_try(&n, "default_profile");
	}

	struct config_problem *p = add_problem(ret, v, xasprintf("unknown key '%s'", v->key));

	if (n.best)
		p->hint = xasprintf("Did you mean '%s'?", n.best);
}

static void check_named_key(const struct config_value *v, struct config_problems *ret)
{
	struct nearest n = NEAREST_INIT(v->key);

	for (const struct option *o = config_named[v->section].options; o->type != OPTION_END; o++)
		nearest_try(&n, o->config_key);

	struct config_problem *p = add_problem(
		ret, v, xasprintf("unknown key '%s' in %s '%s'", v->key, config_named[v->section].what, v->name));

	if (n.best)
		p->hint = xasprintf("Did you mean '%s'?", n.best);
}

/* Reads the value as the option would, into a place that is thrown away. */
static void check_type(
	const struct config_value *v, const struct option *o, struct config_problems *ret)
{
	union {
		bool flag;
		int64_t number;
		const char *text;
		struct strvec list;
	} field = { .list = { 0 } };
	struct option at_zero = *o;

	at_zero.offset = 0;
	if (v->list && o->type != OPTION_LIST) {
		add_problem(ret, v, xasprintf("'%s' takes one value, not a list", v->key));
		return;
	}
	for (size_t i = 0; i < v->values.len; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;

		if (option_set(&at_zero, &field, v->values.items[i], &err))
			continue;

		struct config_problem *p =
			add_problem(ret, v, xasprintf("%s: %s", v->key, err.message));

		p->hint = xstrdup(err.hint);
		return;
	}
	if (o->type == OPTION_LIST)
		strvec_release(&field.list);
}

static const struct option *find_named_option(enum config_section section, const char *key)
{
	for (const struct option *o = config_named[section].options; o->type != OPTION_END; o++)
		if (strcmp(o->config_key, key) == 0)
			return o;
	return NULL;
}

static void check_default_profile(const struct config *c, struct config_problems *ret)
{
	if (!c->default_profile || strvec_contains(&c->names[CONFIG_PROFILE], c->default_profile))
		return;

	struct nearest n = NEAREST_INIT(c->default_profile);
	struct config_problem *p = add_problem(ret, NULL,
		xasprintf("default_profile: there is no profile '%s'", c->default_profile));

	for (size_t i = 0; i < c->names[CONFIG_PROFILE].len; i++)
		nearest_try(&n, c->names[CONFIG_PROFILE].items[i]);
	if (n.best)
		p->hint = xasprintf("Did you mean '%s'?", n.best);
}

void config_check(const struct config *c, const struct config_schema *schema,
	struct config_problems *ret)
{
	for (size_t i = 0; i < c->len; i++) {
		const struct config_value *v = &c->items[i];
		bool named = config_named[v->section].options;
		const struct option *o =
			named ? find_named_option(v->section, v->key) : schema_find(schema, v->key);

		if (o)
			check_type(v, o, ret);
		else if (named)
			check_named_key(v, ret);
		else
			check_unknown(v, schema, ret);
	}
	check_default_profile(c, ret);
}

bool config_problems_error(const struct config *c, const struct config_problems *p,
	struct error *err)
{
	if (!p->len)
		return true;

	const struct config_problem *first = &p->items[0];

	error_set(err, EXIT_CONFIG, "%s:%d:%d: %s", c->path ? c->path : "configuration",
		first->line, first->column, first->message);
	if (p->len > 1)
		error_detail(err, "%zu more problems; 'dbops config check' lists them", p->len - 1);
	if (first->hint)
		error_hint(err, "%s", first->hint);
	return false;
}

static bool has_password(const struct config_value *v, const struct option *o)
{
	size_t start, len;

	if (o->flags & OPTION_SECRET)
		return v->values.len;
	for (size_t i = 0; option_may_hold_password(o) && i < v->values.len; i++)
		if (conninfo_password(v->values.items[i], 0, &start, &len))
			return true;
	return false;
}

bool config_has_password(const struct config *c, const struct config_schema *schema)
{
	for (size_t i = 0; i < c->len; i++) {
		const struct config_value *v = &c->items[i];
		const struct option *o =
			config_named[v->section].options ? NULL : schema_find(schema, v->key);

		if (o && has_password(v, o))
			return true;
	}
	return false;
}
