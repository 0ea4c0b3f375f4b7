/* SPDX-License-Identifier: PostgreSQL */
#include "archive_csv.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include "clock.h"
#include "copy_rows.h"
#include "data_file.h"
#include "fs.h"
#include "json.h"
#include "session.h"

#define CSV_ENCODING "UTF8"

struct csv {
	const struct archive_options *o;
	const struct archive_subject *s;
	struct log *log;
	const struct cancel *cancel;
	struct archive_targets targets;
	struct data_file file;
	struct block_maker *maker;
	struct strbuf text;             /* the block being filled */
	struct fingerprint fingerprint; /* of the block's rows */
	uint32_t rows;
	bool header;                    /* still to come */
	char *id, *name, *copy;         /* name: "public.trades_2025_01-20261127T…" */
	char *sha256;                   /* of the stored file, as read back */
	char *snapshot_at;
};

static void csv_release(struct csv *x)
{
	data_file_release(&x->file);
	if (x->maker)
		block_maker_free(x->maker);
	strbuf_release(&x->text);
	free(x->targets.items[0].prefix);
	free(x->id);
	free(x->name);
	free(x->copy);
	free(x->sha256);
	free(x->snapshot_at);
}

/* --- writing ----------------------------------------------------------------------------------------------- */

static bool flush(struct csv *x, struct error *err)
{
	struct block b = { .rows = x->rows };

	if (!x->text.len)
		return true;
	if (!data_file_append(&x->file, &x->targets, x->maker, x->text.buf, x->text.len, &b, &x->fingerprint, err))
		return false;
	strbuf_reset(&x->text);
	x->fingerprint = (struct fingerprint){ 0 };
	x->rows = 0;
	log_progress(x->log, "export", (int64_t)x->file.raw, 0);
	return true;
}

static bool add_row(void *data, const char *text, size_t len, struct error *err)
{
	struct csv *x = data;

	strbuf_add(&x->text, text, len);
	if (!x->header) {
		fingerprint_add_line(&x->fingerprint, text, len - 1);
		x->rows++;
	}
	x->header = false;
	return x->text.len < BLOCK_RAW_BYTES || flush(x, err);
}

/* One statement is one snapshot; row_security is off, so hidden rows are an error. */
static bool export_rows(struct csv *x, const struct pg_conn *c, struct error *err)
{
	_cleanup_conn_ struct pg_conn *session = pg_clone(c, NULL, NULL, err);

	x->header = true;
	return session && session_pin(session, CSV_ENCODING, err) && session_begin_snapshot(session, NULL, err) &&
	       pg_execf(session, err, "SET LOCAL lock_timeout = %" PRId64, x->o->lock_timeout_ms) &&
	       (x->snapshot_at = pg_query_value(session, err, "SELECT pg_catalog.now()::text")) != NULL &&
	       copy_rows(session, x->copy, x->s->shown, x->cancel, add_row, x, err) && flush(x, err) &&
	       data_file_finish(&x->file, &x->targets, err) && pg_exec(session, err, "COMMIT");
}

/* --- reading back ------------------------------------------------------------------------------------------ */

static void end_record(struct csv_reader *r)
{
	if (!r->skip) {
		fingerprint_add_line(&r->fingerprint, r->record.buf, r->record.len);
		r->rows++;
	}
	r->skip = false;
	strbuf_reset(&r->record);
}

/* A doubled quote opens and closes at once, so counting them is enough. */
void csv_read(struct csv_reader *r, const char *text, size_t len)
{
	for (size_t from = 0, at = 0; at < len; at++) {
		r->quoted ^= text[at] == '"';
		if (r->quoted || text[at] != '\n') {
			if (at + 1 == len)
				strbuf_add(&r->record, text + from, len - from);
			continue;
		}
		strbuf_add(&r->record, text + from, at - from);
		end_record(r);
		from = at + 1;
	}
}

static bool damaged(const struct csv *x, const char *what, struct error *err)
{
	error_set(err, EXIT_DAMAGED, "export '%s' is not what was written", x->name);
	error_detail(err, "%s.", what);
	return error_hint(err, "The table is untouched. Export it again.");
}

static bool read_block(const struct csv *x, struct storage *storage, const char *key, uint64_t offset, const struct block *b, EVP_MD_CTX *hash,
	struct csv_reader *reader, struct error *err)
{
	_cleanup_strbuf_ struct strbuf stored = STRBUF_INIT, raw = STRBUF_INIT;
	uint8_t digest[32];

	if (!storage_get(storage, key, offset, b->stored, &stored, err))
		return false;
	codec_sha256(stored.buf, stored.len, digest);
	EVP_DigestUpdate(hash, stored.buf, stored.len);
	strbuf_grow(&raw, b->raw);
	strbuf_setlen(&raw, b->raw);
	if (memcmp(digest, b->sha256, sizeof(digest)) != 0 || !inflate_block(stored.buf, stored.len, raw.buf, b->raw))
		return damaged(x, "A block has other bytes", err);
	csv_read(reader, raw.buf, raw.len);
	return true;
}

/* The frame around the blocks, which makes it one gzip file. */
static bool read_frame(const struct csv *x, struct storage *storage, const char *key, uint64_t offset, bool trailer, EVP_MD_CTX *hash,
	struct error *err)
{
	uint8_t expected[GZIP_TRAILER_MAX];
	size_t n = GZIP_HEADER_LEN;
	_cleanup_strbuf_ struct strbuf found = STRBUF_INIT;

	if (trailer)
		n = gzip_trailer(expected, false, x->file.crc, x->file.raw);
	else
		gzip_header(expected);
	if (!storage_get(storage, key, offset, n, &found, err))
		return false;
	EVP_DigestUpdate(hash, found.buf, found.len);
	return memcmp(found.buf, expected, n) == 0 || damaged(x, "The gzip frame has other bytes", err);
}

static bool read_file(struct csv *x, const char *key, EVP_MD_CTX *hash, struct csv_reader *reader, struct error *err)
{
	struct storage *storage = x->o->storage;
	struct storage_entry entry = { 0 };
	uint64_t offset = GZIP_HEADER_LEN;
	bool ok = storage_stat(storage, key, &entry, err);

	free(entry.key);
	if (!ok || !read_frame(x, storage, key, 0, false, hash, err))
		return false;
	if (entry.size != (int64_t)x->file.stored)
		return damaged(x, "The file has another length", err);
	for (size_t i = 0; i < x->file.len; i++) {
		if (!cancel_check(x->cancel, err) || !read_block(x, storage, key, offset, &x->file.items[i], hash, reader, err))
			return false;
		offset += x->file.items[i].stored;
		log_progress(x->log, "prove", (int64_t)offset, (int64_t)x->file.stored);
	}
	return read_frame(x, storage, key, offset, true, hash, err);
}

static bool prove(struct csv *x, const char *key, struct error *err)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct csv_reader reader = { .record = STRBUF_INIT, .skip = true };
	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT;
	uint8_t digest[32];
	bool ok;

	log_info(x->log, "archive.prove", "reading '%s' back from %s", x->name, x->o->storage->url);
	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	ok = read_file(x, key, hash, &reader, err);
	EVP_DigestFinal_ex(hash, digest, NULL);
	EVP_MD_CTX_free(hash);
	strbuf_add_hex(&hex, digest, sizeof(digest));
	x->sha256 = strbuf_detach(&hex);
	if (ok && (reader.record.len || reader.rows != (int64_t)x->file.rows || !fingerprint_equal(&reader.fingerprint, &x->file.fingerprint)))
		ok = damaged(x, "It holds other rows", err);
	strbuf_release(&reader.record);
	return ok;
}

/* --- describing -------------------------------------------------------------------------------------------- */

static bool add_columns(const struct archive_subject *s, struct pg_conn *c, struct json *j, struct strbuf *copy, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, s->oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
		" WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
		1, (const char *[]){ oid });

	strbuf_adds(copy, "COPY (SELECT ");
	for (int i = 0; r && i < PQntuples(r); i++) {
		strbuf_adds(copy, i ? ", " : "");
		pg_add_ident(copy, pg_value(r, i, 0));
		jsonw_object_begin(j, NULL);
		jsonw_string(j, "name", pg_value(r, i, 0));
		jsonw_string(j, "type", pg_value(r, i, 1));
		jsonw_object_end(j);
	}
	strbuf_addf(copy, " FROM %s%s) TO STDOUT (FORMAT csv, HEADER true)", s->kind == 'p' ? "" : "ONLY ", s->sql);
	return r != NULL;
}

static void describe(const struct csv *x, const char *columns, const struct pg_conn *c, struct strbuf *out)
{
	const struct archive_subject *s = x->s;
	struct json j = JSON_INIT(out, 2);
	_cleanup_strbuf_ struct strbuf parent = STRBUF_INIT, bounds = STRBUF_INIT;
	char fingerprint[FINGERPRINT_HEX_LEN + 1];

	fingerprint_format(&x->file.fingerprint, fingerprint);
	if (s->parent_name)
		pg_add_display_name(&parent, s->parent_schema, s->parent_name);
	bound_add_display(&bounds, &s->bound);
	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "schema_version", 1);
	jsonw_string(&j, "format", "dbops-csv");
	jsonw_stringf(&j, "file", "%s.csv.gz", x->name);
	jsonw_string(&j, "database", c->database);
	jsonw_string(&j, "table", s->shown);
	jsonw_string(&j, "parent", s->parent_name ? parent.buf : NULL);
	jsonw_string(&j, "bounds", s->parent_name ? bounds.buf : NULL);
	jsonw_string(&j, "snapshot_at", x->snapshot_at);
	jsonw_int(&j, "rows", (int64_t)x->file.rows);
	jsonw_int(&j, "raw_bytes", (int64_t)x->file.raw);
	jsonw_int(&j, "stored_bytes", (int64_t)x->file.stored);
	jsonw_string(&j, "sha256", x->sha256);
	jsonw_string(&j, "fingerprint", fingerprint);
	jsonw_raw(&j, "columns", columns);
	jsonw_object_begin(&j, "settings");
	jsonw_string(&j, "client_encoding", CSV_ENCODING);
	for (const struct session_setting *g = session_settings; g->name; g++)
		jsonw_string(&j, g->name, g->value);
	jsonw_object_end(&j);
	jsonw_object_end(&j);
	strbuf_addch(out, '\n');
}

static void fill_proof(const struct csv *x, const char *description, size_t len, struct archive_proof *ret)
{
	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT, key = STRBUF_INIT;
	uint8_t hash[32];

	codec_sha256(description, len, hash);
	strbuf_add_hex(&hex, hash, sizeof(hash));
	strbuf_addf(&key, "%s%s.csv.gz", x->targets.items[0].prefix, x->name);
	*ret = (struct archive_proof){
		.id = xstrdup(x->id),
		.url = fs_join(x->o->storage->url, key.buf),
		.encoding = xstrdup(CSV_ENCODING),
		.rows = (int64_t)x->file.rows,
		.raw_bytes = (int64_t)x->file.raw,
		.stored_bytes = (int64_t)x->file.stored,
		.fingerprint = x->file.fingerprint,
		.manifest_sha256 = strbuf_detach(&hex),
	};
	*vec_push(&ret->checks) = (struct archive_check){ xstrdup(x->copy), xstrdup(x->s->shown), true, (int64_t)x->file.rows, x->file.fingerprint };
}

static void discard(const struct csv *x, const char *key)
{
	const char *keys[] = { key };

	storage_remove(x->o->storage, keys, 1, NULL);
}

static void prepare(struct csv *x, const char *database)
{
	autofree char *series = repo_series(database);
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	x->id = repo_new_id(clock_now_us());
	strbuf_add_percent(&name, x->s->shown, "");
	strbuf_addf(&name, "-%s", x->id);
	x->name = strbuf_detach(&name);
	x->targets.items[0] = (struct archive_target){ x->o->storage, xasprintf("%s/csv/", series) };
	x->targets.len = 1;
	x->maker = block_maker_new((int)x->o->level);

	autofree char *file = xasprintf("%s.csv.gz", x->name);

	data_file_init(&x->file, file, false);
}

static bool run(struct csv *x, struct pg_conn *c, struct archive_proof *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf columns = STRBUF_INIT, copy = STRBUF_INIT, text = STRBUF_INIT;
	struct json j = JSON_INIT(&columns, 0);
	autofree char *key = NULL, *description_key = NULL;

	prepare(x, c->database);
	jsonw_array_begin(&j, NULL);
	if (!add_columns(x->s, c, &j, &copy, err))
		return false;
	jsonw_array_end(&j);
	x->copy = strbuf_detach(&copy);
	key = xasprintf("%s%s.csv.gz", x->targets.items[0].prefix, x->name);
	description_key = xasprintf("%s%s.json", x->targets.items[0].prefix, x->name);
	if (!export_rows(x, c, err) || !prove(x, key, err)) {
		discard(x, key);
		return false;
	}
	describe(x, columns.buf, c, &text);
	if (!storage_put(x->o->storage, description_key, text.buf, text.len, err)) {
		discard(x, key);
		return false;
	}
	fill_proof(x, text.buf, text.len, ret);
	return true;
}

bool archive_csv(const struct archive_options *o, const struct archive_subject *s, const struct pg_conn *c, struct log *log,
	const struct cancel *cancel, struct archive_proof *ret, struct error *err)
{
	struct csv x = { .o = o, .s = s, .log = log, .cancel = cancel, .text = STRBUF_INIT };
	_cleanup_conn_ struct pg_conn *session = pg_clone(c, NULL, NULL, err);
	bool ok = session && run(&x, session, ret, err);

	csv_release(&x);
	return ok;
}
