/* SPDX-License-Identifier: PostgreSQL */
#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include "fs.h"
#include "nearest.h"
#include "redact.h"

#define CONFIG_LIMIT (1u << 20)

const struct config_named config_named[CONFIG_SECTIONS] = {
	[CONFIG_PROFILE] = { "profiles", "profile", NULL, "Profiles by name, each with keys of the section KEYS.", NULL },
	[CONFIG_REMOTE] = { "remotes", "remote", "REMOTES", "Storage by name, each with keys of the section REMOTES.",
		config_remote_options },
	[CONFIG_SUPPRESSION] = { "suppressions", "suppression", "SUPPRESSIONS",
		"Findings that are known and accepted, by a name of your choice, each with keys of the section "
		"SUPPRESSIONS. Such a finding stays visible, and no check counts it.",
		config_suppression_options },
	[CONFIG_RETENTION] = { "retention", "retention policy", "RETENTION",
		"How long tables keep their rows, and which partitions are created ahead: policies of 'dbops partitions maintain' by a name "
		"of your choice, each with keys of the section RETENTION.",
		config_retention_options },
	[CONFIG_HOLD] = { "holds", "hold", "HOLDS",
		"What must not be removed, whatever a policy or a command says: legal holds by a name of your choice, each with keys of the "
		"section HOLDS.",
		config_hold_options },
};

struct config *config_new(void)
{
	return xcalloc(1, sizeof(struct config));
}

void config_free(struct config *c)
{
	for (size_t i = 0; i < c->len; i++) {
		free(c->items[i].name);
		free(c->items[i].key);
		strvec_release(&c->items[i].values);
	}
	free(c->items);
	free(c->path);
	free(c->default_profile);
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		strvec_release(&c->names[i]);
	free(c);
}

static char *existing(char *path)
{
	if (fs_exists(path))
		return path;
	free(path);
	return NULL;
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *find_in_home(void)
{
	const char *xdg = variable("XDG_CONFIG_HOME"), *home = variable("HOME");

	if (xdg)
		return existing(xasprintf("%s/dbops/dbops.yaml", xdg));
	return home ? existing(xasprintf("%s/.config/dbops/dbops.yaml", home)) : NULL;
}

char *config_find(const char *given)
{
	const char *named = given ? given : variable("DBOPS_CONFIG");

	if (named)
		return xstrdup(named);

	char *path = existing(xstrdup("dbops.yaml"));

	if (!path)
		path = find_in_home();
	return path ? path : existing(xstrdup("/etc/dbops/dbops.yaml"));
}

struct config *config_load(const char *path, struct error *err)
{
	_cleanup_config_ struct config *c = config_new();
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct stat st;

	if (!path)
		return steal(c);
	if (!fs_read(path, CONFIG_LIMIT, &text, err)) {
		if (err)
			err->code = EXIT_CONFIG;
		error_prefix(err, "configuration");
		return NULL;
	}
	c->path = xstrdup(path);
	c->exposed = stat(path, &st) == 0 && (st.st_mode & S_IROTH);
	if (!config_parse(c, path, text.buf, text.len, err))
		return NULL;
	return steal(c);
}

static bool same_name(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

const struct config_value *config_get_in(
	const struct config *c, enum config_section section, const char *name, const char *key)
{
	for (size_t i = 0; i < c->len; i++) {
		const struct config_value *v = &c->items[i];

		if (v->section == section && same_name(v->name, name) && strcmp(v->key, key) == 0)
			return v;
	}
	return NULL;
}

const struct config_value *config_get(const struct config *c, const char *profile, const char *key)
{
	const struct config_value *v = NULL;

	if (profile)
		v = config_get_in(c, CONFIG_PROFILE, profile, key);
	if (!v || !v->values.len)
		v = config_get_in(c, CONFIG_TOP, NULL, key);
	/* a null value says "not set", an empty list is a value */
	return v && (v->values.len || v->list) ? v : NULL;
}

static void copy_names(const struct strvec *names, struct strvec *ret)
{
	for (size_t i = 0; i < names->len; i++)
		strvec_push(ret, names->items[i]);
}

void config_profile_names(const struct config *c, struct strvec *ret)
{
	copy_names(&c->names[CONFIG_PROFILE], ret);
}

void config_remote_names(const struct config *c, struct strvec *ret)
{
	copy_names(&c->names[CONFIG_REMOTE], ret);
}
