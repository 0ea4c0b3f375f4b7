/* SPDX-License-Identifier: PostgreSQL
 *
 * child.c - how a child program (pg_dump …) reaches the server that we are connected to.
 *
 * Its environment, because a command line is public. Options without a variable of their own go
 * into the conninfo, and those can be only harmless ones: pg_options_parse() refuses sslpassword.
 */
#include "internal.h"

static const char *variable_of(const PQconninfoOption *all, const char *keyword)
{
	for (const PQconninfoOption *p = all; p->keyword; p++)
		if (strcmp(p->keyword, keyword) == 0)
			return p->envvar;
	return NULL;
}

static bool is_secret(const PQconninfoOption *all, const char *keyword)
{
	for (const PQconninfoOption *p = all; p->keyword; p++)
		if (strcmp(p->keyword, keyword) == 0)
			return p->dispchar && p->dispchar[0] == '*';
	return true;
}

static bool equals_default(const PQconninfoOption *all, const char *keyword, const char *value)
{
	for (const PQconninfoOption *p = all; p->keyword; p++)
		if (strcmp(p->keyword, keyword) == 0)
			return strcmp(value, p->compiled ? p->compiled : "") == 0;
	return false;
}

static const char *application_name(const struct pg_options *o)
{
	const char *name = pg_options_get(o, "application_name");

	return name && name[0] ? name : pg_options_get(o, "fallback_application_name");
}

/* Known here, so a variable of the caller's environment must not add it again. */
static void unset_rest(struct pg_conn *c, const PQconninfoOption *all)
{
	const struct pg_options *o = &c->session->options;

	for (const PQconninfoOption *p = all; p->keyword; p++)
		if (p->envvar && !pg_options_get(o, p->keyword))
			strvec_push(&c->env, p->envvar);
	strvec_push(&c->env, "PGSERVICEFILE");
	strvec_push(&c->env, "PGSYSCONFDIR");
}

static void add_setting(struct pg_conn *c, const PQconninfoOption *all,
	const struct pg_option *option, struct strbuf *conninfo)
{
	const char *variable = variable_of(all, option->keyword);

	if (strcmp(option->keyword, "application_name") == 0 ||
		strcmp(option->keyword, "fallback_application_name") == 0)
		return;
	if (strcmp(option->keyword, "dbname") == 0)
		pg_add_conninfo(conninfo, "dbname", option->value);
	if (variable)
		strvec_pushf(&c->env, "%s=%s", variable, option->value);
	else if (!is_secret(all, option->keyword) &&
		 !equals_default(all, option->keyword, option->value))
		pg_add_conninfo(conninfo, option->keyword, option->value);
}

bool pg_child_settings(struct pg_conn *c, struct error *err)
{
	const struct pg_options *o = &c->session->options;
	_cleanup_strbuf_ struct strbuf conninfo = STRBUF_INIT;
	PQconninfoOption *all = PQconndefaults();

	if (!all)
		return error_set(err, EXIT_BUG, "cannot read libpq's list of options");
	for (size_t i = 0; i < o->list.len; i++)
		add_setting(c, all, &o->list.items[i], &conninfo);
	unset_rest(c, all);
	if (application_name(o))
		strvec_pushf(&c->env, "PGAPPNAME=%s", application_name(o));
	PQconninfoFree(all);
	c->child_conninfo = strbuf_detach(&conninfo);
	return true;
}
