/* SPDX-License-Identifier: PostgreSQL
 *
 * error.h - the one way a function fails.
 *
 * A fallible function returns bool and takes struct error *err last. On false, err
 * holds an exit code and the three parts PostgreSQL gives its messages: what
 * (message), which (detail), what to do (hint). Nothing here prints: main.c does, once.
 * Message: lower case, no full stop, names in quotes. Hint: a full sentence.
 */
#ifndef DBOPS_ERROR_H
#define DBOPS_ERROR_H

#include <stdbool.h>
#include "cleanup.h"

enum exit_code {
#define X(symbol, number, name, sentence) symbol = (number),
#include "exit_codes.def"
#undef X
};

struct error {
	enum exit_code code;
	char sqlstate[6];             /* "" unless the server said it */
	char *message, *detail, *hint; /* owned; NULL when absent */
};

#define ERROR_INIT { .code = EXIT_DONE }

#define PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Fills err (an earlier content is released) and returns false. err may be NULL. */
bool error_set(struct error *err, enum exit_code code, const char *fmt, ...) PRINTF(3, 4);

/* As error_set, with ": <strerror(errnum)>" added to the message. */
bool error_set_errno(struct error *err, enum exit_code code, int errnum, const char *fmt, ...)
	PRINTF(4, 5);

/* Sets the detail or the hint of an error that is already set; returns false, so that
 * "return error_hint(err, …)" reads as one line. */
bool error_detail(struct error *err, const char *fmt, ...) PRINTF(2, 3);
bool error_hint(struct error *err, const char *fmt, ...) PRINTF(2, 3);

/* Puts "<text>: " before the message; returns false. */
bool error_prefix(struct error *err, const char *fmt, ...) PRINTF(2, 3);

/* Moves src into dst (dst's earlier content is released, src becomes empty); returns false. */
bool error_move(struct error *dst, struct error *src);

/* True when err holds an error. */
static inline bool error_is_set(const struct error *err)
{
	return err->message != NULL;
}

/* Frees what err holds and makes it empty. */
void error_release(struct error *err);
DEFINE_CLEANUP(struct error, error_release)
#define _cleanup_error_ _cleanup_(error_releasep_value)
static inline void error_releasep_value(struct error *err)
{
	error_release(err);
}

/* The name and the sentence of an exit code; "?" for a number that is not in the table. */
const char *exit_code_name(int code);
const char *exit_code_sentence(int code);

/* Walks the table: fills number, name, sentence of entry i; false past the end. */
bool exit_code_at(unsigned i, int *number, const char **name, const char **sentence);

/* A programming error: prints file, line and the message to stderr and aborts. */
_Noreturn void bug(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
#define BUG(...) bug(__FILE__, __LINE__, __VA_ARGS__)

#endif
