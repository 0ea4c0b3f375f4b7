/* SPDX-License-Identifier: PostgreSQL */
#include "s3_xml.h"

#include <expat.h>
#include <limits.h>

enum { MAX_DEPTH = 12, MAX_TEXT = 65536, MAX_ITEMS = 100000, MAX_PATH = 1024 };

struct field {
	const char *path; /* below the root */
	size_t offset;
};

static const struct field document_fields[] = {
	{ "Code", offsetof(struct s3_xml, code) },
	{ "Message", offsetof(struct s3_xml, message) },
	{ "Region", offsetof(struct s3_xml, region) },
	{ "Endpoint", offsetof(struct s3_xml, endpoint) },
	{ "Error/Code", offsetof(struct s3_xml, code) }, /* STS wraps it in ErrorResponse */
	{ "Error/Message", offsetof(struct s3_xml, message) },
	{ "UploadId", offsetof(struct s3_xml, upload_id) },
	{ "ETag", offsetof(struct s3_xml, etag) },
	{ "IsTruncated", offsetof(struct s3_xml, truncated) },
	{ "NextContinuationToken", offsetof(struct s3_xml, next_token) },
	{ "NextKeyMarker", offsetof(struct s3_xml, next_key) },
	{ "NextUploadIdMarker", offsetof(struct s3_xml, next_upload) },
#define STS(result, element, member) \
	{ result "/Credentials/" element, offsetof(struct s3_xml, member) }
	STS("AssumeRoleResult", "AccessKeyId", access_key_id),
	STS("AssumeRoleResult", "SecretAccessKey", secret_access_key),
	STS("AssumeRoleResult", "SessionToken", session_token),
	STS("AssumeRoleResult", "Expiration", expiration),
	STS("AssumeRoleWithWebIdentityResult", "AccessKeyId", access_key_id),
	STS("AssumeRoleWithWebIdentityResult", "SecretAccessKey", secret_access_key),
	STS("AssumeRoleWithWebIdentityResult", "SessionToken", session_token),
	STS("AssumeRoleWithWebIdentityResult", "Expiration", expiration),
#undef STS
	{ NULL, 0 },
};

static const struct field item_fields[] = {
	{ "Contents/Key", offsetof(struct s3_item, key) },
	{ "Contents/Size", offsetof(struct s3_item, size) },
	{ "Contents/LastModified", offsetof(struct s3_item, time) },
	{ "CommonPrefixes/Prefix", offsetof(struct s3_item, key) },
	{ "Upload/Key", offsetof(struct s3_item, key) },
	{ "Upload/UploadId", offsetof(struct s3_item, upload_id) },
	{ "Upload/Initiated", offsetof(struct s3_item, time) },
	{ "Error/Key", offsetof(struct s3_item, key) },
	{ "Error/Code", offsetof(struct s3_item, code) },
	{ "Error/Message", offsetof(struct s3_item, message) },
	{ NULL, 0 },
};

static const struct {
	const char *root, *path;
	enum s3_item_kind kind;
} item_starts[] = {
	{ "ListBucketResult", "Contents", S3_ITEM_OBJECT },
	{ "ListBucketResult", "CommonPrefixes", S3_ITEM_FOLDER },
	{ "ListMultipartUploadsResult", "Upload", S3_ITEM_UPLOAD },
	{ "DeleteResult", "Error", S3_ITEM_FAILURE },
};

struct reader {
	XML_Parser parser;
	struct s3_xml *doc;
	struct strbuf path; /* "Contents/Key": the open elements below the root */
	struct strbuf text;
	unsigned depth;
	bool in_item;
	const char *refused; /* why the parser was stopped */
};

static void refuse(struct reader *r, const char *why)
{
	r->refused = why;
	XML_StopParser(r->parser, XML_FALSE);
}

static void begin_item(struct reader *r)
{
	for (size_t i = 0; i < sizeof(item_starts) / sizeof(item_starts[0]); i++) {
		if (strcmp(r->doc->root, item_starts[i].root) != 0 ||
			strcmp(r->path.buf, item_starts[i].path) != 0)
			continue;
		if (r->doc->items.len == MAX_ITEMS) {
			refuse(r, "too many items");
			return;
		}
		vec_push(&r->doc->items)->kind = item_starts[i].kind;
		r->in_item = true;
	}
}

static void on_start(void *data, const char *name, const char **attributes)
{
	struct reader *r = data;
	const char *colon = strrchr(name, ':');

	(void)attributes;
	if (colon)
		name = colon + 1;
	strbuf_reset(&r->text);
	if (r->depth++ == 0) {
		r->doc->root = xstrndup(name, MAX_PATH);
		return;
	}
	if (r->path.len)
		strbuf_addch(&r->path, '/');
	if (r->depth > MAX_DEPTH || !strbuf_add_bounded(&r->path, name, strlen(name), MAX_PATH)) {
		refuse(r, "nested too deeply");
		return;
	}
	if (!r->in_item)
		begin_item(r);
}

static void on_text(void *data, const char *text, int len)
{
	struct reader *r = data;

	if (!strbuf_add_bounded(&r->text, text, (size_t)len, MAX_TEXT))
		refuse(r, "a text is too long");
}

static void set_field(const struct field *fields, void *record, const struct reader *r)
{
	for (; fields->path; fields++) {
		if (strcmp(fields->path, r->path.buf) != 0)
			continue;

		char **member = (char **)((char *)record + fields->offset);

		if (!*member)
			*member = xstrdup(r->text.buf);
		return;
	}
}

static void on_end(void *data, const char *name)
{
	struct reader *r = data;

	(void)name;
	if (--r->depth == 0)
		return;
	if (r->in_item)
		set_field(item_fields, &r->doc->items.items[r->doc->items.len - 1], r);
	else
		set_field(document_fields, r->doc, r);
	strbuf_reset(&r->text);

	char *slash = strrchr(r->path.buf, '/');

	if (r->depth == 1)
		r->in_item = false;
	strbuf_setlen(&r->path, slash ? (size_t)(slash - r->path.buf) : 0);
}

static void on_doctype(void *data, const char *name, const char *system_id, const char *public_id,
	int has_internal_subset)
{
	(void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
	refuse(data, "it has a DOCTYPE");
}

static bool run(struct reader *r, const char *text, size_t len, struct error *err)
{
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	if (len <= INT_MAX && XML_Parse(r->parser, text, (int)len, 1) == XML_STATUS_OK)
		return true;
	return error_set(err, EXIT_DAMAGED, "the answer is not the XML that S3 sends: %s",
		r->refused ? r->refused : XML_ErrorString(XML_GetErrorCode(r->parser)));
}

bool s3_xml_parse(const char *text, size_t len, struct s3_xml *ret, struct error *err)
{
	struct reader r = {
		.parser = XML_ParserCreate(NULL),
		.doc = ret,
		.path = STRBUF_INIT,
		.text = STRBUF_INIT,
	};

	if (!r.parser)
		BUG("expat has no memory");
	while (len && strchr(" \t\r\n", *text)) {
		text++;
		len--;
	}
	*ret = (struct s3_xml){ 0 };

	bool ok = run(&r, text, len, err);

	XML_ParserFree(r.parser);
	strbuf_release(&r.path);
	strbuf_release(&r.text);
	if (!ok)
		s3_xml_release(ret);
	return ok;
}

void s3_xml_release(struct s3_xml *x)
{
	for (const struct field *f = document_fields; f->path; f++) {
		char **member = (char **)((char *)x + f->offset);

		free(*member);
		*member = NULL;
	}
	for (size_t i = 0; i < x->items.len; i++)
		for (const struct field *f = item_fields; f->path; f++) {
			char **member = (char **)((char *)&x->items.items[i] + f->offset);

			free(*member);
			*member = NULL;
		}
	vec_release(&x->items);
	free(x->root);
	*x = (struct s3_xml){ 0 };
}

void s3_xml_escape(const char *text, struct strbuf *out)
{
	for (; *text; text++) {
		const char *special = strchr("&<>\"'", *text);

		if (special)
			strbuf_addf(out, "&#%d;", *text);
		else
			strbuf_addch(out, *text);
	}
}
