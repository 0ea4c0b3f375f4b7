/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_stream.c - an object written piece by piece: a plain PUT up to one part, else a multipart
 * upload of equal parts (some stores insist on that) that travel while the next is filled.
 */
#include "s3_upload.h"

#include <stdio.h>
#include <sys/random.h>

enum { MAX_PARTS = 9500 }; /* S3 ends at 10,000; said early enough to be read as a limit of ours */

static void make_tag(char tag[33])
{
	unsigned char random[16] = { 0 };
	struct strbuf sb = STRBUF_INIT;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		BUG("the system has no random numbers");
	strbuf_add_hex(&sb, random, sizeof(random));
	memcpy(tag, sb.buf, 33);
	strbuf_release(&sb);
}

bool s3_stream_open(
	struct storage *base, const char *key, struct storage_stream **ret, struct error *err)
{
	struct s3_storage *s = s3_of(base);

	if (!s3_client_alive(s->client, err))
		return false;
	s3_client_lock(s->client);

	bool room = s->n_streams <= s->slots;

	s->n_streams += room;
	s3_client_unlock(s->client);
	if (!room)
		return error_set(err, EXIT_BUG, "more than %zu streams at once", s->slots + 1);

	struct s3_stream *st = xcalloc(1, sizeof(*st));

	st->base = (struct storage_stream){ .storage = base, .key = xstrdup(key) };
	st->key = s3_full_key(s, key);
	st->failure = (struct error)ERROR_INIT;
	make_tag(st->tag);
	*ret = &st->base;
	return true;
}

/* Lock held. */
static void give_back(struct s3_storage *s, struct s3_buffer *b)
{
	b->next = s->free_buffers;
	s->free_buffers = b;
}

/* The stream's error if it has one already; lock held. */
static bool still_good(struct s3_stream *st, struct error *err)
{
	if (!error_is_set(&st->failure))
		return s3_client_alive(s3_stream_store(st)->client, err);
	error_set(err, st->failure.code, "%s", st->failure.message);
	if (st->failure.detail)
		error_detail(err, "%s", st->failure.detail);
	if (st->failure.hint)
		error_hint(err, "%s", st->failure.hint);
	return false;
}

/* A buffer to fill; waits for one that comes back. Lock held. */
static bool take_buffer(struct s3_stream *st, struct error *err)
{
	struct s3_storage *s = s3_stream_store(st);

	while (!s->free_buffers && s->n_buffers > s->slots) {
		if (!still_good(st, err))
			return false;
		s3_client_sleep(s->client);
	}
	if (!s->free_buffers) {
		s->n_buffers++;
		give_back(s, xmalloc(sizeof(struct s3_buffer) + s->part_size));
	}
	st->filling = s->free_buffers;
	st->filling->len = 0;
	s->free_buffers = st->filling->next;
	return true;
}

/* By the I/O thread, lock held: the part's memory is free for others before its stream looks. */
static void part_finished(struct s3_request *r, void *data)
{
	struct s3_part *p = data;
	struct s3_stream *st = p->stream;

	give_back(s3_stream_store(st), steal(p->buffer));
	st->in_flight--;
	if (!r->ok && !error_is_set(&st->failure))
		error_move(&st->failure, &r->error);
}

/* Sends what is filled as the next part, without waiting. */
static bool send_part(struct s3_stream *st, struct error *err)
{
	struct s3_storage *s = s3_stream_store(st);

	if (!st->upload_id && !s3_upload_begin(st, err))
		return false;
	if (st->n_parts == MAX_PARTS) {
		error_set(err, EXIT_REFUSED, "\"%s\" would have more than %d parts", st->key, MAX_PARTS);
		return error_hint(err, "Choose a larger part_size for the remote; it is %zu MiB now.",
			s->part_size >> 20);
	}

	struct s3_part *p = xcalloc(1, sizeof(*p));

	p->stream = st;
	p->number = ++st->n_parts;
	p->buffer = steal(st->filling);
	p->next = st->parts;
	st->parts = p;
	snprintf(p->number_text, sizeof(p->number_text), "%u", p->number);
	p->request = (struct s3_request){
		S3_REQUEST_INIT,
		.method = "PUT",
		.key = st->key,
		.body = p->buffer->bytes,
		.body_len = p->buffer->len,
		.finished = part_finished,
		.finished_data = p,
	};
	s3_request_query(&p->request, "partNumber", p->number_text);
	s3_request_query(&p->request, "uploadId", st->upload_id);
	if (s->content_md5) {
		p->md5 = s3_content_md5(p->buffer->bytes, p->buffer->len);
		if (p->md5)
			s3_request_header(&p->request, "content-md5", p->md5);
	}
	s3_client_lock(s->client);
	st->in_flight++;
	s3_client_unlock(s->client);
	if (s3_client_submit(s->client, &p->request, err))
		return true;
	s3_client_lock(s->client);
	part_finished(&p->request, p);
	s3_client_unlock(s->client);
	return false;
}

static bool make_room(struct s3_stream *st, struct error *err)
{
	struct s3_storage *s = s3_stream_store(st);

	if (st->filling && st->filling->len == s->part_size && !send_part(st, err))
		return false;
	if (st->filling)
		return true;
	s3_client_lock(s->client);

	bool ok = take_buffer(st, err);

	s3_client_unlock(s->client);
	return ok;
}

bool s3_stream_append(struct storage_stream *base, const void *data, size_t len, struct error *err)
{
	struct s3_stream *st = (struct s3_stream *)base;
	struct s3_storage *s = s3_stream_store(st);
	const char *p = data;

	s3_client_lock(s->client);

	bool good = still_good(st, err);

	s3_client_unlock(s->client);
	while (good && len) {
		if (!make_room(st, err))
			return false;

		struct s3_buffer *b = st->filling;
		size_t n = s->part_size - b->len < len ? s->part_size - b->len : len;

		memcpy(b->bytes + b->len, p, n);
		b->len += n;
		p += n;
		len -= n;
		base->bytes += n;
		/* the first part waits for more, because an object of one part is a plain PUT */
		if (b->len == s->part_size && st->n_parts && !send_part(st, err))
			return false;
	}
	return good;
}

static void wait_for_parts(struct s3_stream *st)
{
	struct s3_client *c = s3_stream_store(st)->client;

	s3_client_lock(c);
	while (st->in_flight)
		s3_client_sleep(c);
	s3_client_unlock(c);
}

static bool finish_parts(struct s3_stream *st, struct error *err)
{
	if (st->filling && !send_part(st, err))
		return false;
	wait_for_parts(st);
	s3_client_lock(s3_stream_store(st)->client);

	bool good = still_good(st, err);

	s3_client_unlock(s3_stream_store(st)->client);
	return good && s3_upload_complete(st, err);
}

static void stream_free(struct s3_stream *st)
{
	struct s3_storage *s = s3_stream_store(st);

	s3_client_lock(s->client);
	if (st->filling)
		give_back(s, st->filling);
	s->n_streams--;
	s3_client_unlock(s->client);
	while (st->parts) {
		struct s3_part *p = st->parts;

		st->parts = p->next;
		s3_request_release(&p->request);
		free(p->md5);
		free(p);
	}
	error_release(&st->failure);
	free(st->upload_id);
	free(st->key);
	free(st->base.key);
	free(st);
}

bool s3_stream_commit(struct storage_stream *base, struct error *err)
{
	struct s3_stream *st = (struct s3_stream *)base;

	if (!st->n_parts) {
		struct s3_buffer *b = st->filling;
		bool ok = s3_put(base->storage, base->key, b ? b->bytes : "", b ? b->len : 0, err);

		stream_free(st);
		return ok;
	}
	if (!finish_parts(st, err)) {
		s3_stream_abort(base);
		return false;
	}
	if (st->begun_twice)
		s3_upload_abort_others(st, st->upload_id);
	stream_free(st);
	return true;
}

void s3_stream_abort(struct storage_stream *base)
{
	struct s3_stream *st = (struct s3_stream *)base;

	/* parts that arrive after the abort would stay in the store, unseen and paid for */
	for (struct s3_part *p = st->parts; p; p = p->next)
		s3_client_abort(s3_stream_store(st)->client, &p->request);
	wait_for_parts(st);
	if (st->upload_id)
		s3_abort_upload(s3_stream_store(st), st->key, st->upload_id, NULL);
	if (st->begun_twice)
		s3_upload_abort_others(st, NULL);
	stream_free(st);
}
