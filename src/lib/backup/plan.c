/* SPDX-License-Identifier: PostgreSQL */
#include "plan.h"

#include <stdlib.h>
#include "xalloc.h"

#define UNIT_BYTES        (16LL << 20)
#define SPLIT_MIN_BYTES   (64LL << 20)
#define OBJECTS_PER_UNIT  500
#define BLOCK_SIZE        8192

static uint32_t *object_oids(const struct toc *t, const struct toc_entry *blobs, size_t *ret_n)
{
	VEC(uint32_t) oids = { 0 };

	for (size_t i = 0; i < t->len; i++) {
		const struct toc_entry *e = &t->items[i];

		if (strcmp(e->desc, "BLOB") == 0) {
			*vec_push(&oids) = (uint32_t)strtoul(e->tag, NULL, 10); /* up to 1.15: one entry each */
			continue;
		}
		if (!toc_is_object_group(e) || !blobs->n_deps || e->dump_id != blobs->deps[0])
			continue;

		const char *at = NULL;
		uint32_t oid;

		while (toc_next_object(e, &at, &oid))
			*vec_push(&oids) = oid;
	}
	*ret_n = oids.len;
	return oids.items;
}

static void add_object_groups(struct plan *p, const struct toc *t, const struct toc_entry *blobs)
{
	size_t n;
	autofree uint32_t *oids = object_oids(t, blobs, &n);

	for (size_t i = 0; i < n; i += OBJECTS_PER_UNIT) {
		size_t group = n - i < OBJECTS_PER_UNIT ? n - i : OBJECTS_PER_UNIT;
		struct plan_job *job = vec_push(p);

		job->large_objects = true;
		job->units = 1;
		job->object_list = blobs->dump_id;
		job->n_oids = group;
		job->oids = xmemdup(oids + i, group * sizeof(*oids));
	}
}

static bool add_table(struct plan *p, const struct toc_entry *e, struct error *err)
{
	autofree char *columns = toc_copy_columns(e->copy_stmt);

	if (!columns || !e->filename || !e->filename[0])
		return error_set(err, EXIT_REFUSED, "pg_dump's entry %d (\"%s\") has an unknown form", e->dump_id, e->tag);

	const char *root = toc_load_via_root(e);
	autofree char *file = xasprintf("%s.gz", e->filename);
	struct plan_job *job = vec_push(p);

	data_file_init(&job->file, file, true);
	job->oid = e->oid;
	job->columns = steal(columns);
	job->root = root ? toc_copy_relation(e->copy_stmt) : NULL;
	job->units = 1;
	return true;
}

static bool add_entries(struct plan *p, const struct toc *t, struct error *err)
{
	for (size_t i = 0; i < t->len; i++) {
		const struct toc_entry *e = &t->items[i];

		if (!e->has_data)
			continue;
		if (toc_is_blobs(e))
			add_object_groups(p, t, e);
		else if (!toc_is_table_data(e))
			return error_set(err, EXIT_REFUSED, "pg_dump's entry kind \"%s\" is not known to dbops", e->desc);
		else if (!add_table(p, e, err))
			return false;
	}
	return true;
}

static int by_oid(const void *a, const void *b)
{
	uint32_t x = (*(struct plan_job *const *)a)->oid, y = (*(struct plan_job *const *)b)->oid;

	return x < y ? -1 : x > y;
}

/* What cannot be shared goes first, and the ranges after it even out who is done earlier. */
static int by_turn(const void *a, const void *b)
{
	const struct plan_job *x = *(struct plan_job *const *)a, *y = *(struct plan_job *const *)b;

	if ((x->unit_pages > 0) != (y->unit_pages > 0))
		return x->unit_pages > 0 ? 1 : -1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x < y ? -1 : x > y;
}

static const char sql_relations[] =
	"SELECT c.oid, n.nspname, c.relname, COALESCE(a.amname, ''),"
	" pg_catalog.pg_relation_size(c.oid) / $2::pg_catalog.int8, pg_catalog.pg_table_size(c.oid),"
	" x.extcondition[i.i] FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam"
	" LEFT JOIN (pg_catalog.pg_extension x CROSS JOIN LATERAL"
	"  pg_catalog.generate_subscripts(x.extconfig, 1) AS i(i)) ON x.extconfig[i.i] = c.oid"
	" WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY c.oid";

static void describe_job(struct plan_job *job, const PGresult *r, int row, const struct pg_conn *conn)
{
	const char *condition = PQgetisnull(r, row, 6) ? "" : pg_value(r, row, 6);

	job->schema = xstrdup(pg_value(r, row, 1));
	job->name = xstrdup(pg_value(r, row, 2));
	job->condition = condition[0] ? xstrdup(condition) : NULL;
	job->pages = pg_int(r, row, 4);
	job->bytes = pg_int(r, row, 5);
	job->divisible = conn->version >= 140000 && !job->condition && strcmp(pg_value(r, row, 3), "heap") == 0 &&
			 job->pages > 1;
}

static void split_job(struct plan_job *job)
{
	/* by bytes, TOAST included: a page may stand for megabytes */
	int64_t pages = (int64_t)((double)job->pages * UNIT_BYTES / (double)(job->bytes ? job->bytes : 1));

	job->unit_pages = pages < 1 ? 1 : pages;
	job->units = (uint32_t)((job->pages + job->unit_pages - 1) / job->unit_pages);
}

static int64_t split_limit(const struct plan *p, const struct backup_options *o)
{
	int64_t share = p->total_bytes / (2 * (o->jobs > 0 ? o->jobs : 1));

	if (o->split_above < 0 || o->jobs == 1)
		return INT64_MAX;
	if (o->split_above > 0)
		return o->split_above;
	return share > SPLIT_MIN_BYTES ? share : SPLIT_MIN_BYTES;
}

void plan_divide(struct plan *p, const struct backup_options *o)
{
	int64_t limit = split_limit(p, o), spare = 0; /* bytes in ranges that are not needed beside a whole table */

	if (!p->len)
		return;
	qsort(p->order, p->len, sizeof(*p->order), by_turn);
	for (size_t i = 0; i < p->len; i++) {
		struct plan_job *job = p->order[i];
		/* a quarter more, because equal bytes do not take equal time */
		int64_t beside = (job->bytes + job->bytes / 4) * (o->jobs - 1);

		if (!job->divisible || job->bytes <= limit)
			continue;
		if (!o->split_above && beside <= spare) {
			spare -= beside;
			continue;
		}
		split_job(job);
		spare += job->bytes;
	}
	qsort(p->order, p->len, sizeof(*p->order), by_turn);
}

static bool describe_jobs(struct plan *p, struct pg_conn *conn, struct error *err)
{
	_cleanup_strbuf_ struct strbuf oids = STRBUF_INIT;
	autofree char *block_size = pg_query_value(conn, err, "SHOW block_size");
	size_t at = 0;

	if (!block_size)
		return false;
	qsort(p->order, p->len, sizeof(*p->order), by_oid);
	for (size_t i = 0; i < p->len; i++)
		if (!p->order[i]->large_objects)
			strbuf_addf(&oids, "%s%u", oids.len ? "," : "{", p->order[i]->oid);
	strbuf_adds(&oids, oids.len ? "}" : "{}");

	const char *values[] = { oids.buf, block_size };
	_cleanup_result_ PGresult *r = pg_query(conn, err, sql_relations, 2, values);

	if (!r)
		return false;
	for (size_t i = 0; i < p->len; i++) {
		struct plan_job *job = p->order[i];

		if (job->large_objects)
			continue;
		if (at >= (size_t)PQntuples(r) || (uint32_t)pg_int(r, (int)at, 0) != job->oid)
			return error_set(err, EXIT_NOT_FOUND, "relation %u of the dump has vanished", job->oid);
		describe_job(job, r, (int)at++, conn);
		p->total_bytes += job->bytes;
	}
	return true;
}

bool plan_make(struct plan *p, const struct toc *t, struct pg_conn *conn, const struct backup_options *o,
	struct error *err)
{
	*p = (struct plan){ 0 };
	pthread_mutex_init(&p->lock, NULL);
	if (!add_entries(p, t, err))
		return false;
	p->order = xcalloc(p->len, sizeof(*p->order));
	for (size_t i = 0; i < p->len; i++)
		p->order[i] = &p->items[i];
	if (!p->len)
		return true;
	if (!describe_jobs(p, conn, err))
		return false;
	plan_divide(p, o);
	return true;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->len; i++) {
		struct plan_job *job = &p->items[i];

		data_file_release(&job->file);
		free(job->schema);
		free(job->name);
		free(job->columns);
		free(job->root);
		free(job->condition);
		free(job->oids);
	}
	for (size_t i = 0; i < p->stored_objects.len; i++)
		data_file_release(&p->stored_objects.items[i].file);
	free(p->stored_objects.items);
	free(p->refused.items);
	free(p->items);
	free(p->order);
	*p = (struct plan){ 0 };
}

bool plan_next(struct plan *p, struct plan_unit *ret)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	if (p->cursor < p->len) {
		struct plan_job *job = p->order[p->cursor];

		*ret = (struct plan_unit){ job, job->next++ };
		if (job->next >= job->units)
			p->cursor++;
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

void plan_refuse(struct plan *p, struct plan_unit u)
{
	pthread_mutex_lock(&p->lock);
	*vec_push(&p->refused) = u;
	pthread_mutex_unlock(&p->lock);
}

bool plan_next_refused(struct plan *p, struct plan_unit *ret)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	if (p->refused.len) {
		*ret = p->refused.items[--p->refused.len];
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

bool plan_done(struct plan *p, struct plan_unit u)
{
	pthread_mutex_lock(&p->lock);

	bool last = ++u.job->done == u.job->units;

	pthread_mutex_unlock(&p->lock);
	return last;
}

int64_t plan_unit_bytes(const struct plan_unit *u)
{
	return u->job->bytes / (u->job->units ? u->job->units : 1);
}
