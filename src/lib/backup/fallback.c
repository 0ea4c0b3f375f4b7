/* SPDX-License-Identifier: PostgreSQL */
#include "fallback.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include "dump_toc.h"
#include "fs.h"
#include "temp.h"
#include "xalloc.h"

#define CHUNK_BYTES (1u << 20)

static bool pump_file(int fd, const char *path, struct archive_stream *out, EVP_MD_CTX *hash, int64_t *ret_bytes,
	struct error *err)
{
	autofree char *chunk = xmalloc(CHUNK_BYTES);

	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot read \"%s\"", path);
		if (n == 0)
			return true;
		EVP_DigestUpdate(hash, chunk, (size_t)n);
		*ret_bytes += n;
		if (!archive_stream_append(out, chunk, (size_t)n, err))
			return false;
	}
}

/* Copies one file of pg_dump's folder to the targets and records it. */
static bool store_file(const char *folder, const char *name, const struct archive_targets *targets, struct manifest *m,
	struct error *err)
{
	autofree char *path = fs_join(folder, name);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct archive_stream out = { 0 };
	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT;
	unsigned char digest[32];
	int64_t bytes = 0;
	bool ok = fd >= 0 || error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot open \"%s\"", path);

	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	ok = ok && archive_stream_open(targets, name, &out, err) && pump_file(fd, path, &out, hash, &bytes, err) &&
	     archive_stream_commit(&out, err);
	archive_stream_abort(&out);
	EVP_DigestFinal_ex(hash, digest, NULL);
	EVP_MD_CTX_free(hash);
	if (!ok)
		return false;
	strbuf_add_hex(&hex, digest, sizeof(digest));
	*vec_push(&m->files) = (struct manifest_plain){ xstrdup(name), strbuf_detach(&hex), bytes };
	return true;
}

static bool store_folder(const char *folder, const struct archive_targets *targets, struct manifest *m,
	struct error *err)
{
	_cleanup_strvec_ struct strvec names = { 0 };
	DIR *dir = opendir(folder);

	if (!dir)
		return error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot open folder \"%s\"", folder);
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			strvec_push(&names, e->d_name);
	closedir(dir);
	strvec_sort(&names);
	for (size_t i = 0; i < names.len; i++)
		if (!store_file(folder, names.items[i], targets, m, err))
			return false;
	return true;
}

bool fallback_run(const struct backup_options *o, const struct pg_tools *tools, const struct pg_conn *conn,
	const char *snapshot, const struct archive_targets *targets, const struct cancel *cancel, struct manifest *m,
	struct error *err)
{
	_cleanup_temp_ struct temp_dir base = { 0 };

	if (!temp_open(&base, "dbops-dump-", err))
		return false;

	autofree char *folder = fs_join(base.path, "dump");

	strvec_push(&m->warnings, "written by pg_dump alone: no row counts and fingerprints");

	return dump_whole(o, tools, conn, snapshot, folder, cancel, err) && store_folder(folder, targets, m, err);
}
