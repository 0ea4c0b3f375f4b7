/* SPDX-License-Identifier: PostgreSQL */
#include "manifest.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include "clock.h"
#include "codec.h"
#include "json.h"
#include "xalloc.h"

#define _cleanup_json_ _cleanup_(json_decrefp) /* jansson.h defines json_decrefp */

enum field_type {
	FIELD_STRING, /* char *, may be null */
	FIELD_TEXT,   /* char *, required */
	FIELD_INT,
	FIELD_ID,     /* uint64_t as a string */
	FIELD_TIME,
	FIELD_SECONDS,
	FIELD_BOOL,
	FIELD_FINGERPRINT,
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
};

#define F(type_, name) { #name, FIELD_##type_, offsetof(struct manifest, name) }
static const struct field manifest_fields[] = {
	F(INT, format_version), F(TEXT, id), F(STRING, label), F(TEXT, database), F(TEXT, system_identifier),
	F(TEXT, server_version), F(INT, server_version_num), F(TEXT, dump_version), F(TEXT, dbops_version),
	F(TEXT, archive_version), F(TIME, started_at), F(TIME, finished_at), F(TIME, snapshot_at),
	F(STRING, snapshot_lsn), F(BOOL, in_recovery), F(STRING, encoding), F(STRING, collate),
	F(STRING, ctype), F(STRING, locale_provider), F(STRING, icu_locale), F(STRING, lc_monetary),
	F(INT, database_bytes), F(TEXT, content), F(STRING, compression), F(INT, jobs), F(BOOL, fallback),
	F(INT, table_count), F(INT, large_object_count), F(INT, rows), F(INT, raw_bytes), F(INT, stored_bytes),
	F(SECONDS, seconds), F(SECONDS, seconds_locking), F(SECONDS, seconds_toc), F(SECONDS, seconds_data),
	F(SECONDS, seconds_globals), { NULL, 0, 0 },
};
#undef F
#define F(type_, name) { #name, FIELD_##type_, offsetof(struct manifest_file, name) }
static const struct field table_fields[] = {
	F(TEXT, schema), F(TEXT, name), F(ID, oid), F(TEXT, file), F(TEXT, columns), F(STRING, root),
	F(STRING, condition), F(INT, rows), F(INT, raw_bytes), F(INT, stored_bytes),
	F(FINGERPRINT, fingerprint), F(INT, blocks), F(INT, first_block), F(INT, unit_pages), { NULL, 0, 0 },
};
static const struct field large_object_fields[] = {
	F(ID, oid), F(TEXT, file), F(INT, raw_bytes), F(INT, stored_bytes), F(INT, blocks), F(INT, first_block),
	{ NULL, 0, 0 },
};
#undef F
static const struct field plain_fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct manifest_plain, name) },
	{ "bytes", FIELD_INT, offsetof(struct manifest_plain, bytes) },
	{ "sha256", FIELD_TEXT, offsetof(struct manifest_plain, sha256) },
	{ NULL, 0, 0 },
};
static const struct field exclusion_fields[] = {
	{ "kind", FIELD_TEXT, offsetof(struct manifest_exclusion, kind) },
	{ "name", FIELD_STRING, offsetof(struct manifest_exclusion, name) },
	{ "reason", FIELD_TEXT, offsetof(struct manifest_exclusion, reason) },
	{ NULL, 0, 0 },
};

static void write_field(struct json *j, const struct field *f, const void *object)
{
	const char *at = (const char *)object + f->offset;
	char hex[FINGERPRINT_HEX_LEN + 1];

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_TEXT:
		jsonw_string(j, f->key, *(char *const *)at);
		break;
	case FIELD_INT:
		jsonw_int(j, f->key, *(const int64_t *)at);
		break;
	case FIELD_ID:
		jsonw_int_string(j, f->key, *(const uint64_t *)at);
		break;
	case FIELD_TIME:
		jsonw_time(j, f->key, *(const int64_t *)at);
		break;
	case FIELD_SECONDS:
		jsonw_seconds(j, f->key, *(const double *)at);
		break;
	case FIELD_BOOL:
		jsonw_bool(j, f->key, *(const bool *)at);
		break;
	case FIELD_FINGERPRINT:
		fingerprint_format((const struct fingerprint *)at, hex);
		jsonw_string(j, f->key, hex);
		break;
	}
}

/* One object a line: a manifest of thousands of tables stays readable with line tools. */
static void write_array(struct json *j, const char *key, const struct field *fields, const void *items,
	size_t len, size_t size)
{
	jsonw_array_begin(j, key);
	for (size_t i = 0; i < len; i++) {
		jsonw_object_begin(j, NULL);

		int indent = j->indent;

		j->indent = 0;
		for (const struct field *f = fields; f->key; f++)
			write_field(j, f, (const char *)items + i * size);
		jsonw_object_end(j);
		j->indent = indent;
	}
	jsonw_array_end(j);
}

static void write_strings(struct json *j, const char *key, const struct strvec *v)
{
	jsonw_array_begin(j, key);
	for (size_t i = 0; i < v->len; i++)
		jsonw_string(j, NULL, v->items[i]);
	jsonw_array_end(j);
}

#define WRITE_ARRAY(j, m, member, fields) \
	write_array(j, #member, fields, (m)->member.items, (m)->member.len, sizeof(*(m)->member.items))

void manifest_write(const struct manifest *m, struct strbuf *out)
{
	struct json j = JSON_INIT(out, 1);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "format", "dbops-backup");
	for (const struct field *f = manifest_fields; f->key; f++)
		write_field(&j, f, m);
	write_strings(&j, "options", &m->options);
	write_strings(&j, "warnings", &m->warnings);
	WRITE_ARRAY(&j, m, exclusions, exclusion_fields);
	WRITE_ARRAY(&j, m, files, plain_fields);
	WRITE_ARRAY(&j, m, tables, table_fields);
	WRITE_ARRAY(&j, m, large_objects, large_object_fields);
	jsonw_object_end(&j);
	strbuf_addch(out, '\n');
}

static bool wrong(const char *key, struct error *err)
{
	error_set(err, EXIT_DAMAGED, "the manifest is damaged");
	return error_detail(err, "Its field \"%s\" is missing or of the wrong kind.", key);
}

static bool read_string(json_t *value, bool required, char **ret)
{
	if (json_is_string(value))
		*ret = xstrdup(json_string_value(value));
	return *ret || (!required && (!value || json_is_null(value)));
}

static bool read_id(json_t *value, uint64_t *ret)
{
	const char *s = json_string_value(value);
	char *end;

	/* strtoull also takes a sign and white space */
	if (!s || !isdigit((unsigned char)*s))
		return false;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return *end == '\0' && errno == 0;
}

static bool read_time(json_t *value, int64_t *ret)
{
	return json_is_null(value) || (json_is_string(value) && clock_parse_utc(json_string_value(value), ret));
}

static bool read_field(json_t *object, const struct field *f, void *ret)
{
	json_t *value = json_object_get(object, f->key);
	char *at = (char *)ret + f->offset;

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_TEXT:
		return read_string(value, f->type == FIELD_TEXT, (char **)at);
	case FIELD_INT:
		*(int64_t *)at = json_integer_value(value);
		return json_is_integer(value) && *(int64_t *)at >= 0;
	case FIELD_ID:
		return read_id(value, (uint64_t *)at);
	case FIELD_TIME:
		return read_time(value, (int64_t *)at);
	case FIELD_SECONDS:
		*(double *)at = json_number_value(value);
		return json_is_number(value);
	case FIELD_BOOL:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value);
	case FIELD_FINGERPRINT:
		return json_is_string(value) &&
		       fingerprint_parse(json_string_value(value), (struct fingerprint *)at);
	}
	return false;
}

static bool read_fields(json_t *object, const struct field *fields, void *ret, struct error *err)
{
	for (const struct field *f = fields; f->key; f++)
		if (!read_field(object, f, ret))
			return wrong(f->key, err);
	return true;
}

#define READ_ARRAY(root, m, member, fields, err)                                       \
	({                                                                             \
		json_t *array_ = json_object_get(root, #member), *item_;               \
		size_t i_;                                                             \
		bool ok_ = json_is_array(array_) || wrong(#member, err);               \
		if (ok_)                                                               \
			json_array_foreach(array_, i_, item_)                          \
			{                                                              \
				ok_ = ok_ && read_fields(item_, fields, vec_push(&(m)->member), err); \
			}                                                              \
		ok_;                                                                   \
	})

static bool read_strings(json_t *root, const char *key, struct strvec *ret, struct error *err)
{
	json_t *array = json_object_get(root, key), *item;
	size_t i;

	if (!json_is_array(array))
		return wrong(key, err);
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return wrong(key, err);
		strvec_push(ret, json_string_value(item));
	}
	return true;
}

/* Only plain names may stand in a manifest: they become keys below the backup's folder. */
static bool plain_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < 256;
}

static bool check_names(const struct manifest *m, struct error *err)
{
	for (size_t i = 0; i < m->tables.len; i++)
		if (!plain_name(m->tables.items[i].file))
			return wrong("file", err);
	for (size_t i = 0; i < m->large_objects.len; i++)
		if (!plain_name(m->large_objects.items[i].file))
			return wrong("file", err);
	for (size_t i = 0; i < m->files.len; i++)
		if (!plain_name(m->files.items[i].name))
			return wrong("name", err);
	return plain_name(m->id) || wrong("id", err);
}

static bool check_version(json_t *root, struct error *err)
{
	const char *format = json_string_value(json_object_get(root, "format"));
	json_int_t version = json_integer_value(json_object_get(root, "format_version")); /* 0: not a number */

	if (!format || strcmp(format, "dbops-backup") != 0)
		return wrong("format", err);
	if (version < 1)
		return wrong("format_version", err);
	if (version <= MANIFEST_FORMAT_VERSION)
		return true;
	error_set(err, EXIT_REFUSED, "the backup was written by a newer dbops (format version %lld)",
		(long long)version);
	return error_hint(err, "Use that dbops, or restore the folder with pg_restore.");
}

bool manifest_parse(const char *text, size_t len, struct manifest *ret, struct error *err)
{
	json_error_t json_error;
	_cleanup_json_ json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &json_error);

	*ret = (struct manifest){ 0 };
	if (!root) {
		error_set(err, EXIT_DAMAGED, "the manifest is damaged");
		return error_detail(err, "Line %d: %s.", json_error.line, json_error.text);
	}

	bool ok = check_version(root, err) && read_fields(root, manifest_fields, ret, err) &&
		  read_strings(root, "options", &ret->options, err) &&
		  read_strings(root, "warnings", &ret->warnings, err) &&
		  READ_ARRAY(root, ret, exclusions, exclusion_fields, err) &&
		  READ_ARRAY(root, ret, files, plain_fields, err) &&
		  READ_ARRAY(root, ret, tables, table_fields, err) &&
		  READ_ARRAY(root, ret, large_objects, large_object_fields, err) && check_names(ret, err);

	if (!ok)
		manifest_release(ret);
	return ok;
}

static void release_fields(void *object, const struct field *fields)
{
	for (const struct field *f = fields; f->key; f++)
		if (f->type == FIELD_STRING || f->type == FIELD_TEXT)
			free(*(char **)((char *)object + f->offset));
}

#define RELEASE_ARRAY(m, member, fields)                                     \
	do {                                                                 \
		for (size_t i_ = 0; i_ < (m)->member.len; i_++)              \
			release_fields(&(m)->member.items[i_], fields);      \
		free((m)->member.items);                                     \
	} while (0)

void manifest_release(struct manifest *m)
{
	release_fields(m, manifest_fields);
	RELEASE_ARRAY(m, exclusions, exclusion_fields);
	RELEASE_ARRAY(m, files, plain_fields);
	RELEASE_ARRAY(m, tables, table_fields);
	RELEASE_ARRAY(m, large_objects, large_object_fields);
	strvec_release(&m->options);
	strvec_release(&m->warnings);
	*m = (struct manifest){ 0 };
}

void manifest_add_file(struct manifest *m, const char *name, const void *data, size_t len)
{
	struct manifest_plain *f = vec_push(&m->files);
	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT;
	uint8_t hash[32];

	codec_sha256(data, len, hash);
	strbuf_add_hex(&hex, hash, sizeof(hash));
	*f = (struct manifest_plain){ xstrdup(name), strbuf_detach(&hex), (int64_t)len };
}

const struct manifest_plain *manifest_find_file(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->files.len; i++)
		if (strcmp(m->files.items[i].name, name) == 0)
			return &m->files.items[i];
	return NULL;
}

bool manifest_is_partition(const struct manifest *m)
{
	return manifest_find_file(m, PARTITION_NAME) != NULL;
}

void manifest_add_exclusion(struct manifest *m, const char *kind, const char *name, const char *reason)
{
	*vec_push(&m->exclusions) = (struct manifest_exclusion){ xstrdup(kind), xstrdup(name), xstrdup(reason) };
}

void verification_write(const struct verification *v, const char *backup_id, struct strbuf *out)
{
	struct json j = JSON_INIT(out, 1);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "backup", backup_id);
	jsonw_time(&j, "at", v->at);
	jsonw_string(&j, "depth", v->depth);
	jsonw_bool(&j, "ok", v->ok);
	jsonw_seconds(&j, "seconds", v->seconds);
	jsonw_seconds(&j, "restore_seconds", v->restore_seconds);
	jsonw_object_end(&j);
	strbuf_addch(out, '\n');
}

bool verification_parse(const char *text, size_t len, struct verification *ret)
{
	_cleanup_json_ json_t *root = json_loadb(text, len, 0, NULL);
	const char *depth = json_string_value(json_object_get(root, "depth"));

	*ret = (struct verification){ 0 };
	if (!depth || !read_time(json_object_get(root, "at"), &ret->at))
		return false;
	snprintf(ret->depth, sizeof(ret->depth), "%s", depth);
	ret->ok = json_is_true(json_object_get(root, "ok"));
	ret->seconds = json_number_value(json_object_get(root, "seconds"));
	ret->restore_seconds = json_number_value(json_object_get(root, "restore_seconds"));
	return true;
}
