/* SPDX-License-Identifier: PostgreSQL */
#include "lock_object.h"

#include <inttypes.h>
#include "pg.h"

static const char *or_unknown(const char *s)
{
	return s ? s : "?";
}

static void add_relation(const struct lock_object *o, struct strbuf *out)
{
	if (o->name)
		pg_add_display_name(out, o->schema, o->name);
	else
		strbuf_addf(out, "relation %s", or_unknown(o->relation));
}

/* objsubid 1: one bigint, its halves in classid and objid; 2: two integers. Both are signed in SQL. */
static void add_advisory(const struct lock_object *o, struct strbuf *out)
{
	uint32_t high = o->classid ? (uint32_t)strtoul(o->classid, NULL, 10) : 0;
	uint32_t low = o->objid ? (uint32_t)strtoul(o->objid, NULL, 10) : 0;

	if (o->objsubid && strcmp(o->objsubid, "2") == 0)
		strbuf_addf(out, "advisory lock (%" PRId32 ", %" PRId32 ")", (int32_t)high, (int32_t)low);
	else
		strbuf_addf(out, "advisory lock %" PRId64, (int64_t)((uint64_t)high << 32 | low));
}

static const char *class_word(const struct lock_object *o)
{
	static const char *const words[][2] = {
		{ "pg_authid", "role" }, { "pg_database", "database" }, { "pg_namespace", "schema" },
	};

	for (size_t i = 0; o->class_name && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], o->class_name) == 0)
			return words[i][1];
	return o->class_name ? o->class_name : "object";
}

static void add_object(const struct lock_object *o, struct strbuf *out)
{
	strbuf_addf(out, "%s ", class_word(o));
	if (o->object_name)
		pg_add_display_name(out, NULL, o->object_name);
	else
		strbuf_adds(out, or_unknown(o->objid));
}

static void add_what(const struct lock_object *o, struct strbuf *out)
{
	const char *type = or_unknown(o->type);

	if (strcmp(type, "relation") == 0) {
		add_relation(o, out);
	} else if (strcmp(type, "extend") == 0) {
		strbuf_adds(out, "extension of ");
		add_relation(o, out);
	} else if (strcmp(type, "page") == 0) {
		strbuf_addf(out, "page %s of ", or_unknown(o->page));
		add_relation(o, out);
	} else if (strcmp(type, "tuple") == 0) {
		strbuf_addf(out, "row (%s,%s) of ", or_unknown(o->page), or_unknown(o->tuple));
		add_relation(o, out);
	} else if (strcmp(type, "transactionid") == 0) {
		strbuf_addf(out, "transaction %s", or_unknown(o->transactionid));
	} else if (strcmp(type, "virtualxid") == 0) {
		strbuf_addf(out, "virtual transaction %s", or_unknown(o->virtualxid));
	} else if (strcmp(type, "spectoken") == 0) {
		strbuf_addf(out, "speculative insertion of transaction %s", or_unknown(o->transactionid));
	} else if (strcmp(type, "applytransaction") == 0) {
		strbuf_addf(out, "applied transaction %s", or_unknown(o->transactionid));
	} else if (strcmp(type, "advisory") == 0) {
		add_advisory(o, out);
	} else if (strcmp(type, "object") == 0) {
		add_object(o, out);
	} else {
		strbuf_addf(out, "%s", type);
	}
}

char *lock_object_describe(const struct lock_object *o)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	/* an OID of another database may be another object's here */
	if (o->database && !o->is_here) {
		pg_add_display_name(&out, NULL, o->database_name ? o->database_name : o->database);
		strbuf_adds(&out, ": ");
	}
	add_what(o, &out);
	return strbuf_detach(&out);
}
