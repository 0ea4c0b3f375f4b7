/* SPDX-License-Identifier: PostgreSQL */
#include "destination.h"

#include "fs.h"
#include "xalloc.h"

static bool is_remote(struct app *app, const char *spec)
{
	_cleanup_strvec_ struct strvec names = { 0 };

	config_remote_names(app->config, &names);
	return strncmp(spec, "s3://", 5) == 0 || strvec_contains(&names, spec);
}

struct storage *open_destination(struct app *app, const char *spec, bool create, int64_t slots, bool *ret_remote, struct error *err)
{
	if (!spec || !spec[0]) {
		error_set(err, EXIT_USAGE, "it is not said where the archives are");
		error_hint(err, "Name a folder, s3://BUCKET/PREFIX, or a remote of the configuration: --%s PLACE.", create ? "to" : "from");
		return NULL;
	}
	*ret_remote = is_remote(app, spec);
	if (*ret_remote)
		return open_remote(app, spec, slots, 0, err);
	return storage_file_open(strncmp(spec, "file://", 7) == 0 ? spec + 7 : spec, create, err);
}

bool load_subject(struct pg_conn *c, const char *name, struct archive_subject *ret, struct error *err)
{
	uint32_t oid;
	char kind;

	return partition_resolve(c, name, &oid, &kind, err) && archive_subject_load(c, oid, ret, err);
}

char *archive_url(const struct storage *storage, const struct archive_proof *proof)
{
	autofree char *url = fs_join(storage->url, proof->entry.prefix);
	size_t n = strlen(url);

	return xstrndup(url, n && url[n - 1] == '/' ? n - 1 : n);
}
