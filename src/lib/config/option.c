/* SPDX-License-Identifier: PostgreSQL */
#include "option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include "clock.h"
#include "nearest.h"
#include "strbuf.h"

static bool set_flag(void *field, const char *text, struct error *err)
{
	static const char *const on[] = { "true", "yes", "on", "1", NULL };
	static const char *const off[] = { "false", "no", "off", "0", NULL };

	for (unsigned i = 0; on[i]; i++) {
		if (strcasecmp(text, on[i]) == 0) {
			*(bool *)field = true;
			return true;
		}
		if (strcasecmp(text, off[i]) == 0) {
			*(bool *)field = false;
			return true;
		}
	}
	return error_set(err, EXIT_USAGE, "'%s' is not true or false", text);
}

static bool parse_int(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !errno && end != text && !*end && strspn(text, "+-0123456789") == strlen(text);
}

static bool parse_number(const struct option *o, const char *text, int64_t *ret, struct error *err)
{
	switch (o->type) {
	case OPTION_SIZE:
		return size_parse(text, ret) ||
		       error_set(err, EXIT_USAGE, "'%s' is not a size such as 64MiB", text);
	case OPTION_DURATION:
		return duration_parse(text, ret) ||
		       error_set(err, EXIT_USAGE, "'%s' is not a time such as 30s or 1h30min", text);
	default:
		return parse_int(text, ret) ||
		       error_set(err, EXIT_USAGE, "'%s' is not a whole number", text);
	}
}

static void add_bound(const struct option *o, int64_t value, struct strbuf *sb)
{
	if (o->type == OPTION_SIZE)
		size_format(value, sb);
	else if (o->type == OPTION_DURATION)
		duration_format((double)value / 1000, sb);
	else
		strbuf_addf(sb, "%" PRId64, value);
}

static bool set_number(const struct option *o, void *field, const char *text, struct error *err)
{
	int64_t max = o->max ? o->max : INT64_MAX;
	int64_t value;

	if (!parse_number(o, text, &value, err))
		return false;
	if (value >= o->min && value <= max) {
		*(int64_t *)field = value;
		return true;
	}

	_cleanup_strbuf_ struct strbuf bound = STRBUF_INIT;

	add_bound(o, value < o->min ? o->min : max, &bound);
	return error_set(err, EXIT_USAGE, "'%s' is %s %s", text,
		value < o->min ? "less than" : "more than", bound.buf);
}

static bool set_choice(const struct option *o, void *field, const char *text, struct error *err)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;

	for (unsigned i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*(const char **)field = o->choices[i];
			return true;
		}
		strbuf_addf(&all, "%s%s", i ? ", " : "", o->choices[i]);
	}

	const char *near = nearest_choice(text, o->choices);

	error_set(err, EXIT_USAGE, "'%s' is not one of %s", text, all.buf);
	return near ? error_hint(err, "Did you mean '%s'?", near) : false;
}

bool option_set(const struct option *o, void *args, const char *text, struct error *err)
{
	void *field = (char *)args + o->offset;

	switch (o->type) {
	case OPTION_FLAG:
		return set_flag(field, text, err);
	case OPTION_INT:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return set_number(o, field, text, err);
	case OPTION_ENUM:
		return set_choice(o, field, text, err);
	case OPTION_LIST:
		strvec_push(field, text);
		return true;
	case OPTION_STRING:
	case OPTION_PATH:
		if (o->check && !o->check(text, err))
			return false;
		*(const char **)field = text;
		return true;
	case OPTION_GROUP:
	case OPTION_END:
		break;
	}
	BUG("option '%s' has no value", o->long_name);
}

void option_release(const struct option *options, void *args)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++)
		if (o->type == OPTION_LIST)
			strvec_release((struct strvec *)(void *)((char *)args + o->offset));
}

const struct option *option_find_long(const struct option *options, const char *name, size_t len)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++)
		if (option_is_real(o) && strlen(o->long_name) == len &&
			memcmp(o->long_name, name, len) == 0)
			return o;
	return NULL;
}

const struct option *option_find_short(const struct option *options, char name)
{
	for (const struct option *o = options; o && o->type != OPTION_END; o++)
		if (option_is_real(o) && o->short_name == name)
			return o;
	return NULL;
}
