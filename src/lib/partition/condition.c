/* SPDX-License-Identifier: PostgreSQL */
#include "condition.h"

#include <inttypes.h>

static void add_typed(struct strbuf *sql, const char *text, const char *type)
{
	pg_add_literal(sql, text);
	strbuf_addf(sql, "::%s", type);
}

static bool is_first_only(const struct bound_values *v)
{
	for (size_t i = 1; i < v->len; i++)
		if (v->items[i].kind != BOUND_MINVALUE)
			return false;
	return true;
}

static void add_limit(struct strbuf *sql, const struct key_column *k, const char *op, const struct bound_value *v)
{
	if (v->kind != BOUND_VALUE)
		return; /* MINVALUE, MAXVALUE: no limit */
	strbuf_adds(sql, " AND ");
	pg_add_ident(sql, k->name);
	strbuf_addf(sql, " %s ", op);
	add_typed(sql, v->text, k->type);
}

static void add_range(struct strbuf *sql, const struct partition_key *key, const struct bound *b)
{
	for (size_t i = 0; i < key->columns.len; i++) {
		strbuf_adds(sql, i ? " AND " : "");
		pg_add_ident(sql, key->columns.items[i].name);
		strbuf_adds(sql, " IS NOT NULL");
	}
	add_limit(sql, &key->columns.items[0], ">=", &b->from.items[0]);
	add_limit(sql, &key->columns.items[0], "<", &b->to.items[0]);
}

static size_t count_values(const struct bound_values *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->len; i++)
		n += v->items[i].kind == BOUND_VALUE;
	return n;
}

/* k = 'a', or k = ANY (ARRAY['a'::text, …]): the server's own form, so that the proof is an easy one. */
static void add_any(struct strbuf *sql, const struct key_column *k, const struct bound_values *v, size_t n)
{
	bool first = true;

	pg_add_ident(sql, k->name);
	strbuf_adds(sql, n > 1 ? " = ANY (ARRAY[" : " = ");
	for (size_t i = 0; i < v->len; i++) {
		if (v->items[i].kind != BOUND_VALUE)
			continue;
		strbuf_adds(sql, first ? "" : ", ");
		first = false;
		add_typed(sql, v->items[i].text, k->type);
	}
	strbuf_adds(sql, n > 1 ? "])" : "");
}

static void add_list(struct strbuf *sql, const struct key_column *k, const struct bound_values *v)
{
	size_t n = count_values(v);
	bool with_null = n < v->len;

	pg_add_ident(sql, k->name);
	strbuf_adds(sql, with_null ? " IS NULL" : " IS NOT NULL");
	if (!n)
		return;
	strbuf_adds(sql, with_null ? " OR " : " AND ");
	add_any(sql, k, v, n);
}

static void add_hash(struct strbuf *sql, const struct partition *parent, const struct bound *b)
{
	strbuf_addf(sql, "pg_catalog.satisfies_hash_partition('%" PRIu32 "'::oid, %" PRId64 ", %" PRId64, parent->oid, b->modulus, b->remainder);
	for (size_t i = 0; i < parent->key.columns.len; i++) {
		strbuf_adds(sql, ", ");
		pg_add_ident(sql, parent->key.columns.items[i].name);
	}
	strbuf_addch(sql, ')');
}

bool condition_add(struct strbuf *sql, const struct partition *parent, const struct bound *b)
{
	const struct partition_key *key = &parent->key;

	for (size_t i = 0; i < key->columns.len; i++)
		if (!key->columns.items[i].name)
			return false;
	if (!key->columns.len || (b->kind == BOUND_RANGE && (!is_first_only(&b->from) || !is_first_only(&b->to))))
		return false;
	if (b->kind == BOUND_RANGE)
		add_range(sql, key, b);
	else if (b->kind == BOUND_LIST)
		add_list(sql, &key->columns.items[0], &b->list);
	else if (b->kind == BOUND_HASH)
		add_hash(sql, parent, b);
	else
		return false;
	return true;
}
