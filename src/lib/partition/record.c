/* SPDX-License-Identifier: PostgreSQL */
#include "record.h"

#include <inttypes.h>
#include <jansson.h>
#include "json.h"

#define MARK "dbops.detached "

void detach_record_release(struct detach_record *r)
{
	free(r->comment);
	free(r->parent_schema);
	free(r->parent_name);
	free(r->bounds);
	free(r->constraint);
	strvec_release(&r->triggers);
	strvec_release(&r->publications);
	*r = (struct detach_record){ 0 };
}

static void read_strings(const json_t *array, struct strvec *ret)
{
	size_t i;
	const json_t *item;

	json_array_foreach (array, i, item)
		if (json_is_string(item))
			strvec_push(ret, json_string_value(item));
}

static bool read_json(const char *text, struct detach_record *ret)
{
	json_auto_t *root = json_loads(text, 0, NULL);
	const char *schema, *name, *bounds, *constraint = NULL;
	int version;

	if (!root || json_unpack(root, "{s:i, s:{s:s, s:s}, s:s, s?s}", "version", &version, "parent", "schema", &schema, "name", &name,
			     "bounds", &bounds, "constraint", &constraint) != 0 ||
		version != 1)
		return false;
	ret->parent_schema = xstrdup(schema);
	ret->parent_name = xstrdup(name);
	ret->bounds = xstrdup(bounds);
	ret->constraint = xstrdup(constraint);
	read_strings(json_object_get(root, "triggers"), &ret->triggers);
	read_strings(json_object_get(root, "publications"), &ret->publications);
	return true;
}

/* The last line that begins with the mark, NULL if there is none. */
static const char *find_mark(const char *comment)
{
	const char *found = NULL;

	for (const char *line = comment; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, MARK, strlen(MARK)) == 0)
			found = line;
	}
	return found;
}

void detach_record_parse(const char *comment, struct detach_record *ret)
{
	const char *mark = comment ? find_mark(comment) : NULL;

	if (!mark || !read_json(mark + strlen(MARK), ret))
		ret->comment = xstrdup(comment);
	else if (mark > comment)
		ret->comment = xstrndup(comment, (size_t)(mark - comment) - 1);
}

static void write_strings(struct json *j, const char *key, const struct strvec *v)
{
	jsonw_array_begin(j, key);
	for (size_t i = 0; i < v->len; i++)
		jsonw_string(j, NULL, v->items[i]);
	jsonw_array_end(j);
}

char *detach_record_write(const struct detach_record *r)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	if (r->comment)
		strbuf_addf(&sb, "%s\n", r->comment);
	strbuf_adds(&sb, MARK);
	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "version", 1);
	jsonw_object_begin(&j, "parent");
	jsonw_string(&j, "schema", r->parent_schema);
	jsonw_string(&j, "name", r->parent_name);
	jsonw_object_end(&j);
	jsonw_string(&j, "bounds", r->bounds);
	if (r->constraint)
		jsonw_string(&j, "constraint", r->constraint);
	write_strings(&j, "triggers", &r->triggers);
	write_strings(&j, "publications", &r->publications);
	jsonw_object_end(&j);
	return strbuf_detach(&sb);
}

bool detach_record_load(struct pg_conn *c, uint32_t oid, struct detach_record *ret, struct error *err)
{
	autofree char *text = xasprintf("%" PRIu32, oid);
	_cleanup_result_ PGresult *r =
		pg_query(c, err, "SELECT pg_catalog.obj_description($1::oid, 'pg_class')", 1, (const char *[]){ text });

	if (r)
		detach_record_parse(PQgetisnull(r, 0, 0) ? NULL : pg_value(r, 0, 0), ret);
	return r != NULL;
}

static bool add_names(struct pg_conn *c, const char *sql, const char *oid, struct strvec *ret, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 1, &oid);

	for (int i = 0; r && i < PQntuples(r); i++)
		strvec_push(ret, pg_value(r, i, 0));
	return r != NULL;
}

bool detach_record_make(struct pg_conn *c, uint32_t oid, struct detach_record *ret, struct error *err)
{
	_cleanup_record_ struct detach_record old = { 0 };
	autofree char *text = xasprintf("%" PRIu32, oid);

	if (!detach_record_load(c, oid, &old, err))
		return false;

	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT n.nspname, p.relname, pg_catalog.pg_get_expr(c.relpartbound, 0), pg_catalog.pg_get_partition_constraintdef(c.oid)"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid JOIN pg_catalog.pg_class p ON p.oid = i.inhparent"
		" JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace WHERE c.oid = $1::oid",
		1, (const char *[]){ text });

	if (!r)
		return false;
	if (!PQntuples(r))
		return error_set(err, EXIT_NOT_FOUND, "the table is not a partition any more");
	ret->comment = steal(old.comment);
	ret->parent_schema = xstrdup(pg_value(r, 0, 0));
	ret->parent_name = xstrdup(pg_value(r, 0, 1));
	ret->bounds = xstrdup(pg_value(r, 0, 2));
	ret->constraint = PQgetisnull(r, 0, 3) ? NULL : xstrdup(pg_value(r, 0, 3));
	/* before PostgreSQL 15 clones count as internal, like those of foreign keys */
	return add_names(c,
		       "SELECT t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1::oid AND t.tgparentid <> 0 AND NOT EXISTS"
		       " (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype = 'f') ORDER BY 1",
		       text, &ret->triggers, err) &&
	       add_names(c,
		       "SELECT DISTINCT p.pubname FROM pg_catalog.pg_partition_ancestors($1::oid) a JOIN pg_catalog.pg_publication_rel r ON r.prrelid = a.relid"
		       " JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE a.relid <> $1::oid ORDER BY 1",
		       text, &ret->publications, err);
}
