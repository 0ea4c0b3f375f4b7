/* SPDX-License-Identifier: PostgreSQL */
#include "verify.h"

#include <inttypes.h>
#include "archive_reader.h"
#include "clock.h"
#include "consistency.h"
#include "crew.h"
#include "xalloc.h"

#define SEGMENT_RAW_BYTES (16u << 20)
#define PROBLEMS_MAX      1000

void verify_result_release(struct verify_result *r)
{
	for (size_t i = 0; i < r->problems.len; i++) {
		free(r->problems.items[i].file);
		free(r->problems.items[i].table);
		free(r->problems.items[i].what);
	}
	free(r->problems.items);
	*r = (struct verify_result){ 0 };
}

void verify_add_problem(struct verify_result *r, const char *file, const struct manifest_file *table, int64_t block,
	const char *what)
{
	if (r->problems.len >= PROBLEMS_MAX)
		return;
	*vec_push(&r->problems) = (struct verify_problem){
		.file = xstrdup(file),
		.table = table && table->name ? xasprintf("%s.%s", table->schema, table->name) : NULL,
		.block = block,
		.what = xstrdup(what),
	};
}

struct expected {
	const char *file;
	int64_t bytes;
	const struct manifest_file *table;
	bool seen;
};

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct expected *)a)->file, ((const struct expected *)b)->file);
}

static struct expected *expect_files(const struct manifest *m, size_t *ret_n)
{
	VEC(struct expected) v = { 0 };

	for (size_t i = 0; i < m->files.len; i++)
		*vec_push(&v) = (struct expected){ m->files.items[i].name, m->files.items[i].bytes, NULL, false };
	for (size_t i = 0; i < m->tables.len; i++)
		*vec_push(&v) = (struct expected){ m->tables.items[i].file, m->tables.items[i].stored_bytes,
			&m->tables.items[i], false };
	for (size_t i = 0; i < m->large_objects.len; i++)
		*vec_push(&v) = (struct expected){ m->large_objects.items[i].file,
			m->large_objects.items[i].stored_bytes, NULL, false };
	if (v.len)
		qsort(v.items, v.len, sizeof(*v.items), by_file);
	*ret_n = v.len;
	return v.items;
}

static void check_size(struct verify_result *r, struct expected *x, int64_t size)
{
	x->seen = true;
	r->files++;
	r->stored_bytes += size;
	if (size == x->bytes)
		return;

	autofree char *what = xasprintf("it has %" PRId64 " bytes instead of %" PRId64, size, x->bytes);

	verify_add_problem(r, x->file, x->table, -1, what);
}

bool verify_presence(struct storage *s, const char *prefix_key, const struct manifest *m, struct verify_result *r,
	struct error *err)
{
	_cleanup_listing_ struct storage_listing keys = { 0 };
	size_t n, prefix = strlen(prefix_key);

	if (!storage_list(s, prefix_key, false, &keys, err))
		return false;

	autofree struct expected *expected = expect_files(m, &n);

	for (size_t i = 0; i < keys.len; i++) {
		struct expected wanted = { .file = keys.items[i].key + prefix };
		struct expected *x = n ? bsearch(&wanted, expected, n, sizeof(*expected), by_file) : NULL;

		if (x)
			check_size(r, x, keys.items[i].size);
	}
	for (size_t i = 0; i < n; i++)
		if (!expected[i].seen)
			verify_add_problem(r, expected[i].file, expected[i].table, -1, "it is missing");
	return true;
}

bool verify_quick(struct storage *s, const struct backup_entry *e, struct verify_result *ret, struct error *err)
{
	double started = clock_monotonic();

	*ret = (struct verify_result){ 0 };

	bool ok = verify_presence(s, e->prefix, &e->manifest, ret, err);

	ret->seconds = clock_monotonic() - started;
	return ok;
}

struct file_proof {
	uint64_t rows;
	struct fingerprint fingerprint;
	uint32_t segments;
	bool bad;
};

struct proof {
	struct archive_reader reader;
	struct file_proof *files;
	struct verify_result *result;
	struct log *log;
	pthread_mutex_t lock; /* files, result */
	int64_t total_raw;
};

static void report_damage(struct proof *p, const struct segment *s, int64_t block, const char *what)
{
	const struct manifest_file *f = archive_reader_file(&p->reader, s->file, NULL);

	pthread_mutex_lock(&p->lock);
	p->files[s->file].bad = true;
	verify_add_problem(p->result, f->file, f, block, what);
	pthread_mutex_unlock(&p->lock);
}

/* The frame around the blocks: its bytes are known exactly. */
static bool check_frame(struct proof *p, const struct segment *s, struct error *err)
{
	bool table;
	const struct manifest_file *f = archive_reader_file(&p->reader, s->file, &table);
	autofree char *key = backup_key(p->reader.entry, f->file);
	uint8_t head[GZIP_HEADER_LEN], tail[GZIP_TRAILER_MAX];
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;
	uint32_t crc = 0;

	for (int64_t i = 0; i < f->blocks; i++) {
		struct block b;

		archive_reader_block(&p->reader, (uint64_t)(f->first_block + i), &b);
		crc = codec_crc32_combine(crc, b.crc, b.raw);
	}

	size_t n = gzip_trailer(tail, table, crc, (uint64_t)f->raw_bytes);

	gzip_header(head);
	if (!storage_get(p->reader.storage, key, 0, sizeof(head), &got, err) ||
		!storage_get(p->reader.storage, key, (uint64_t)f->stored_bytes - n, n, &got, err))
		return err->code == EXIT_NOT_FOUND || err->code == EXIT_DAMAGED; /* verify_presence() says it */
	if (memcmp(got.buf, head, sizeof(head)) != 0)
		report_damage(p, s, -1, "its gzip header is damaged");
	if (memcmp(got.buf + sizeof(head), tail, n) != 0)
		report_damage(p, s, -1, "its end (gzip trailer) is damaged");
	return true;
}

struct scratch_buffers {
	struct strbuf stored, raw;
};

static void check_block(struct proof *p, const struct segment *s, uint32_t i, const char *stored, const struct block *b,
	struct scratch_buffers *buffers, struct file_proof *sum)
{
	_cleanup_error_ struct error damage = ERROR_INIT;
	bool table;
	const struct manifest_file *f = archive_reader_file(&p->reader, s->file, &table);

	if (!archive_reader_inflate(&p->reader, s, i, stored, b, &buffers->raw, &damage)) {
		const char *what = strrchr(damage.message, ':');

		report_damage(p, s, (int64_t)(s->first_block - (uint64_t)f->first_block) + i,
			what ? what + 2 : damage.message);
		return;
	}
	if (!table)
		return;

	uint64_t rows = fingerprint_add_text(&sum->fingerprint, buffers->raw.buf, buffers->raw.len);

	if (rows != b->rows)
		report_damage(p, s, (int64_t)(s->first_block - (uint64_t)f->first_block) + i,
			"its number of rows differs from the manifest's");
	sum->rows += rows;
}

static bool check_segment(struct proof *p, const struct segment *s, struct scratch_buffers *buffers, struct error *err)
{
	struct file_proof sum = { 0 };
	const char *at;

	if (s->number == 0 && !check_frame(p, s, err))
		return false;
	if (!archive_reader_fetch(&p->reader, s, &buffers->stored, err)) {
		if (err->code != EXIT_DAMAGED)
			return false;
		error_release(err);
		pthread_mutex_lock(&p->lock);
		p->files[s->file].bad = true; /* verify_presence() has named it */
		pthread_mutex_unlock(&p->lock);
		return true;
	}
	at = buffers->stored.buf;
	for (uint32_t i = 0; i < s->blocks; i++) {
		struct block b;

		archive_reader_block(&p->reader, s->first_block + i, &b);
		check_block(p, s, i, at, &b, buffers, &sum);
		at += b.stored;
	}
	pthread_mutex_lock(&p->lock);
	p->files[s->file].rows += sum.rows;
	fingerprint_add(&p->files[s->file].fingerprint, &sum.fingerprint);
	p->result->rows += (int64_t)sum.rows;
	p->result->raw_bytes += (int64_t)s->raw;
	pthread_mutex_unlock(&p->lock);
	return true;
}

static bool proof_member(void *data, unsigned index, const atomic_bool *stop, struct error *err)
{
	struct proof *p = data;
	struct scratch_buffers buffers = { STRBUF_INIT, STRBUF_INIT };
	struct segment s;
	bool ok = true;

	(void)index;
	while (ok && !atomic_load(stop) && archive_reader_next(&p->reader, &s))
		ok = check_segment(p, &s, &buffers, err);
	strbuf_release(&buffers.stored);
	strbuf_release(&buffers.raw);
	return ok;
}

static void proof_tick(void *data)
{
	struct proof *p = data;

	pthread_mutex_lock(&p->lock);

	int64_t done = p->result->raw_bytes;

	pthread_mutex_unlock(&p->lock);
	log_progress(p->log, "verify", done, p->total_raw);
}

static void compare_tables(struct proof *p)
{
	const struct manifest *m = &p->reader.entry->manifest;

	for (uint32_t i = 0; i < m->tables.len; i++) {
		const struct manifest_file *f = &m->tables.items[i];
		const struct file_proof *got = &p->files[i];
		struct segment s = { .file = i };

		if (got->bad)
			continue;
		if (got->rows != (uint64_t)f->rows)
			report_damage(p, &s, -1, "its number of rows differs from the manifest's");
		else if (!fingerprint_equal(&got->fingerprint, &f->fingerprint))
			report_damage(p, &s, -1, "its fingerprint differs from the manifest's");
	}
}

/* Data files that pg_dump wrote itself have a hash as a whole only. */
static bool check_plain_files(struct storage *s, const struct backup_entry *e, const struct cancel *cancel,
	struct verify_result *ret, struct error *err)
{
	for (size_t i = 0; i < e->manifest.files.len; i++) {
		_cleanup_error_ struct error damage = ERROR_INIT;

		if (!cancel_check(cancel, err))
			return false;
		if (backup_check_file(s, e, &e->manifest.files.items[i], &damage))
			continue;
		if (damage.code != EXIT_DAMAGED)
			return error_move(err, &damage);
		verify_add_problem(ret, e->manifest.files.items[i].name, NULL, -1, "its SHA-256 or size differs from the manifest's");
	}
	return true;
}

/* A table that is only in one of the two would be restored empty, or never looked at. */
static bool check_toc(struct storage *s, const struct backup_entry *e, struct verify_result *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_error_ struct error damage = ERROR_INIT;
	struct toc toc = { 0 };
	bool ok = backup_read_file(s, e, "toc.dat", &text, &damage) &&
		  toc_parse(text.buf, text.len, TOC_KEEP_DATA, true, &toc, &damage) &&
		  consistency_check(&toc, &e->manifest, &damage);

	toc_release(&toc);
	if (ok)
		return true;
	if (damage.code != EXIT_DAMAGED)
		return error_move(err, &damage);
	/* check_plain_files() has named a file whose hash is wrong */
	if (text.len)
		verify_add_problem(ret, "toc.dat", NULL, -1, damage.detail ? damage.detail : damage.message);
	return true;
}

static bool check_blocks(struct storage *s, const struct backup_entry *e, int64_t jobs, struct log *log,
	const struct cancel *cancel, struct verify_result *ret, struct error *err)
{
	struct proof p = { .result = ret, .log = log, .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct crew crew = { .threads = (unsigned)jobs, .data = &p, .run = proof_member, .tick = proof_tick };
	_cleanup_error_ struct error failed = ERROR_INIT;
	size_t files = e->manifest.tables.len + e->manifest.large_objects.len;
	bool ok = archive_reader_open(&p.reader, s, e, SEGMENT_RAW_BYTES, NULL, NULL, &failed);

	p.files = xcalloc(files, sizeof(*p.files));
	p.total_raw = e->manifest.raw_bytes;
	if (ok)
		ok = crew_run(&crew, cancel, &failed);
	if (ok)
		compare_tables(&p);
	archive_reader_close(&p.reader);
	free(p.files);
	if (ok)
		return true;
	if (failed.code != EXIT_DAMAGED)
		return error_move(err, &failed);
	verify_add_problem(ret, BLOCKS_NAME, NULL, -1, failed.detail ? failed.detail : failed.message);
	return true;
}

bool verify_full(struct storage *s, const struct backup_entry *e, int64_t jobs, struct log *log,
	const struct cancel *cancel, struct verify_result *ret, struct error *err)
{
	double started = clock_monotonic();
	bool ok;

	*ret = (struct verify_result){ 0 };
	ok = verify_presence(s, e->prefix, &e->manifest, ret, err) && check_plain_files(s, e, cancel, ret, err);
	if (ok && !e->manifest.fallback)
		ok = check_toc(s, e, ret, err) && check_blocks(s, e, jobs, log, cancel, ret, err);
	ret->seconds = clock_monotonic() - started;
	return ok;
}
