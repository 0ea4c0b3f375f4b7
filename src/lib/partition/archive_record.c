/* SPDX-License-Identifier: PostgreSQL */
/* dbops.partition.json: what an archived table was part of. */
#include <jansson.h>

#include "archive.h"
#include "clock.h"
#include "json.h"

#define RECORD_VERSION 1

void archive_record_write(const struct archive_subject *s, const struct pg_conn *c, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf bound = STRBUF_INIT;
	struct json j = JSON_INIT(out, 2);

	if (s->parent_name)
		bound_add_sql(&bound, &s->bound);
	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "schema_version", RECORD_VERSION);
	jsonw_string(&j, "database", c->database);
	jsonw_time(&j, "recorded_at", clock_now_us());
	jsonw_object_begin(&j, "table");
	jsonw_string(&j, "schema", s->schema);
	jsonw_string(&j, "name", s->name);
	jsonw_int_string(&j, "oid", s->oid);
	jsonw_string(&j, "kind", s->kind == 'p' ? "partitioned" : "table");
	jsonw_object_end(&j);
	if (s->parent_name) {
		jsonw_object_begin(&j, "parent");
		jsonw_string(&j, "schema", s->parent_schema);
		jsonw_string(&j, "name", s->parent_name);
		jsonw_string(&j, "key", s->parent_key);
		jsonw_object_end(&j);
		jsonw_string(&j, "bound", bound.buf);
	} else {
		jsonw_null(&j, "parent");
		jsonw_null(&j, "bound");
	}
	jsonw_object_end(&j);
	strbuf_addch(out, '\n');
}

/* A copy of object.name, NULL when it is null or missing. */
static char *member(const json_t *object, const char *name)
{
	return xstrdup(json_string_value(json_object_get(object, name)));
}

static bool damaged(const char *what, struct error *err)
{
	error_set(err, EXIT_DAMAGED, "'%s' cannot be read", PARTITION_NAME);
	return error_detail(err, "%s", what);
}

static bool read_parent(const json_t *parent, const char *bound, struct archive_subject *ret, struct error *err)
{
	if (!json_is_object(parent))
		return true;
	ret->parent_schema = member(parent, "schema");
	ret->parent_name = member(parent, "name");
	ret->parent_key = member(parent, "key");
	if (!ret->parent_schema || !ret->parent_name || !bound)
		return damaged("The parent has no name, or the bounds are missing.", err);
	return bound_parse(bound, &ret->bound, err);
}

bool archive_record_parse(const char *text, size_t len, struct archive_subject *ret, struct error *err)
{
	json_auto_t *object = json_loadb(text, len, 0, NULL);
	const json_t *table = json_object_get(object, "table");
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT, sql = STRBUF_INIT;
	const char *kind = json_string_value(json_object_get(table, "kind")), *oid = json_string_value(json_object_get(table, "oid"));

	if (!json_is_object(object) || !json_is_object(table))
		return damaged("It is not a record of an archived table.", err);
	if (json_integer_value(json_object_get(object, "schema_version")) > RECORD_VERSION)
		return error_set(err, EXIT_REFUSED, "'%s' was written by a newer dbops", PARTITION_NAME);
	ret->schema = member(table, "schema");
	ret->name = member(table, "name");
	ret->database = member(object, "database");
	if (!ret->schema || !ret->name || !kind)
		return damaged("The table has no name.", err);
	ret->kind = strcmp(kind, "partitioned") == 0 ? 'p' : 'r';
	ret->oid = oid ? (uint32_t)strtoul(oid, NULL, 10) : 0;
	pg_add_display_name(&shown, ret->schema, ret->name);
	pg_add_qualified(&sql, ret->schema, ret->name);
	ret->shown = strbuf_detach(&shown);
	ret->sql = strbuf_detach(&sql);
	return read_parent(json_object_get(object, "parent"), json_string_value(json_object_get(object, "bound")), ret, err);
}
