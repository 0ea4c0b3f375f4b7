/* SPDX-License-Identifier: PostgreSQL */
/* RFC 4180, with '\n' as the line end that every Unix tool expects. */
#include "writer.h"

static void add_field(struct strbuf *out, const char *s)
{
	/* an empty string is quoted: an empty field without quotes is NULL */
	if (*s && !strpbrk(s, ",\"\r\n")) {
		strbuf_adds(out, s);
		return;
	}
	strbuf_addch(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			strbuf_addch(out, '"');
		strbuf_addch(out, *s);
	}
	strbuf_addch(out, '"');
}

static void csv_begin(struct report *r)
{
	for (size_t i = 0; i < r->column_count; i++) {
		if (i)
			strbuf_addch(&r->buffer, ',');
		add_field(&r->buffer, r->columns[i].key);
	}
	strbuf_addch(&r->buffer, '\n');
}

static void csv_row(struct report *r, const struct cell *cells)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < r->column_count; i++) {
		if (i)
			strbuf_addch(&r->buffer, ',');
		if (cells[i].null)
			continue;
		strbuf_reset(&text);
		cell_add_raw(r->columns[i].type, &cells[i], &text);
		/* no digits: a number that is not known */
		if (text.len || r->columns[i].type == CELL_TEXT)
			add_field(&r->buffer, text.buf);
	}
	strbuf_addch(&r->buffer, '\n');
}

static void csv_end(struct report *r)
{
	(void)r;
}

const struct writer csv_writer = { .begin = csv_begin, .row = csv_row, .end = csv_end };
