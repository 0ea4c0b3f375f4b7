/* SPDX-License-Identifier: PostgreSQL */
#include "storage.h"

#include <string.h>
#include "storage_key.h"

static bool segment_ok(const char *s, size_t len)
{
	return len > 0 && !(len == 1 && s[0] == '.') && !(len == 2 && s[0] == '.' && s[1] == '.');
}

bool storage_key_check(const char *key, struct error *err)
{
	for (const char *s = key;;) {
		size_t len = strcspn(s, "/");

		if (!segment_ok(s, len))
			return error_set(err, EXIT_BUG, "\"%s\" is not a storage key", key);
		if (!s[len])
			return true;
		s += len + 1;
	}
}

bool storage_prefix_check(const char *prefix, struct error *err)
{
	size_t len = strlen(prefix);

	if (!len)
		return true;

	autofree char *key = xstrndup(prefix, prefix[len - 1] == '/' ? len - 1 : len);

	return storage_key_check(key, err);
}

/* Returns ok; a failure gets the storage's URL before its detail. */
static bool done(const struct storage *s, bool ok, struct error *err)
{
	if (ok || !err || !err->message)
		return ok;
	if (!err->detail)
		return error_detail(err, "%s", s->url);

	autofree char *detail = steal(err->detail);

	return error_detail(err, "%s: %s", s->url, detail);
}

bool storage_put(struct storage *s, const char *key, const void *data, size_t len, struct error *err)
{
	return done(s, storage_key_check(key, err) && s->ops->put(s, key, data, len, err), err);
}

bool storage_stream_open(
	struct storage *s, const char *key, struct storage_stream **ret, struct error *err)
{
	return done(s, storage_key_check(key, err) && s->ops->stream_open(s, key, ret, err), err);
}

bool storage_stream_append(struct storage_stream *st, const void *data, size_t len, struct error *err)
{
	return done(st->storage, st->storage->ops->stream_append(st, data, len, err), err);
}

bool storage_stream_commit(struct storage_stream *st, struct error *err)
{
	struct storage *s = st->storage; /* the stream is gone after the call */

	return done(s, s->ops->stream_commit(st, err), err);
}

void storage_stream_abort(struct storage_stream *st)
{
	if (st)
		st->storage->ops->stream_abort(st);
}

bool storage_get(struct storage *s, const char *key, uint64_t offset, size_t len, struct strbuf *ret,
	struct error *err)
{
	return done(s, storage_key_check(key, err) && s->ops->get(s, key, offset, len, len, ret, err),
		err);
}

bool storage_get_all(
	struct storage *s, const char *key, size_t limit, struct strbuf *ret, struct error *err)
{
	return done(s,
		storage_key_check(key, err) && s->ops->get(s, key, 0, SIZE_MAX, limit, ret, err), err);
}

bool storage_list(struct storage *s, const char *prefix, bool delimiter, struct storage_listing *ret,
	struct error *err)
{
	return done(s, storage_prefix_check(prefix, err) && s->ops->list(s, prefix, delimiter, ret, err),
		err);
}

bool storage_remove(struct storage *s, const char *const *keys, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!storage_key_check(keys[i], err))
			return done(s, false, err);
	return done(s, s->ops->remove(s, keys, n, err), err);
}

bool storage_stat(struct storage *s, const char *key, struct storage_entry *ret, struct error *err)
{
	return done(s, storage_key_check(key, err) && s->ops->stat(s, key, ret, err), err);
}

void storage_close(struct storage *s)
{
	if (s)
		s->ops->close(s);
}

void storage_listing_release(struct storage_listing *l)
{
	for (size_t i = 0; i < l->len; i++)
		free(l->items[i].key);
	vec_release(l);
}
