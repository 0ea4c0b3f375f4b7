/* SPDX-License-Identifier: PostgreSQL */
#include "backup.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include "build_config.h"
#include "clock.h"
#include "dump_toc.h"
#include "fallback.h"
#include "leader.h"
#include "repo.h"
#include "toc.h"
#include "verify.h"
#include "workers.h"
#include "xalloc.h"

struct run {
	const struct backup_options *o;
	struct log *log;
	const struct cancel *cancel;
	struct leader leader;
	struct pg_tools tools;
	struct plan plan;
	struct archive_targets targets;
	struct strbuf toc_text;
	struct toc toc;
	struct manifest *m;
	double started;
};

/* globals.sql is made while the rows are read: it needs nothing of the snapshot. */
struct globals {
	struct run *run;
	pthread_t thread;
	bool started, ok, no_passwords;
	struct strbuf text;
	struct error error;
	double seconds;
};

static void *globals_main(void *arg)
{
	struct globals *g = arg;
	double started = clock_monotonic();

	g->ok = dump_globals(&g->run->tools, g->run->leader.conn, g->run->cancel, &g->text, &g->no_passwords, &g->error);
	g->seconds = clock_monotonic() - started;
	return NULL;
}

static void globals_start(struct globals *g, struct run *r)
{
	sigset_t all, before;

	*g = (struct globals){ .run = r, .text = STRBUF_INIT };
	if (r->o->no_globals)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	g->started = pthread_create(&g->thread, NULL, globals_main, g) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!g->started)
		globals_main(g);
}

static bool globals_finish(struct globals *g, struct error *err)
{
	struct run *r = g->run;

	if (g->started)
		pthread_join(g->thread, NULL);
	g->started = false;
	if (r->o->no_globals) {
		manifest_add_exclusion(r->m, "globals", NULL, "roles and tablespaces were left out by --no-globals");
		return true;
	}
	if (!g->ok) {
		/* perhaps the workers had taken the last connections: they are gone now */
		error_release(&g->error);
		globals_main(g);
	}
	r->m->seconds_globals = g->seconds;
	if (!g->ok) {
		error_move(err, &g->error);
		return error_hint(err, "Use --no-globals if roles are kept elsewhere.");
	}
	if (g->no_passwords) {
		manifest_add_exclusion(r->m, "role passwords", NULL, "this role may not read pg_authid");
		log_warning(r->log, "backup.globals", "role passwords are not in the backup: this role may not read them");
		strvec_push(&r->m->warnings, "role passwords are not in the backup");
	}
	if (!archive_put(&r->targets, "globals.sql", g->text.buf, g->text.len, err))
		return false;
	manifest_add_file(r->m, "globals.sql", g->text.buf, g->text.len);
	return true;
}

static void globals_release(struct globals *g)
{
	if (g->started)
		pthread_join(g->thread, NULL);
	strbuf_release(&g->text);
	error_release(&g->error);
}
#define _cleanup_globals_ _cleanup_(globals_release)

static void run_release(struct run *r)
{
	leader_release(&r->leader);
	pg_tools_release(&r->tools);
	plan_release(&r->plan);
	toc_release(&r->toc);
	strbuf_release(&r->toc_text);
	for (unsigned i = 0; i < r->targets.len; i++)
		free(r->targets.items[i].prefix);
}
#define _cleanup_run_ _cleanup_(run_release)

static bool choose_tools(struct run *r, struct error *err)
{
	const char *const programs[] = { "pg_dump", "pg_dumpall", NULL };
	int major = r->leader.conn->version / 10000;

	if (!pg_tools_find(r->o->bindir, programs, major, 0, &r->tools, err))
		return false;
	r->m->dump_version = xstrdup(r->tools.version);
	if (r->tools.major == major)
		return true;
	log_warning(r->log, "backup.tools", "pg_dump %s writes archives that only pg_restore %d and newer reads",
		r->tools.version, r->tools.major);
	strvec_pushf(&r->m->warnings, "dumped by pg_dump %d: pg_restore %d or newer is needed", r->tools.major,
		r->tools.major);
	return true;
}

/* Snapshot, locks, TOC. With filters the tables are known only from the TOC and locked then; a
 * table that changed in between asks for a new snapshot. */
static bool take_snapshot_once(struct run *r, bool *ret_stale, struct error *err)
{
	double before = clock_monotonic();

	*ret_stale = false;
	if (!leader_begin(&r->leader, r->o, r->log, r->cancel, err))
		return false;
	r->m->seconds_locking = clock_monotonic() - before;
	strbuf_reset(&r->toc_text);
	if (!dump_toc(r->o, &r->tools, r->leader.conn, r->leader.snapshot, r->cancel, &r->toc_text, err))
		return false;
	r->m->seconds_toc = clock_monotonic() - before - r->m->seconds_locking;
	return true;
}

static bool make_plan(struct run *r, bool *ret_stale, struct error *err)
{
	VEC(struct leader_table) tables = { 0 };

	if (!plan_make(&r->plan, &r->toc, r->leader.conn, r->o, err))
		return false;
	for (size_t i = 0; i < r->plan.len; i++) {
		const struct plan_job *job = &r->plan.items[i];

		if (!job->large_objects)
			*vec_push(&tables) = (struct leader_table){ job->oid, job->schema, job->name };
	}

	bool ok = leader_lock(&r->leader, tables.items, tables.len, r->o, r->cancel, ret_stale, err);

	vec_release(&tables);
	return ok;
}

static bool parse_toc(struct run *r, bool *ret_unknown, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	*ret_unknown = false;
	if (toc_parse(r->toc_text.buf, r->toc_text.len, TOC_KEEP_DATA, true, &r->toc, &failed))
		return true;
	if (failed.code != EXIT_REFUSED)
		return error_move(err, &failed);
	*ret_unknown = true;
	log_warning(r->log, "backup.fallback", "%s: pg_dump does the whole dump", failed.message);
	return true;
}

/* True with *ret_fallback when dbops must leave the data to pg_dump. */
static bool prepare(struct run *r, bool *ret_fallback, struct error *err)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		bool stale = false;

		if (!take_snapshot_once(r, &stale, err) || !parse_toc(r, ret_fallback, err))
			return false;
		if (*ret_fallback)
			return true;

		_cleanup_error_ struct error failed = ERROR_INIT;

		if (!make_plan(r, &stale, &failed)) {
			if (failed.code != EXIT_REFUSED || failed.sqlstate[0])
				return error_move(err, &failed);
			log_warning(r->log, "backup.fallback", "%s: pg_dump does the whole dump", failed.message);
			*ret_fallback = true;
			return true;
		}
		if (!stale)
			return true;
		log_info(r->log, "backup.snapshot", "a table changed while the dump was planned: new snapshot");
		plan_release(&r->plan);
		toc_release(&r->toc);
		if (!leader_rollback(&r->leader, err))
			return false;
	}
	error_set(err, EXIT_BUSY, "tables are truncated or rewritten again and again");
	return error_hint(err, "Try again when no migration is running.");
}

static void add_target(struct run *r, struct storage *s)
{
	struct archive_target *t;

	if (!s)
		return;
	t = &r->targets.items[r->targets.len++];
	t->storage = s;

	autofree char *name = xasprintf("%s%s", r->m->id, s->ops->publish ? PARTIAL_SUFFIX : "");

	t->prefix = repo_prefix(r->m->database, name);
}

/* Text is at most about half as long again as the table, and it is compressed: the table's size is
 * a safe guess of its file's. */
static void announce_size(struct run *r)
{
	struct storage *s = r->o->remote;
	int64_t longest = r->m->database_bytes;

	if (!s || !s->ops->expect)
		return;
	if (r->plan.len) {
		longest = 0;
		for (size_t i = 0; i < r->plan.len; i++)
			longest = r->plan.items[i].bytes > longest ? r->plan.items[i].bytes : longest;
	}

	int64_t part = s->ops->expect(s, longest + longest / 2);

	log_debug(r->log, "backup.parts", "uploads have parts of %" PRId64 " bytes", part);
}

static int by_large_object_oid(const void *a, const void *b)
{
	const struct large_object *x = a, *y = b;

	return x->oid < y->oid ? -1 : x->oid > y->oid;
}

/* blobs.toc, or from 1.16 one blobs_<dumpId>.toc per group: "<oid> blob_<oid>.dat" a line. */
static bool write_object_lists(struct run *r, struct error *err)
{
	for (size_t i = 0; i < r->toc.len; i++) {
		const struct toc_entry *e = &r->toc.items[i];
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		if (!toc_is_blobs(e))
			continue;
		for (size_t g = 0; g < r->plan.len; g++) {
			const struct plan_job *job = &r->plan.items[g];

			for (size_t k = 0; job->object_list == e->dump_id && k < job->n_oids; k++)
				strbuf_addf(&text, "%u blob_%u.dat\n", job->oids[k], job->oids[k]);
		}
		if (!archive_put(&r->targets, e->filename, text.buf, text.len, err))
			return false;
		manifest_add_file(r->m, e->filename, text.buf, text.len);
	}
	if (r->plan.stored_objects.len)
		qsort(r->plan.stored_objects.items, r->plan.stored_objects.len, sizeof(struct large_object),
			by_large_object_oid);
	return true;
}

static bool put_toc(struct run *r, struct error *err)
{
	if (!archive_put(&r->targets, "toc.dat", r->toc_text.buf, r->toc_text.len, err))
		return false;
	manifest_add_file(r->m, "toc.dat", r->toc_text.buf, r->toc_text.len);
	strbuf_release(&r->toc_text);
	return true;
}

static bool copy_data(struct run *r, struct error *err)
{
	double before = clock_monotonic();
	struct workers_stats stats = { 0 };

	/* never more sessions than there is work */
	struct backup_options o = *r->o;
	int64_t units = 0;

	for (size_t i = 0; i < r->plan.len; i++)
		units += r->plan.items[i].units;
	o.jobs = units < o.jobs ? units : o.jobs;
	if (units && !workers_run(&r->plan, &r->leader, &r->targets, &o, r->toc.encoding, r->log, r->cancel, &stats, err))
		return false;
	if (stats.reconnects) {
		log_warning(r->log, "backup.reconnect", "%u lost connections were replaced on the same snapshot",
			stats.reconnects);
		strvec_pushf(&r->m->warnings, "%u lost connections were replaced on the same snapshot", stats.reconnects);
	}
	r->m->seconds_data = clock_monotonic() - before;
	return true;
}

static void describe_file(struct manifest_file *f, const struct data_file *d, int64_t *next_block)
{
	f->file = xstrdup(d->name);
	f->rows = (int64_t)d->rows;
	f->raw_bytes = (int64_t)d->raw;
	f->stored_bytes = (int64_t)d->stored;
	f->fingerprint = d->fingerprint;
	f->blocks = (int64_t)d->len;
	f->first_block = *next_block;
	*next_block += f->blocks;
}

static void describe_data(struct run *r)
{
	int64_t next_block = 0;

	for (size_t i = 0; i < r->plan.len; i++) {
		struct plan_job *job = &r->plan.items[i];

		if (job->large_objects)
			continue;

		struct manifest_file *f = vec_push(&r->m->tables);

		describe_file(f, &job->file, &next_block);
		f->schema = steal(job->schema);
		f->name = steal(job->name);
		f->columns = steal(job->columns);
		f->root = steal(job->root);
		f->condition = steal(job->condition);
		f->oid = job->oid;
		f->unit_pages = job->unit_pages;
	}
	for (size_t i = 0; i < r->plan.stored_objects.len; i++) {
		struct large_object *lo = &r->plan.stored_objects.items[i];
		struct manifest_file *f = vec_push(&r->m->large_objects);

		describe_file(f, &lo->file, &next_block);
		f->oid = lo->oid;
	}
}

struct block_writer {
	struct archive_stream stream;
	EVP_MD_CTX *hash;
	struct strbuf buffer;
	int64_t bytes;
};

static bool write_block_records(struct block_writer *w, const struct data_file *f, struct error *err)
{
	uint8_t record[BLOCK_RECORD_BYTES];

	for (size_t i = 0; i < f->len; i++) {
		block_encode(&f->items[i], record);
		strbuf_add(&w->buffer, record, sizeof(record));
		if (w->buffer.len < 65536 && i + 1 < f->len)
			continue;
		EVP_DigestUpdate(w->hash, w->buffer.buf, w->buffer.len);
		w->bytes += (int64_t)w->buffer.len;
		if (!archive_stream_append(&w->stream, w->buffer.buf, w->buffer.len, err))
			return false;
		strbuf_reset(&w->buffer);
	}
	return true;
}

static bool write_all_blocks(struct run *r, struct block_writer *w, struct error *err)
{
	for (size_t i = 0; i < r->plan.len; i++)
		if (!r->plan.items[i].large_objects && !write_block_records(w, &r->plan.items[i].file, err))
			return false;
	for (size_t i = 0; i < r->plan.stored_objects.len; i++)
		if (!write_block_records(w, &r->plan.stored_objects.items[i].file, err))
			return false;
	return true;
}

/* dbops.blocks, streamed: the list of a terabyte does not fit twice into memory. */
static bool put_blocks(struct run *r, struct error *err)
{
	struct block_writer w = { .hash = EVP_MD_CTX_new(), .buffer = STRBUF_INIT };
	struct manifest_plain *f;
	unsigned char hash[32];
	bool ok = archive_stream_open(&r->targets, BLOCKS_NAME, &w.stream, err);

	EVP_DigestInit_ex(w.hash, EVP_sha256(), NULL);
	if (ok && write_all_blocks(r, &w, err))
		ok = archive_stream_commit(&w.stream, err);
	else
		ok = false;
	archive_stream_abort(&w.stream);
	EVP_DigestFinal_ex(w.hash, hash, NULL);
	EVP_MD_CTX_free(w.hash);
	strbuf_release(&w.buffer);
	if (!ok)
		return false;

	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT;

	strbuf_add_hex(&hex, hash, sizeof(hash));
	f = vec_push(&r->m->files);
	*f = (struct manifest_plain){ xstrdup(BLOCKS_NAME), strbuf_detach(&hex), w.bytes };
	return true;
}

static void add_totals(struct manifest *m)
{
	m->table_count = (int64_t)m->tables.len;
	m->large_object_count = (int64_t)m->large_objects.len;
	for (size_t i = 0; i < m->tables.len; i++) {
		m->rows += m->tables.items[i].rows;
		m->raw_bytes += m->tables.items[i].raw_bytes;
		m->stored_bytes += m->tables.items[i].stored_bytes;
	}
	for (size_t i = 0; i < m->large_objects.len; i++) {
		m->raw_bytes += m->large_objects.items[i].raw_bytes;
		m->stored_bytes += m->large_objects.items[i].stored_bytes;
	}
	for (size_t i = 0; i < m->files.len; i++)
		m->stored_bytes += m->files.items[i].bytes;
}

/* Whatever happened in the meantime - a prune with a short lease, a hand in the folder -, the
 * manifest only commits what is there. */
static bool everything_is_there(struct run *r, const struct archive_target *t, struct error *err)
{
	_cleanup_verify_ struct verify_result found = { 0 };

	if (!verify_presence(t->storage, t->prefix, r->m, &found, err))
		return false;
	if (!found.problems.len)
		return true;
	error_set(err, EXIT_UNAVAILABLE, "files of the backup vanished while it was made");
	return error_detail(err, "%zu of them in %s; first: \"%s\": %s.", found.problems.len, t->storage->url,
		found.problems.items[0].file, found.problems.items[0].what);
}

/* The remote first: when its manifest is there, the local rename hardly fails, and either copy
 * alone is a whole backup anyway. */
static bool commit(struct run *r, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	r->m->finished_at = clock_now_us();
	r->m->seconds = clock_monotonic() - r->started;
	manifest_write(r->m, &text);
	for (unsigned i = r->targets.len; i-- > 0;) {
		struct archive_target *t = &r->targets.items[i];
		autofree char *key = xasprintf("%s%s", t->prefix, MANIFEST_NAME);

		if (!cancel_check(r->cancel, err) || !everything_is_there(r, t, err) || !storage_put(t->storage, key, text.buf, text.len, err))
			return false;
		if (!t->storage->ops->publish)
			continue;

		autofree char *from = xstrndup(t->prefix, strlen(t->prefix) - 1);
		autofree char *to = xstrndup(from, strlen(from) - strlen(PARTIAL_SUFFIX));

		if (!t->storage->ops->publish(t->storage, from, to, err))
			return false;
	}
	return true;
}

/* After a failure: takes back what was stored. The manifest goes first, so that nothing that
 * looks complete is ever half there. Best effort; prune sweeps the rest. */
static void discard(struct run *r)
{
	for (unsigned i = 0; i < r->targets.len; i++) {
		struct archive_target *t = &r->targets.items[i];
		_cleanup_listing_ struct storage_listing keys = { 0 };
		autofree char *manifest = xasprintf("%s%s", t->prefix, MANIFEST_NAME);
		const char *first[] = { manifest };

		if (!storage_remove(t->storage, first, 1, NULL) || !storage_list(t->storage, t->prefix, false, &keys, NULL))
			continue;

		autofree const char **names = xcalloc(keys.len, sizeof(*names));

		for (size_t k = 0; k < keys.len; k++)
			names[k] = keys.items[k].key;
		storage_remove(t->storage, names, keys.len, NULL);
	}
}

static void exclude_if(struct run *r, const char *sql, const char *kind, const char *reason)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;
	autofree char *found = pg_query_value(r->leader.conn, &ignored, sql);

	if (found && found[0] == 't')
		manifest_add_exclusion(r->m, kind, NULL, reason);
}

static void add_filter(struct run *r, const char *option, const struct strvec *patterns, const char *reason)
{
	for (size_t i = 0; i < patterns->len; i++) {
		strvec_pushf(&r->m->options, "--%s=%s", option, patterns->items[i]);
		manifest_add_exclusion(r->m, option, patterns->items[i], reason);
	}
}

/* What a reader of the manifest must know is not there. Asked before the data, on the leader. */
static void describe_exclusions(struct run *r)
{
	bool objects = false;

	for (size_t i = 0; i < r->toc.len; i++)
		objects |= toc_is_blobs(&r->toc.items[i]);
	add_filter(r, "table", &r->o->tables, "only what this pattern selects is in the backup");
	add_filter(r, "exclude-table", &r->o->exclude_tables, "left out");
	add_filter(r, "schema", &r->o->schemas, "only what this pattern selects is in the backup");
	add_filter(r, "exclude-schema", &r->o->exclude_schemas, "left out");
	add_filter(r, "exclude-table-data", &r->o->exclude_table_data, "definition only, no rows");
	if (r->o->schema_only)
		manifest_add_exclusion(r->m, "data", NULL, "left out by --schema-only");
	if (r->o->data_only)
		manifest_add_exclusion(r->m, "definitions", NULL, "left out by --data-only");
	if (!objects && !r->o->schema_only)
		exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)", "large objects",
			"pg_dump leaves them out when tables or schemas are selected");
	exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relkind = 'f')", "foreign tables",
		"their rows live on other servers");
	if (r->m->in_recovery)
		exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relpersistence = 'u' AND relkind = 'r')",
			"unlogged tables", "a standby has no rows of unlogged tables");
	exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT rolsuper)"
		      " AND EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'pg_subscription')",
		"subscriptions", "only a superuser's dump has them");
}

static bool store(struct run *r, bool fallback, struct error *err)
{
	_cleanup_globals_ struct globals globals;
	bool ok;

	globals_start(&globals, r);
	if (fallback)
		ok = fallback_run(r->o, &r->tools, r->leader.conn, r->leader.snapshot, &r->targets, r->cancel, r->m, err);
	else
		ok = put_toc(r, err) && copy_data(r, err) && leader_confirm(&r->leader, err) && write_object_lists(r, err);
	if (ok && !fallback) {
		ok = put_blocks(r, err);
		if (ok)
			describe_data(r);
	}
	return ok && globals_finish(&globals, err) && (add_totals(r->m), true) && commit(r, err);
}

static bool run_all(struct run *r, struct error *err)
{
	const struct backup_options *o = r->o;
	struct manifest *m = r->m;
	bool fallback = false;

	m->format_version = MANIFEST_FORMAT_VERSION;
	m->started_at = clock_now_us();
	m->id = repo_new_id(m->started_at);
	m->label = xstrdup(o->label);
	m->dbops_version = xstrdup(DBOPS_VERSION);
	m->content = xstrdup(o->schema_only ? "schema" : o->data_only ? "data" : "full");
	m->compression = xasprintf("gzip:%" PRId64, o->level);
	m->jobs = o->jobs;
	if (!leader_connect(&r->leader, o, r->log, m, err) || !choose_tools(r, err))
		return false;
	log_info(r->log, "backup.start", "backup %s of database \"%s\" begins (PostgreSQL %s, %" PRId64 " jobs)", m->id,
		m->database, m->server_version, o->jobs);
	if (!prepare(r, &fallback, err))
		return false;
	m->snapshot_lsn = xstrdup(r->leader.lsn);
	m->snapshot_at = r->leader.snapshot_at;
	m->archive_version = xasprintf("%d.%d", r->toc_text.buf[5], r->toc_text.buf[6]);
	m->fallback = fallback;
	describe_exclusions(r);
	add_target(r, o->local);
	add_target(r, o->remote);
	announce_size(r);
	return store(r, fallback, err);
}

bool backup_run(const struct backup_options *o, struct log *log, const struct cancel *cancel, struct manifest *ret,
	struct error *err)
{
	*ret = (struct manifest){ 0 };

	_cleanup_run_ struct run r = { .o = o, .log = log, .cancel = cancel, .toc_text = STRBUF_INIT, .m = ret,
		.started = clock_monotonic() };

	pthread_mutex_init(&r.plan.lock, NULL);
	if (run_all(&r, err))
		return true;
	discard(&r);
	manifest_release(ret);
	return false;
}
