/* SPDX-License-Identifier: PostgreSQL */
#include "resolve.h"

#include <stdlib.h>
#include "strbuf.h"

static bool from_config(
	const struct resolve_context *ctx, const struct option *o, struct resolved *ret)
{
	const struct config_value *v;

	if (!ctx->config || !o->config_key)
		return false;
	v = config_get(ctx->config, ctx->profile, o->config_key);
	if (!v)
		return false;
	ret->origin = v->section == CONFIG_PROFILE ? ORIGIN_PROFILE : ORIGIN_CONFIG;
	ret->config = v;
	return true;
}

struct resolved resolve_origin(const struct resolve_context *ctx, const struct option *o)
{
	struct resolved r = { .origin = ORIGIN_UNSET };
	const struct setting *s = ctx->parsed ? parsed_setting(ctx->parsed, o) : NULL;
	const char *env = o->env ? getenv(o->env) : NULL;

	if (s) {
		r.origin = ORIGIN_ARGUMENT;
		r.text = s->value;
	} else if (env && *env) { /* an empty variable is how shells say "not set" */
		r.origin = ORIGIN_ENVIRONMENT;
		r.text = env;
	} else if (!from_config(ctx, o, &r) && o->fallback) {
		r.origin = ORIGIN_DEFAULT;
		r.text = o->fallback;
	}
	return r;
}

const char *origin_name(enum origin origin)
{
	static const char *const names[] = {
		[ORIGIN_UNSET] = "unset",     [ORIGIN_DEFAULT] = "default",
		[ORIGIN_CONFIG] = "config",   [ORIGIN_PROFILE] = "profile",
		[ORIGIN_ENVIRONMENT] = "environment", [ORIGIN_ARGUMENT] = "argument",
	};

	return names[origin];
}

void resolved_add_place(const struct resolve_context *ctx, const struct option *o,
	const struct resolved *r, struct strbuf *out)
{
	switch (r->origin) {
	case ORIGIN_ARGUMENT:
		strbuf_adds(out, parsed_setting(ctx->parsed, o)->shown);
		break;
	case ORIGIN_ENVIRONMENT:
		strbuf_adds(out, o->env);
		break;
	case ORIGIN_CONFIG:
	case ORIGIN_PROFILE:
		if (!r->config)
			BUG("--%s comes from the configuration, from nowhere in it", o->long_name);
		strbuf_addf(out, "%s:%d:%d", ctx->config->path ? ctx->config->path : "configuration",
			r->config->line, r->config->column);
		break;
	case ORIGIN_UNSET:
	case ORIGIN_DEFAULT:
		break;
	}
}

static bool store_arguments(
	const struct parsed *p, const struct option *o, void *args, struct error *err)
{
	for (size_t i = 0; i < p->len; i++) {
		const struct setting *s = &p->items[i];

		if (s->option == o && !option_set(o, args, s->value, err))
			return error_prefix(err, "%s", s->shown);
	}
	return true;
}

static bool store_config(
	const struct config_value *v, const struct option *o, void *args, struct error *err)
{
	for (size_t i = 0; i < v->values.len; i++)
		if (!option_set(o, args, v->values.items[i], err))
			return error_prefix(err, "%s", o->config_key);
	return true;
}

static bool store(
	const struct resolve_context *ctx, const struct option *o, void *args, struct error *err)
{
	struct resolved r = resolve_origin(ctx, o);
	_cleanup_strbuf_ struct strbuf place = STRBUF_INIT;
	bool ok;

	if (r.origin == ORIGIN_ARGUMENT)
		return store_arguments(ctx->parsed, o, args, err);
	if (r.origin == ORIGIN_UNSET)
		return true;
	ok = r.config ? store_config(r.config, o, args, err) : option_set(o, args, r.text, err);
	if (ok)
		return true;
	if (r.origin == ORIGIN_DEFAULT)
		BUG("the default of --%s is wrong: %s", o->long_name, err ? err->message : "");
	if (err)
		err->code = EXIT_CONFIG;
	resolved_add_place(ctx, o, &r, &place);
	return error_prefix(err, "%s", place.buf);
}

bool resolve_options(const struct resolve_context *ctx, const struct option *options, void *args,
	struct error *err)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++)
		if (option_is_real(o) && !store(ctx, o, args, err))
			return false;
	return true;
}

bool resolve_check_required(const struct resolve_context *ctx, const struct option *options, struct error *err)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++)
		if ((o->flags & OPTION_REQUIRED) && resolve_origin(ctx, o).origin == ORIGIN_UNSET)
			return error_set(err, EXIT_USAGE, "--%s is missing", o->long_name);
	return true;
}
