/* SPDX-License-Identifier: PostgreSQL
 *
 * report.h - rows on stdout: one typed description, every format.
 *
 * A command declares its columns once (struct column); they give the table's headings, the JSON
 * keys, the CSV header, the man page's COLUMNS section and completion. Cells are typed: a table
 * says "1.2 GiB", "3 min 04 s"; JSON and CSV carry bytes, seconds, ISO 8601 UTC. SQL NULL is an
 * empty table cell, JSON null and an empty unquoted CSV field; '' is JSON "" and CSV "\"\"".
 */
#ifndef DBOPS_REPORT_H
#define DBOPS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "cleanup.h"
#include "json.h"
#include "strbuf.h"

enum cell_type {
	CELL_END, /* of a column table */
	CELL_TEXT,
	CELL_INT,      /* JSON number; the table groups digits */
	CELL_PID,      /* a number that is a name, as of a process or a port: JSON number, digits as they are, to be copied */
	CELL_ID,       /* 64-bit identifier, LSN, xid: JSON string */
	CELL_SIZE,     /* bytes */
	CELL_DURATION, /* seconds, double */
	CELL_TIME,     /* microseconds since 1970 UTC */
	CELL_BOOL,
	CELL_PERCENT,  /* double, 0-100 */
	CELL_JSON,     /* text that is JSON: an object or array inside a row */
	CELL_LATENCY,  /* seconds, double, down to microseconds: "0.043 ms", "812 ms"; JSON and CSV keep all digits */
	CELL_NUMBER,   /* double without a unit: a rate, a ratio */
};

struct column {
	const char *key;   /* JSON key and CSV header: lower case, no abbreviation, no unit */
	const char *title; /* heading of the table; NULL = not in the table */
	enum cell_type type;
	unsigned flags;
	const char *help;
};
#define COLUMN_WIDE  1u /* may be truncated on a narrow terminal */
#define COLUMN_EXTRA 2u /* not in the table by default; in expanded, JSON, CSV */
#define COLUMN_BAR   4u /* CELL_PERCENT: a bar beside the number, on a terminal */
#define COLUMN_TREE  8u /* the column that the tree is drawn in: report_child() */
#define COLUMN_END   { .type = CELL_END }

/* What a value means; shown as colour only, and only on a terminal. */
enum cell_tone { TONE_PLAIN, TONE_GOOD, TONE_WARNING, TONE_CRITICAL, TONE_FAINT };

struct cell {
	bool null;
	enum cell_tone tone;
	const char *text; /* CELL_TEXT, CELL_ID: borrowed until report_row returns */
	int64_t number;   /* CELL_INT, PID, SIZE, TIME, BOOL */
	double real;      /* CELL_DURATION, LATENCY, NUMBER, PERCENT; not finite = not known */
};
#define CELL_NULL()      ((struct cell){ .null = true })
#define CELL_OF_TEXT(s)  ((struct cell){ .null = !(s), .text = (s) })
#define CELL_OF_INT(n)   ((struct cell){ .number = (n) })
#define CELL_OF_REAL(x)  ((struct cell){ .real = (x) })

enum report_format {
	FORMAT_TABLE,
	FORMAT_EXPANDED, /* one "key: value" block a row */
	FORMAT_JSON,     /* {"schema_version":1, …header…, "<name>":[{…},…]} */
	FORMAT_NDJSON,   /* one object a line */
	FORMAT_CSV,      /* RFC 4180 */
	FORMAT_PROM,     /* no rows: Prometheus metrics, by the command itself (inspect/answer.h) */
	FORMAT_NAGIOS,   /* no rows: a Nagios plugin's line, likewise */
};

struct report;

struct report_options {
	FILE *out;
	enum report_format format;
	bool color;   /* decided by the application: terminal, NO_COLOR, TERM */
	int width;    /* terminal columns; 0 = do not truncate. A table that does not fit is printed expanded */
	bool compact; /* JSON: the whole document on one line */
	bool utf8;    /* the terminal's character set has bars and tree lines */
};

/* Starts a report whose JSON array is called name. Never NULL. */
struct report *report_begin(const struct report_options *o, const char *name,
	const struct column *columns);
/* JSON members beside the array (completeness, totals), before the first row; NULL for other
 * formats. The writer is inside the document's object. */
struct json *report_header(struct report *r);
/* One row: as many cells as there are columns. */
void report_row(struct report *r, const struct cell *cells);
/* As report_row(), drawn below an earlier row of a table: parent is that row's number, from 0; -1 = none.
 * For every other format the same as report_row(). Needs a COLUMN_TREE. */
void report_child(struct report *r, const struct cell *cells, int64_t parent);
/* Text for people after the rows, table and expanded only; a line, without its newline. */
void report_note(struct report *r, enum cell_tone tone, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct error;

/* A write to out has failed: EXIT_CANNOT_WRITE with errno's text, or, when its reader has seen enough, EXIT_PIPE, which
 * is not printed. Returns false. */
bool output_failed(FILE *out, struct error *err);

/* Writes what is left and frees r. False: output_failed(). */
bool report_end(struct report *r, struct error *err);

/* Frees r without writing more, after a failure between begin and end. NULL is fine. */
void report_discard(struct report *r);
DEFINE_CLEANUP(struct report, report_discard)
#define _cleanup_report_ _cleanup_(report_discardp)

/* The words of --format; NULL-terminated, in the order of enum report_format. Commands without a judgement
 * stop before "prom". */
extern const char *const report_format_names[];
/* False when name is none of them. "text" is FORMAT_TABLE. */
bool report_format_parse(const char *name, enum report_format *ret);

/* A command that prints one document instead of rows fills an object by jsonw_*; both calls take
 * care of schema_version, final newline and write errors. */
bool report_document(const struct report_options *o, void (*fill)(struct json *j, const void *data),
	const void *data, struct error *err);

#endif
