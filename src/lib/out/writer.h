/* SPDX-License-Identifier: PostgreSQL
 *
 * writer.h - what a format must do; private to this folder.
 */
#ifndef DBOPS_WRITER_H
#define DBOPS_WRITER_H

#include "report.h"
#include "vec.h"

struct writer {
	void (*begin)(struct report *r);
	void (*row)(struct report *r, const struct cell *cells);
	void (*end)(struct report *r);
	void (*release)(struct report *r); /* NULL = nothing to free */
};

struct report {
	const struct writer *writer;
	struct report_options options;
	const char *name;
	const struct column *columns;
	size_t column_count, rows;
	struct strbuf buffer; /* bytes not yet given to options.out */
	struct json json;     /* JSON and NDJSON; writes into buffer */
	struct libscols_table *table;
	VEC(struct libscols_line *) lines; /* of table, by row number */
	struct strbuf notes;
	int64_t parent; /* of the row that is being written; -1 = none */
};

extern const struct writer table_writer, expanded_writer, json_writer, ndjson_writer, csv_writer, silent_writer;

/* A cell as a machine reads it: bytes, seconds, ISO 8601; adds nothing for null. */
void cell_add_raw(enum cell_type type, const struct cell *c, struct strbuf *out);
/* A cell as people read it: "1.2 GiB", "3 min 04 s", "12,345". */
void cell_add_text(enum cell_type type, const struct cell *c, struct strbuf *out);
/* A bar of width cells for 0-100 per cent. */
void add_bar(struct strbuf *out, double percent, unsigned width, bool utf8);
/* libsmartcols' name of a tone's colour; NULL for TONE_PLAIN. */
const char *tone_color(enum cell_tone tone);
/* Numbers line up at the right. */
bool cell_is_right_aligned(enum cell_type type);
/* Control characters would move the terminal's cursor: they become '?'; '\n' and '\t' a space. */
void add_printable(struct strbuf *out, const char *s);

#endif
