/* SPDX-License-Identifier: PostgreSQL
 *
 * range.h - thresholds as monitoring people write them.
 *
 * Nagios ranges (Monitoring Plugins Development Guidelines, "Threshold and Ranges"): "10" alerts outside 0..10,
 * "10:" below 10, "~:10" above 10, "10:20" outside, "@10:20" inside. With "%" the numbers are per cent
 * of the metric's maximum; "-5" alerts when fewer than 5 are left of the maximum, and when nothing is left of one that is
 * 5 or less itself. Numbers may carry the unit that fits: 30s, 5min, 10GiB.
 */
#ifndef DBOPS_RANGE_H
#define DBOPS_RANGE_H

#include "error.h"
#include "strbuf.h"

enum unit { UNIT_NUMBER, UNIT_SECONDS, UNIT_BYTES, UNIT_PERCENT };

struct range {
	bool set;     /* false: never alerts */
	bool inside;  /* "@": alerts within low..high, else outside */
	bool percent; /* low and high are per cent of the maximum */
	bool left;    /* "-n": alerts when maximum - value < high; with high >= maximum: when value >= maximum */
	double low, high; /* -INFINITY, INFINITY = open */
};

/* Reads text as a range of unit. Wrong: EXIT_USAGE. "" gives a range that never alerts. */
bool range_parse(const char *text, enum unit unit, struct range *ret, struct error *err);
/* For struct option: .check = range_check_number … */
bool range_check_number(const char *text, struct error *err);
bool range_check_seconds(const char *text, struct error *err);
bool range_check_bytes(const char *text, struct error *err);

/* Whether value alerts; maximum <= 0 = unknown, then a range in per cent or "left" does not. */
bool range_alerts(const struct range *r, double value, double maximum);
/* The range in absolute numbers, as performance data wants it; nothing when it cannot be said. */
void range_add(const struct range *r, double maximum, struct strbuf *out);

#endif
