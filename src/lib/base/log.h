/* SPDX-License-Identifier: PostgreSQL
 *
 * log.h - what a library tells its caller while it works. The library never prints: the
 * application gives the sink (cli/app.c: text or JSON lines on stderr).
 *
 * Only the main thread logs; worker threads put what they have to say into their work item.
 * `event` is a stable machine name ("backup.start"), the message is for people.
 */
#ifndef DBOPS_LOG_H
#define DBOPS_LOG_H

#include <stdarg.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log {
	void (*emit)(struct log *log, enum log_level level, const char *event, const char *message);
	/* Work in progress: done of total units (bytes); total 0 = unknown. May be called often. */
	void (*progress)(struct log *log, const char *what, int64_t done, int64_t total);
};

/* Formats and emits; log may be NULL. */
void log_debug(struct log *log, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_info(struct log *log, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_warning(struct log *log, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_progress(struct log *log, const char *what, int64_t done, int64_t total);

#endif
