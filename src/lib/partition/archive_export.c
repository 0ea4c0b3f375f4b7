/* SPDX-License-Identifier: PostgreSQL */
/* Exports a table by the backup engine, and proves what arrived. */
#include "archive.h"

#include <inttypes.h>
#include "clock.h"
#include "codec.h"
#include "fs.h"
#include "verify.h"

char *archive_label(const char *schema, const char *name)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "partition ");
	pg_add_display_name(&sb, schema, name);
	return strbuf_detach(&sb);
}

bool archive_export(const struct archive_options *o, const struct archive_subject *s, const struct pg_conn *c, struct log *log,
	const struct cancel *cancel, char **ret_id, struct error *err)
{
	_cleanup_strbuf_ struct strbuf record = STRBUF_INIT;
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_strvec_ struct strvec tables = { 0 };
	autofree char *label = archive_label(s->schema, s->name);

	archive_record_write(s, c, &record);

	const struct backup_attachment attachment = { PARTITION_NAME, record.buf, record.len };
	struct backup_options b = {
		.server = o->server,
		.local = o->remote ? NULL : o->storage,
		.remote = o->remote ? o->storage : NULL,
		.jobs = o->jobs,
		.level = o->level,
		.lock_timeout_ms = o->lock_timeout_ms,
		.label = label,
		.bindir = o->bindir,
		.no_globals = true,
		.attachments = &attachment,
		.n_attachments = 1,
	};

	/* in double quotes a pattern of pg_dump is the name itself */
	for (size_t i = 0; i < s->tables.len; i++) {
		_cleanup_strbuf_ struct strbuf pattern = STRBUF_INIT;

		pg_add_qualified(&pattern, s->tables.items[i].schema, s->tables.items[i].name);
		strvec_push(&tables, pattern.buf);
	}
	b.tables = tables;
	if (!backup_run(&b, log, cancel, &m, err))
		return false;
	*ret_id = xstrdup(m.id);
	return true;
}

void archive_proof_release(struct archive_proof *p)
{
	for (size_t i = 0; i < p->checks.len; i++) {
		free(p->checks.items[i].copy);
		free(p->checks.items[i].shown);
	}
	vec_release(&p->checks);
	free(p->id);
	free(p->url);
	free(p->encoding);
	free(p->manifest_sha256);
	*p = (struct archive_proof){ 0 };
}

/* An archive while it is proven. */
struct proving {
	struct backup_entry entry; /* with its tables */
	struct archive_proof *ret;
};

static bool not_proven(const struct proving *p, const char *detail, struct error *err)
{
	error_set(err, EXIT_DAMAGED, "archive '%s' does not hold what it should", p->entry.id);
	error_detail(err, "%s", detail);
	return error_hint(err, "The table is untouched. Archive it again.");
}

static bool read_back(struct storage *storage, int64_t jobs, struct log *log, const struct cancel *cancel, struct proving *p,
	struct error *err)
{
	_cleanup_verify_ struct verify_result found = { 0 };

	log_info(log, "archive.prove", "reading archive %s back from %s", p->entry.id, storage->url);
	if (!verify_full(storage, &p->entry, jobs, log, cancel, &found, err))
		return false;
	if (found.problems.len) {
		const struct verify_problem *first = &found.problems.items[0];
		autofree char *detail = xasprintf("%zu problem%s; first: %s%s%s.", found.problems.len, found.problems.len == 1 ? "" : "s",
			first->file, first->file[0] ? ": " : "", first->what);

		return not_proven(p, detail, err);
	}
	p->ret->seconds = found.seconds;
	return true;
}

/* The file with the rows of that table; NULL = there is not exactly one. */
static const struct manifest_file *rows_of(const struct manifest *m, uint32_t oid)
{
	const struct manifest_file *found = NULL;

	for (size_t i = 0; i < m->tables.len; i++) {
		if (m->tables.items[i].oid != oid)
			continue;
		if (found)
			return NULL;
		found = &m->tables.items[i];
	}
	return found;
}

static void add_check(struct archive_proof *p, const struct manifest_file *f)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, shown = STRBUF_INIT;

	strbuf_adds(&sql, "COPY ");
	pg_add_qualified(&sql, f->schema, f->name);
	strbuf_addf(&sql, " %s TO STDOUT", f->columns);
	pg_add_display_name(&shown, f->schema, f->name);
	*vec_push(&p->checks) = (struct archive_check){ strbuf_detach(&sql), strbuf_detach(&shown), false, f->rows, f->fingerprint };
	p->rows += f->rows;
	p->raw_bytes += f->raw_bytes;
	fingerprint_add(&p->fingerprint, &f->fingerprint);
}

/* A filter that matched too little or too much would be proven, too: so the manifest is compared with the catalog. */
static bool holds_subject(const struct archive_subject *s, struct proving *p, struct error *err)
{
	const struct manifest *m = &p->entry.manifest;
	size_t leaves = 0;

	if (m->fallback) {
		error_set(err, EXIT_REFUSED, "archive '%s' has no fingerprints", p->entry.id);
		error_detail(err, "pg_dump wrote it by itself, because it uses a format that this dbops does not know.");
		return error_hint(err, "Nothing is dropped without them. A newer dbops is needed.");
	}
	if (strcmp(m->content, "full") != 0 || !manifest_is_partition(m))
		return not_proven(p, "It is no archive of a whole table.", err);
	for (size_t i = 0; i < s->tables.len; i++) {
		const struct archive_table *t = &s->tables.items[i];
		const struct manifest_file *f = rows_of(m, t->oid);

		if (t->kind != 'r')
			continue;
		leaves++;
		if (!f || f->condition || strcmp(f->schema, t->schema) != 0 || strcmp(f->name, t->name) != 0) {
			autofree char *detail = xasprintf("The rows of table %s are not in it as a whole.", t->name);

			return not_proven(p, detail, err);
		}
		add_check(p->ret, f);
	}
	return leaves == m->tables.len || not_proven(p, "It holds other tables as well.", err);
}

/* Without its record the table would come back, but nobody would know where it belongs. */
static bool holds_record(struct storage *storage, const struct archive_subject *s, struct proving *p, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_subject_ struct archive_subject found = { 0 };

	if (!backup_read_file(storage, &p->entry, PARTITION_NAME, &text, err))
		return false;
	if (!archive_record_parse(text.buf, text.len, &found, err))
		return error_hint(err, "The table is untouched.");
	return !s->parent_name || !found.parent_name || bound_equal(&s->bound, &found.bound) ||
	       not_proven(p, "Its record has other bounds than the table.", err);
}

static bool hash_manifest(struct storage *storage, struct proving *p, struct error *err)
{
	autofree char *key = backup_key(&p->entry, MANIFEST_NAME);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, hex = STRBUF_INIT;
	uint8_t hash[32];

	if (!storage_get_all(storage, key, MANIFEST_MAX_BYTES, &text, err))
		return false;
	codec_sha256(text.buf, text.len, hash);
	strbuf_add_hex(&hex, hash, sizeof(hash));
	p->ret->manifest_sha256 = strbuf_detach(&hex);
	return true;
}

/* As "dbops verify" does; a proof that cannot be recorded is still a proof. */
static void record_proof(struct storage *storage, const struct proving *p, struct log *log)
{
	struct verification v = { .at = clock_now_us(), .depth = "full", .ok = true, .seconds = p->ret->seconds };
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (!backup_store_verification(storage, &p->entry, &v, &failed))
		log_warning(log, "archive.record", "the result of the proof could not be stored: %s", failed.message);
}

static void describe(const struct storage *storage, struct proving *p)
{
	autofree char *url = fs_join(storage->url, p->entry.prefix);
	size_t n = strlen(url);

	p->ret->id = xstrdup(p->entry.id);
	p->ret->url = xstrndup(url, n && url[n - 1] == '/' ? n - 1 : n);
	p->ret->encoding = xstrdup(p->entry.manifest.encoding);
	p->ret->stored_bytes = p->entry.manifest.stored_bytes;
}

bool archive_prove(struct storage *storage, const char *database, const char *id, const struct archive_subject *s, int64_t jobs,
	struct log *log, const struct cancel *cancel, struct archive_proof *ret, struct error *err)
{
	struct proving p = { .ret = ret };
	bool ok;

	*ret = (struct archive_proof){ 0 };
	ok = catalog_find(storage, database, id, &p.entry, err) && read_back(storage, jobs, log, cancel, &p, err) && holds_subject(s, &p, err) &&
	     holds_record(storage, s, &p, err) && hash_manifest(storage, &p, err);
	if (ok) {
		describe(storage, &p);
		record_proof(storage, &p, log);
	} else {
		archive_proof_release(ret);
	}
	backup_entry_release(&p.entry);
	return ok;
}
