/* SPDX-License-Identifier: PostgreSQL */
#include "backup_run.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include "clock.h"
#include "repo.h"
#include "verify.h"
#include "xalloc.h"

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
bool store_object_lists(struct run *r, struct error *err)
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

bool store_toc(struct run *r, struct error *err)
{
	if (!archive_put(&r->targets, "toc.dat", r->toc_text.buf, r->toc_text.len, err))
		return false;
	manifest_add_file(r->m, "toc.dat", r->toc_text.buf, r->toc_text.len);
	strbuf_release(&r->toc_text);
	return true;
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
bool store_blocks(struct run *r, struct error *err)
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
bool store_commit(struct run *r, struct error *err)
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

void store_discard(struct run *r)
{
	for (unsigned i = 0; i < r->targets.len; i++)
		backup_remove(r->targets.items[i].storage, r->targets.items[i].prefix, NULL);
}

void store_targets(struct run *r)
{
	add_target(r, r->o->local);
	add_target(r, r->o->remote);
	announce_size(r);
}
