/* SPDX-License-Identifier: PostgreSQL */
/* Names of new partitions, by pattern. */
#include <inttypes.h>
#include <time.h>
#include "create.h"

static bool local_time(const struct candidate *cand, struct tm *ret)
{
	int64_t s = cand->local / 1000000 - (cand->local % 1000000 < 0);
	time_t t = (time_t)s;

	return gmtime_r(&t, ret) != NULL;
}

static void add_number(struct strbuf *out, char letter, const struct tm *tm)
{
	char text[64] = "";

	switch (letter) {
	case 'Y':
		strbuf_addf(out, "%04d", tm->tm_year + 1900);
		break;
	case 'y':
		strbuf_addf(out, "%02d", (tm->tm_year + 1900) % 100);
		break;
	case 'q':
		strbuf_addf(out, "%d", tm->tm_mon / 3 + 1);
		break;
	case 'm':
		strbuf_addf(out, "%02d", tm->tm_mon + 1);
		break;
	case 'd':
		strbuf_addf(out, "%02d", tm->tm_mday);
		break;
	case 'H':
		strbuf_addf(out, "%02d", tm->tm_hour);
		break;
	case 'M':
		strbuf_addf(out, "%02d", tm->tm_min);
		break;
	case 'S':
		strbuf_addf(out, "%02d", tm->tm_sec);
		break;
	case 'j':
		strbuf_addf(out, "%03d", tm->tm_yday + 1);
		break;
	case 'G': /* the ISO week's own year: %Y would be wrong around New Year */
		strbuf_add(out, text, strftime(text, sizeof(text), "%G", tm));
		break;
	default:
		strbuf_add(out, text, strftime(text, sizeof(text), "%V", tm));
	}
}

static bool add_time(struct strbuf *out, char letter, const struct candidate *cand)
{
	struct tm tm;

	if (letter == '%') {
		strbuf_addch(out, '%');
		return true;
	}
	if (!letter || !strchr("YyqmdHMSjGV", letter) || cand->bound.kind != BOUND_RANGE || !local_time(cand, &tm))
		return false;
	add_number(out, letter, &tm);
	return true;
}

static void add_values(struct strbuf *out, const struct bound_values *v)
{
	for (size_t i = 0; i < v->len; i++)
		strbuf_addf(out, "%s%s", i ? "_" : "", v->items[i].kind == BOUND_VALUE ? v->items[i].text : "null");
}

static bool add_field(struct strbuf *out, const char *field, size_t len, const char *table, const struct candidate *cand)
{
	const struct bound *b = &cand->bound;

#define IS(name) (len == sizeof(name) - 1 && strncmp(field, name, len) == 0)
	if (IS("table"))
		strbuf_adds(out, table);
	else if (IS("from") && b->kind == BOUND_RANGE)
		strbuf_adds(out, b->from.items[0].text);
	else if (IS("to") && b->kind == BOUND_RANGE)
		strbuf_adds(out, b->to.items[0].text);
	else if (IS("values") && b->kind == BOUND_LIST)
		add_values(out, &b->list);
	else if (IS("modulus") && b->kind == BOUND_HASH)
		strbuf_addf(out, "%" PRId64, b->modulus);
	else if (IS("remainder") && b->kind == BOUND_HASH)
		strbuf_addf(out, "%" PRId64, b->remainder);
	else
		return false;
#undef IS
	return true;
}

static bool expand(struct strbuf *out, const char *pattern, const char *table, const struct candidate *cand)
{
	for (const char *p = pattern; *p; p++) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;

		if (*p == '%') {
			if (!add_time(out, *++p, cand))
				return false;
		} else if (*p != '{') {
			strbuf_addch(out, *p);
		} else if (!end || !add_field(out, p + 1, (size_t)(end - p) - 1, table, cand)) {
			return false;
		} else {
			p = end;
		}
	}
	return true;
}

bool create_name(const char *pattern, const char *table, struct candidate *cand, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	if (!expand(&name, pattern, table, cand) || !name.len) {
		error_set(err, EXIT_USAGE, "--name '%s' is not a pattern for such partitions", pattern);
		return error_hint(err, "Ranges know %%Y %%m %%d %%H %%M %%S %%j %%G %%V %%y %%q (quarter), {from} and {to}; lists {values}; hashes {modulus} and "
				       "{remainder}; all of them {table}, and %%%% for a percent sign.");
	}
	cand->name = strbuf_detach(&name);
	return true;
}
