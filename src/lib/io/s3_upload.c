/* SPDX-License-Identifier: PostgreSQL */
#include "s3_upload.h"

#include "s3_xml.h"

bool s3_upload_begin(struct s3_stream *st, struct error *err)
{
	struct s3_storage *s = s3_stream_store(st);
	_cleanup_s3_xml_ struct s3_xml x = { 0 };
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "POST",
		.key = st->key,
		.body = "",
		.only_once = true, /* so that a second upload is not begun unseen */
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

/* <CompleteMultipartUpload>, parts in ascending order. */
static bool complete_document(struct s3_stream *st, struct strbuf *out, struct error *err)
{
	struct s3_part *p = st->parts, *ascending = NULL;

	while (p) {
		struct s3_part *next = p->next;

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
	return s3_head(s3_stream_store(st), st->key, &e, &tag, NULL) && e.size == (int64_t)st->base.bytes &&
	       (!tag || strcmp(tag, st->tag) == 0);
}

bool s3_upload_complete(struct s3_stream *st, struct error *err)
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
	if (s3_client_run(s3_stream_store(st)->client, &r, &failure)) {
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

void s3_upload_abort_others(struct s3_stream *st, const char *except)
{
	struct storage_upload *u = NULL;
	size_t n = 0;

	if (!s3_list_uploads(s3_stream_store(st), st->key, true, &u, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		if (strcmp(u[i].key, st->key) == 0 && (!except || strcmp(u[i].upload_id, except) != 0))
			s3_abort_upload(s3_stream_store(st), u[i].key, u[i].upload_id, NULL);
	s3_uploads_free(u, n);
}
