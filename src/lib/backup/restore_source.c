/* SPDX-License-Identifier: PostgreSQL */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "archive_reader.h"
#include "clock.h"
#include "codec.h"
#include "consistency.h"
#include "fs.h"
#include "select.h"
#include "xalloc.h"

#define FILE_SCHEME "file://"

void restore_close(struct restore_source *src)
{
	temp_close(&src->temp);
	free(src->path);
	free(src->selected);
	free(src->companion);
	toc_release(&src->toc);
	pg_tools_release(&src->tools);
	*src = (struct restore_source){ 0 };
}

static bool write_staged(const struct restore_source *src, const char *name, const void *data, size_t len,
	struct error *err)
{
	autofree char *path = fs_join(src->temp.path, name);

	return fs_write_atomic(path, data, len, err);
}

static bool only_large_objects(const struct manifest_file *f, bool table, void *data)
{
	(void)f, (void)data;
	return !table;
}

/* One large object out of the storage, whole and proven, for pg_restore to read. */
static bool stage_segment(struct restore_source *src, struct archive_reader *r, const struct segment *s, FILE **out,
	struct strbuf *stored, struct strbuf *raw, struct error *err)
{
	const struct manifest_file *f = archive_reader_file(r, s->file, NULL);
	autofree char *path = fs_join(src->temp.path, f->file);
	uint8_t frame[GZIP_TRAILER_MAX];
	uint32_t crc = 0;

	if (s->number == 0) {
		*out = fopen(path, "wxe");
		if (!*out)
			return error_set_errno(err, fs_exit_code(errno), errno, "cannot create \"%s\"", path);
		gzip_header(frame);
		fwrite(frame, 1, GZIP_HEADER_LEN, *out);
	}
	if (!archive_reader_prove(r, s, stored, raw, err))
		return false;
	fwrite(stored->buf, 1, stored->len, *out);
	if (s->number + 1 < s->of)
		return true;
	for (int64_t i = 0; i < f->blocks; i++) {
		struct block b;

		archive_reader_block(r, (uint64_t)(f->first_block + i), &b);
		crc = codec_crc32_combine(crc, b.crc, b.raw);
	}
	fwrite(frame, 1, gzip_trailer(frame, false, crc, (uint64_t)f->raw_bytes), *out);

	bool ok = !ferror(*out);

	ok = fclose(steal(*out)) == 0 && ok;
	return ok || error_set_errno(err, fs_exit_code(errno), errno, "cannot write \"%s\"", path);
}

static bool stage_large_objects(struct restore_source *src, struct error *err)
{
	_cleanup_reader_ struct archive_reader r = { 0 };
	_cleanup_strbuf_ struct strbuf stored = STRBUF_INIT, raw = STRBUF_INIT;
	autofclose FILE *out = NULL;
	struct segment s;

	if (!archive_reader_open(&r, src->storage, src->entry, 8u << 20, only_large_objects, NULL, err))
		return false;
	while (archive_reader_next(&r, &s))
		if (!stage_segment(src, &r, &s, &out, &stored, &raw, err))
			return false;
	return true;
}

/* pg_restore reads the large objects of a local folder itself, and some versions of zlib let a
 * truncated file pass: prove them before. */
static bool prove_large_objects(struct restore_source *src, struct error *err)
{
	_cleanup_reader_ struct archive_reader r = { 0 };
	_cleanup_strbuf_ struct strbuf stored = STRBUF_INIT, raw = STRBUF_INIT;
	struct segment s;

	if (!src->entry->manifest.large_objects.len)
		return true;
	if (!archive_reader_open(&r, src->storage, src->entry, 8u << 20, only_large_objects, NULL, err))
		return false;
	while (archive_reader_next(&r, &s))
		if (!archive_reader_prove(&r, &s, &stored, &raw, err))
			return false;
	return true;
}

/* Everything that pg_restore has to open: the TOC, large objects, and - in an archive that pg_dump
 * wrote itself - all files. */
static bool stage(struct restore_source *src, const struct strbuf *toc, struct error *err)
{
	const struct manifest *m = &src->entry->manifest;

	src->path = xstrdup(src->temp.path);
	if (!write_staged(src, "toc.dat", toc->buf, toc->len, err))
		return false;
	for (size_t i = 0; i < m->files.len; i++) {
		const char *name = m->files.items[i].name;
		_cleanup_strbuf_ struct strbuf content = STRBUF_INIT;

		if (strcmp(name, "toc.dat") == 0 || strcmp(name, BLOCKS_NAME) == 0 || strcmp(name, "globals.sql") == 0)
			continue;
		if (!backup_read_file(src->storage, src->entry, name, &content, err) ||
			!write_staged(src, name, content.buf, content.len, err))
			return false;
	}
	return !m->large_objects.len || stage_large_objects(src, err);
}

/* The folder itself when it is one of this machine. */
static char *local_folder(const struct storage *s, const struct backup_entry *e)
{
	if (strcmp(s->ops->name, "file") != 0)
		return NULL;
	return fs_join(s->url + strlen(FILE_SCHEME), e->prefix);
}

static bool parse_toc(struct restore_source *src, const void *data, size_t len, bool whole, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (toc_parse(data, len, TOC_KEEP_ALL, whole, &src->toc, &failed))
		return true;
	if (failed.code != EXIT_REFUSED)
		return error_move(err, &failed);
	src->foreign = true; /* a version of tomorrow: pg_restore knows it */
	return true;
}

static bool open_backup(struct restore_source *src, const struct restore_options *o, struct error *err)
{
	_cleanup_strbuf_ struct strbuf toc = STRBUF_INIT;

	src->foreign = src->entry->manifest.fallback;
	if (!backup_read_file(src->storage, src->entry, "toc.dat", &toc, err) ||
		!parse_toc(src, toc.buf, toc.len, true, err))
		return false;
	if (!src->foreign && !consistency_check(&src->toc, &src->entry->manifest, err))
		return false;
	src->path = local_folder(src->storage, src->entry);
	if (src->path)
		return o->schema_only || prove_large_objects(src, err);
	if (!o->schema_only)
		return stage(src, &toc, err);
	src->path = xstrdup(src->temp.path);
	return write_staged(src, "toc.dat", toc.buf, toc.len, err);
}

static bool open_foreign(struct restore_source *src, const char *path, struct error *err)
{
	autofree char *file = fs_is_dir(path) ? fs_join(path, "toc.dat") : xstrdup(path);
	autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	src->foreign = true;
	src->path = xstrdup(path);
	if (fd < 0 || fstat(fd, &st) != 0)
		return error_set_errno(err, fs_exit_code(errno), errno, "cannot open \"%s\"", file);
	if (st.st_size == 0)
		return error_set(err, EXIT_DAMAGED, "\"%s\" is empty", file);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot read \"%s\"", file);

	bool ok = parse_toc(src, data, (size_t)st.st_size, false, err);

	munmap(data, (size_t)st.st_size);
	return ok || error_prefix(err, "%s", file);
}

/* The smallest pg_restore that reads what this pg_dump wrote. */
static bool find_tools(struct restore_source *src, const struct restore_options *o, struct error *err)
{
	const char *const programs[] = { "pg_restore", NULL };
	const char *version = src->entry ? src->entry->manifest.dump_version : src->toc.dump_version;
	int major = version ? (int)strtol(version, NULL, 10) : 0;

	return pg_tools_find(o->bindir, programs, major, 0, &src->tools, err);
}

bool restore_open(struct restore_source *src, struct storage *s, const struct backup_entry *e, const char *path,
	const struct restore_options *o, struct error *err)
{
	*src = (struct restore_source){ .storage = s, .entry = e };
	if (!temp_open(&src->temp, "dbops-restore-", err) || !(e ? open_backup(src, o, err) : open_foreign(src, path, err)) || !find_tools(src, o, err)) {
		restore_close(src);
		return false;
	}
	if (!src->toc.len)
		return true;
	src->selected = select_entries(&src->toc, &o->tables, &o->schemas, &src->companion, &src->left_out, err);
	if (!src->selected)
		restore_close(src);
	return src->selected != NULL;
}

static void describe_size(const struct restore_source *src, struct strbuf *out)
{
	const struct manifest *m = src->entry ? &src->entry->manifest : NULL;

	if (!m) {
		strbuf_addf(out, "  from      archive \"%s\" of database \"%s\" (pg_dump %s)\n", src->path,
			src->toc.database ? src->toc.database : "?", src->toc.dump_version ? src->toc.dump_version : "?");
		return;
	}
	strbuf_addf(out, "  from      backup %s of database \"%s\" (PostgreSQL %s), ", m->id, m->database, m->server_version);
	count_format(m->table_count, out);
	strbuf_adds(out, " tables, ");
	count_format(m->rows, out);
	strbuf_adds(out, " rows, ");
	size_format(m->raw_bytes, out);
	strbuf_adds(out, " of text\n");
}

void restore_describe(const struct restore_source *src, const struct restore_options *o, const char *server,
	const char *database, bool create, struct strbuf *out)
{
	size_t selected = 0, data = 0;

	for (size_t i = 0; src->selected && i < src->toc.len; i++) {
		selected += src->selected[i];
		data += src->selected[i] && toc_is_table_data(&src->toc.items[i]);
	}
	strbuf_adds(out, "restore\n");
	describe_size(src, out);
	strbuf_addf(out, "  into      %s database \"%s\" on %s\n", create ? "the new" : "the existing", database, server);
	if (src->selected)
		strbuf_addf(out, "  what      %zu of %zu entries, rows of %zu tables%s\n", selected, src->toc.len, data,
			o->schema_only ? " (not loaded: --schema-only)" : o->data_only ? " (nothing else: --data-only)" : "");
	if (src->left_out)
		strbuf_addf(out, "  left out  %zu entries that need objects outside the selection\n", src->left_out);
	if (o->clean)
		strbuf_adds(out, "  DROPS     every object of the backup that exists there (--clean)\n");
	strbuf_addf(out, "  with      %" PRId64 " jobs, pg_restore %s%s%s%s\n", o->jobs, src->tools.version,
		o->no_owner ? ", no owners" : "", o->no_privileges ? ", no privileges" : "",
		src->foreign ? ", rows by pg_restore" : o->no_check ? ", no check afterwards" : ", rows checked afterwards");
}
