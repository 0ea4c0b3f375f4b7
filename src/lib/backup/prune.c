/* SPDX-License-Identifier: PostgreSQL */
#include "prune.h"

#include "clock.h"
#include "xalloc.h"

const char *const prune_action_names[] = { "keep", "delete", "sweep", "abort upload", "skip" };

static struct prune_item *add_item(struct prune_plan *p, enum prune_action action, const struct backup_entry *e,
	int64_t time, char *reason)
{
	struct prune_item *item = vec_push(p);

	*item = (struct prune_item){ .action = action, .entry = e, .time = time, .reason = reason };
	return item;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_series(const struct manifest *x, const struct manifest *y)
{
	int r = strcmp(x->database, y->database);

	r = r ? r : compare_text(x->label, y->label);
	return r ? r : strcmp(x->system_identifier, y->system_identifier);
}

static int by_series(const void *a, const void *b)
{
	return compare_series(&(*(const struct backup_entry *const *)a)->manifest,
		&(*(const struct backup_entry *const *)b)->manifest);
}

static bool is_wanted(const struct prune_options *o, const struct backup_entry *e)
{
	const struct manifest *m = &e->manifest;

	return e->complete && (!o->database || strcmp(o->database, m->database) == 0) &&
	       (!o->label || compare_text(o->label, m->label) == 0) &&
	       (!o->system_identifier || strcmp(o->system_identifier, m->system_identifier) == 0);
}

static void judge_series(struct prune_plan *p, const struct prune_options *o, const struct backup_entry **entries,
	size_t n, int64_t now)
{
	autofree struct retention_item *items = xcalloc(n, sizeof(*items));

	for (size_t i = 0; i < n; i++)
		items[i] = (struct retention_item){ .time = entries[i]->manifest.snapshot_at,
			.data = (void *)(uintptr_t)entries[i] };
	retention_apply(&o->policy, items, n, now);
	for (size_t i = 0; i < n; i++)
		add_item(p, items[i].keep ? PRUNE_KEEP : PRUNE_DELETE, items[i].data, items[i].time, items[i].reason);
}

static void judge_complete(struct prune_plan *p, const struct prune_options *o, int64_t now)
{
	VEC(const struct backup_entry *) list = { 0 };
	size_t from = 0;

	for (size_t i = 0; i < p->catalog.len; i++) {
		const struct backup_entry *e = &p->catalog.items[i];

		if (!is_wanted(o, e))
			continue;
		/* its rows may be nowhere else */
		if (manifest_is_partition(&e->manifest))
			add_item(p, PRUNE_KEEP, e, e->manifest.snapshot_at, xstrdup("archive of a partition: never pruned"));
		else
			*vec_push(&list) = e;
	}
	if (list.len)
		qsort(list.items, list.len, sizeof(*list.items), by_series);
	for (size_t i = 1; i <= list.len; i++) {
		if (i < list.len && compare_series(&list.items[i]->manifest, &list.items[from]->manifest) == 0)
			continue;
		judge_series(p, o, list.items + from, i - from, now);
		from = i;
	}
	vec_release(&list);
}

struct uploads {
	struct storage_upload *items;
	size_t len;
};

static void uploads_release(struct uploads *u)
{
	for (size_t i = 0; i < u->len; i++) {
		free(u->items[i].key);
		free(u->items[i].upload_id);
	}
	free(u->items);
}
#define _cleanup_uploads_ _cleanup_(uploads_release)

/* A folder without a manifest: dead when nothing in it is younger than the lease, uploads that are
 * not finished yet included (they are no objects). */
static bool judge_incomplete(struct storage *s, struct prune_plan *p, const struct prune_options *o,
	const struct backup_entry *e, const struct uploads *uploads, int64_t now, struct error *err)
{
	_cleanup_listing_ struct storage_listing keys = { 0 };
	int64_t newest = 0;

	if (!e->unfinished) {
		add_item(p, PRUNE_SKIP, e, 0, xstrdup(e->problem));
		return true;
	}
	if (!storage_list(s, e->prefix, false, &keys, err))
		return false;
	for (size_t i = 0; i < keys.len; i++)
		newest = keys.items[i].mtime > newest ? keys.items[i].mtime : newest;
	for (size_t i = 0; i < uploads->len; i++)
		if (strncmp(uploads->items[i].key, e->prefix, strlen(e->prefix)) == 0 && uploads->items[i].started > newest)
			newest = uploads->items[i].started;
	if (!newest)
		repo_id_time(e->id, &newest); /* a store without times: the id has one */
	if (newest > now - o->lease_ms * 1000)
		add_item(p, PRUNE_SKIP, e, newest, xstrdup("incomplete, perhaps still being written"));
	else
		add_item(p, PRUNE_SWEEP, e, newest, xstrdup("incomplete and older than the lease"));
	return true;
}

/* "<series>/<id>/…" with an id of ours: nobody else's upload is touched. */
static bool is_own_key(const char *key)
{
	const char *slash = strchr(key, '/'), *end = slash ? strchr(slash + 1, '/') : NULL;
	autofree char *id = end ? xstrndup(slash + 1, (size_t)(end - slash - 1)) : NULL;
	int64_t ignored;

	return id && repo_id_time(id, &ignored);
}

static void judge_uploads(struct prune_plan *p, const struct prune_options *o, struct uploads *uploads, int64_t now)
{
	for (size_t i = 0; i < uploads->len; i++) {
		struct storage_upload *u = &uploads->items[i];
		struct prune_item *item;

		if (!is_own_key(u->key) || u->started > now - o->lease_ms * 1000)
			continue;
		item = add_item(p, PRUNE_ABORT, NULL, u->started, xstrdup("multipart upload older than the lease"));
		item->key = steal(u->key);
		item->upload_id = steal(u->upload_id);
	}
}

static bool judge_leftovers(struct storage *s, struct prune_plan *p, const struct prune_options *o, int64_t now,
	struct error *err)
{
	_cleanup_uploads_ struct uploads uploads = { 0 };

	if (s->ops->uploads && !s->ops->uploads(s, "", &uploads.items, &uploads.len, err))
		return false;
	for (size_t i = 0; i < p->catalog.len; i++)
		if (!p->catalog.items[i].complete &&
			!judge_incomplete(s, p, o, &p->catalog.items[i], &uploads, now, err))
			return false;
	judge_uploads(p, o, &uploads, now);
	return true;
}

bool prune_make(struct storage *s, const struct prune_options *o, struct prune_plan *ret, struct error *err)
{
	int64_t now = clock_now_us();

	*ret = (struct prune_plan){ 0 };
	if (retention_is_empty(&o->policy)) {
		error_set(err, EXIT_USAGE, "the retention policy is empty");
		return error_hint(err, "Give at least one rule, for example --keep-daily 7 --keep-weekly 4 --keep-monthly 12.");
	}
	if (!catalog_load(s, &ret->catalog, err))
		return false;
	judge_complete(ret, o, now);
	return !o->sweep || judge_leftovers(s, ret, o, now, err);
}

static bool apply_item(struct storage *s, struct prune_item *item, struct error *err)
{
	const struct storage_upload upload = { .key = item->key, .upload_id = item->upload_id };

	switch (item->action) {
	case PRUNE_DELETE:
	case PRUNE_SWEEP:
		item->done = backup_remove(s, item->entry->prefix, err);
		return item->done || error_prefix(err, "cannot remove backup \"%s\"", item->entry->id);
	case PRUNE_ABORT:
		item->done = s->ops->upload_abort(s, &upload, err);
		return item->done || error_prefix(err, "cannot abort the upload of \"%s\"", item->key);
	case PRUNE_KEEP:
	case PRUNE_SKIP:
		break;
	}
	return true;
}

bool prune_apply(struct storage *s, struct prune_plan *plan, struct log *log, const struct cancel *cancel,
	struct error *err)
{
	_cleanup_error_ struct error first = ERROR_INIT;

	for (size_t i = 0; i < plan->len; i++) {
		struct prune_item *item = &plan->items[i];
		_cleanup_error_ struct error failed = ERROR_INIT;

		if (!cancel_check(cancel, err))
			return false;
		/* one that cannot go must not keep the others */
		if (!apply_item(s, item, &failed)) {
			log_warning(log, "prune.failed", "%s", failed.message);
			if (!error_is_set(&first))
				error_move(&first, &failed);
		}
		if (item->done)
			log_info(log, "prune.removed", "removed %s: %s", item->entry ? item->entry->id : item->key,
				item->reason);
	}
	return !error_is_set(&first) || error_move(err, &first);
}

void prune_release(struct prune_plan *p)
{
	for (size_t i = 0; i < p->len; i++) {
		free(p->items[i].key);
		free(p->items[i].upload_id);
		free(p->items[i].reason);
	}
	free(p->items);
	catalog_release(&p->catalog);
	*p = (struct prune_plan){ 0 };
}
