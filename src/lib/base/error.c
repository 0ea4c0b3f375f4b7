/* SPDX-License-Identifier: PostgreSQL */
#include "error.h"

#include <stdarg.h>
#include <string.h>
#include "xalloc.h"

void error_release(struct error *err)
{
	free(err->message);
	free(err->detail);
	free(err->hint);
	*err = (struct error)ERROR_INIT;
}

PRINTF(3, 0) static void set_va(struct error *err, enum exit_code code, const char *fmt, va_list ap)
{
	char *message = xvasprintf(fmt, ap); /* before the release: ap may point into err */

	error_release(err);
	err->code = code;
	err->message = message;
}

bool error_set(struct error *err, enum exit_code code, const char *fmt, ...)
{
	if (!err)
		return false;

	va_list ap;

	va_start(ap, fmt);
	set_va(err, code, fmt, ap);
	va_end(ap);
	return false;
}

bool error_set_errno(struct error *err, enum exit_code code, int errnum, const char *fmt, ...)
{
	if (!err)
		return false;

	va_list ap;

	va_start(ap, fmt);
	set_va(err, code, fmt, ap);
	va_end(ap);

	char text[128];
	autofree char *message = steal(err->message);

	err->message = xasprintf("%s: %s", message, strerror_r(errnum, text, sizeof(text)));
	return false;
}

PRINTF(3, 0) static bool replace_part(struct error *err, char **part, const char *fmt, va_list ap)
{
	if (!err)
		return false;

	char *text = xvasprintf(fmt, ap);

	free(*part);
	*part = text;
	return false;
}

bool error_detail(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	replace_part(err, err ? &err->detail : NULL, fmt, ap);
	va_end(ap);
	return false;
}

bool error_hint(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	replace_part(err, err ? &err->hint : NULL, fmt, ap);
	va_end(ap);
	return false;
}

bool error_prefix(struct error *err, const char *fmt, ...)
{
	if (!err || !err->message)
		return false;

	va_list ap;

	va_start(ap, fmt);
	autofree char *prefix = xvasprintf(fmt, ap);
	va_end(ap);
	autofree char *message = steal(err->message);

	err->message = xasprintf("%s: %s", prefix, message);
	return false;
}

bool error_move(struct error *dst, struct error *src)
{
	if (!dst || dst == src)
		return false;
	error_release(dst);
	*dst = *src;
	*src = (struct error)ERROR_INIT;
	return false;
}

static const struct {
	int number;
	const char *name, *sentence;
} table[] = {
#define X(symbol, number, name, sentence) { number, name, sentence },
#include "exit_codes.def"
#undef X
};

bool exit_code_at(unsigned i, int *number, const char **name, const char **sentence)
{
	if (i >= sizeof(table) / sizeof(table[0]))
		return false;
	*number = table[i].number;
	*name = table[i].name;
	*sentence = table[i].sentence;
	return true;
}

const char *exit_code_name(int code)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].number == code)
			return table[i].name;
	return "?";
}

const char *exit_code_sentence(int code)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].number == code)
			return table[i].sentence;
	return "?";
}

void bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "dbops: internal error at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
