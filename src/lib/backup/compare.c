/* SPDX-License-Identifier: PostgreSQL */
#include "compare.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include "crew.h"
#include "load.h"
#include "session.h"
#include "xalloc.h"

#define RANGE_BYTES (32LL << 20)

/* One relation of the target: a table, or the root that several partitions were loaded through
 * (rows of a hash partition on an enum land in other leaves, so only the root compares). */
struct target {
	char *relation, *columns; /* quoted, verbatim from the TOC */
	const char *condition;
	const struct manifest_file *first;
	int64_t expected_rows;
	struct fingerprint expected;
	bool rows_only;           /* partitions with different column lists: lines do not compare */
	int64_t pages, unit_pages;
	uint32_t units, next;
	uint64_t rows;
	struct fingerprint got;
};

struct pool {
	const struct restore_options *options;
	struct pg_conn *model;
	const char *encoding;
	struct { struct target *items; size_t len, alloc; } targets;
	size_t cursor;
	struct pg_conn **conns;
	pthread_mutex_t lock;
	struct log *log;
	int64_t done, total;
};

static int by_relation(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->relation, ((const struct target *)b)->relation);
}

static void add_target(struct pool *p, const struct manifest_file *f, const struct toc_entry *e)
{
	*vec_push(&p->targets) = (struct target){
		.relation = toc_copy_relation(e->copy_stmt),
		.columns = toc_copy_columns(e->copy_stmt),
		.condition = f->condition,
		.first = f,
		.expected_rows = f->rows,
		.expected = f->fingerprint,
		.units = 1,
	};
}

static void target_release(struct target *t)
{
	free(t->relation);
	free(t->columns);
}

/* Partitions of one root become one target. */
static void merge_targets(struct pool *p)
{
	size_t kept = 0;

	if (!p->targets.len)
		return;
	qsort(p->targets.items, p->targets.len, sizeof(*p->targets.items), by_relation);
	for (size_t i = 1; i < p->targets.len; i++) {
		struct target *into = &p->targets.items[kept], *t = &p->targets.items[i];

		if (strcmp(into->relation, t->relation) != 0) {
			p->targets.items[++kept] = *t;
			continue;
		}
		into->rows_only |= strcmp(into->columns, t->columns) != 0;
		into->expected_rows += t->expected_rows;
		fingerprint_add(&into->expected, &t->expected);
		target_release(t);
	}
	p->targets.len = kept + 1;
}

/* Large heap tables are read in ranges, as in a backup. */
static bool split_target(struct pool *p, struct target *t, struct error *err)
{
	const char *values[] = { t->relation };

	if (p->model->version < 140000 || t->condition || t->first->raw_bytes < RANGE_BYTES)
		return true;

	_cleanup_result_ PGresult *r = pg_query(p->model, err,
		"SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8,"
		" pg_catalog.pg_table_size(c.oid) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam"
		" WHERE c.oid = $1::pg_catalog.regclass AND c.relkind = 'r' AND a.amname = 'heap'",
		1, values);

	if (!r)
		return false;
	if (PQntuples(r) != 1)
		return true;

	int64_t pages = pg_int(r, 0, 0), bytes = pg_int(r, 0, 1);

	if (pages < 2 || bytes <= 2 * RANGE_BYTES)
		return true;
	t->pages = pages;
	t->unit_pages = (int64_t)((double)pages * RANGE_BYTES / (double)bytes);
	t->unit_pages = t->unit_pages < 1 ? 1 : t->unit_pages;
	t->units = (uint32_t)((pages + t->unit_pages - 1) / t->unit_pages);
	return true;
}

static void target_sql(const struct target *t, uint32_t unit, struct strbuf *sql)
{
	int inner = t->columns[0] ? (int)strlen(t->columns) - 2 : 0;

	strbuf_addf(sql, "COPY (SELECT %.*s FROM %s%s", inner, t->columns[0] ? t->columns + 1 : "",
		t->first->root ? "" : "ONLY ", t->relation);
	if (t->condition)
		strbuf_addf(sql, " %s", t->condition);
	if (t->unit_pages)
		session_add_page_range(sql, unit, t->units, t->unit_pages);
	strbuf_adds(sql, ") TO STDOUT");
}

static bool take_unit(struct pool *p, struct target **ret, uint32_t *ret_unit)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	if (p->cursor < p->targets.len) {
		*ret = &p->targets.items[p->cursor];
		*ret_unit = (*ret)->next++;
		if ((*ret)->next >= (*ret)->units)
			p->cursor++;
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

static bool read_failed(struct pg_conn *c, const PGresult *r, const struct target *t, struct error *err)
{
	return pg_error(err, c, r, "cannot read back table %s", t->relation);
}

static bool read_unit(struct pool *p, struct pg_conn *c, struct target *t, uint32_t unit, const atomic_bool *stop,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct fingerprint sum = { 0 };
	uint64_t rows = 0;
	char *row;
	int len;

	target_sql(t, unit, &sql);

	_cleanup_result_ PGresult *r = PQexec(c->pg, sql.buf);

	if (PQresultStatus(r) != PGRES_COPY_OUT)
		return read_failed(c, r, t, err);
	while ((len = PQgetCopyData(c->pg, &row, 0)) > 0) {
		fingerprint_add_line(&sum, row, (size_t)len - 1);
		PQfreemem(row);
		if ((++rows & 1023) == 0 && atomic_load(stop))
			return cancel_check(NULL, err);
	}
	if (len != -1)
		return read_failed(c, NULL, t, err);
	for (PGresult *end; (end = PQgetResult(c->pg)); PQclear(end))
		if (PQresultStatus(end) != PGRES_COMMAND_OK) {
			read_failed(c, end, t, err);
			PQclear(end);
			return false;
		}
	pthread_mutex_lock(&p->lock);
	t->rows += rows;
	fingerprint_add(&t->got, &sum);
	p->done += t->first->raw_bytes / t->units;
	pthread_mutex_unlock(&p->lock);
	return true;
}

static bool connect_reader(struct pool *p, unsigned index, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = pg_clone(p->model, NULL, NULL, err);

	if (!c || !session_pin(c, p->encoding, err) || !session_widen_input(c, err))
		return false;
	pthread_mutex_lock(&p->lock);
	p->conns[index] = steal(c);
	pthread_mutex_unlock(&p->lock);
	return true;
}

static bool reader_run(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct pool *p = data;
	struct target *t;
	uint32_t unit;
	bool ok = true;

	while (ok && !atomic_load(stop) && take_unit(p, &t, &unit))
		ok = (p->conns[index] || connect_reader(p, index, err)) && read_unit(p, p->conns[index], t, unit, stop, err);
	pthread_mutex_lock(&p->lock);

	struct pg_conn *conn = steal(p->conns[index]);

	pthread_mutex_unlock(&p->lock);
	pg_close(conn);
	return ok;
}

static void interrupt_readers(void *data)
{
	struct pool *p = data;

	pthread_mutex_lock(&p->lock);
	for (int64_t i = 0; i < p->options->jobs; i++)
		if (p->conns[i])
			pg_interrupt(p->conns[i]);
	pthread_mutex_unlock(&p->lock);
}

static void report_progress(void *data)
{
	struct pool *p = data;

	pthread_mutex_lock(&p->lock);

	int64_t done = p->done;

	pthread_mutex_unlock(&p->lock);
	log_progress(p->log, "check", done, p->total);
}

static void judge(const struct target *t, struct restore_result *ret)
{
	char want[FINGERPRINT_HEX_LEN + 1], got[FINGERPRINT_HEX_LEN + 1];

	if (t->rows != (uint64_t)t->expected_rows) {
		strvec_pushf(&ret->differences, "table %s has %" PRIu64 " rows instead of %" PRId64, t->relation, t->rows,
			t->expected_rows);
		return;
	}
	if (t->rows_only || fingerprint_equal(&t->got, &t->expected))
		return;
	fingerprint_format(&t->expected, want);
	fingerprint_format(&t->got, got);
	strvec_pushf(&ret->differences, "table %s has %" PRIu64 " rows, but other ones: fingerprint %s instead of %s",
		t->relation, t->rows, got, want);
}

/* Largest first. */
static int by_size(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	if (x->first->raw_bytes != y->first->raw_bytes)
		return x->first->raw_bytes > y->first->raw_bytes ? -1 : 1;
	return by_relation(a, b);
}

static bool collect(struct pool *p, struct restore_source *src, const struct strvec *skip, struct log *log,
	struct restore_result *ret, struct error *err)
{
	const struct manifest *m = &src->entry->manifest;
	autofree const struct toc_entry **entries = load_index_entries(src);

	for (size_t i = 0; i < m->tables.len; i++)
		if (entries[i])
			add_target(p, &m->tables.items[i], entries[i]);
	merge_targets(p);
	for (size_t i = 0; i < p->targets.len; i++) {
		struct target *t = &p->targets.items[i];

		if (skip && strvec_contains(skip, t->relation)) {
			log_warning(log, "restore.unchecked", "table %s had rows before: it cannot be compared", t->relation);
			ret->unchecked++;
			target_release(t);
			*t = p->targets.items[--p->targets.len];
			i--;
			continue;
		}
		if (!split_target(p, t, err))
			return false;
		p->total += t->first->raw_bytes;
	}
	if (p->targets.len)
		qsort(p->targets.items, p->targets.len, sizeof(*p->targets.items), by_size);
	return true;
}

bool compare_rows(struct restore_source *src, struct pg_conn *c, const struct restore_options *o,
	const struct strvec *skip, struct log *log, const struct cancel *cancel, struct restore_result *ret,
	struct error *err)
{
	autofree struct pg_conn **conns = xcalloc((size_t)o->jobs, sizeof(*conns));
	struct pool p = { .options = o, .model = c, .encoding = src->toc.encoding, .conns = conns,
		.lock = PTHREAD_MUTEX_INITIALIZER, .log = log };
	const struct crew crew = { .threads = (unsigned)o->jobs, .patient = true, .data = &p, .run = reader_run,
		.interrupt = interrupt_readers, .tick = report_progress };
	bool ok = collect(&p, src, skip, log, ret, err) && crew_run(&crew, cancel, err);

	for (size_t i = 0; i < p.targets.len; i++) {
		if (ok)
			judge(&p.targets.items[i], ret);
		target_release(&p.targets.items[i]);
	}
	free(p.targets.items);
	return ok;
}
