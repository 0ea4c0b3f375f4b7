/* SPDX-License-Identifier: PostgreSQL */
#include "repository.h"

#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "fs.h"
#include "xalloc.h"

#define URL_SCHEME  "s3://"
#define FILE_SCHEME "file://"
#define DEFAULT_SLOTS 8

static bool is_s3_url(const char *spec)
{
	return strncmp(spec, URL_SCHEME, strlen(URL_SCHEME)) == 0;
}

/* s3://bucket/prefix/ -> the two parts; prefix may be empty. Both are the caller's. */
static bool split_url(const char *url, char **ret_bucket, char **ret_prefix, struct error *err)
{
	const char *bucket = url + strlen(URL_SCHEME);
	size_t n = strcspn(bucket, "/");
	const char *prefix = bucket + n;
	size_t end;

	if (!n) {
		error_set(err, EXIT_USAGE, "\"%s\" names no bucket", url);
		return error_hint(err, "Write s3://BUCKET or s3://BUCKET/PREFIX.");
	}
	prefix += strspn(prefix, "/");
	for (end = strlen(prefix); end && prefix[end - 1] == '/';)
		end--;
	*ret_bucket = xstrndup(bucket, n);
	*ret_prefix = end ? xstrndup(prefix, end) : NULL;
	return true;
}

static bool known_remote(const struct app *app, const char *name)
{
	_cleanup_strvec_ struct strvec names = { 0 };

	config_remote_names(app->config, &names);
	return strvec_contains(&names, name);
}

static struct storage *open_s3(struct app *app, const struct config_remote *r, int64_t slots, int64_t part_size,
	struct error *err)
{
	int64_t wanted = r->slots ? r->slots : DEFAULT_SLOTS;
	struct s3_options o = {
		.bucket = r->bucket,
		.prefix = r->prefix,
		.region = r->region,
		.endpoint = r->endpoint,
		.profile = r->profile,
		.path_style = r->path_style,
		.sse = r->sse,
		.sse_kms_key_id = r->sse_kms_key_id,
		.storage_class = r->storage_class,
		.ca_file = app->ca_file ? app->ca_file : r->ca_file,
		.access_key_id = r->access_key_id,
		.secret_access_key = r->secret_access_key,
		.session_token = r->session_token,
		.part_size = part_size ? part_size : r->part_size,
		.slots = wanted > slots ? wanted : slots,
		.max_rate = r->max_rate,
		.content_md5 = r->content_md5,
		.cancel = app->cancel,
	};

	return storage_s3_open(&o, err);
}

static struct storage *open_url(struct app *app, const char *url, int64_t slots, int64_t part_size, struct error *err)
{
	autofree char *bucket = NULL, *prefix = NULL;

	if (!split_url(url, &bucket, &prefix, err))
		return NULL;
	return open_s3(
		app, &(struct config_remote){ .bucket = bucket, .prefix = prefix, .path_style = -1 }, slots, part_size, err);
}

struct storage *open_remote(struct app *app, const char *spec, int64_t slots, int64_t part_size, struct error *err)
{
	_cleanup_remote_ struct config_remote r = { 0 };
	const char *bucket = getenv("AWS_S3_BACKUP_BUCKET");

	if (!spec || !spec[0]) {
		error_set(err, EXIT_USAGE, "the remote has no name");
		return NULL;
	}
	if (is_s3_url(spec))
		return open_url(app, spec, slots, part_size, err);
	if (known_remote(app, spec))
		return config_remote(app->config, spec, &r, err) ? open_s3(app, &r, slots, part_size, err) : NULL;
	if (strcmp(spec, "s3") == 0 && bucket && bucket[0]) {
		autofree char *url = is_s3_url(bucket) ? xstrdup(bucket) : xasprintf("%s%s", URL_SCHEME, bucket);

		return open_url(app, url, slots, part_size, err);
	}
	error_set(err, EXIT_CONFIG, "there is no remote \"%s\"", spec);
	error_hint(err, strcmp(spec, "s3") == 0 ?
				"Describe it under \"remotes: s3:\" in dbops.yaml, set AWS_S3_BACKUP_BUCKET, or write "
				"s3://BUCKET/PREFIX." :
				"Describe it under \"remotes\" in dbops.yaml, or write s3://BUCKET/PREFIX.");
	return NULL;
}

struct storage *open_repository(struct app *app, struct error *err)
{
	if (app->from)
		return open_remote(app, app->from, 0, 0, err);
	return storage_file_open(app->dir, false, err);
}

static const char *file_path(const char *operand)
{
	return strncmp(operand, FILE_SCHEME, strlen(FILE_SCHEME)) == 0 ? operand + strlen(FILE_SCHEME) : operand;
}

/* A path has a slash in it, or is a folder that looks like an archive. */
static bool names_archive(const char *operand)
{
	autofree char *manifest = fs_join(operand, MANIFEST_NAME);
	autofree char *toc = fs_join(operand, "toc.dat");

	return strchr(operand, '/') || fs_exists(manifest) || fs_exists(toc);
}

bool find_backup(struct app *app, const char *operand, const char *database, struct storage **ret_storage, struct backup_entry *ret,
	struct error *err)
{
	_cleanup_storage_ struct storage *s = NULL;
	bool root = is_s3_url(operand) || names_archive(operand);

	*ret = (struct backup_entry){ 0 };
	if (!root)
		s = open_repository(app, err);
	else if (is_s3_url(operand))
		s = open_url(app, operand, 0, 0, err);
	else
		s = storage_file_open(file_path(operand), false, err);
	if (!s || !(root ? catalog_open_root(s, ret, err) : catalog_find(s, database, operand, ret, err)))
		return false;
	*ret_storage = steal(s);
	return true;
}

struct pg_params server_params(const struct app *app, const char *application_name)
{
	return (struct pg_params){
		.dbname = app->dbname,
		.host = app->host,
		.port = app->port,
		.user = app->user,
		.no_password = app->no_password,
		.application_name = application_name,
		.cancel = app->cancel,
	};
}

void add_reservations(struct json *j, const struct manifest *m)
{
	jsonw_array_begin(j, "not_included");
	for (size_t i = 0; i < m->exclusions.len; i++) {
		jsonw_object_begin(j, NULL);
		jsonw_string(j, "kind", m->exclusions.items[i].kind);
		jsonw_string(j, "name", m->exclusions.items[i].name);
		jsonw_string(j, "reason", m->exclusions.items[i].reason);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	jsonw_array_begin(j, "warnings");
	for (size_t i = 0; i < m->warnings.len; i++)
		jsonw_string(j, NULL, m->warnings.items[i]);
	jsonw_array_end(j);
}

bool complete_backups(struct app *app, struct strvec *out)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;
	_cleanup_storage_ struct storage *s = open_repository(app, &ignored);
	_cleanup_catalog_ struct catalog c = { 0 };

	strvec_push(out, "latest");
	if (!s || !catalog_load(s, &c, &ignored))
		return false;
	for (size_t i = c.len; i-- > 0;)
		if (c.items[i].complete)
			strvec_push(out, c.items[i].id);
	return true;
}
