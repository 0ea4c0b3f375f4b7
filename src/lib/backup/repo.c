/* SPDX-License-Identifier: PostgreSQL */
#include "repo.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include "clock.h"
#include "codec.h"
#include "xalloc.h"

#define ID_TIME_LEN 16 /* 20261120T203616Z */
#define VERIFIED_MAX_BYTES 65536
#define CHECK_CHUNK_BYTES  (4 << 20)

char *repo_series(const char *database)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	/* a leading dot would hide the folder or be ".." */
	if (database[0] == '.') {
		strbuf_adds(&sb, "%2E");
		database++;
	}
	strbuf_add_percent(&sb, database, "");
	return strbuf_detach(&sb);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

char *repo_database(const char *series)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (const char *p = series; *p; p++) {
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		strbuf_addch(&sb, low >= 0 ? (char)(high << 4 | low) : *p);
		p += low >= 0 ? 2 : 0;
	}
	return strbuf_detach(&sb);
}

char *repo_new_id(int64_t now_us)
{
	time_t t = (time_t)(now_us / 1000000);
	uint16_t random = (uint16_t)now_us;
	struct tm tm;

	gmtime_r(&t, &tm);
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint16_t)getpid();
	/* microseconds first, so that two of one second sort by time, too */
	return xasprintf("%04d%02d%02dT%02d%02d%02dZ-%05x%04x", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		tm.tm_min, tm.tm_sec, (unsigned)(now_us % 1000000), random);
}

/* n digits from s. */
static int digits(const char *s, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++)
		value = value * 10 + (s[i] - '0');
	return value;
}

bool repo_id_time(const char *id, int64_t *ret_us)
{
	struct tm tm = { 0 };

	if (strlen(id) < ID_TIME_LEN + 2 || id[ID_TIME_LEN] != '-' ||
		strspn(id + ID_TIME_LEN + 1, "0123456789abcdef") != strlen(id) - ID_TIME_LEN - 1)
		return false;
	for (int i = 0; i < ID_TIME_LEN; i++)
		if (i == 8 ? id[i] != 'T' : i == 15 ? id[i] != 'Z' : !isdigit((unsigned char)id[i]))
			return false;
	tm.tm_year = digits(id, 4) - 1900;
	tm.tm_mon = digits(id + 4, 2) - 1;
	tm.tm_mday = digits(id + 6, 2);
	tm.tm_hour = digits(id + 9, 2);
	tm.tm_min = digits(id + 11, 2);
	tm.tm_sec = digits(id + 13, 2);

	struct tm same = tm; /* timegm carries a thirteenth month over: then it was no date */

	*ret_us = (int64_t)timegm(&same) * 1000000;
	return same.tm_mon == tm.tm_mon && same.tm_mday == tm.tm_mday && same.tm_hour == tm.tm_hour &&
	       same.tm_min == tm.tm_min && same.tm_sec == tm.tm_sec;
}

char *repo_prefix(const char *database, const char *id)
{
	autofree char *series = repo_series(database);

	return xasprintf("%s/%s/", series, id);
}

void backup_entry_release(struct backup_entry *e)
{
	free(e->id);
	free(e->series);
	free(e->prefix);
	free(e->problem);
	manifest_release(&e->manifest);
	*e = (struct backup_entry){ 0 };
}

void catalog_release(struct catalog *c)
{
	for (size_t i = 0; i < c->len; i++)
		backup_entry_release(&c->items[i]);
	free(c->items);
	*c = (struct catalog){ 0 };
}

char *backup_key(const struct backup_entry *e, const char *name)
{
	return xasprintf("%s%s", e->prefix, name);
}

/* Reads the manifest. Missing or damaged is not an error here: the backup is incomplete then. */
static bool load_manifest(struct storage *s, struct backup_entry *e, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_error_ struct error problem = ERROR_INIT;
	autofree char *key = backup_key(e, MANIFEST_NAME);

	e->complete = storage_get_all(s, key, MANIFEST_MAX_BYTES, &text, &problem) &&
		      manifest_parse(text.buf, text.len, &e->manifest, &problem);
	if (e->complete)
		return true;
	if (problem.code == EXIT_NOT_FOUND) {
		e->unfinished = true;
		e->problem = xstrdup("no manifest: the run did not finish");
		return true;
	}
	if (problem.code == EXIT_DAMAGED || problem.code == EXIT_REFUSED) {
		e->problem = xasprintf("%s%s%s", problem.message, problem.detail ? ": " : "",
			problem.detail ? problem.detail : "");
		return true;
	}
	return error_move(err, &problem);
}

static bool load_verification(struct storage *s, struct backup_entry *e, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_error_ struct error problem = ERROR_INIT;
	autofree char *key = backup_key(e, VERIFIED_NAME);

	if (storage_get_all(s, key, VERIFIED_MAX_BYTES, &text, &problem)) {
		verification_parse(text.buf, text.len, &e->verified);
		return true;
	}
	return problem.code == EXIT_NOT_FOUND || error_move(err, &problem);
}

/* Keeps what a list shows: thousands of tables times hundreds of backups would not fit. */
static void drop_tables(struct manifest *m)
{
	struct manifest lists = { .tables = m->tables, .large_objects = m->large_objects };

	memset(&m->tables, 0, sizeof(m->tables));
	memset(&m->large_objects, 0, sizeof(m->large_objects));
	manifest_release(&lists);
}

/* "<series>/<id>/" -> entry. */
static void fill_entry(struct backup_entry *e, const char *key)
{
	const char *slash = strchr(key, '/');

	e->series = xstrndup(key, (size_t)(slash - key));
	e->id = xstrndup(slash + 1, strlen(slash + 1) - 1);
	e->prefix = xstrdup(key);
}

static bool is_partial(const char *id)
{
	size_t n = strlen(id), m = strlen(PARTIAL_SUFFIX);

	return n > m && strcmp(id + n - m, PARTIAL_SUFFIX) == 0;
}

/* A folder of ours has an id for a name, with or without the suffix. */
static bool is_backup_folder(const char *id)
{
	autofree char *bare = is_partial(id) ? xstrndup(id, strlen(id) - strlen(PARTIAL_SUFFIX)) : xstrdup(id);
	int64_t ignored;

	return repo_id_time(bare, &ignored);
}

static bool add_series(struct storage *s, const char *series, struct catalog *ret, struct error *err)
{
	_cleanup_listing_ struct storage_listing folders = { 0 };

	if (!storage_list(s, series, true, &folders, err))
		return false;
	for (size_t i = 0; i < folders.len; i++) {
		struct backup_entry e = { 0 };

		if (folders.items[i].size >= 0)
			continue;
		fill_entry(&e, folders.items[i].key);
		if (is_backup_folder(e.id))
			*vec_push(ret) = e;
		else
			backup_entry_release(&e);
	}
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct backup_entry *x = a, *y = b;
	int r = strcmp(x->id, y->id);

	return r ? r : strcmp(x->series, y->series);
}

/* Names only. */
static bool catalog_scan(struct storage *s, struct catalog *ret, struct error *err)
{
	_cleanup_listing_ struct storage_listing series = { 0 };

	*ret = (struct catalog){ 0 };
	if (!storage_list(s, "", true, &series, err))
		return false;
	for (size_t i = 0; i < series.len; i++)
		if (series.items[i].size < 0 && !add_series(s, series.items[i].key, ret, err))
			return false;
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), by_id);
	return true;
}

static bool load_entry(struct storage *s, struct backup_entry *e, struct error *err)
{
	if (is_partial(e->id)) {
		e->unfinished = true;
		e->problem = xstrdup("the run did not finish");
		return true;
	}
	return load_manifest(s, e, err) && (!e->complete || load_verification(s, e, err));
}

bool catalog_load(struct storage *s, struct catalog *ret, struct error *err)
{
	if (!catalog_scan(s, ret, err))
		return false;
	for (size_t i = 0; i < ret->len; i++) {
		if (!load_entry(s, &ret->items[i], err))
			return false;
		drop_tables(&ret->items[i].manifest);
	}
	return true;
}

static bool not_found(struct storage *s, const char *operand, const struct catalog *c, struct error *err)
{
	bool latest = strcmp(operand, "latest") == 0;

	error_set(err, EXIT_NOT_FOUND, latest ? "there is no complete backup" : "there is no backup \"%s\"", operand);
	error_detail(err, "%s holds %zu backup folder%s.", s->url, c->len, c->len == 1 ? "" : "s");
	return error_hint(err, "See \"dbops list\"; --dir or --from say where to look.");
}

/* Moves entry i out of the catalog. */
static bool take_entry(struct storage *s, struct catalog *c, size_t i, struct backup_entry *ret, struct error *err)
{
	*ret = c->items[i];
	c->items[i] = (struct backup_entry){ 0 };
	if (!ret->complete && !ret->problem && !load_entry(s, ret, err))
		return false;
	if (ret->complete)
		return true;
	error_set(err, EXIT_DAMAGED, "backup \"%s\" is not complete", ret->id);
	return error_detail(err, "%s.", ret->problem);
}

/* "latest" of what? Two databases in one repository must not stand for each other. */
static bool one_series(const struct catalog *c, struct error *err)
{
	for (size_t i = 1; i < c->len; i++) {
		autofree char *a = repo_database(c->items[0].series), *b = repo_database(c->items[i].series);

		if (strcmp(a, b) == 0)
			continue;
		error_set(err, EXIT_USAGE, "\"latest\" is not clear: there are backups of several databases");
		error_detail(err, "Among them \"%s\" and \"%s\".", a, b);
		return error_hint(err, "Add --database NAME, or give the id.");
	}
	return true;
}

static bool find_latest(struct storage *s, const char *series, struct catalog *c, struct backup_entry *ret,
	struct error *err)
{
	for (size_t i = c->len; i-- > 0;) {
		struct backup_entry *e = &c->items[i];

		if (series && strcmp(e->series, series) != 0)
			continue;
		if (!load_entry(s, e, err))
			return false;
		/* one partition of a database is not the database */
		if (e->complete && manifest_is_partition(&e->manifest))
			continue;
		/* a damaged one is not passed over: "latest" would quietly mean an older backup */
		if (e->complete || !e->unfinished)
			return take_entry(s, c, i, ret, err);
	}
	return not_found(s, "latest", c, err);
}

bool catalog_find(struct storage *s, const char *database, const char *operand, struct backup_entry *ret,
	struct error *err)
{
	autofree char *series = database ? repo_series(database) : NULL;
	_cleanup_catalog_ struct catalog c = { 0 };
	size_t found = SIZE_MAX;

	*ret = (struct backup_entry){ 0 };
	if (!catalog_scan(s, &c, err))
		return false;
	if (strcmp(operand, "latest") == 0)
		return (series || one_series(&c, err)) && find_latest(s, series, &c, ret, err);
	for (size_t i = 0; i < c.len; i++) {
		const char *id = c.items[i].id;

		if (strcmp(id, operand) == 0)
			return take_entry(s, &c, i, ret, err);
		if (strncmp(id, operand, strlen(operand)) != 0 || !operand[0])
			continue;
		if (found != SIZE_MAX) {
			error_set(err, EXIT_USAGE, "\"%s\" is the beginning of several backup ids", operand);
			return error_detail(err, "Among them \"%s\" and \"%s\".", c.items[found].id, id);
		}
		found = i;
	}
	if (found == SIZE_MAX)
		return not_found(s, operand, &c, err);
	return take_entry(s, &c, found, ret, err);
}

bool catalog_open_root(struct storage *s, struct backup_entry *ret, struct error *err)
{
	*ret = (struct backup_entry){ .id = xstrdup(""), .series = xstrdup(""), .prefix = xstrdup("") };
	if (!load_manifest(s, ret, err) || (ret->complete && !load_verification(s, ret, err)))
		return false;
	if (ret->complete) {
		free(ret->id);
		ret->id = xstrdup(ret->manifest.id);
		return true;
	}
	error_set(err, EXIT_DAMAGED, "%s is not a complete backup of dbops", s->url);
	return error_detail(err, "%s.", ret->problem);
}

static bool check_hash(const struct backup_entry *e, const struct manifest_plain *f, const uint8_t hash[32], int64_t bytes,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT;

	strbuf_add_hex(&hex, hash, 32);
	if (bytes == f->bytes && strcmp(hex.buf, f->sha256) == 0)
		return true;
	error_set(err, EXIT_DAMAGED, "backup \"%s\": file \"%s\" is damaged", e->id, f->name);
	return error_detail(err, "It has %lld bytes and SHA-256 %s; the manifest says %lld bytes and %s.", (long long)bytes,
		hex.buf, (long long)f->bytes, f->sha256);
}

/* A file that is missing or short is damage of the backup. */
static bool read_failed(const struct backup_entry *e, const char *name, struct error *err)
{
	if (err->code != EXIT_NOT_FOUND && err->code != EXIT_DAMAGED)
		return false;
	err->code = EXIT_DAMAGED;
	return error_prefix(err, "backup \"%s\": file \"%s\"", e->id, name);
}

bool backup_read_file(struct storage *s, const struct backup_entry *e, const char *name, struct strbuf *ret,
	struct error *err)
{
	const struct manifest_plain *f = manifest_find_file(&e->manifest, name);
	autofree char *key = backup_key(e, name);
	uint8_t hash[32];

	if (!f)
		return error_set(err, EXIT_NOT_FOUND, "backup \"%s\" has no \"%s\"", e->id, name);
	/* one byte more than expected, so that a longer file shows */
	if (!storage_get_all(s, key, (size_t)f->bytes + 1, ret, err))
		return read_failed(e, name, err);
	codec_sha256(ret->buf, ret->len, hash);
	return check_hash(e, f, hash, (int64_t)ret->len, err);
}

bool backup_check_file(struct storage *s, const struct backup_entry *e, const struct manifest_plain *f,
	struct error *err)
{
	autofree char *key = backup_key(e, f->name);
	_cleanup_strbuf_ struct strbuf chunk = STRBUF_INIT;
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t digest[32];
	int64_t at = 0;
	bool ok = true;

	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	for (; ok && at < f->bytes; at += (int64_t)chunk.len) {
		size_t n = f->bytes - at < CHECK_CHUNK_BYTES ? (size_t)(f->bytes - at) : CHECK_CHUNK_BYTES;

		strbuf_reset(&chunk);
		ok = storage_get(s, key, (uint64_t)at, n, &chunk, err);
		EVP_DigestUpdate(hash, chunk.buf, chunk.len);
	}
	EVP_DigestFinal_ex(hash, digest, NULL);
	EVP_MD_CTX_free(hash);
	return ok ? check_hash(e, f, digest, at, err) : read_failed(e, f->name, err);
}

/* What is no file (a symbolic link, a socket) is no key, either: it stays, and its folder with it. */
static bool folder_is_gone(struct storage *s, const char *prefix, struct error *err)
{
	_cleanup_listing_ struct storage_listing found = { 0 };
	autofree char *folder = xstrndup(prefix, strlen(prefix) - 1);

	if (!s->ops->publish) /* a store without folders */
		return true;
	if (!storage_list(s, folder, true, &found, err))
		return false;
	for (size_t i = 0; i < found.len; i++) {
		if (strcmp(found.items[i].key, prefix) != 0)
			continue;
		error_set(err, EXIT_REFUSED, "folder \"%s\" is not empty", folder);
		return error_hint(err, "It holds something that dbops did not write, for example a symbolic link: look at it.");
	}
	return true;
}

bool backup_remove(struct storage *s, const char *prefix, struct error *err)
{
	autofree char *manifest = xasprintf("%s%s", prefix, MANIFEST_NAME);
	const char *first[] = { manifest };
	_cleanup_listing_ struct storage_listing keys = { 0 };

	if (!storage_remove(s, first, 1, err) || !storage_list(s, prefix, false, &keys, err))
		return false;

	autofree const char **names = xcalloc(keys.len, sizeof(*names));

	for (size_t i = 0; i < keys.len; i++)
		names[i] = keys.items[i].key;
	return storage_remove(s, names, keys.len, err) && folder_is_gone(s, prefix, err);
}

bool backup_store_verification(struct storage *s, const struct backup_entry *e, const struct verification *v,
	struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	autofree char *key = backup_key(e, VERIFIED_NAME);

	verification_write(v, e->manifest.id, &text);
	return storage_put(s, key, text.buf, text.len, err);
}
