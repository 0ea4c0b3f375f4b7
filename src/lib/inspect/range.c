/* SPDX-License-Identifier: PostgreSQL */
#include "range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "xalloc.h"

static bool parse_number(const char *text, enum unit unit, double *ret)
{
	int64_t n;
	char *end;

	if (strspn(text, "+-.0123456789eE") == strlen(text)) {
		*ret = strtod(text, &end);
		return *text && !*end && isfinite(*ret);
	}
	if (unit == UNIT_SECONDS && duration_parse(text, &n)) {
		*ret = (double)n / 1000;
		return true;
	}
	if (unit == UNIT_BYTES && size_parse(text, &n)) {
		*ret = (double)n;
		return true;
	}
	return false;
}

/* One end; takes a "%" off and notes it. */
static bool parse_end(const char *s, size_t len, enum unit unit, struct range *r, double *ret)
{
	autofree char *text = xstrndup(s, len);

	if (len && text[len - 1] == '%') {
		text[len - 1] = '\0';
		r->percent = true;
		return parse_number(text, UNIT_NUMBER, ret);
	}
	return parse_number(text, unit, ret);
}

static bool parse_ends(const char *text, enum unit unit, struct range *r)
{
	const char *colon = strchr(text, ':');
	size_t low_len = colon ? (size_t)(colon - text) : 0;
	const char *high = colon ? colon + 1 : text;

	r->low = 0;
	r->high = INFINITY;
	if (low_len == 1 && *text == '~')
		r->low = -INFINITY;
	else if (low_len && !parse_end(text, low_len, unit, r, &r->low))
		return false;
	if (!*high)
		return low_len > 0;
	return parse_end(high, strlen(high), unit, r, &r->high) && r->low <= r->high;
}

bool range_parse(const char *text, enum unit unit, struct range *ret, struct error *err)
{
	const char *rest = text;
	bool ok = true;

	*ret = (struct range){ .set = *text != '\0' };
	if (!ret->set)
		return true;
	if (*rest == '-' && !strchr(rest, ':')) {
		ret->left = true;
		ok = parse_end(rest + 1, strlen(rest + 1), unit, ret, &ret->high) && ret->high >= 0;
	} else {
		ret->inside = *rest == '@';
		ok = parse_ends(rest + ret->inside, unit, ret);
	}
	if (ok)
		return true;
	error_set(err, EXIT_USAGE, "'%s' is not a threshold", text);
	return error_hint(err, "Write a number, a per cent (85%%), a Nagios range (10:20, 10:, ~:10, @10:20) or -5 for \"fewer than 5 left\".");
}

static bool check(const char *text, enum unit unit, struct error *err)
{
	struct range unused;

	return range_parse(text, unit, &unused, err);
}

bool range_check_number(const char *text, struct error *err)
{
	return check(text, UNIT_NUMBER, err);
}

bool range_check_seconds(const char *text, struct error *err)
{
	return check(text, UNIT_SECONDS, err);
}

bool range_check_bytes(const char *text, struct error *err)
{
	return check(text, UNIT_BYTES, err);
}

/* "-5" of a maximum that is no larger: fewer than 5 are left always, which tells nobody anything. */
static bool is_beyond(const struct range *r, double maximum)
{
	return r->left && r->high * (r->percent ? maximum / 100 : 1) >= maximum;
}

bool range_alerts(const struct range *r, double value, double maximum)
{
	double scale = r->percent ? maximum / 100 : 1;

	if (!r->set || !isfinite(value) || ((r->percent || r->left) && maximum <= 0))
		return false;
	if (is_beyond(r, maximum))
		return value >= maximum;
	if (r->left)
		return maximum - value < r->high * scale;

	bool within = value >= r->low * scale && value <= r->high * scale;

	return within == r->inside;
}

void range_add(const struct range *r, double maximum, struct strbuf *out)
{
	double scale = r->percent ? maximum / 100 : 1;

	if (!r->set || ((r->percent || r->left) && maximum <= 0))
		return;
	if (r->left) {
		bool beyond = is_beyond(r, maximum);

		strbuf_adds(out, beyond ? "@" : "");
		strbuf_add_decimal(out, beyond ? maximum : maximum - r->high * scale);
		strbuf_adds(out, beyond ? ":" : "");
		return;
	}
	strbuf_adds(out, r->inside ? "@" : "");
	if (isinf(r->low))
		strbuf_adds(out, "~:");
	if (!isinf(r->low) && (r->low != 0 || isinf(r->high) || r->inside)) {
		strbuf_add_decimal(out, r->low * scale);
		strbuf_addch(out, ':');
	}
	if (!isinf(r->high))
		strbuf_add_decimal(out, r->high * scale);
}
