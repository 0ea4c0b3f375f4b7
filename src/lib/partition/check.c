/* SPDX-License-Identifier: PostgreSQL */
#include "parity.h"

#include <inttypes.h>

void check_release(struct check *c)
{
	partition_model_release(&c->model);
	free(c->by_oid);
	vec_release(&c->headroom);
	free(c->zone);
	*c = (struct check){ 0 };
}

static int compare_oids(const void *a, const void *b)
{
	const struct partition *x = *(const struct partition *const *)a, *y = *(const struct partition *const *)b;

	return (x->oid > y->oid) - (x->oid < y->oid);
}

const struct partition *check_find(const struct check *c, uint32_t oid)
{
	const struct partition wanted = { .oid = oid }, *key = &wanted;
	const struct partition **found = c->model.len ? bsearch(&key, c->by_oid, c->model.len, sizeof(key), compare_oids) : NULL;

	return found ? *found : NULL;
}

char *check_name(const struct partition *p)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	pg_add_display_name(&name, p->schema, p->name);
	return strbuf_detach(&name);
}

struct finding *check_finding(struct answer *a, const char *id, enum severity severity, const struct partition *p, char *message)
{
	struct finding *f = answer_finding(a, &(struct finding){ .id = id, .severity = severity });

	f->object = check_name(p);
	f->message = message;
	return f;
}

/* Puts the trees of part behind those of c. A table that was asked for twice, or with its parent, is there once. */
static void append(struct check *c, struct partition_model *part)
{
	size_t base = c->model.len;

	for (size_t i = 0; i < c->model.len && part->len; i++)
		if (c->model.items[i].oid == part->items[0].oid)
			return;
	for (size_t i = 0; i < part->len; i++) {
		struct partition *p = vec_push(&c->model);

		*p = part->items[i];
		p->end += base;
		if (p->parent != PARTITION_NO_PARENT)
			p->parent += base;
	}
	vec_release(part);
}

static bool resolve(struct pg_conn *conn, const struct strvec *tables, uint32_t *oids, struct error *err)
{
	for (size_t i = 0; i < tables->len; i++)
		if (!partition_resolve_parent(conn, tables->items[i], &oids[i], err))
			return false;
	return true;
}

static bool load_tables(struct inspector *in, const uint32_t *oids, size_t n, struct check *c, struct error *err)
{
	for (size_t i = 0; i < (n ? n : 1); i++) {
		_cleanup_model_ struct partition_model part = { 0 };
		const struct partition_load load = { .table = n ? oids[i] : 0 };

		if (!partition_model_load(in->conn, &load, &part, err))
			return false;
		append(c, &part);
	}
	return true;
}

static void index_by_oid(struct check *c)
{
	c->by_oid = xcalloc(c->model.len + 1, sizeof(*c->by_oid));
	for (size_t i = 0; i < c->model.len; i++)
		c->by_oid[i] = &c->model.items[i];
	qsort(c->by_oid, c->model.len, sizeof(*c->by_oid), compare_oids);
}

static bool load(struct inspector *in, const struct strvec *tables, struct check *c, struct error *err)
{
	autofree uint32_t *oids = xcalloc(tables->len + 1, sizeof(*oids));

	if (!resolve(in->conn, tables, oids, err) || !partition_begin(in->conn, err))
		return false;

	/* what inspector_batch() promises holds for this transaction, too */
	bool ok = pg_execf(in->conn, err, "SET LOCAL statement_timeout = %" PRId64 "; SET LOCAL lock_timeout = %" PRId64,
			  in->statement_timeout, in->lock_timeout) &&
		  load_tables(in, oids, tables->len, c, err);

	if (!partition_end(in->conn, ok ? err : NULL))
		return false;
	index_by_oid(c);
	return ok;
}

PGresult *check_ask(struct inspector *in, const char *sql, int64_t timeout, bool all_rows, struct error *err)
{
	PGresult *r = NULL;

	if (!partition_begin(in->conn, err))
		return NULL;
	if (pg_execf(in->conn, err, "SET LOCAL row_security = %s; SET LOCAL statement_timeout = %" PRId64 "; SET LOCAL lock_timeout = %" PRId64,
		    all_rows ? "off" : "on", timeout, in->lock_timeout))
		r = pg_query(in->conn, err, sql, 0, NULL);
	if (partition_end(in->conn, r ? err : NULL))
		return r;
	PQclear(r);
	return NULL;
}

/* date and timestamp keys are told by the clock on the wall: that of the time zone of this role and database. */
static bool read_clock(struct inspector *in, struct check *c, struct error *err)
{
	_cleanup_result_ PGresult *r = inspector_query(in,
		"SELECT (EXTRACT(epoch FROM pg_catalog.statement_timestamp()) * 1000000)::int8,"
		" (EXTRACT(epoch FROM LOCALTIMESTAMP) * 1000000)::int8, pg_catalog.current_setting('TimeZone')", err);

	if (!r)
		return false;
	c->now = (struct check_clock){ pg_int(r, 0, 0), pg_int(r, 0, 1) };
	c->zone = xstrdup(pg_value(r, 0, 2));
	return true;
}

bool check_run(struct inspector *in, const struct strvec *tables, struct check *c, struct answer *a, struct error *err)
{
	c->version = in->conn->version;
	c->whole_database = !tables->len;
	if (!read_clock(in, c, err) || !load(in, tables, c, err))
		return false;
	check_bounds(c, a);
	return check_default_rows(in, c, a, err) && check_parity(in, c, a, err) && check_jobs(in, c, a, err);
}
