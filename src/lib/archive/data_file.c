/* SPDX-License-Identifier: PostgreSQL */
#include "data_file.h"

#include "xalloc.h"

static uint8_t *put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

static const uint8_t *get_u32(const uint8_t *p, uint32_t *ret)
{
	*ret = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	return p + 4;
}

void block_encode(const struct block *b, uint8_t out[BLOCK_RECORD_BYTES])
{
	uint8_t *p = out;

	p = put_u32(p, b->stored);
	p = put_u32(p, b->raw);
	p = put_u32(p, b->rows);
	p = put_u32(p, b->crc);
	p = put_u32(p, b->unit);
	memcpy(p, b->sha256, sizeof(b->sha256));
}

void block_decode(const uint8_t in[BLOCK_RECORD_BYTES], struct block *ret)
{
	const uint8_t *p = in;

	p = get_u32(p, &ret->stored);
	p = get_u32(p, &ret->raw);
	p = get_u32(p, &ret->rows);
	p = get_u32(p, &ret->crc);
	p = get_u32(p, &ret->unit);
	memcpy(ret->sha256, p, sizeof(ret->sha256));
}

bool archive_put(const struct archive_targets *t, const char *name, const void *data, size_t len,
	struct error *err)
{
	for (unsigned i = 0; i < t->len; i++) {
		autofree char *key = xasprintf("%s%s", t->items[i].prefix, name);

		if (!storage_put(t->items[i].storage, key, data, len, err))
			return false;
	}
	return true;
}

bool archive_stream_open(const struct archive_targets *t, const char *name, struct archive_stream *ret,
	struct error *err)
{
	*ret = (struct archive_stream){ 0 };
	for (unsigned i = 0; i < t->len; i++) {
		autofree char *key = xasprintf("%s%s", t->items[i].prefix, name);

		if (!storage_stream_open(t->items[i].storage, key, &ret->streams[i], err)) {
			archive_stream_abort(ret);
			return false;
		}
		ret->len = i + 1;
	}
	return true;
}

bool archive_stream_append(struct archive_stream *s, const void *data, size_t len, struct error *err)
{
	for (unsigned i = 0; i < s->len; i++)
		if (!storage_stream_append(s->streams[i], data, len, err))
			return false;
	return true;
}

bool archive_stream_commit(struct archive_stream *s, struct error *err)
{
	bool ok = true;

	for (unsigned i = 0; i < s->len; i++) {
		struct storage_stream *stream = steal(s->streams[i]);

		if (ok)
			ok = storage_stream_commit(stream, err);
		else
			storage_stream_abort(stream);
	}
	s->len = 0;
	return ok;
}

void archive_stream_abort(struct archive_stream *s)
{
	for (unsigned i = 0; i < s->len; i++)
		storage_stream_abort(steal(s->streams[i]));
	s->len = 0;
}

void data_file_init(struct data_file *f, const char *name, bool table)
{
	*f = (struct data_file){ .name = xstrdup(name), .table = table };
	pthread_mutex_init(&f->lock, NULL);
}

void data_file_release(struct data_file *f)
{
	if (!f->name)
		return;
	archive_stream_abort(&f->stream);
	pthread_mutex_destroy(&f->lock);
	vec_release(f);
	free(f->name);
	f->name = NULL;
}

struct block_maker {
	struct deflate *deflate;
	uint8_t *out;
	size_t alloc;
};

struct block_maker *block_maker_new(int level)
{
	struct block_maker *m = xcalloc(1, sizeof(*m));

	m->deflate = deflate_new(level);
	return m;
}

void block_maker_free(struct block_maker *m)
{
	deflate_free(m->deflate);
	free(m->out);
	free(m);
}

static void compress_block(struct block_maker *m, const void *text, size_t len, struct block *b)
{
	size_t need = deflate_bound(len);
	size_t usual = deflate_bound(2 * BLOCK_RAW_BYTES);

	if (need > m->alloc || (m->alloc > usual && need <= usual)) {
		m->alloc = need < usual ? usual : need;
		free(m->out);
		m->out = xmalloc(m->alloc);
	}
	b->raw = (uint32_t)len;
	b->crc = codec_crc32(0, text, len);
	b->stored = (uint32_t)deflate_block(m->deflate, text, len, m->out, m->alloc);
	codec_sha256(m->out, b->stored, b->sha256);
}

static bool open_locked(struct data_file *f, const struct archive_targets *t, struct error *err)
{
	uint8_t header[GZIP_HEADER_LEN];

	if (f->opened)
		return true;
	if (!archive_stream_open(t, f->name, &f->stream, err))
		return false;
	f->opened = true;
	gzip_header(header);
	f->stored = sizeof(header);
	return archive_stream_append(&f->stream, header, sizeof(header), err);
}

static bool append_locked(struct data_file *f, const struct archive_targets *t, const void *stored,
	const struct block *b, const struct fingerprint *fingerprint, struct error *err)
{
	if (!open_locked(f, t, err) || !archive_stream_append(&f->stream, stored, b->stored, err))
		return false;
	*vec_push(f) = *b;
	f->rows += b->rows;
	f->raw += b->raw;
	f->stored += b->stored;
	f->crc = codec_crc32_combine(f->crc, b->crc, b->raw);
	fingerprint_add(&f->fingerprint, fingerprint);
	return true;
}

bool data_file_append(struct data_file *f, const struct archive_targets *t, struct block_maker *m,
	const void *text, size_t len, struct block *b, const struct fingerprint *fingerprint,
	struct error *err)
{
	compress_block(m, text, len, b);
	pthread_mutex_lock(&f->lock);

	bool ok = append_locked(f, t, m->out, b, fingerprint, err);

	pthread_mutex_unlock(&f->lock);
	return ok;
}

static bool finish_locked(struct data_file *f, const struct archive_targets *t, struct error *err)
{
	uint8_t trailer[GZIP_TRAILER_MAX];
	size_t n = gzip_trailer(trailer, f->table, f->crc, f->raw);

	if (!open_locked(f, t, err) || !archive_stream_append(&f->stream, trailer, n, err) ||
		!archive_stream_commit(&f->stream, err))
		return false;
	f->stored += n;
	f->finished = true;
	if (f->len) {
		f->items = xreallocarray(f->items, f->len, sizeof(*f->items));
		f->alloc = f->len;
	}
	return true;
}

bool data_file_finish(struct data_file *f, const struct archive_targets *t, struct error *err)
{
	pthread_mutex_lock(&f->lock);

	bool ok = finish_locked(f, t, err);

	pthread_mutex_unlock(&f->lock);
	return ok;
}
