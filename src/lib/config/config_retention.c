/* SPDX-License-Identifier: PostgreSQL */
#include "config.h"

#include "clock.h"

#define KEY(name) .long_name = (name), .config_key = (name)

static const char *const epochs[] = { "none", "s", "ms", "us", "ns", NULL };
static const char *const actions[] = { "archive", "detach", "drop", "purge", NULL };

#define R struct config_retention
const struct option config_retention_options[] = {
	OPT_STRING(R, table, KEY("table"), .metavar = "TABLE", .flags = OPTION_REQUIRED, .help = "the table as SQL names it, with its schema"),
	OPT_STRING(R, database, KEY("database"), .metavar = "NAME", .help = "only in this database; without it in each that has the table"),
	OPT_STRING(R, keep, KEY("keep"), .metavar = "INTERVAL",
		.help = "how long rows stay, as PostgreSQL's interval: 24 months; without it nothing is removed"),
	OPT_ENUM(R, action, KEY("action"), .metavar = "ACTION", .choices = actions, .fallback = "archive",
		.help = "what happens to partitions that are older: archive (prove, then drop), detach, drop (without an archive); purge "
			"deletes old rows of a table that is not partitioned"),
	OPT_STRING(R, to, KEY("to"), .metavar = "DIR|s3://…", .help = "archive: where to; without it partitions.archive_to"),
	OPT_STRING(R, column, KEY("column"), .metavar = "NAME", .help = "purge: the column of type date or timestamp that tells a row's age"),
	OPT_INT(R, batch, KEY("batch"), .metavar = "N", .fallback = "1000", .min = 1, .max = 100000, .help = "purge: rows of one transaction"),
	OPT_STRING(R, interval, KEY("interval"), .metavar = "INTERVAL", .help = "width of new partitions; without it none are created"),
	OPT_INT(R, ahead, KEY("ahead"), .metavar = "N", .fallback = "3", .min = 1, .max = 1000, .help = "how many partitions lie ahead of now"),
	OPT_STRING(R, timezone, KEY("timezone"), .metavar = "ZONE", .help = "zone in which the bounds of new partitions fall (default: UTC)"),
	OPT_ENUM(R, epoch, KEY("epoch"), .metavar = "UNIT", .choices = epochs, .fallback = "none",
		.help = "an integer key counts time since 1970 in this unit"),
	OPT_END,
};
#undef R

#define H struct config_hold
const struct option config_hold_options[] = {
	OPT_STRING(H, table, KEY("table"), .metavar = "PATTERN", .flags = OPTION_REQUIRED,
		.help = "tables that are held, such as public.trades or audit.*, in any schema without one; one that has partitions holds "
			"them, too, and is held by each of them"),
	OPT_STRING(H, database, KEY("database"), .metavar = "NAME", .help = "only in this database; without it in each"),
	OPT_STRING(H, rows, KEY("rows"), .metavar = "CONDITION",
		.help = "only rows that fulfil this SQL condition: other rows may be purged, and a partition without such rows may go"),
	OPT_STRING(H, reason, KEY("reason"), .metavar = "TEXT", .flags = OPTION_REQUIRED, .help = "why; printed when something is kept for it"),
	OPT_STRING(H, until, KEY("until"), .metavar = "YYYY-MM-DD", .help = "last day (UTC) of the hold; without it for good"),
	OPT_END,
};
#undef H

static bool fill(const struct config *c, enum config_section section, const char *name, const struct option *options, void *ret,
	struct error *err)
{
	for (const struct option *o = options; o->type != OPTION_END; o++) {
		const struct config_value *v = config_get_in(c, section, name, o->config_key);
		const char *text = v && v->values.len ? v->values.items[0] : o->fallback;

		if (text && !option_set(o, ret, text, err)) {
			if (err)
				err->code = EXIT_CONFIG;
			return error_prefix(err, "%s '%s'", config_named[section].what, name);
		}
		if (!text && o->flags & OPTION_REQUIRED)
			return error_set(err, EXIT_CONFIG, "%s '%s' has no '%s'", config_named[section].what, name, o->config_key);
	}
	return true;
}

static bool check_retention(const struct config_retention *r, struct error *err)
{
	bool purge = strcmp(r->action, "purge") == 0;

	if (purge && !r->column)
		return error_set(err, EXIT_CONFIG, "retention policy '%s' purges rows, and does not say by which 'column'", r->name);
	if (purge && !r->keep)
		return error_set(err, EXIT_CONFIG, "retention policy '%s' purges rows, and does not say how long to 'keep' them", r->name);
	if (!r->keep && !r->interval)
		return error_set(err, EXIT_CONFIG, "retention policy '%s' has neither 'keep' nor 'interval': it would do nothing", r->name);
	return true;
}

bool config_retention(const struct config *c, const char *name, struct config_retention *ret, struct error *err)
{
	*ret = (struct config_retention){ .name = name };
	return fill(c, CONFIG_RETENTION, name, config_retention_options, ret, err) && check_retention(ret, err);
}

bool config_hold(const struct config *c, const char *name, struct config_hold *ret, struct error *err)
{
	*ret = (struct config_hold){ .name = name, .until_us = INT64_MAX };
	if (!fill(c, CONFIG_HOLD, name, config_hold_options, ret, err))
		return false;
	if (!ret->until)
		return true;

	/* the end of that day */
	autofree char *midnight = xasprintf("%sT00:00:00Z", ret->until);

	if (!clock_parse_utc(midnight, &ret->until_us))
		return error_set(err, EXIT_CONFIG, "hold '%s': '%s' is not a date such as 2027-01-31", name, ret->until);
	ret->until_us += INT64_C(86400000000);
	return true;
}
