/* SPDX-License-Identifier: PostgreSQL */
#include "config.h"

#include "clock.h"

#define KEY(name) .long_name = (name), .config_key = (name)

const struct option config_suppression_options[] = {
	OPT_STRING(struct config_suppression, finding, KEY("finding"), .metavar = "ID", .flags = OPTION_REQUIRED,
		.help = "id of the finding, such as indexes.unused; * and ? match as in file names"),
	OPT_STRING(struct config_suppression, object, KEY("object"), .metavar = "PATTERN",
		.help = "objects it is accepted for, such as public.audit_*; without it all"),
	OPT_STRING(struct config_suppression, reason, KEY("reason"), .metavar = "TEXT", .flags = OPTION_REQUIRED,
		.help = "why; printed beside the finding"),
	OPT_STRING(struct config_suppression, expires, KEY("expires"), .metavar = "YYYY-MM-DD",
		.help = "last day (UTC) on which it is accepted; without it for good"),
	OPT_END,
};

static bool check(const struct config_suppression *s, struct error *err)
{
	autofree char *midnight = s->expires ? xasprintf("%sT00:00:00Z", s->expires) : NULL;
	int64_t unused;

	if (!s->finding)
		return error_set(err, EXIT_CONFIG, "suppression '%s' names no finding", s->name);
	if (!s->reason)
		return error_set(err, EXIT_CONFIG, "suppression '%s' gives no reason", s->name);
	if (midnight && !clock_parse_utc(midnight, &unused))
		return error_set(err, EXIT_CONFIG, "suppression '%s': '%s' is not a date such as 2027-01-31", s->name,
			s->expires);
	return true;
}

bool config_suppression(const struct config *c, const char *name, struct config_suppression *ret,
	struct error *err)
{
	*ret = (struct config_suppression){ .name = name };
	for (const struct option *o = config_suppression_options; o->type != OPTION_END; o++) {
		const struct config_value *v = config_get_in(c, CONFIG_SUPPRESSION, name, o->config_key);

		if (v && v->values.len && !option_set(o, ret, v->values.items[0], err))
			return false;
	}
	return check(ret, err);
}
