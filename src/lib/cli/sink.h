/* SPDX-License-Identifier: PostgreSQL
 *
 * sink.h - where log.h's events go: text or JSON lines on stderr. Private to this folder.
 */
#ifndef DBOPS_SINK_H
#define DBOPS_SINK_H

#include "app.h"

void sink_emit(struct log *log, enum log_level level, const char *event, const char *message);
void sink_progress(struct log *log, const char *what, int64_t done, int64_t total);

#endif
