/* SPDX-License-Identifier: PostgreSQL */
/* The YAML of a pool plan; every refusal names its line and column. */
#include "pool_plan.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "nearest.h"

#define NUMBER_MAX     1000000
#define COMPONENTS_MAX 1000

struct reader {
	yaml_document_t document;
	const char *file;
	struct error *err;
};

/* A key of a mapping and what takes its value. */
struct field {
	const char *name;
	bool (*read)(struct reader *r, const yaml_node_t *value, void *target);
	size_t offset;
};

static bool fail_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...) PRINTF(3, 4);
static bool fail_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	autofree char *text = xvasprintf(fmt, ap);
	va_end(ap);
	return error_set(r->err, EXIT_CONFIG, "%s:%zu:%zu: %s", r->file, mark.line + 1, mark.column + 1, text);
}

/* NULL when n is not a plain value, or holds a NUL byte. */
static const char *scalar(const yaml_node_t *n)
{
	const char *text = (const char *)n->data.scalar.value;

	return n->type == YAML_SCALAR_NODE && strlen(text) == n->data.scalar.length ? text : NULL;
}

static bool parse_number(const char *text, int64_t *ret)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	*ret = strtoll(text, &end, 10);
	return !*end && *ret <= NUMBER_MAX;
}

static bool read_number(struct reader *r, const yaml_node_t *n, void *target)
{
	return parse_number(scalar(n), target) ||
	       fail_at(r, n->start_mark, "a whole number from 0 to %d is expected here", NUMBER_MAX);
}

static bool read_text(struct reader *r, const yaml_node_t *n, void *target)
{
	char **text = target;

	if (!scalar(n) || !*scalar(n))
		return fail_at(r, n->start_mark, "a name is expected here");
	free(*text);
	*text = xstrdup(scalar(n));
	return true;
}

static bool read_flag(struct reader *r, const yaml_node_t *n, void *target)
{
	const char *text = scalar(n);
	bool *flag = target;

	if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
		return fail_at(r, n->start_mark, "true or false is expected here");
	*flag = text[0] == 't';
	return true;
}

/* "2" instances or "50%" of them, kept as given until the instances are known: per cent negative. */
static bool read_surge(struct reader *r, const yaml_node_t *n, void *target)
{
	autofree char *text = scalar(n) ? xstrdup(scalar(n)) : NULL;
	size_t len = text ? strlen(text) : 0;
	int64_t *surge = target;
	bool percent = len && text[len - 1] == '%';

	if (percent)
		text[len - 1] = '\0';
	if (!parse_number(text, surge) || (percent && *surge > 1000))
		return fail_at(r, n->start_mark, "instances or per cent of them are expected here: 1, 25%%");
	if (percent)
		*surge = -*surge;
	return true;
}

static bool read_word(struct reader *r, const yaml_node_t *n, const char *no, const char *yes, void *target)
{
	const char *text = scalar(n);
	bool *flag = target;

	if (!text || (strcmp(text, no) != 0 && strcmp(text, yes) != 0))
		return fail_at(r, n->start_mark, "%s or %s is expected here", no, yes);
	*flag = strcmp(text, yes) == 0;
	return true;
}

static bool read_deploy(struct reader *r, const yaml_node_t *n, void *target)
{
	return read_word(r, n, "all", "one", target);
}

static bool read_pool_mode(struct reader *r, const yaml_node_t *n, void *target)
{
	const char *text = scalar(n);

	if (text && strcmp(text, "statement") == 0) { /* shares server connections as transaction does */
		*(bool *)target = false;
		return true;
	}
	return read_word(r, n, "transaction", "session", target);
}

static bool unknown_key(struct reader *r, const yaml_node_t *key, const struct field *fields)
{
	struct nearest near = NEAREST_INIT(scalar(key) ? scalar(key) : "");

	for (const struct field *f = fields; f->name; f++)
		nearest_try(&near, f->name);
	fail_at(r, key->start_mark, "unknown key '%s'", scalar(key) ? scalar(key) : "");
	return near.best ? error_hint(r->err, "Did you mean '%s'?", near.best) : false;
}

/* What one pair of a mapping is for. */
typedef bool pair_reader(struct reader *r, const yaml_node_t *key, const yaml_node_t *value, void *target);

static bool each_pair(struct reader *r, const yaml_node_t *n, pair_reader *read, void *target)
{
	if (n->type != YAML_MAPPING_NODE)
		return fail_at(r, n->start_mark, "settings (key: value) are expected here");
	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
		const yaml_node_t *value = yaml_document_get_node(&r->document, p->value);

		if (!scalar(key))
			return fail_at(r, key->start_mark, "a key must be a word");
		for (const yaml_node_pair_t *before = n->data.mapping.pairs.start; before < p; before++) {
			const yaml_node_t *other = yaml_document_get_node(&r->document, before->key);

			if (strcmp(scalar(other), scalar(key)) == 0)
				return fail_at(r, key->start_mark, "'%s' stands here twice", scalar(key));
		}
		if (!read(r, key, value, target))
			return false;
	}
	return true;
}

struct into {
	const struct field *fields;
	void *target;
};

static bool read_field(struct reader *r, const yaml_node_t *key, const yaml_node_t *value, void *data)
{
	const struct into *into = data;

	for (const struct field *f = into->fields; f->name; f++)
		if (strcmp(f->name, scalar(key)) == 0)
			return f->read(r, value, (char *)into->target + f->offset);
	return unknown_key(r, key, into->fields);
}

static bool read_fields(struct reader *r, const yaml_node_t *n, const struct field *fields, void *target)
{
	struct into into = { fields, target };

	return each_pair(r, n, read_field, &into);
}

#define FIELD(type, name, read, member) { name, read, offsetof(struct type, member) }

static bool read_server(struct reader *r, const yaml_node_t *n, void *target)
{
	static const struct field fields[] = {
		FIELD(pool_plan, "max_connections", read_number, max_connections),
		FIELD(pool_plan, "superuser_reserved_connections", read_number, superuser_reserved),
		FIELD(pool_plan, "reserved_connections", read_number, reserved),
		FIELD(pool_plan, "other", read_number, other),
		{ NULL, NULL, 0 },
	};

	return read_fields(r, n, fields, target);
}

static bool read_bouncer(struct reader *r, const yaml_node_t *n, void *target)
{
	static const struct field fields[] = {
		FIELD(pool_bouncer, "instances", read_number, instances),
		FIELD(pool_bouncer, "pool_mode", read_pool_mode, session_mode),
		FIELD(pool_bouncer, "default_pool_size", read_number, default_pool_size),
		FIELD(pool_bouncer, "reserve_pool_size", read_number, reserve_pool_size),
		FIELD(pool_bouncer, "max_db_connections", read_number, max_db_connections),
		FIELD(pool_bouncer, "max_client_conn", read_number, max_client_conn),
		{ NULL, NULL, 0 },
	};
	struct pool_bouncer *b = target;

	/* PgBouncer's own defaults */
	*b = (struct pool_bouncer){
		.there = true, .session_mode = true, .instances = 1, .default_pool_size = 20, .max_client_conn = 100,
	};
	return read_fields(r, n, fields, b);
}

static bool read_component(struct reader *r, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	static const struct field fields[] = {
		FIELD(pool_component, "instances", read_number, instances),
		FIELD(pool_component, "pool_size", read_number, pool_size),
		FIELD(pool_component, "surge", read_surge, surge),
		FIELD(pool_component, "role", read_text, role),
		FIELD(pool_component, "database", read_text, database),
		FIELD(pool_component, "pgbouncer", read_flag, pgbouncer),
		{ NULL, NULL, 0 },
	};
	struct pool_plan *p = target;

	if (p->components.len >= COMPONENTS_MAX)
		return fail_at(r, key->start_mark, "more than %d components", COMPONENTS_MAX);

	struct pool_component *c = vec_push(&p->components);

	*c = (struct pool_component){ .name = xstrdup(scalar(key)), .instances = -1, .pool_size = -1, .surge = INT64_MIN };
	if (!read_fields(r, value, fields, c))
		return false;
	if (c->instances < 0 || c->pool_size < 0)
		return fail_at(r, key->start_mark, "component '%s' needs instances and pool_size", c->name);
	return true;
}

static bool read_components(struct reader *r, const yaml_node_t *n, void *target)
{
	return each_pair(r, n, read_component, target);
}

static bool read_limit(struct reader *r, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	struct pool_limits *limits = target;

	if (limits->len >= COMPONENTS_MAX)
		return fail_at(r, key->start_mark, "more than %d limits", COMPONENTS_MAX);

	struct pool_limit *l = vec_push(limits);

	l->name = xstrdup(scalar(key));
	return read_number(r, value, &l->limit);
}

static bool read_limit_names(struct reader *r, const yaml_node_t *n, void *target)
{
	return each_pair(r, n, read_limit, target);
}

static bool read_limits(struct reader *r, const yaml_node_t *n, void *target)
{
	static const struct field fields[] = {
		FIELD(pool_plan, "roles", read_limit_names, roles),
		FIELD(pool_plan, "databases", read_limit_names, databases),
		{ NULL, NULL, 0 },
	};

	return read_fields(r, n, fields, target);
}

struct root {
	struct pool_plan plan; /* first: fields of the file that are the plan's have offset 0 */
	int64_t surge;
};

static bool read_root(struct reader *r, struct root *root, const yaml_node_t *n)
{
	static const struct field fields[] = {
		{ "server", read_server, 0 },
		{ "components", read_components, 0 },
		{ "limits", read_limits, 0 },
		{ "pgbouncer", read_bouncer, offsetof(struct root, plan.bouncer) },
		{ "deploy", read_deploy, offsetof(struct root, plan.one_at_a_time) },
		{ "surge", read_surge, offsetof(struct root, surge) },
		{ NULL, NULL, 0 },
	};

	return read_fields(r, n, fields, root);
}

/* Per cent become instances, rounded up: half a process is a process. */
static bool settle(struct reader *r, struct root *root)
{
	struct pool_plan *p = &root->plan;

	if (!p->components.len)
		return error_set(r->err, EXIT_CONFIG, "%s: there are no components", r->file);
	for (size_t i = 0; i < p->components.len; i++) {
		struct pool_component *c = &p->components.items[i];

		if (c->surge == INT64_MIN)
			c->surge = root->surge;
		if (c->surge < 0)
			c->surge = (c->instances * -c->surge + 99) / 100;
		if (c->pgbouncer && !p->bouncer.there)
			return error_set(r->err, EXIT_CONFIG, "%s: component '%s' goes through PgBouncer, but there is no 'pgbouncer' section",
				r->file, c->name);
	}
	return true;
}

static bool read_document(struct reader *r, struct pool_plan *ret)
{
	const yaml_node_t *n = yaml_document_get_root_node(&r->document);
	struct root root = { .plan = { .max_connections = -1, .superuser_reserved = 3 }, .surge = -100 };
	bool ok = n ? read_root(r, &root, n) : error_set(r->err, EXIT_CONFIG, "%s: the file is empty", r->file);

	ok = ok && settle(r, &root);
	*ret = root.plan;
	return ok;
}

bool pool_plan_parse(struct pool_plan *p, const char *file, const char *text, size_t len, struct error *err)
{
	struct reader r = { .file = file, .err = err };
	yaml_parser_t parser;
	bool ok;

	*p = (struct pool_plan){ .max_connections = -1 };
	if (!yaml_parser_initialize(&parser))
		return error_set(err, EXIT_BUG, "cannot start the YAML parser");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &r.document)) {
		ok = fail_at(&r, parser.problem_mark, "%s", parser.problem ? parser.problem : "this is not YAML");
	} else {
		ok = read_document(&r, p);
		yaml_document_delete(&r.document);
	}
	yaml_parser_delete(&parser);
	return ok;
}
