/* SPDX-License-Identifier: PostgreSQL */
#include "sample.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include "clock.h"
#include "fs.h"
#include "json.h"

#define SAMPLE_LIMIT (256u << 20)

void sample_release(struct sample *s)
{
	for (size_t i = 0; i < s->entries.len; i++) {
		free(s->entries.items[i].key);
		free(s->entries.items[i].values);
	}
	vec_release(&s->entries);
	free(s->server);
	free(s->database);
	*s = (struct sample){ 0 };
}

void sample_add(struct sample *s, const char *key, const double *values)
{
	size_t n = s->counter_count;

	if (!n)
		while (s->counters[s->counter_count])
			n = ++s->counter_count;

	struct sample_entry *e = vec_push(&s->entries);

	e->key = xstrdup(key);
	e->values = xcalloc(n, sizeof(double));
	memcpy(e->values, values, n * sizeof(double));
	s->sorted = false;
}

static int compare(const void *a, const void *b)
{
	const struct sample_entry *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Entries of one key become one. */
static void merge(struct sample *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->entries.len; i++) {
		struct sample_entry *to = &s->entries.items[kept], *from = &s->entries.items[i];

		if (strcmp(to->key, from->key) != 0) {
			s->entries.items[++kept] = *from;
			continue;
		}
		for (size_t k = 0; k < s->counter_count; k++)
			to->values[k] += from->values[k];
		free(from->key);
		free(from->values);
	}
	s->entries.len = kept + 1;
}

static void sort(struct sample *s)
{
	if (s->sorted || !s->entries.len)
		return;
	qsort(s->entries.items, s->entries.len, sizeof(*s->entries.items), compare);
	merge(s);
	s->sorted = true;
}

const double *sample_find(struct sample *s, const char *key)
{
	struct sample_entry wanted = { .key = (char *)(uintptr_t)key };

	sort(s);
	if (!s->entries.len)
		return NULL;

	const struct sample_entry *e =
		bsearch(&wanted, s->entries.items, s->entries.len, sizeof(*s->entries.items), compare);

	return e ? e->values : NULL;
}

double sample_seconds(const struct sample *before, const struct sample *now)
{
	return now->at > before->at ? (double)(now->at - before->at) / 1e6 : 0;
}

static bool differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

const char *sample_incomparable(const struct sample *before, const struct sample *now)
{
	if (differs(before->database, now->database))
		return "the earlier sample is of another database";
	if (differs(before->server, now->server))
		return "the earlier sample is of another server";
	if (now->at <= before->at)
		return "the earlier sample is not earlier";
	if (now->stats_reset_at != before->stats_reset_at)
		return "the statistics were reset since the earlier sample";
	return NULL;
}

bool sample_write(const struct sample *s, const char *command, const char *path, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "schema_version", 1);
	jsonw_string(&j, "sample", command);
	jsonw_int(&j, "at", s->at);
	jsonw_int(&j, "started_at", s->started_at);
	jsonw_int(&j, "stats_reset_at", s->stats_reset_at);
	jsonw_string(&j, "server", s->server);
	jsonw_string(&j, "database", s->database);
	jsonw_array_begin(&j, "counters");
	for (size_t k = 0; s->counters[k]; k++)
		jsonw_string(&j, NULL, s->counters[k]);
	jsonw_array_end(&j);
	jsonw_array_begin(&j, "entries");
	for (size_t i = 0; i < s->entries.len; i++) {
		jsonw_array_begin(&j, NULL);
		jsonw_string(&j, NULL, s->entries.items[i].key);
		for (size_t k = 0; k < s->counter_count; k++)
			jsonw_double(&j, NULL, s->entries.items[i].values[k]);
		jsonw_array_end(&j);
	}
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	strbuf_addch(&text, '\n');
	return fs_write_atomic(path, text.buf, text.len, err);
}

/* Which position in the file each of our counters has; -1 = the file does not know it. */
static void map_counters(const json_t *names, const char *const *counters, int *ret)
{
	for (size_t k = 0; counters[k]; k++) {
		ret[k] = -1;
		for (size_t i = 0; i < json_array_size(names); i++) {
			const char *name = json_string_value(json_array_get(names, i));

			if (name && strcmp(name, counters[k]) == 0)
				ret[k] = (int)i;
		}
	}
}

static void read_entry(struct sample *s, const json_t *entry, const int *map)
{
	const char *key = json_string_value(json_array_get(entry, 0));
	double values[SAMPLE_COUNTERS_MAX];

	if (!key)
		return;
	for (size_t k = 0; s->counters[k]; k++) {
		const json_t *v = map[k] < 0 ? NULL : json_array_get(entry, (size_t)map[k] + 1);

		values[k] = json_is_number(v) ? json_number_value(v) : (double)NAN;
	}
	sample_add(s, key, values);
}

static void read_document(struct sample *s, const json_t *d)
{
	const char *server = json_string_value(json_object_get(d, "server"));
	const char *database = json_string_value(json_object_get(d, "database"));
	const json_t *entries = json_object_get(d, "entries");
	int map[SAMPLE_COUNTERS_MAX] = { 0 };

	s->at = json_integer_value(json_object_get(d, "at"));
	s->started_at = json_integer_value(json_object_get(d, "started_at"));
	s->stats_reset_at = json_integer_value(json_object_get(d, "stats_reset_at"));
	s->server = server ? xstrdup(server) : NULL;
	s->database = database ? xstrdup(database) : NULL;
	map_counters(json_object_get(d, "counters"), s->counters, map);
	for (size_t i = 0; i < json_array_size(entries); i++)
		read_entry(s, json_array_get(entries, i), map);
}

bool sample_read(struct sample *ret, const char *command, const char *const *counters, const char *path, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	json_error_t why;

	*ret = (struct sample){ .counters = counters };
	if (!fs_read(path, SAMPLE_LIMIT, &text, err))
		return false;

	json_t *d = json_loadb(text.buf, text.len, 0, &why);
	const char *kind = json_string_value(json_object_get(d, "sample"));
	bool ok = kind && strcmp(kind, command) == 0;

	if (ok)
		read_document(ret, d);
	else
		error_set(err, EXIT_USAGE, "'%s' is not a sample of %s", path, command);
	json_decref(d);
	return ok || error_hint(err, "Write one with the same command and --save FILE.");
}
