/* SPDX-License-Identifier: PostgreSQL
 *
 * clock.h - time, durations and sizes: reading, parsing, writing.
 */
#ifndef DBOPS_CLOCK_H
#define DBOPS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "strbuf.h"

/* Seconds on a clock that never jumps; only differences mean something. */
double clock_monotonic(void);
/* Wall clock: microseconds since 1970-01-01 UTC. */
int64_t clock_now_us(void);

/* "2026-11-20T20:36:16Z" (with_us: "…16.123456Z"). */
void clock_format_utc(int64_t us, bool with_us, struct strbuf *out);
/* Reads what clock_format_utc writes (fraction optional, also "+00" for "Z"); false if it is not that. */
bool clock_parse_utc(const char *s, int64_t *ret_us);

/* "90", "90s", "15min", "1h30m", "2d", "1w", "500ms" -> milliseconds; a bare number is seconds. */
bool duration_parse(const char *s, int64_t *ret_ms);
/* "0.42 s", "12 s", "3 min 04 s", "2 h 05 min", "4 d 02 h". */
void duration_format(double seconds, struct strbuf *out);
/* As duration_format() from 10 s on; below "0.043 ms", "1.24 ms", "812 ms", "3.24 s". */
void latency_format(double seconds, struct strbuf *out);

/* "4096", "64kB", "16MiB", "1GB" (all powers of 1024, as PostgreSQL's units) -> bytes. */
bool size_parse(const char *s, int64_t *ret_bytes);
/* "812 B", "1.2 MiB", "3.40 GiB". */
void size_format(int64_t bytes, struct strbuf *out);
/* "1,234,567" */
void count_format(int64_t n, struct strbuf *out);

#endif
