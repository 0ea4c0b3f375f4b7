/* SPDX-License-Identifier: PostgreSQL */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "clock.h"
#include "error.h"
#include "utf8.h"
#include "xalloc.h"

static void add_escaped(struct strbuf *out, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;

	strbuf_addch(out, '"');
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(s + i, len - i);

		if (n == 0) {
			strbuf_adds(out, "\\ufffd");
			i++;
		} else if (p[i] == '"' || p[i] == '\\') {
			strbuf_addf(out, "\\%c", p[i++]);
		} else if (p[i] == '\n') {
			strbuf_adds(out, "\\n");
			i++;
		} else if (p[i] == '\t') {
			strbuf_adds(out, "\\t");
			i++;
		} else if (p[i] < 0x20 || p[i] == 0x7f) {
			strbuf_addf(out, "\\u%04x", p[i++]);
		} else {
			strbuf_add(out, p + i, n);
			i += n;
		}
	}
	strbuf_addch(out, '"');
}

static void newline(struct json *j)
{
	if (!j->indent)
		return;
	strbuf_addch(j->out, '\n');
	for (unsigned i = 0; i < j->depth * (unsigned)j->indent; i++)
		strbuf_addch(j->out, ' ');
}

static void member(struct json *j, const char *key)
{
	if (j->started[j->depth])
		strbuf_addch(j->out, ',');
	if (j->depth)
		newline(j);
	j->started[j->depth] = 1;
	if (key) {
		add_escaped(j->out, key, strlen(key));
		strbuf_adds(j->out, j->indent ? ": " : ":");
	}
}

static void begin(struct json *j, const char *key, char bracket)
{
	member(j, key);
	strbuf_addch(j->out, bracket);
	if (++j->depth >= sizeof(j->started))
		BUG("JSON nested too deeply");
	j->started[j->depth] = 0;
}

static void end(struct json *j, char bracket)
{
	bool any = j->started[j->depth];

	j->depth--;
	if (any)
		newline(j);
	strbuf_addch(j->out, bracket);
}

void jsonw_object_begin(struct json *j, const char *key)
{
	begin(j, key, '{');
}

void jsonw_object_end(struct json *j)
{
	end(j, '}');
}

void jsonw_array_begin(struct json *j, const char *key)
{
	begin(j, key, '[');
}

void jsonw_array_end(struct json *j)
{
	end(j, ']');
}

void jsonw_stringn(struct json *j, const char *key, const char *s, size_t len)
{
	member(j, key);
	add_escaped(j->out, s, len);
}

void jsonw_string(struct json *j, const char *key, const char *s)
{
	if (s)
		jsonw_stringn(j, key, s, strlen(s));
	else
		jsonw_null(j, key);
}

void jsonw_stringf(struct json *j, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	autofree char *text = xvasprintf(fmt, ap);
	va_end(ap);
	jsonw_string(j, key, text);
}

void jsonw_int(struct json *j, const char *key, int64_t value)
{
	member(j, key);
	strbuf_addf(j->out, "%" PRId64, value);
}

void jsonw_int_string(struct json *j, const char *key, uint64_t value)
{
	jsonw_stringf(j, key, "%" PRIu64, value);
}

void jsonw_seconds(struct json *j, const char *key, double value)
{
	if (!isfinite(value)) {
		jsonw_null(j, key);
		return;
	}
	member(j, key);
	strbuf_addf(j->out, "%.3f", value);
}

void jsonw_double(struct json *j, const char *key, double value)
{
	char text[40];

	if (!isfinite(value)) {
		jsonw_null(j, key);
		return;
	}
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	member(j, key);
	strbuf_adds(j->out, text);
}

void jsonw_real(struct json *j, const char *key, double value)
{
	if (!isfinite(value)) {
		jsonw_null(j, key);
		return;
	}
	member(j, key);
	strbuf_addf(j->out, "%.9g", value);
}

void jsonw_bool(struct json *j, const char *key, bool value)
{
	member(j, key);
	strbuf_adds(j->out, value ? "true" : "false");
}

void jsonw_raw(struct json *j, const char *key, const char *json)
{
	member(j, key);
	strbuf_adds(j->out, json);
}

void jsonw_null(struct json *j, const char *key)
{
	member(j, key);
	strbuf_adds(j->out, "null");
}

void jsonw_time(struct json *j, const char *key, int64_t us)
{
	if (!us) {
		jsonw_null(j, key);
		return;
	}

	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	clock_format_utc(us, us % 1000000 != 0, &text);
	jsonw_string(j, key, text.buf);
}
