/* SPDX-License-Identifier: PostgreSQL */
#include "config.h"

#include "fs.h"
#include "nearest.h"
#include "strbuf.h"

#define SECRET_LIMIT 8192

struct remote_flags {
	struct config_remote r;
	bool path_style;
};

#define KEY(name) .long_name = (name), .config_key = (name)

const struct option config_remote_options[] = {
	OPT_STRING(struct remote_flags, r.bucket, KEY("bucket"), .metavar = "NAME",
		.flags = OPTION_REQUIRED, .help = "bucket that holds the backups"),
	OPT_STRING(struct remote_flags, r.prefix, KEY("prefix"), .metavar = "PATH",
		.help = "put before every object's name"),
	OPT_STRING(struct remote_flags, r.region, KEY("region"), .metavar = "NAME",
		.help = "region of the bucket; else AWS_REGION or the profile's"),
	OPT_STRING(struct remote_flags, r.endpoint, KEY("endpoint"), .metavar = "URL",
		.help = "S3-compatible server, for anything but AWS"),
	OPT_FLAG(struct remote_flags, path_style, KEY("path_style"),
		.help = "name the bucket in the path, not in the host name (default: when an endpoint is given)"),
	OPT_STRING(struct remote_flags, r.profile, KEY("profile"), .metavar = "NAME",
		.help = "profile of ~/.aws/config and ~/.aws/credentials"),
	OPT_STRING(struct remote_flags, r.access_key_id, KEY("access_key_id"), .metavar = "ID",
		.help = "access key; the secret goes into secret_access_key_file"),
	OPT_PATH(struct remote_flags, r.access_key_id_file, KEY("access_key_id_file"), .metavar = "FILE",
		.help = "file that holds the access key"),
	OPT_PATH(struct remote_flags, r.secret_access_key_file, KEY("secret_access_key_file"),
		.metavar = "FILE", .help = "file that holds the secret access key"),
	OPT_PATH(struct remote_flags, r.session_token_file, KEY("session_token_file"), .metavar = "FILE",
		.help = "file that holds the session token"),
	OPT_PATH(struct remote_flags, r.ca_file, KEY("ca_file"), .metavar = "FILE",
		.help = "certificates of the authorities to trust, PEM"),
	OPT_STRING(struct remote_flags, r.sse, KEY("sse"), .metavar = "TYPE",
		.help = "server-side encryption to ask for: AES256 or aws:kms"),
	OPT_STRING(struct remote_flags, r.sse_kms_key_id, KEY("sse_kms_key_id"), .metavar = "ID",
		.help = "key for sse: aws:kms"),
	OPT_STRING(struct remote_flags, r.storage_class, KEY("storage_class"), .metavar = "CLASS",
		.help = "storage class of the objects, such as STANDARD_IA"),
	OPT_SIZE(struct remote_flags, r.part_size, KEY("part_size"), .metavar = "SIZE",
		.fallback = "16MiB", .min = 5 << 20, .max = 5LL << 30,
		.help = "size of the parts of an upload"),
	OPT_INT(struct remote_flags, r.slots, KEY("slots"), .metavar = "N", .fallback = "8", .min = 1,
		.max = 64, .help = "parts on their way at the same time"),
	OPT_SIZE(struct remote_flags, r.max_rate, KEY("max_rate"), .metavar = "SIZE",
		.help = "bytes a second an upload may use (default: no limit)"),
	OPT_FLAG(struct remote_flags, r.content_md5, KEY("content_md5"),
		.help = "send Content-MD5, which buckets with object lock ask for"),
	OPT_END,
};

void config_remote_release(struct config_remote *r)
{
	strvec_release(&r->owned);
	*r = (struct config_remote){ .path_style = -1 };
}

static bool no_such_remote(const struct config *c, const char *name, struct error *err)
{
	struct nearest n = NEAREST_INIT(name);

	error_set(err, EXIT_CONFIG, "there is no remote '%s' in the configuration", name);
	error_detail(err, "configuration file: %s", c->path ? c->path : "none");
	for (size_t i = 0; i < c->names[CONFIG_REMOTE].len; i++)
		nearest_try(&n, c->names[CONFIG_REMOTE].items[i]);
	if (n.best)
		return error_hint(err, "Did you mean '%s'?", n.best);
	return error_hint(err, "Describe it under 'remotes:' in dbops.yaml, or give s3://BUCKET/PREFIX.");
}

static const char *own(struct config_remote *r, char *s)
{
	strvec_push_take(&r->owned, s);
	return s;
}

static bool read_values(
	const struct config *c, const char *name, struct remote_flags *f, struct error *err)
{
	for (const struct option *o = config_remote_options; o->type != OPTION_END; o++) {
		const struct config_value *v = config_get_in(c, CONFIG_REMOTE, name, o->config_key);

		if (!v || !v->values.len)
			continue;
		if (!option_set(o, f, own(&f->r, xstrdup(v->values.items[0])), err)) {
			if (err)
				err->code = EXIT_CONFIG;
			return error_prefix(err, "%s:%d:%d: %s", c->path, v->line, v->column, v->key);
		}
		if (strcmp(o->config_key, "path_style") == 0)
			f->r.path_style = f->path_style;
	}
	return true;
}

static bool read_secret(
	struct config_remote *r, const char *path, const char **ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!path)
		return true;
	if (!fs_read(path, SECRET_LIMIT, &text, err)) {
		if (err)
			err->code = EXIT_CONFIG;
		return false;
	}
	strbuf_trim(&text);
	*ret = own(r, strbuf_detach(&text));
	return true;
}

bool config_remote(const struct config *c, const char *name, struct config_remote *ret,
	struct error *err)
{
	struct remote_flags f = { .r.path_style = -1 };

	*ret = f.r;
	if (!strvec_contains(&c->names[CONFIG_REMOTE], name))
		return no_such_remote(c, name, err);

	bool ok = read_values(c, name, &f, err) &&
		  read_secret(&f.r, f.r.access_key_id_file, &f.r.access_key_id, err) &&
		  read_secret(&f.r, f.r.secret_access_key_file, &f.r.secret_access_key, err) &&
		  read_secret(&f.r, f.r.session_token_file, &f.r.session_token, err);

	*ret = f.r;
	if (ok && !ret->bucket)
		ok = error_set(err, EXIT_CONFIG, "remote '%s' has no bucket", name);
	if (!ok) {
		error_prefix(err, "remote '%s'", name);
		config_remote_release(ret);
	}
	return ok;
}
