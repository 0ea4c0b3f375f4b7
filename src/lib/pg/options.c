/* SPDX-License-Identifier: PostgreSQL */
#include "internal.h"

#include <ctype.h>
#include <strings.h>

void pg_wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void pg_options_release(struct pg_options *o)
{
	for (size_t i = 0; i < o->list.len; i++) {
		free(o->list.items[i].keyword);
		pg_wipe(o->list.items[i].value);
	}
	vec_release(&o->list);
}

static struct pg_option *find(const struct pg_options *o, const char *keyword)
{
	for (size_t i = 0; i < o->list.len; i++)
		if (strcmp(o->list.items[i].keyword, keyword) == 0)
			return &o->list.items[i];
	return NULL;
}

static void remove_option(struct pg_options *o, struct pg_option *option)
{
	struct pg_option *last = &o->list.items[o->list.len - 1];

	free(option->keyword);
	pg_wipe(option->value);
	*option = *last;
	o->list.len--;
}

void pg_options_set(struct pg_options *o, const char *keyword, const char *value)
{
	struct pg_option *option = find(o, keyword);

	if (!value) {
		if (option)
			remove_option(o, option);
		return;
	}

	char *copy = xstrdup(value); /* before the wipe: value may be the old one */

	if (option) {
		pg_wipe(option->value);
		option->value = copy;
	} else {
		*vec_push(&o->list) = (struct pg_option){ xstrdup(keyword), copy };
	}
}

const char *pg_options_get(const struct pg_options *o, const char *keyword)
{
	const struct pg_option *option = find(o, keyword);

	return option ? option->value : NULL;
}

void pg_add_conninfo(struct strbuf *sb, const char *keyword, const char *value)
{
	if (sb->len)
		strbuf_addch(sb, ' ');
	strbuf_adds(sb, keyword);
	strbuf_adds(sb, "='");
	for (const char *p = value; *p; p++) {
		if (*p == '\'' || *p == '\\')
			strbuf_addch(sb, '\\');
		strbuf_addch(sb, *p);
	}
	strbuf_addch(sb, '\'');
}

char *pg_options_conninfo(const struct pg_options *o)
{
	struct strbuf sb = STRBUF_INIT;
	size_t need = 1;

	/* in one allocation, so that no half of a password stays behind in freed memory */
	for (size_t i = 0; i < o->list.len; i++)
		need += strlen(o->list.items[i].keyword) + 2 * strlen(o->list.items[i].value) + 5;
	strbuf_grow(&sb, need);
	for (size_t i = 0; i < o->list.len; i++)
		pg_add_conninfo(&sb, o->list.items[i].keyword, o->list.items[i].value);
	return strbuf_detach(&sb);
}

/* "mysql" of "mysql://…"; 0 when s does not begin with a scheme. */
static size_t scheme_length(const char *s)
{
	const char *end = strstr(s, "://");
	size_t n = 0;

	while (end && s + n < end && (isalnum((unsigned char)s[n]) || strchr("+-.:", s[n])))
		n++;
	return end && s + n == end ? n : 0;
}

static bool bad_string(struct error *err, const char *text, const char *why)
{
	bool url = scheme_length(text) != 0;

	error_set(err, EXIT_CONFIG, "the connection %s is not valid", url ? "URL" : "string");
	/* libpq quotes the part it stumbled over, which may be a piece of the password */
	if (why && !strchr(text, '@') && !strcasestr(text, "pass")) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		strbuf_adds(&sb, why);
		strbuf_trim(&sb);
		error_detail(err, "%s", sb.buf);
	}
	if (url)
		return error_hint(err,
			"Write postgresql://user@host:port/database; special characters in the "
			"user name and the password must be percent-encoded (@ is %%40, / is "
			"%%2F, : is %%3A, # is %%23).");
	return error_hint(
		err, "Write keyword=value pairs, with values that hold spaces in single quotes.");
}

/* A port such as "pa" of postgresql://u:pa/ss@host/ is a piece of an unescaped password. */
static bool ports_are_numbers(const char *port)
{
	return !port || strspn(port, "0123456789,") == strlen(port);
}

static bool parse_conninfo(const char *text, struct pg_options *ret, struct error *err)
{
	char *why = NULL;
	PQconninfoOption *parsed = PQconninfoParse(text, &why);
	bool ok = parsed != NULL;

	if (!ok)
		bad_string(err, text, why);
	PQfreemem(why);
	for (PQconninfoOption *p = parsed; ok && p->keyword; p++)
		if (p->val)
			pg_options_set(ret, p->keyword, p->val);
	PQconninfoFree(parsed);
	if (ok && !ports_are_numbers(pg_options_get(ret, "port")))
		return bad_string(err, text, NULL);
	return ok;
}

static bool parse_dbname(
	const char *dbname, struct pg_options *ret, struct strbuf *dropped, struct error *err)
{
	size_t scheme = scheme_length(dbname);

	if (pg_is_url(dbname)) {
		char *url = pg_url_clean(dbname, dropped);
		bool ok = parse_conninfo(url, ret, err);

		pg_wipe(url);
		return ok;
	}
	if (scheme) {
		error_set(err, EXIT_CONFIG, "\"%.*s://\" is not a PostgreSQL URL", (int)scheme,
			dbname);
		return error_hint(err, "Write postgresql://user@host:port/database.");
	}
	if (strchr(dbname, '='))
		return parse_conninfo(dbname, ret, err);
	pg_options_set(ret, "dbname", dbname);
	return true;
}

bool pg_options_parse(const struct pg_params *p, struct pg_options *ret, struct strbuf *dropped,
	struct error *err)
{
	if (p->isolated)
		pg_options_set(ret, "dbname", p->dbname);
	else if (p->dbname && p->dbname[0] && !parse_dbname(p->dbname, ret, dropped, err))
		return false;
	if (p->host) {
		pg_options_set(ret, "host", p->host);
		pg_options_set(ret, "hostaddr", NULL);
	}
	if (p->port)
		pg_options_set(ret, "port", p->port);
	if (p->user)
		pg_options_set(ret, "user", p->user);
	if (!ports_are_numbers(pg_options_get(ret, "port")))
		return error_set(err, EXIT_CONFIG, "the port is not a number");
	if (pg_options_get(ret, "sslpassword")) {
		error_set(
			err, EXIT_CONFIG, "the connection option \"sslpassword\" is not supported");
		return error_hint(err,
			"pg_dump and pg_restore could only get it on their command line, where "
			"everyone can read it; use a key file without passphrase and mode 0600.");
	}
	return true;
}

void pg_options_isolate(struct pg_options *o)
{
	PQconninfoOption *all = PQconndefaults();

	for (PQconninfoOption *p = all; p && p->keyword; p++) {
		/* service has no neutral value; it cannot override what is set here */
		if (!p->envvar || strcmp(p->keyword, "service") == 0 || find(o, p->keyword))
			continue;
		pg_options_set(o, p->keyword, p->compiled ? p->compiled : "");
	}
	PQconninfoFree(all);
}
