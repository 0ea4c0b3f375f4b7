/* SPDX-License-Identifier: PostgreSQL */
/* dbops indexes audit --expect: the file with the indexes that must exist. */
#include "audit.h"

#include <string.h>
#include <yaml.h>
#include "fs.h"

#define FILE_LIMIT (16u << 20)

static bool is_yaml(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static bool fail(yaml_parser_t *p, const yaml_event_t *e, const char *problem, struct error *err)
{
	error_set(err, EXIT_USAGE, "line %zu: %s", (e ? e->start_mark.line : p->problem_mark.line) + 1, problem);
	return error_hint(err, "Write a YAML list with one CREATE INDEX statement as each item.");
}

/* A list of strings, and nothing else. */
static bool read_event(yaml_parser_t *p, const yaml_event_t *e, int *depth, struct expected_indexes *ret, struct error *err)
{
	switch (e->type) {
	case YAML_SEQUENCE_START_EVENT:
		return ++*depth == 1 || fail(p, e, "a list within the list", err);
	case YAML_SEQUENCE_END_EVENT:
		--*depth;
		return true;
	case YAML_SCALAR_EVENT:
		if (*depth != 1)
			return fail(p, e, "not a list", err);
		return indexes_expect_add(ret, (const char *)e->data.scalar.value, err) ||
		       error_prefix(err, "line %zu", e->start_mark.line + 1);
	case YAML_MAPPING_START_EVENT:
		return fail(p, e, "not a list of statements", err);
	default:
		return true;
	}
}

static bool read_yaml(const struct strbuf *text, struct expected_indexes *ret, struct error *err)
{
	yaml_parser_t p;
	bool ok = true, end = false;
	int depth = 0;

	if (!yaml_parser_initialize(&p))
		return error_set(err, EXIT_CONFIG, "cannot read YAML");
	yaml_parser_set_input_string(&p, (const unsigned char *)text->buf, text->len);
	while (ok && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&p, &e)) {
			ok = fail(&p, NULL, p.problem ? p.problem : "no YAML", err);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		ok = read_event(&p, &e, &depth, ret, err);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	return ok;
}

bool audit_read_expected(const char *path, struct expected_indexes *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!fs_read(path, FILE_LIMIT, &text, err))
		return false;
	if (strlen(text.buf) != text.len)
		return error_set(err, EXIT_USAGE, "%s: not a text file", path);
	if (is_yaml(path) ? read_yaml(&text, ret, err) : indexes_expect_add(ret, text.buf, err))
		return true;
	return error_prefix(err, "%s", path);
}
