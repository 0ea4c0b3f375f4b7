/* SPDX-License-Identifier: PostgreSQL */
#include "age.h"

#include <ctype.h>
#include <string.h>

static bool refuse(const char *text, const char *why, struct error *err)
{
	error_set(err, EXIT_USAGE, "'%s' is not clear enough to remove anything by: %s", text, why);
	return error_hint(err, "Write the unit out: '12 months', '90 days', '36 hours'.");
}

/* Colons are of hours and minutes, a P at the beginning is ISO 8601's: both have units of their own. */
bool age_check(const char *text, struct error *err)
{
	const char *start = text + strspn(text, " \t\n+-@");

	if (toupper((unsigned char)*start) == 'P' || strchr(start, ':'))
		return true;
	for (const char *p = start; *p;) {
		const char *unit = p + strspn(p, "0123456789.");

		if (unit == p) {
			p++;
			continue;
		}
		unit += strspn(unit, " \t\n");
		if (!isalpha((unsigned char)*unit))
			return refuse(text, "a number has no unit, which PostgreSQL takes for seconds", err);
		if (tolower((unsigned char)*unit) == 'm' && !isalpha((unsigned char)unit[1]))
			return refuse(text, "'m' is minutes to PostgreSQL", err);
		p = unit;
	}
	return true;
}
