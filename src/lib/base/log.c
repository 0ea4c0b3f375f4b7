/* SPDX-License-Identifier: PostgreSQL */
#include "log.h"

#include <stddef.h>
#include "cleanup.h"
#include "xalloc.h"

#define EMIT(level)                                                     \
	do {                                                            \
		if (!log || !log->emit)                                 \
			return;                                         \
		va_list ap;                                             \
		va_start(ap, fmt);                                      \
		autofree char *message = xvasprintf(fmt, ap);           \
		va_end(ap);                                             \
		log->emit(log, level, event, message);                  \
	} while (0)

void log_debug(struct log *log, const char *event, const char *fmt, ...)
{
	EMIT(LOG_LEVEL_DEBUG);
}

void log_info(struct log *log, const char *event, const char *fmt, ...)
{
	EMIT(LOG_LEVEL_INFO);
}

void log_warning(struct log *log, const char *event, const char *fmt, ...)
{
	EMIT(LOG_LEVEL_WARNING);
}

void log_progress(struct log *log, const char *what, int64_t done, int64_t total)
{
	if (log && log->progress)
		log->progress(log, what, done, total);
}
