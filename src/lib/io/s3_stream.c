/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_stream.c - an object written piece by piece: a plain PUT up to one part, else a multipart
 * upload of equal parts (some stores insist on that) that travel while the next is filled.
 */
#include "s3_storage.h"

#include <inttypes.h>
#include <sys/random.h>
#include "s3_xml.h"

enum { MAX_PARTS = 9500 }; /* S3 ends at 10,000; said early enough to be read as a limit of ours */

struct part {
	struct part *next;
	struct s3_stream *stream;
	struct s3_buffer *buffer;
	struct s3_request request;
	unsigned number;
	char number_text[12];
	char *md5;
};

struct s3_stream {
	struct storage_stream base;
	char *key;             /* in the bucket */
	char *upload_id;       /* NULL until the first part is sent */
	char tag[33];          /* tells this upload from any other one of the same key */
	bool begun_twice;      /* Initiate was repeated: the store may have a second, orphaned upload */
	struct s3_buffer *filling;
	struct part *parts;    /* newest first */
	unsigned n_parts;

	/* under the client's lock */
	size_t in_flight;
	struct error failure;  /* of the first part that failed */
};

static struct s3_storage *store(struct s3_stream *st)
{
	return s3_of(st->base.storage);
}

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
		return s3_client_alive(store(st)->client, err);
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
	struct s3_storage *s = store(st);

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
	struct part *p = data;
	struct s3_stream *st = p->stream;

	give_back(store(st), steal(p->buffer));
	st->in_flight--;
	if (!r->ok && !error_is_set(&st->failure))
		error_move(&st->failure, &r->error);
}

static bool begin_upload(struct s3_stream *st, struct error *err)
{
	struct s3_storage *s = store(st);
	_cleanup_s3_xml_ struct s3_xml x = { 0 };
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "POST",
		.key = st->key,
		.body = "",
	};

	s3_request_query(&r, "uploads", "");
	s3_object_headers(s, &r);
	s3_request_header(&r, "x-amz-meta-dbops-id", st->tag);

	bool ok = s3_client_run(s->client, &r, err);

	st->begun_twice = r.tries > 1;
	if (!ok || !s3_xml_parse(r.reply.body.buf, r.reply.body.len, &x, err))
		return false;
	if (!x.upload_id || !*x.upload_id)
		return error_set(err, EXIT_DAMAGED, "S3 began an upload without telling its id");
	st->upload_id = steal(x.upload_id);
	return true;
}

/* Sends what is filled as the next part, without waiting. */
static bool send_part(struct s3_stream *st, struct error *err)
{
	struct s3_storage *s = store(st);

	if (!st->upload_id && !begin_upload(st, err))
		return false;
	if (st->n_parts == MAX_PARTS) {
		error_set(err, EXIT_REFUSED, "\"%s\" would have more than %d parts", st->key, MAX_PARTS);
		return error_hint(err, "Choose a larger part_size for the remote; it is %zu MiB now.",
			s->part_size >> 20);
	}

	struct part *p = xcalloc(1, sizeof(*p));

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
	struct s3_storage *s = store(st);

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
	struct s3_storage *s = store(st);
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
	struct s3_client *c = store(st)->client;

	s3_client_lock(c);
	while (st->in_flight)
		s3_client_sleep(c);
	s3_client_unlock(c);
}

/* <CompleteMultipartUpload>, parts in ascending order. */
static bool complete_document(struct s3_stream *st, struct strbuf *out, struct error *err)
{
	struct part *p = st->parts, *ascending = NULL;

	while (p) {
		struct part *next = p->next;

		p->next = ascending;
		ascending = p;
		p = next;
	}
	st->parts = ascending;
	strbuf_adds(out, "<CompleteMultipartUpload>");
	for (p = ascending; p; p = p->next) {
		if (!p->request.reply.etag)
			return error_set(err, EXIT_DAMAGED, "S3 took part %u without an ETag", p->number);
		strbuf_addf(out, "<Part><PartNumber>%u</PartNumber><ETag>", p->number);
		s3_xml_escape(p->request.reply.etag, out);
		strbuf_adds(out, "</ETag></Part>");
	}
	strbuf_adds(out, "</CompleteMultipartUpload>");
	return true;
}

/* After "no such upload": an answer that got lost on the way means that the object is there. */
static bool arrived_all_the_same(struct s3_stream *st)
{
	struct storage_entry e;
	autofree char *tag = NULL;

	/* a store that keeps no metadata is believed by the size: backup keys are never reused */
	return s3_head(store(st), st->key, &e, &tag, NULL) && e.size == (int64_t)st->base.bytes &&
	       (!tag || strcmp(tag, st->tag) == 0);
}

static bool complete(struct s3_stream *st, struct error *err)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	_cleanup_error_ struct error failure = ERROR_INIT;

	if (!complete_document(st, &body, err))
		return false;

	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "POST",
		.key = st->key,
		.body = body.buf,
		.body_len = body.len,
		.slow_answer = true,
		.error_in_200 = true,
	};

	s3_request_query(&r, "uploadId", st->upload_id);
	s3_request_header(&r, "content-type", "application/xml");
	if (s3_client_run(store(st)->client, &r, &failure)) {
		_cleanup_s3_xml_ struct s3_xml x = { 0 };

		if (!s3_xml_parse(r.reply.body.buf, r.reply.body.len, &x, err))
			return false;
		return strcmp(x.root, "CompleteMultipartUploadResult") == 0 ||
		       error_set(err, EXIT_DAMAGED, "S3 answered <%s> to a complete upload", x.root);
	}
	if (failure.code == EXIT_NOT_FOUND && arrived_all_the_same(st))
		return true;
	return error_move(err, &failure);
}

static bool finish_parts(struct s3_stream *st, struct error *err)
{
	if (st->filling && !send_part(st, err))
		return false;
	wait_for_parts(st);
	s3_client_lock(store(st)->client);

	bool good = still_good(st, err);

	s3_client_unlock(store(st)->client);
	return good && complete(st, err);
}

/* Uploads of this key other than `except`: a repeated Initiate leaves one behind. */
static void abort_uploads(struct s3_stream *st, const char *except)
{
	struct storage_upload *u = NULL;
	size_t n = 0;

	if (!s3_list_uploads(store(st), st->key, true, &u, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		if (strcmp(u[i].key, st->key) == 0 && (!except || strcmp(u[i].upload_id, except) != 0))
			s3_abort_upload(store(st), u[i].key, u[i].upload_id, NULL);
	s3_uploads_free(u, n);
}

static void stream_free(struct s3_stream *st)
{
	struct s3_storage *s = store(st);

	s3_client_lock(s->client);
	if (st->filling)
		give_back(s, st->filling);
	s->n_streams--;
	s3_client_unlock(s->client);
	while (st->parts) {
		struct part *p = st->parts;

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
		abort_uploads(st, st->upload_id);
	stream_free(st);
	return true;
}

void s3_stream_abort(struct storage_stream *base)
{
	struct s3_stream *st = (struct s3_stream *)base;

	/* parts that arrive after the abort would stay in the store, unseen and paid for */
	for (struct part *p = st->parts; p; p = p->next)
		s3_client_abort(store(st)->client, &p->request);
	wait_for_parts(st);
	if (st->upload_id)
		s3_abort_upload(store(st), st->key, st->upload_id, NULL);
	if (st->begun_twice)
		abort_uploads(st, NULL);
	stream_free(st);
}
