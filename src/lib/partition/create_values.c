/* SPDX-License-Identifier: PostgreSQL */
/* Which list and hash partitions are missing. */
#include <inttypes.h>
#include "create.h"

/* --- list -------------------------------------------------------------------------------------------------- */

/* One value of a comma-separated list: bare words NULL is the null value, "…" any text with doubled quotes. */
static bool read_value(const char **at, struct bound_values *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	bool quoted = **at == '"';

	if (!quoted) {
		size_t n = strcspn(*at, ",");

		strbuf_add(&text, *at, n);
		*at += n;
		strbuf_trim(&text);
		bool null = strcasecmp(text.buf, "NULL") == 0;

		bound_add_value(ret, null ? BOUND_NULL : BOUND_VALUE, text.buf);
		return text.len > 0;
	}
	for ((*at)++; **at; (*at)++) {
		if (**at == '"' && *++*at != '"') {
			bound_add_value(ret, BOUND_VALUE, text.buf);
			return true;
		}
		strbuf_addch(&text, **at);
	}
	return false;
}

static bool read_list(const char *text, struct bound_values *ret, struct error *err)
{
	const char *at = text;

	do {
		if (!read_value(&at, ret) || (*at && *at != ',')) {
			error_set(err, EXIT_USAGE, "--values '%s' is not a list of values", text);
			return error_hint(err, "Separate values by commas; put a value with a comma or quotes, or an empty one, in double quotes.");
		}
	} while (*at++);
	return true;
}

static void add_element(struct strbuf *sb, const struct bound_value *v)
{
	strbuf_adds(sb, sb->len > 1 ? ",\"" : "\"");
	for (const char *s = v->text; *s; s++) {
		if (strchr("\"\\", *s))
			strbuf_addch(sb, '\\');
		strbuf_addch(sb, *s);
	}
	strbuf_addch(sb, '"');
}

/* The values as the type writes them, so that '01' and 1 are one integer, and texts can be compared with the catalog's. */
static bool normalize(struct pg_conn *c, const struct key_column *k, struct bound_values *v, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf array = STRBUF_INIT;
	size_t next = 0;

	strbuf_addch(&array, '{');
	for (size_t i = 0; i < v->len; i++)
		if (v->items[i].kind == BOUND_VALUE)
			add_element(&array, &v->items[i]);
	strbuf_addch(&array, '}');

	autofree char *sql = xasprintf(
		"SELECT u.v::%s::text FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u (v, n) ORDER BY u.n", k->type);
	_cleanup_result_ PGresult *r = pg_query(c, &failed, sql, 1, (const char *[]){ array.buf });

	if (!r && strncmp(failed.sqlstate, "22", 2) == 0) {
		error_set(err, EXIT_USAGE, "a value of --values is none of type %s: %s", k->type, failed.message);
		return false;
	}
	if (!r)
		return error_move(err, &failed);
	for (int i = 0; i < PQntuples(r); i++) {
		while (v->items[next].kind != BOUND_VALUE)
			next++;
		free(v->items[next].text);
		v->items[next++].text = xstrdup(pg_value(r, i, 0));
	}
	return true;
}

static bool has_value(const struct bound_values *v, const struct bound_value *wanted)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->items[i].kind == wanted->kind && (wanted->kind == BOUND_NULL || strcmp(v->items[i].text, wanted->text) == 0))
			return true;
	return false;
}

static size_t count_common(const struct bound_values *a, const struct bound_values *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->len; i++)
		n += has_value(b, &a->items[i]);
	return n;
}

/* Sets *ret_there when a partition with exactly these values exists. */
static bool look_up_list(const struct partition_model *m, const struct bound *b, bool *ret_there, struct error *err)
{
	for (const struct partition *p = partition_next(m, &m->items[0], NULL); p; p = partition_next(m, &m->items[0], p)) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, bounds = STRBUF_INIT;
		size_t common = p->bound.kind == BOUND_LIST ? count_common(&b->list, &p->bound.list) : 0;

		if (!common)
			continue;
		*ret_there = common == b->list.len && p->bound.list.len == common;
		if (*ret_there)
			return true;
		pg_add_display_name(&name, p->schema, p->name);
		bound_add_display(&bounds, &p->bound);
		error_set(err, EXIT_REFUSED, "partition '%s' has some of the values already", name.buf);
		return error_detail(err, "Its bounds are %s.", bounds.buf);
	}
	return true;
}

bool create_find_list(struct pg_conn *c, const struct partition_model *m, const struct create_request *r, struct candidates *ret,
	struct error *err)
{
	if (!r->values->len || r->interval || r->modulus) {
		error_set(err, EXIT_USAGE, "'%s' is partitioned by list", r->table_text);
		return error_hint(err, "Give --values, once for each partition.");
	}
	for (size_t i = 0; i < r->values->len; i++) {
		struct candidate *cand = vec_push(ret);
		bool there = false;

		cand->bound.kind = BOUND_LIST;
		if (!read_list(r->values->items[i], &cand->bound.list, err) ||
			!normalize(c, &m->items[0].key.columns.items[0], &cand->bound.list, err) ||
			!look_up_list(m, &cand->bound, &there, err))
			return false;
		for (size_t k = 0; k + 1 < ret->len; k++)
			if (count_common(&ret->items[k].bound.list, &cand->bound.list))
				return error_set(err, EXIT_USAGE, "--values '%s' repeats a value of '%s'", r->values->items[i], r->values->items[k]);
		if (there) {
			bound_release(&cand->bound);
			ret->len--;
		}
	}
	return true;
}

/* --- hash -------------------------------------------------------------------------------------------------- */

static int64_t gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static bool look_up_hash(const struct partition_model *m, int64_t modulus, int64_t remainder, bool *ret_there, struct error *err)
{
	*ret_there = false;
	for (const struct partition *p = partition_next(m, &m->items[0], NULL); p; p = partition_next(m, &m->items[0], p)) {
		const struct bound *b = &p->bound;
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		if (b->kind != BOUND_HASH)
			continue;
		if (b->modulus == modulus && b->remainder == remainder) {
			*ret_there = true;
			return true;
		}
		/* some number leaves both remainders */
		if ((b->remainder - remainder) % gcd(b->modulus, modulus) != 0)
			continue;
		pg_add_display_name(&name, p->schema, p->name);
		error_set(err, EXIT_REFUSED, "partition '%s' has rows of remainder %" PRId64 " already", name.buf, remainder);
		error_detail(err, "It is of modulus %" PRId64 ", remainder %" PRId64 ".", b->modulus, b->remainder);
		return error_hint(err, "A modulus cannot be changed in place: use the one that the table has, or build a new table.");
	}
	return true;
}

bool create_find_hash(const struct partition_model *m, const struct create_request *r, struct candidates *ret, struct error *err)
{
	if (!r->modulus || r->interval || r->values->len) {
		error_set(err, EXIT_USAGE, "'%s' is partitioned by hash", r->table_text);
		return error_hint(err, "Give --modulus, the number of partitions.");
	}
	for (int64_t i = 0; i < r->modulus; i++) {
		bool there;

		if (!look_up_hash(m, r->modulus, i, &there, err))
			return false;
		if (!there)
			vec_push(ret)->bound = (struct bound){ .kind = BOUND_HASH, .modulus = r->modulus, .remainder = i };
	}
	return true;
}
