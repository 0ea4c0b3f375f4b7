/* SPDX-License-Identifier: PostgreSQL */
#include "instant.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY    (86400 * US_PER_SECOND)

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; year 0 is 1 BC. Counted from 1 March, so that the
 * leap day is the last of its year; an era is 400 years of 146097 days. */
static int64_t days_of_date(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t doe = shifted - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t m = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static bool read_digits(const char **p, int min, int max, int64_t *ret)
{
	int n = 0;

	for (*ret = 0; n < max && isdigit((unsigned char)**p); n++)
		*ret = *ret * 10 + (*(*p)++ - '0');
	return n >= min;
}

static bool read_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* hh:mm:ss, and a fraction of up to six digits. */
static bool read_time(const char **p, int64_t *us)
{
	int64_t h, m, s, fraction = 0;
	const char *digits;

	if (!read_digits(p, 2, 2, &h) || !read_char(p, ':') || !read_digits(p, 2, 2, &m) || !read_char(p, ':') ||
		!read_digits(p, 2, 2, &s))
		return false;
	if (read_char(p, '.')) {
		digits = *p;
		if (!read_digits(p, 1, 6, &fraction))
			return false;
		for (long n = *p - digits; n < 6; n++)
			fraction *= 10;
	}
	*us = ((h * 60 + m) * 60 + s) * US_PER_SECOND + fraction;
	return h <= 24 && m < 60 && s <= 60;
}

/* "+00", "-03:30", "+05:53:28"; absent is UTC. */
static bool read_offset(const char **p, int64_t *us)
{
	bool west = **p == '-';
	int64_t h = 0, m = 0, s = 0;

	*us = 0;
	if (!west && **p != '+')
		return true;
	(*p)++;
	if (!read_digits(p, 2, 2, &h) || (read_char(p, ':') && !read_digits(p, 2, 2, &m)) ||
		(read_char(p, ':') && !read_digits(p, 2, 2, &s)))
		return false;
	*us = ((h * 60 + m) * 60 + s) * US_PER_SECOND * (west ? -1 : 1);
	return true;
}

static int64_t saturate(int64_t days, int64_t us)
{
	int64_t r;

	if (__builtin_mul_overflow(days, US_PER_DAY, &r) || __builtin_add_overflow(r, us, &r))
		return days < 0 ? INSTANT_MIN : INSTANT_MAX;
	return r;
}

bool instant_parse(const char *text, int64_t *ret)
{
	const char *p = text;
	int64_t year, month, day, time = 0, offset = 0;

	if (strcmp(text, "infinity") == 0 || strcmp(text, "-infinity") == 0) {
		*ret = text[0] == '-' ? INSTANT_MIN : INSTANT_MAX;
		return true;
	}
	if (!read_digits(&p, 4, 7, &year) || !read_char(&p, '-') || !read_digits(&p, 2, 2, &month) ||
		!read_char(&p, '-') || !read_digits(&p, 2, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	if (*p == ' ' && isdigit((unsigned char)p[1])) {
		p++;
		if (!read_time(&p, &time) || !read_offset(&p, &offset))
			return false;
	}
	if (strcmp(p, " BC") == 0)
		year = 1 - year;
	else if (*p)
		return false;
	*ret = saturate(days_of_date(year, (int)month, (int)day), time - offset);
	return true;
}

enum key_kind key_kind_of_type(int64_t oid)
{
	switch (oid) { /* src/include/catalog/pg_type.dat */
	case 1082:
		return KEY_DATE;
	case 1114:
		return KEY_TIMESTAMP;
	case 1184:
		return KEY_TIMESTAMPTZ;
	case 20:
	case 21:
	case 23:
		return KEY_INTEGER;
	case 2950:
		return KEY_UUID;
	default:
		return KEY_OTHER;
	}
}

static void format_time(int64_t us, struct strbuf *out)
{
	int64_t s = us / US_PER_SECOND, fraction = us % US_PER_SECOND;
	int width = 6;

	strbuf_addf(out, " %02" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
	if (!fraction)
		return;
	for (; fraction % 10 == 0; width--)
		fraction /= 10;
	strbuf_addf(out, ".%0*" PRId64, width, fraction);
}

void instant_format(int64_t us, enum key_kind kind, struct strbuf *out)
{
	int64_t days = us / US_PER_DAY - (us % US_PER_DAY < 0), year;
	int month, day;

	if (us == INSTANT_MIN || us == INSTANT_MAX) {
		strbuf_adds(out, us == INSTANT_MIN ? "-infinity" : "infinity");
		return;
	}
	date_of_days(days, &year, &month, &day);
	strbuf_addf(out, "%04" PRId64 "-%02d-%02d", year > 0 ? year : 1 - year, month, day);
	if (kind != KEY_DATE)
		format_time(us - days * US_PER_DAY, out);
	if (kind == KEY_TIMESTAMPTZ)
		strbuf_adds(out, "+00");
	if (year <= 0)
		strbuf_adds(out, " BC");
}

bool instant_of_uuid(const char *text, int64_t *ret)
{
	uint64_t ms = 0;

	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		if (!dash && i < 13)
			ms = ms * 16 + (uint64_t)(isdigit((unsigned char)text[i]) ? text[i] - '0'
										    : (text[i] | 0x20) - 'a' + 10);
	}
	*ret = (int64_t)ms * 1000;
	return text[36] == '\0';
}

void instant_add_uuid(int64_t us, struct strbuf *out)
{
	uint64_t ms = us > 0 ? (uint64_t)us / 1000 : 0;

	strbuf_addf(out, "%08" PRIx64 "-%04" PRIx64 "-7000-8000-000000000000", (ms >> 16) & 0xffffffff, ms & 0xffff);
}

/* One integer step in microseconds; nanoseconds are the other way round and have 0 here. */
static int64_t step_of(enum epoch_unit unit)
{
	static const int64_t steps[] = { [EPOCH_SECONDS] = US_PER_SECOND, [EPOCH_MILLISECONDS] = 1000,
		[EPOCH_MICROSECONDS] = 1, [EPOCH_NANOSECONDS] = 0 };

	return steps[unit];
}

static bool read_integer(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !errno && end != text && !*end;
}

static bool instant_of_integer(const char *text, enum epoch_unit unit, int64_t *ret)
{
	int64_t n;

	if (unit == EPOCH_NONE || !read_integer(text, &n))
		return false;
	if (unit == EPOCH_NANOSECONDS)
		*ret = n / 1000 - (n % 1000 < 0);
	else if (__builtin_mul_overflow(n, step_of(unit), ret))
		*ret = n < 0 ? INSTANT_MIN : INSTANT_MAX;
	return true;
}

bool instant_of_value(const struct bound_value *v, enum key_kind kind, enum epoch_unit unit, int64_t *ret)
{
	if (kind == KEY_OTHER || (kind == KEY_INTEGER && unit == EPOCH_NONE) || v->kind == BOUND_NULL)
		return false;
	if (v->kind != BOUND_VALUE) {
		*ret = v->kind == BOUND_MINVALUE ? INSTANT_MIN : INSTANT_MAX;
		return true;
	}
	if (kind == KEY_INTEGER)
		return instant_of_integer(v->text, unit, ret);
	return kind == KEY_UUID ? instant_of_uuid(v->text, ret) : instant_parse(v->text, ret);
}

void instant_add_value(int64_t us, enum key_kind kind, enum epoch_unit unit, struct strbuf *out)
{
	if (kind == KEY_UUID)
		instant_add_uuid(us, out);
	else if (kind != KEY_INTEGER)
		instant_format(us, kind, out);
	else if (unit == EPOCH_NANOSECONDS)
		strbuf_addf(out, "%" PRId64 "000", us);
	else
		strbuf_addf(out, "%" PRId64, us / step_of(unit));
}

/* Where a value stands before its text matters: MINVALUE, then values, MAXVALUE, NULL. */
static int rank_of(const struct bound_value *v)
{
	static const int ranks[] = { [BOUND_MINVALUE] = 0, [BOUND_VALUE] = 1, [BOUND_MAXVALUE] = 2, [BOUND_NULL] = 3 };

	return ranks[v->kind];
}

int bound_value_compare(const struct bound_value *a, const struct bound_value *b, enum key_kind kind)
{
	int64_t x, y;
	bool numbers;

	if (a->kind != BOUND_VALUE || b->kind != BOUND_VALUE)
		return rank_of(a) - rank_of(b);
	if (kind == KEY_INTEGER)
		numbers = read_integer(a->text, &x) && read_integer(b->text, &y);
	else
		numbers = kind != KEY_UUID && kind != KEY_OTHER && instant_parse(a->text, &x) && instant_parse(b->text, &y);
	return numbers ? (x > y) - (x < y) : strcmp(a->text, b->text);
}
