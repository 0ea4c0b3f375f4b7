/* SPDX-License-Identifier: PostgreSQL */
#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

double clock_monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int64_t clock_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void clock_format_utc(int64_t us, bool with_us, struct strbuf *out)
{
	time_t seconds = (time_t)(us / 1000000);
	int64_t fraction = us % 1000000;
	struct tm tm;

	if (fraction < 0) {
		fraction += 1000000;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (with_us)
		strbuf_addf(out, ".%06" PRId64, fraction);
	strbuf_addch(out, 'Z');
}

/* Exactly n digits at *s. */
static bool digits(const char **s, int n, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return false;
		value = value * 10 + (**s - '0');
	}
	*ret = value;
	return true;
}

static bool literal(const char **s, const char *accepted)
{
	if (!**s || !strchr(accepted, **s))
		return false;
	(*s)++;
	return true;
}

bool clock_parse_utc(const char *s, int64_t *ret_us)
{
	struct tm tm = { 0 };
	int64_t fraction = 0;

	if (!digits(&s, 4, &tm.tm_year) || !literal(&s, "-") || !digits(&s, 2, &tm.tm_mon) ||
		!literal(&s, "-") || !digits(&s, 2, &tm.tm_mday) || !literal(&s, "T ") ||
		!digits(&s, 2, &tm.tm_hour) || !literal(&s, ":") || !digits(&s, 2, &tm.tm_min) ||
		!literal(&s, ":") || !digits(&s, 2, &tm.tm_sec))
		return false;
	if (literal(&s, ".")) {
		int64_t scale = 100000;

		if (!isdigit((unsigned char)*s))
			return false;
		for (; isdigit((unsigned char)*s); s++, scale /= 10)
			fraction += (*s - '0') * scale;
	}
	if (strcmp(s, "Z") != 0 && strcmp(s, "+00") != 0 && strcmp(s, "+00:00") != 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
		tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	*ret_us = (int64_t)timegm(&tm) * 1000000 + fraction;
	return true;
}

struct unit {
	const char *name;
	int64_t factor;
};

static bool find_unit(const struct unit *units, const char *name, size_t len, int64_t *ret)
{
	for (; units->name; units++)
		if (strlen(units->name) == len && strncasecmp(units->name, name, len) == 0) {
			*ret = units->factor;
			return true;
		}
	return false;
}

/* Reads one "<number><unit>" and adds it to *total; moves *s behind it. */
static bool add_quantity(
	const char **s, const struct unit *units, int64_t bare, int64_t *total)
{
	char *end;
	int64_t factor = bare;

	if (!isdigit((unsigned char)**s))
		return false;
	errno = 0;

	double value = strtod(*s, &end);

	/* strtod also reads "0x1p3", "1e9", "infinity": only digits and one point are meant */
	for (const char *p = *s; p < end; p++)
		if (!isdigit((unsigned char)*p) && *p != '.')
			return false;

	const char *name = end + strspn(end, " ");
	size_t len = 0;

	while (isalpha((unsigned char)name[len]))
		len++;
	if (len && !find_unit(units, name, len, &factor))
		return false;
	value *= (double)factor;
	if (errno || value > 9e18 - (double)*total)
		return false;
	*total += llround(value);
	*s = name + len + strspn(name + len, " ");
	return true;
}

static const struct unit duration_units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "sec", 1000 },
	{ "second", 1000 },
	{ "seconds", 1000 },
	{ "m", 60000 },
	{ "min", 60000 },
	{ "minute", 60000 },
	{ "minutes", 60000 },
	{ "h", 3600000 },
	{ "hour", 3600000 },
	{ "hours", 3600000 },
	{ "d", 86400000 },
	{ "day", 86400000 },
	{ "days", 86400000 },
	{ "w", 604800000 },
	{ "week", 604800000 },
	{ "weeks", 604800000 },
	{ NULL, 0 },
};

bool duration_parse(const char *s, int64_t *ret_ms)
{
	int64_t total = 0;

	do {
		if (!add_quantity(&s, duration_units, 1000, &total))
			return false;
	} while (*s);
	*ret_ms = total;
	return true;
}

void duration_format(double seconds, struct strbuf *out)
{
	int64_t s = llround(seconds);

	if (seconds < 9.95)
		strbuf_addf(out, "%.2f s", seconds);
	else if (s < 120)
		strbuf_addf(out, "%" PRId64 " s", s);
	else if (s < 7200)
		strbuf_addf(out, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
	else if (s < 2 * 86400)
		strbuf_addf(out, "%" PRId64 " h %02" PRId64 " min", s / 3600, s % 3600 / 60);
	else
		strbuf_addf(out, "%" PRId64 " d %02" PRId64 " h", s / 86400, s % 86400 / 3600);
}

void latency_format(double seconds, struct strbuf *out)
{
	double ms = seconds * 1000;

	if (ms >= 999.5)
		duration_format(seconds, out);
	else
		strbuf_addf(out, "%.*f ms", ms < 0.9995 ? 3 : ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0, ms);
}

static const struct unit size_units[] = {
	{ "b", 1 },
	{ "k", 1LL << 10 },
	{ "kb", 1LL << 10 },
	{ "kib", 1LL << 10 },
	{ "m", 1LL << 20 },
	{ "mb", 1LL << 20 },
	{ "mib", 1LL << 20 },
	{ "g", 1LL << 30 },
	{ "gb", 1LL << 30 },
	{ "gib", 1LL << 30 },
	{ "t", 1LL << 40 },
	{ "tb", 1LL << 40 },
	{ "tib", 1LL << 40 },
	{ NULL, 0 },
};

bool size_parse(const char *s, int64_t *ret_bytes)
{
	int64_t total = 0;

	if (!add_quantity(&s, size_units, 1, &total) || *s)
		return false;
	*ret_bytes = total;
	return true;
}

void size_format(int64_t bytes, struct strbuf *out)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes / 1024;
	unsigned i = 0;

	if (bytes < 1024 && bytes > -1024) {
		strbuf_addf(out, "%" PRId64 " B", bytes);
		return;
	}
	for (; i < 4 && (value >= 1023.95 || value <= -1023.95); i++)
		value /= 1024;
	strbuf_addf(out, i >= 2 ? "%.2f %s" : "%.1f %s", value, names[i]);
}

void count_format(int64_t n, struct strbuf *out)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRId64, n);

	for (int i = 0; i < len; i++) {
		strbuf_addch(out, text[i]);

		int rest = len - 1 - i;

		if (rest && rest % 3 == 0 && text[i] != '-')
			strbuf_addch(out, ',');
	}
}
