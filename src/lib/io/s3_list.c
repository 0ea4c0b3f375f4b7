/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_list.c - what is in the bucket: objects, uploads, and their removal in batches.
 */
#include "s3_storage.h"

#include <errno.h>
#include "clock.h"
#include "s3_xml.h"
#include "storage_key.h"

enum { DELETE_BATCH = 1000 };

/* Who lists or removes after a stop request cleans up after himself: that is let through, for the 10
 * seconds that last rites have. What was under way at the request is not. */
static bool cleaning_up(const struct s3_storage *s)
{
	return !s3_client_alive(s->client, NULL);
}

/* Runs r and reads its answer, whose root must be `root`. */
static bool run_xml(struct s3_storage *s, struct s3_request *r, const char *root, struct s3_xml *ret,
	struct error *err)
{
	if (!s3_client_run(s->client, r, err) ||
		!s3_xml_parse(r->reply.body.buf, r->reply.body.len, ret, err))
		return false;
	return strcmp(ret->root, root) == 0 ||
	       error_set(err, EXIT_DAMAGED, "S3 answered <%s> where <%s> belongs", ret->root, root);
}

static bool parse_size(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = text ? strtoll(text, &end, 10) : -1;
	return text && *text && !*end && !errno && *ret >= 0;
}

static bool add_item(const struct s3_storage *s, const struct s3_item *item,
	struct storage_listing *ret, struct error *err)
{
	size_t skip = strlen(s->prefix);
	int64_t size = -1, time = 0;

	if (!item->key || strncmp(item->key, s->prefix, skip) != 0)
		return error_set(err, EXIT_DAMAGED, "S3 listed a key that was not asked for");
	if (item->kind == S3_ITEM_OBJECT && !parse_size(item->size, &size))
		return error_set(err, EXIT_DAMAGED, "S3 listed \"%s\" without a size", item->key);
	if (item->time && !clock_parse_utc(item->time, &time))
		time = 0;
	/* "folder/" objects, which consoles make, and other people's keys that are none of ours */
	if (!storage_prefix_check(item->key + skip, NULL) ||
		(item->kind == S3_ITEM_OBJECT && !storage_key_check(item->key + skip, NULL)))
		return true;

	struct storage_entry *e = vec_push(ret);

	*e = (struct storage_entry){ xstrdup(item->key + skip), size, time };
	return true;
}

/* One page; *token becomes the next one's, or NULL. */
static bool list_page(struct s3_storage *s, const char *prefix, bool delimiter, bool last_rites,
	char **token, struct storage_listing *ret, struct error *err)
{
	_cleanup_s3_xml_ struct s3_xml x = { 0 };
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "GET",
		.last_rites = last_rites,
	};
	autofree char *last = steal(*token);

	s3_request_query(&r, "list-type", "2");
	s3_request_query(&r, "prefix", prefix);
	if (delimiter)
		s3_request_query(&r, "delimiter", "/");
	if (last)
		s3_request_query(&r, "continuation-token", last);
	if (!run_xml(s, &r, "ListBucketResult", &x, err))
		return false;
	for (size_t i = 0; i < x.items.len; i++)
		if (!add_item(s, &x.items.items[i], ret, err))
			return false;
	if (!x.truncated || strcmp(x.truncated, "true") != 0)
		return true;
	if (!x.next_token || (last && strcmp(last, x.next_token) == 0))
		return error_set(err, EXIT_DAMAGED, "S3 cut its list short without saying how to go on");
	*token = steal(x.next_token);
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct storage_entry *x = a, *y = b;

	return strcmp(x->key, y->key);
}

bool s3_list(struct storage *base, const char *prefix, bool delimiter, struct storage_listing *ret,
	struct error *err)
{
	struct s3_storage *s = s3_of(base);
	autofree char *full = s3_full_key(s, prefix);
	autofree char *token = NULL;
	bool last_rites = cleaning_up(s);

	do {
		if (!list_page(s, full, delimiter, last_rites, &token, ret, err))
			return false;
	} while (token);
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), by_key);
	return true;
}

static bool remove_one(struct s3_storage *s, const char *key, bool last_rites, struct error *err)
{
	_cleanup_error_ struct error failure = ERROR_INIT;
	autofree char *full = s3_full_key(s, key);
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "DELETE",
		.key = full,
		.last_rites = last_rites,
	};

	if (s3_client_run(s->client, &r, &failure) || (r.code && strcmp(r.code, "NoSuchKey") == 0))
		return true;
	return error_move(err, &failure);
}

static char *delete_document(const struct s3_storage *s, const char *const *keys, size_t n)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "<Delete><Quiet>true</Quiet>");
	for (size_t i = 0; i < n; i++) {
		autofree char *full = s3_full_key(s, keys[i]);

		strbuf_adds(&sb, "<Object><Key>");
		s3_xml_escape(full, &sb);
		strbuf_adds(&sb, "</Key></Object>");
	}
	strbuf_adds(&sb, "</Delete>");
	return strbuf_detach(&sb);
}

static bool check_deleted(const struct s3_xml *x, struct error *err)
{
	for (size_t i = 0; i < x->items.len; i++) {
		const struct s3_item *f = &x->items.items[i];
		bool denied = f->code && strcmp(f->code, "AccessDenied") == 0;

		if (f->code && strcmp(f->code, "NoSuchKey") == 0)
			continue;
		error_set(err, denied ? EXIT_PERMISSION : EXIT_REFUSED, "S3 did not remove \"%s\": %s",
			f->key ? f->key : "?", f->code ? f->code : "no reason given");
		return denied ? error_hint(err, "The keys need s3:DeleteObject on the objects.") : false;
	}
	return true;
}

/* *single is set when the store has no batches. */
static bool remove_batch(struct s3_storage *s, const char *const *keys, size_t n, bool last_rites,
	bool *single, struct error *err)
{
	_cleanup_s3_xml_ struct s3_xml x = { 0 };
	_cleanup_error_ struct error failure = ERROR_INIT;
	autofree char *body = delete_document(s, keys, n);
	autofree char *md5 = s3_content_md5(body, strlen(body));
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "POST",
		.body = body,
		.body_len = strlen(body),
		.error_in_200 = true,
		.slow_answer = true,
		.last_rites = last_rites,
	};

	s3_request_query(&r, "delete", "");
	s3_request_header(&r, "content-type", "application/xml");
	if (md5)
		s3_request_header(&r, "content-md5", md5);
	if (run_xml(s, &r, "DeleteResult", &x, &failure))
		return check_deleted(&x, err);
	*single = r.reply.status == 501 || r.reply.status == 405;
	return *single || error_move(err, &failure);
}

bool s3_remove(struct storage *base, const char *const *keys, size_t n, struct error *err)
{
	struct s3_storage *s = s3_of(base);
	bool single = n == 1, last_rites = cleaning_up(s);

	for (size_t i = 0; i < n && !single; i += DELETE_BATCH) {
		size_t batch = n - i < DELETE_BATCH ? n - i : DELETE_BATCH;

		if (!remove_batch(s, keys + i, batch, last_rites, &single, err))
			return false;
	}
	for (size_t i = 0; i < n && single; i++)
		if (!remove_one(s, keys[i], last_rites, err))
			return false;
	return true;
}

bool s3_abort_upload(
	struct s3_storage *s, const char *full_key, const char *upload_id, struct error *err)
{
	_cleanup_error_ struct error failure = ERROR_INIT;
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "DELETE",
		.key = full_key,
		.last_rites = true,
	};

	s3_request_query(&r, "uploadId", upload_id);
	if (s3_client_run(s->client, &r, &failure) || failure.code == EXIT_NOT_FOUND)
		return true;
	return error_move(err, &failure);
}

void s3_uploads_free(struct storage_upload *u, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(u[i].key);
		free(u[i].upload_id);
	}
	free(u);
}

struct uploads {
	struct storage_upload *items;
	size_t len, alloc;
};

static bool uploads_page(struct s3_storage *s, const char *prefix, bool last_rites,
	struct s3_xml *page, struct uploads *ret, struct error *err)
{
	_cleanup_s3_xml_ struct s3_xml last = *page;
	_cleanup_s3_request_ struct s3_request r = {
		S3_REQUEST_INIT,
		.method = "GET",
		.last_rites = last_rites,
	};

	*page = (struct s3_xml){ 0 };
	s3_request_query(&r, "uploads", "");
	s3_request_query(&r, "prefix", prefix);
	if (last.next_key)
		s3_request_query(&r, "key-marker", last.next_key);
	if (last.next_upload)
		s3_request_query(&r, "upload-id-marker", last.next_upload);
	if (!run_xml(s, &r, "ListMultipartUploadsResult", page, err))
		return false;
	for (size_t i = 0; i < page->items.len; i++) {
		const struct s3_item *item = &page->items.items[i];
		int64_t started = 0;

		if (!item->key || !item->upload_id)
			return error_set(err, EXIT_DAMAGED, "S3 listed an upload without key or id");
		if (strncmp(item->key, prefix, strlen(prefix)) != 0)
			continue; /* a store that does not know the parameter lists them all */
		if (!item->time || !clock_parse_utc(item->time, &started))
			started = 0;

		struct storage_upload *u = vec_push(ret);

		*u = (struct storage_upload){ xstrdup(item->key), xstrdup(item->upload_id), started };
	}
	return true;
}

static bool more_uploads(const struct s3_xml *page)
{
	return page->truncated && strcmp(page->truncated, "true") == 0 && page->next_key &&
	       page->items.len;
}

bool s3_list_uploads(struct s3_storage *s, const char *full_prefix, bool last_rites,
	struct storage_upload **ret, size_t *n, struct error *err)
{
	struct uploads all = { 0 };
	_cleanup_s3_xml_ struct s3_xml page = { 0 };

	do {
		if (!uploads_page(s, full_prefix, last_rites, &page, &all, err)) {
			s3_uploads_free(all.items, all.len);
			return false;
		}
	} while (more_uploads(&page));
	*ret = all.items;
	*n = all.len;
	return true;
}

bool s3_uploads(struct storage *base, const char *prefix, struct storage_upload **ret, size_t *n,
	struct error *err)
{
	struct s3_storage *s = s3_of(base);
	autofree char *full = s3_full_key(s, prefix);

	if (!s3_list_uploads(s, full, false, ret, n, err))
		return false;
	for (size_t i = 0; i < *n; i++) {
		char *key = (*ret)[i].key;

		memmove(key, key + strlen(s->prefix), strlen(key) - strlen(s->prefix) + 1);
	}
	return true;
}

bool s3_upload_abort(struct storage *base, const struct storage_upload *u, struct error *err)
{
	autofree char *full = s3_full_key(s3_of(base), u->key);

	return s3_abort_upload(s3_of(base), full, u->upload_id, err);
}
