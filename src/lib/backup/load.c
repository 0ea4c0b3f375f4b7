/* SPDX-License-Identifier: PostgreSQL */
#include "load.h"

#include <inttypes.h>
#include "archive_reader.h"
#include "crew.h"
#include "session.h"
#include "xalloc.h"

/* What is fetched at once: few requests of a remote storage, but enough of them that workers share a table evenly. */
#define SEGMENT_RAW_BYTES (8u << 20)
/* Blocks in one COPY, a transaction each. Every commit lets the WAL writer write; with more in one the WAL buffers (by
 * default 16 MiB at most) are full before, and the sessions wait for each other's writes. Measured: 8 blocks take 10 % longer. */
#define COPY_BLOCKS 2

struct loader {
	struct pg_conn *conn; /* under pool->lock */
	struct strbuf stored, raw;
};

struct pool {
	struct restore_source *source;
	const struct restore_options *options;
	struct pg_conn *model;
	struct archive_reader reader;
	struct loader *loaders;
	const struct toc_entry **entries; /* per data file of the manifest */
	pthread_mutex_t lock;
	struct restore_result *result;
	struct log *log;
	int64_t total;
};

/* Files are named by dump id, so a table indexed by it finds entries in one step. */
const struct toc_entry **load_index_entries(const struct restore_source *src)
{
	const struct manifest *m = &src->entry->manifest;
	const struct toc_entry **entries = xcalloc(m->tables.len, sizeof(*entries));
	int max = 0;

	for (size_t i = 0; i < src->toc.len; i++)
		max = src->toc.items[i].dump_id > max ? src->toc.items[i].dump_id : max;

	autofree const struct toc_entry **by_id = xcalloc((size_t)max + 1, sizeof(*by_id));

	for (size_t i = 0; i < src->toc.len; i++)
		if (src->selected[i] && toc_is_table_data(&src->toc.items[i]) && src->toc.items[i].dump_id >= 0)
			by_id[src->toc.items[i].dump_id] = &src->toc.items[i];
	for (size_t i = 0; i < m->tables.len; i++) {
		long id = strtol(m->tables.items[i].file, NULL, 10);

		entries[i] = id >= 0 && id <= max ? by_id[id] : NULL;
	}
	return entries;
}

static bool wanted(const struct manifest_file *f, bool table, void *data)
{
	struct pool *p = data;
	const struct manifest *m = &p->source->entry->manifest;

	return table && f->rows > 0 && p->entries[f - m->tables.items];
}

static bool prepare_session(struct pg_conn *c, const struct pool *p, struct error *err)
{
	const struct restore_options *o = p->options;

	if (!session_pin(c, p->source->toc.encoding, err) ||
		/* hundreds of commits need not wait for the disk one by one: make_durable() does at the end */
		!pg_exec(c, err, "SET xmloption = content; SET check_function_bodies = off; SET synchronous_commit = off"))
		return false;
	return !o->disable_triggers || pg_exec(c, err, "SET session_replication_role = replica");
}

static bool connect_loader(struct pool *p, struct loader *l, struct error *err)
{
	_cleanup_conn_ struct pg_conn *c = pg_clone(p->model, NULL, NULL, err);

	if (!c || !prepare_session(c, p, err))
		return false;
	pthread_mutex_lock(&p->lock);
	l->conn = steal(c);
	pthread_mutex_unlock(&p->lock);
	return true;
}

static bool load_failed(struct loader *l, const PGresult *r, const struct manifest_file *f, struct error *err)
{
	pg_error(err, l->conn, r, "cannot load table \"%s.%s\"", f->schema, f->name);
	if (strcmp(err->sqlstate, "23503") == 0)
		error_hint(err, "With --data-only, rows can come before those they refer to: use --disable-triggers.");
	return false;
}

static bool begin_copy(struct loader *l, const struct toc_entry *e, const struct manifest_file *f, struct error *err)
{
	_cleanup_result_ PGresult *r = PQexec(l->conn->pg, e->copy_stmt);

	return PQresultStatus(r) == PGRES_COPY_IN || load_failed(l, r, f, err);
}

/* Tells the server to forget what came so far; its answer does not matter. */
static void abandon_copy(struct loader *l)
{
	PQputCopyEnd(l->conn->pg, "dbops gave up");
	for (PGresult *r; (r = PQgetResult(l->conn->pg));)
		PQclear(r);
}

static bool end_copy(struct loader *l, const struct manifest_file *f, uint64_t rows, struct error *err)
{
	bool ok = PQputCopyEnd(l->conn->pg, NULL) == 1 || load_failed(l, NULL, f, err);
	uint64_t counted = UINT64_MAX;

	for (PGresult *r; (r = PQgetResult(l->conn->pg)); PQclear(r)) {
		if (PQresultStatus(r) == PGRES_COMMAND_OK)
			counted = strtoull(PQcmdTuples(r), NULL, 10);
		else if (ok)
			ok = load_failed(l, r, f, err);
	}
	if (ok && counted != rows)
		return error_set(err, EXIT_DAMAGED,
			"table \"%s.%s\": the server took %" PRIu64 " of %" PRIu64 " rows", f->schema, f->name, counted, rows);
	return ok;
}

/* Proves and sends blocks first to end of the segment; *at is where the first one's stored bytes are. */
static bool send_blocks(struct pool *p, struct loader *l, const struct segment *s, uint32_t first, uint32_t end,
	const char **at, uint64_t *ret_rows, struct error *err)
{
	const struct manifest_file *f = archive_reader_file(&p->reader, s->file, NULL);

	for (uint32_t i = first; i < end; i++) {
		struct block b;

		archive_reader_block(&p->reader, s->first_block + i, &b);
		if (!archive_reader_inflate(&p->reader, s, i, *at, &b, &l->raw, err))
			return false;
		*at += b.stored;
		*ret_rows += b.rows;
		/* libpq takes an int; a block may be one row of more than that only in theory */
		if (PQputCopyData(l->conn->pg, l->raw.buf, (int)l->raw.len) != 1)
			return load_failed(l, NULL, f, err);
	}
	return true;
}

/* Foreign keys that exist while rows come (--data-only) are checked when the COPY ends. A row may refer to a later one of
 * its own table: keep as many together as there are. */
static uint32_t blocks_per_copy(const struct pool *p, const struct segment *s, uint32_t first)
{
	bool whole = p->options->data_only && !p->options->disable_triggers;

	return whole || s->blocks - first < COPY_BLOCKS ? s->blocks - first : COPY_BLOCKS;
}

/* What is committed counts at once: it stays when the next COPY fails. */
static void count_copy(struct pool *p, const struct segment *s, uint32_t first, uint32_t end, uint64_t rows)
{
	uint64_t raw = 0;

	for (uint32_t i = first; i < end; i++) {
		struct block b;

		archive_reader_block(&p->reader, s->first_block + i, &b);
		raw += b.raw;
	}
	pthread_mutex_lock(&p->lock);
	p->result->rows += (int64_t)rows;
	p->result->raw_bytes += (int64_t)raw;
	p->result->tables += end == s->blocks && s->number + 1 == s->of;
	pthread_mutex_unlock(&p->lock);
}

static bool copy_blocks(struct pool *p, struct loader *l, const struct segment *s, uint32_t first, const char **at,
	uint32_t *ret_end, struct error *err)
{
	const struct manifest_file *f = archive_reader_file(&p->reader, s->file, NULL);
	uint32_t end = first + blocks_per_copy(p, s, first);
	uint64_t rows = 0;

	if (!begin_copy(l, p->entries[s->file], f, err))
		return false;
	if (!send_blocks(p, l, s, first, end, at, &rows, err)) {
		abandon_copy(l);
		return false;
	}
	if (!end_copy(l, f, rows, err))
		return false;
	count_copy(p, s, first, end, rows);
	*ret_end = end;
	return true;
}

static bool load_segment(struct pool *p, struct loader *l, const struct segment *s, struct error *err)
{
	if (!archive_reader_fetch(&p->reader, s, &l->stored, err))
		return false;

	const char *at = l->stored.buf;

	for (uint32_t i = 0; i < s->blocks;)
		if (!copy_blocks(p, l, s, i, &at, &i, err))
			return false;
	return true;
}

static bool loader_run(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct pool *p = data;
	struct loader *l = &p->loaders[index];
	struct segment s;
	bool ok = true;

	l->stored = l->raw = (struct strbuf)STRBUF_INIT;
	while (ok && !atomic_load(stop) && archive_reader_next(&p->reader, &s))
		ok = (l->conn || connect_loader(p, l, err)) && load_segment(p, l, &s, err);
	pthread_mutex_lock(&p->lock);

	struct pg_conn *conn = steal(l->conn);

	pthread_mutex_unlock(&p->lock);
	pg_close(conn);
	strbuf_release(&l->stored);
	strbuf_release(&l->raw);
	return ok;
}

static void interrupt_loaders(void *data)
{
	struct pool *p = data;

	pthread_mutex_lock(&p->lock);
	for (int64_t i = 0; i < p->options->jobs; i++)
		if (p->loaders[i].conn)
			pg_interrupt(p->loaders[i].conn);
	pthread_mutex_unlock(&p->lock);
}

static void report_progress(void *data)
{
	struct pool *p = data;

	pthread_mutex_lock(&p->lock);

	int64_t done = p->result->raw_bytes;

	pthread_mutex_unlock(&p->lock);
	log_progress(p->log, "load", done, p->total);
}

/* Largest tables first, so that no single one is left for the end. */
static int by_file_size(const void *a, const void *b, void *data)
{
	const struct segment *x = a, *y = b;
	const struct archive_reader *r = data;
	int64_t p = archive_reader_file(r, x->file, NULL)->raw_bytes, q = archive_reader_file(r, y->file, NULL)->raw_bytes;

	if (p != q)
		return p > q ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* A commit that waits for the disk takes the WAL of all commits before it along. */
static bool make_durable(struct pg_conn *c, struct error *err)
{
	return pg_exec(c, err, "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_current_xact_id(); COMMIT");
}

bool load_rows(struct restore_source *src, struct pg_conn *c, const struct restore_options *o, struct log *log,
	const struct cancel *cancel, struct restore_result *ret, struct error *err)
{
	autofree struct loader *loaders = xcalloc((size_t)o->jobs, sizeof(*loaders));
	autofree const struct toc_entry **entries = load_index_entries(src);
	struct pool p = { .source = src, .options = o, .model = c, .loaders = loaders, .entries = entries,
		.lock = PTHREAD_MUTEX_INITIALIZER, .result = ret, .log = log };
	const struct crew crew = { .threads = (unsigned)o->jobs, .data = &p, .run = loader_run,
		.interrupt = interrupt_loaders, .tick = report_progress };
	bool ok = archive_reader_open(&p.reader, src->storage, src->entry, SEGMENT_RAW_BYTES, wanted, &p, err);

	if (ok && p.reader.segments.len) {
		qsort_r(p.reader.segments.items, p.reader.segments.len, sizeof(struct segment), by_file_size, &p.reader);
		for (size_t i = 0; i < p.reader.segments.len; i++)
			p.total += (int64_t)p.reader.segments.items[i].raw;
		ok = crew_run(&crew, cancel, err) && make_durable(c, err);
	}
	archive_reader_close(&p.reader);
	return ok;
}
