/* SPDX-License-Identifier: PostgreSQL */
#include "aws_ini.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include "strbuf.h"

struct line {
	const char *text;
	size_t len;
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct line trim(struct line l)
{
	while (l.len && blank(l.text[0])) {
		l.text++;
		l.len--;
	}
	while (l.len && blank(l.text[l.len - 1]))
		l.len--;
	return l;
}

static char *lower(struct line l)
{
	char *s = xstrndup(l.text, l.len);

	for (char *p = s; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

/* "profile  'my name'" -> "profile my name" */
static char *section_name(struct line l)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < l.len; i++) {
		if (l.text[i] == '"' || l.text[i] == '\'')
			continue;
		if (blank(l.text[i]) && (!sb.len || sb.buf[sb.len - 1] == ' '))
			continue;
		strbuf_addch(&sb, blank(l.text[i]) ? ' ' : l.text[i]);
	}
	strbuf_trim(&sb);
	return strbuf_detach(&sb);
}

static void add(struct aws_ini *ini, const char *section, char *name, char *value)
{
	struct aws_ini_setting *s = vec_push(ini);

	*s = (struct aws_ini_setting){ xstrdup(section), name, value };
}

struct state {
	struct aws_ini *ini;
	char *section, *parent; /* parent: the setting that nested lines belong to, or NULL */
};

static bool parse_setting(struct state *st, struct line raw)
{
	struct line l = trim(raw);
	const char *equal = memchr(l.text, '=', l.len);
	bool nested = blank(raw.text[0]);

	if (nested && (!equal || !st->parent))
		return true; /* continuation of a value dbops has no use for */
	if (!st->section || !equal || equal == l.text)
		return false;

	struct line name = trim((struct line){ l.text, (size_t)(equal - l.text) });
	struct line value = trim(
		(struct line){ equal + 1, l.len - (size_t)(equal - l.text) - 1 });
	autofree char *key = lower(name);

	if (nested) {
		add(st->ini, st->section, xasprintf("%s.%s", st->parent, key),
			xstrndup(value.text, value.len));
		return true;
	}
	free(st->parent);
	st->parent = value.len ? NULL : xstrdup(key);
	add(st->ini, st->section, steal(key), xstrndup(value.text, value.len));
	return true;
}

static bool parse_line(struct state *st, struct line raw)
{
	struct line l = trim(raw);

	if (!l.len || l.text[0] == '#' || l.text[0] == ';')
		return true;
	if (memchr(l.text, '\0', l.len))
		return false;
	if (l.text[0] != '[' || blank(raw.text[0]))
		return parse_setting(st, raw);

	const char *end = memchr(l.text, ']', l.len);

	if (!end)
		return false;
	free(st->section);
	free(st->parent);
	st->parent = NULL;
	st->section = section_name((struct line){ l.text + 1, (size_t)(end - l.text) - 1 });
	add(st->ini, st->section, xstrdup(""), xstrdup(""));
	return true;
}

bool aws_ini_parse(const char *text, size_t len, struct aws_ini *ret, struct error *err)
{
	struct state st = { .ini = ret };
	size_t number = 1, pos = 0;
	bool ok = true;

	*ret = (struct aws_ini){ 0 };
	for (; ok && pos < len; number++) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - text) - pos : len - pos;

		ok = parse_line(&st, (struct line){ text + pos, n });
		pos += n + 1;
	}
	free(st.section);
	free(st.parent);
	if (ok)
		return true;
	aws_ini_release(ret);
	return error_set(err, EXIT_CONFIG, "line %zu is not \"[section]\" or \"name = value\"", number - 1);
}

const char *aws_ini_get(const struct aws_ini *ini, const char *section, const char *name)
{
	for (size_t i = ini->len; i-- > 0;)
		if (strcmp(ini->items[i].section, section) == 0 &&
			strcmp(ini->items[i].name, name) == 0)
			return ini->items[i].value;
	return NULL;
}

bool aws_ini_has(const struct aws_ini *ini, const char *section)
{
	return aws_ini_get(ini, section, "") != NULL;
}

void aws_ini_release(struct aws_ini *ini)
{
	for (size_t i = 0; i < ini->len; i++) {
		OPENSSL_cleanse(ini->items[i].value, strlen(ini->items[i].value));
		free(ini->items[i].section);
		free(ini->items[i].name);
		free(ini->items[i].value);
	}
	vec_release(ini);
}
