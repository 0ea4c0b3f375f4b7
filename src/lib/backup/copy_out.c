/* SPDX-License-Identifier: PostgreSQL */
#include "copy_out.h"

#include <inttypes.h>
#include "session.h"
#include "xalloc.h"

/* "COPY … TO STDOUT" of the unit. */
static void add_copy(struct strbuf *sql, struct plan_unit u)
{
	const struct plan_job *job = u.job;
	/* the TOC's list without its parentheses; a table may have no column to copy */
	int inner = job->columns[0] ? (int)strlen(job->columns) - 2 : 0;

	if (!job->unit_pages && !job->condition) {
		strbuf_adds(sql, "COPY ");
		pg_add_qualified(sql, job->schema, job->name);
		strbuf_addf(sql, " %s TO STDOUT", job->columns);
		return;
	}
	strbuf_addf(sql, "COPY (SELECT %.*s FROM ONLY ", inner, job->columns[0] ? job->columns + 1 : "");
	pg_add_qualified(sql, job->schema, job->name);
	if (job->condition)
		strbuf_addf(sql, " %s", job->condition);
	else
		session_add_page_range(sql, u.index, job->units, job->unit_pages);
	strbuf_adds(sql, ") TO STDOUT");
}

/* The lock comes first and without waiting: with the leader's ACCESS SHARE held and somebody's
 * ACCESS EXCLUSIVE queued, a worker that waits would wait for ever. The savepoint gives the locks
 * of the table before back. One message for all. */
static void unit_sql(struct copier *c, struct plan_unit u, struct strbuf *sql)
{
	if (!c->is_leader && c->locked != u.job) {
		strbuf_adds(sql, "ROLLBACK TO SAVEPOINT unit; LOCK TABLE ONLY ");
		pg_add_qualified(sql, u.job->schema, u.job->name);
		strbuf_adds(sql, " IN ACCESS SHARE MODE NOWAIT; ");
	}
	add_copy(sql, u);
}

static enum copy_result server_failed(struct copier *c, const PGresult *r, struct plan_unit u, struct error *err)
{
	c->locked = NULL;
	pg_error(err, c->conn, r, "cannot read table \"%s.%s\"", u.job->schema, u.job->name);
	if (PQstatus(c->conn->pg) == CONNECTION_BAD)
		return COPY_LOST;
	/* a table that the leader has locked cannot vanish: so the lock has */
	if (strcmp(err->sqlstate, "42P01") == 0) {
		error_set(err, EXIT_UNAVAILABLE, "the connection that holds the snapshot and the locks was lost");
		error_detail(err, "Table \"%s.%s\" has vanished.", u.job->schema, u.job->name);
		error_hint(err, "Run the backup again.");
		return COPY_FAILED;
	}
	return strcmp(err->sqlstate, "55P03") == 0 ? COPY_REFUSED : COPY_FAILED;
}

/* Sends the statements and reads up to the beginning of the COPY. */
static enum copy_result start_copy(struct copier *c, struct plan_unit u, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	unit_sql(c, u, &sql);
	if (!PQsendQuery(c->conn->pg, sql.buf))
		return server_failed(c, NULL, u, err);
	for (;;) {
		_cleanup_result_ PGresult *r = PQgetResult(c->conn->pg);
		ExecStatusType status = PQresultStatus(r);

		if (status == PGRES_COPY_OUT)
			break;
		if (status != PGRES_COMMAND_OK) {
			enum copy_result result = server_failed(c, r, u, err);

			for (PGresult *rest; (rest = PQgetResult(c->conn->pg));)
				PQclear(rest);
			return result;
		}
	}
	c->locked = u.job;
	return COPY_DONE;
}

struct block_state {
	uint32_t rows;
	struct fingerprint fingerprint;
};

static bool flush_block(struct copier *c, struct plan_unit u, struct unit_state *state, struct block_state *b,
	struct error *err)
{
	struct block block = { .rows = b->rows, .unit = u.index };

	if (!c->text.len)
		return true;
	if (!data_file_append(
		    &u.job->file, c->targets, c->maker, c->text.buf, c->text.len, &block, &b->fingerprint, err))
		return false;
	state->rows += b->rows;
	fingerprint_add(&state->fingerprint, &b->fingerprint);
	atomic_fetch_add_explicit(c->raw_bytes, (long long)c->text.len, memory_order_relaxed);
	*b = (struct block_state){ 0 };
	/* a long row made the buffer long: give that back */
	if (c->text.alloc > 4 * BLOCK_RAW_BYTES)
		strbuf_release(&c->text);
	strbuf_reset(&c->text);
	return true;
}

/* Rows that were stored before the connection broke: they must be the same again. */
struct replay {
	uint64_t rows;
	struct fingerprint fingerprint;
};

static bool replay_row(struct replay *seen, const struct unit_state *state, const char *row, size_t len,
	struct plan_unit u, struct error *err)
{
	seen->rows++;
	fingerprint_add_line(&seen->fingerprint, row, len);
	if (seen->rows < state->rows || fingerprint_equal(&seen->fingerprint, &state->fingerprint))
		return true;
	return error_set(err, EXIT_UNAVAILABLE,
		"after a lost connection table \"%s.%s\" was read again in another order", u.job->schema, u.job->name);
}

static bool take_row(struct copier *c, struct plan_unit u, struct unit_state *state, struct block_state *b,
	const char *row, size_t len, struct error *err)
{
	if (c->text.len && c->text.len + len > BLOCK_RAW_BYTES && !flush_block(c, u, state, b, err))
		return false;
	if (!c->text.alloc)
		strbuf_grow(&c->text, BLOCK_RAW_BYTES);
	strbuf_add(&c->text, row, len);
	b->rows++;
	fingerprint_add_line(&b->fingerprint, row, len - 1); /* without the newline */
	return true;
}

/* The COPY's own count must be ours. */
static enum copy_result finish_copy(struct copier *c, struct plan_unit u, uint64_t rows, struct error *err)
{
	uint64_t counted = UINT64_MAX;
	enum copy_result result = COPY_DONE;

	for (PGresult *r; (r = PQgetResult(c->conn->pg)); PQclear(r)) {
		if (PQresultStatus(r) == PGRES_COMMAND_OK)
			counted = strtoull(PQcmdTuples(r), NULL, 10);
		else
			result = server_failed(c, r, u, err);
	}
	if (result != COPY_DONE)
		return result;
	if (PQstatus(c->conn->pg) == CONNECTION_BAD)
		return server_failed(c, NULL, u, err);
	if (counted == rows)
		return COPY_DONE;
	error_set(err, EXIT_UNAVAILABLE, "table \"%s.%s\": the server sent %" PRIu64 " rows but counted %" PRIu64,
		u.job->schema, u.job->name, rows, counted);
	return COPY_FAILED;
}

static enum copy_result read_rows(struct copier *c, struct plan_unit u, struct unit_state *state,
	struct block_state *b, uint64_t *ret_rows, struct error *err)
{
	struct replay seen = { 0 };
	uint64_t stored_before = state->rows, rows = 0;
	char *row;
	int len;

	while ((len = PQgetCopyData(c->conn->pg, &row, 0)) > 0) {
		bool ok = rows < stored_before ? replay_row(&seen, state, row, (size_t)len - 1, u, err) :
						 take_row(c, u, state, b, row, (size_t)len, err);

		rows++;
		PQfreemem(row);
		if (!ok || atomic_load_explicit(c->stop, memory_order_relaxed))
			return COPY_FAILED;
	}
	*ret_rows = rows;
	if (len != -1)
		return server_failed(c, NULL, u, err);
	if (rows >= stored_before)
		return COPY_DONE;
	error_set(err, EXIT_UNAVAILABLE, "after a lost connection table \"%s.%s\" had fewer rows", u.job->schema,
		u.job->name);
	return COPY_FAILED;
}

enum copy_result copy_table_unit(struct copier *c, struct plan_unit u, struct unit_state *state, struct error *err)
{
	struct block_state b = { 0 };
	uint64_t rows = 0;
	enum copy_result result = start_copy(c, u, err);

	strbuf_reset(&c->text);
	if (result == COPY_DONE)
		result = read_rows(c, u, state, &b, &rows, err);
	if (result == COPY_DONE)
		result = finish_copy(c, u, rows, err);
	if (result != COPY_DONE)
		return result;
	return flush_block(c, u, state, &b, err) ? COPY_DONE : COPY_FAILED;
}

static bool store_object_block(struct copier *c, struct data_file *f, const char *data, size_t len, struct error *err)
{
	struct block block = { 0 };

	return data_file_append(f, c->targets, c->maker, data, len, &block, &(struct fingerprint){ 0 }, err);
}

static enum copy_result object_failed(struct copier *c, uint32_t oid, struct error *err)
{
	pg_error(err, c->conn, NULL, "cannot read large object %u", oid);
	/* the large object functions give no SQLSTATE */
	if (strstr(PQerrorMessage(c->conn->pg), "permission denied"))
		err->code = EXIT_PERMISSION;
	return PQstatus(c->conn->pg) == CONNECTION_BAD ? COPY_LOST : COPY_FAILED;
}

static enum copy_result read_object(struct copier *c, uint32_t oid, struct data_file *f, struct error *err)
{
	const int INV_READ_ = 0x00040000; /* libpq/libpq-fs.h, not installed with the client library everywhere */
	int fd = lo_open(c->conn->pg, oid, INV_READ_), n;

	if (fd < 0)
		return object_failed(c, oid, err);
	strbuf_reset(&c->text);
	strbuf_grow(&c->text, BLOCK_RAW_BYTES);
	while ((n = lo_read(c->conn->pg, fd, c->text.buf, BLOCK_RAW_BYTES)) > 0) {
		if (!store_object_block(c, f, c->text.buf, (size_t)n, err) || atomic_load(c->stop))
			return COPY_FAILED;
		atomic_fetch_add_explicit(c->raw_bytes, n, memory_order_relaxed);
	}
	if (n < 0 || lo_close(c->conn->pg, fd) < 0)
		return object_failed(c, oid, err);
	return data_file_finish(f, c->targets, err) ? COPY_DONE : COPY_FAILED;
}

enum copy_result copy_large_objects(struct copier *c, struct plan *p, const struct plan_job *job, size_t *next,
	struct error *err)
{
	/* a table that could not be locked before has aborted the transaction */
	if (!c->is_leader && !pg_exec(c->conn, err, "ROLLBACK TO SAVEPOINT unit"))
		return PQstatus(c->conn->pg) == CONNECTION_BAD ? COPY_LOST : COPY_FAILED;
	c->locked = NULL;
	for (; *next < job->n_oids; (*next)++) {
		uint32_t oid = job->oids[*next];
		autofree char *name = xasprintf("blob_%u.dat.gz", oid);
		struct data_file f;

		data_file_init(&f, name, false);

		enum copy_result result = read_object(c, oid, &f, err);

		if (result != COPY_DONE) {
			data_file_release(&f);
			return result;
		}
		pthread_mutex_lock(&p->lock);
		*vec_push(&p->stored_objects) = (struct large_object){ oid, f };
		pthread_mutex_unlock(&p->lock);
	}
	return COPY_DONE;
}

void copier_release(struct copier *c)
{
	strbuf_release(&c->text);
	if (c->maker)
		block_maker_free(c->maker);
	c->maker = NULL;
}
