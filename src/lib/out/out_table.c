/* SPDX-License-Identifier: PostgreSQL */
/* Text for people: libsmartcols draws the table, the expanded form is plain lines. */
#include <libsmartcols.h>

#include "error.h"
#include "writer.h"

static bool in_table(const struct column *c)
{
	return c->title && !(c->flags & COLUMN_EXTRA);
}

static int column_flags(const struct column *c)
{
	int flags = cell_is_right_aligned(c->type) ? SCOLS_FL_RIGHT : 0;

	return c->flags & COLUMN_WIDE ? flags | SCOLS_FL_TRUNC : flags;
}

static void table_begin(struct report *r)
{
	r->table = scols_new_table();
	if (!r->table)
		BUG("out of memory");
	scols_table_set_stream(r->table, r->options.out);
	scols_table_enable_colors(r->table, r->options.color);
	scols_table_set_column_separator(r->table, "  ");
	/* width 0 means a file or pipe: lines as long as they are */
	scols_table_enable_nowrap(r->table, !r->options.width);
	scols_table_enable_maxout(r->table, 0);
	scols_table_set_termforce(
		r->table, r->options.width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (r->options.width)
		scols_table_set_termwidth(r->table, (size_t)r->options.width);
	for (size_t i = 0; i < r->column_count; i++) {
		struct libscols_column *column;

		if (!in_table(&r->columns[i]))
			continue;
		column = scols_table_new_column(
			r->table, r->columns[i].title, 0, column_flags(&r->columns[i]));
		if (column && r->options.color)
			scols_cell_set_color(scols_column_get_header(column), "bold");
	}
}

static void table_row(struct report *r, const struct cell *cells)
{
	struct libscols_line *line = scols_table_new_line(r->table, NULL);
	size_t shown = 0;

	if (!line)
		BUG("out of memory");
	for (size_t i = 0; i < r->column_count; i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		if (!in_table(&r->columns[i]))
			continue;
		cell_add_text(r->columns[i].type, &cells[i], &text);
		scols_line_set_data(line, shown++, text.buf);
	}
}

/* libsmartcols prints nothing at all for no rows; the heading says that the question was asked. */
static void print_heading(struct report *r)
{
	const char *separator = "";

	for (size_t i = 0; i < r->column_count; i++) {
		if (!in_table(&r->columns[i]))
			continue;
		strbuf_addf(&r->buffer, "%s%s", separator, r->columns[i].title);
		separator = "  ";
	}
	strbuf_addch(&r->buffer, '\n');
}

static void table_end(struct report *r)
{
	if (!r->rows)
		print_heading(r);
	else if (scols_print_table(r->table) != 0)
		BUG("the table cannot be drawn");
}

static void table_release(struct report *r)
{
	scols_unref_table(r->table);
}

const struct writer table_writer = {
	.begin = table_begin, .row = table_row, .end = table_end, .release = table_release,
};

static void expanded_begin(struct report *r)
{
	(void)r;
}

static void expanded_row(struct report *r, const struct cell *cells)
{
	size_t width = 0;

	for (size_t i = 0; i < r->column_count; i++)
		if (strlen(r->columns[i].key) > width)
			width = strlen(r->columns[i].key);
	if (r->rows)
		strbuf_addch(&r->buffer, '\n');
	for (size_t i = 0; i < r->column_count; i++) {
		const struct column *c = &r->columns[i];

		strbuf_addf(&r->buffer, "%s:", c->key);
		if (!cells[i].null) {
			strbuf_addf(&r->buffer, "%*s", (int)(width - strlen(c->key)) + 1, "");
			cell_add_text(c->type, &cells[i], &r->buffer);
		}
		strbuf_addch(&r->buffer, '\n');
	}
}

static void expanded_end(struct report *r)
{
	(void)r;
}

const struct writer expanded_writer = {
	.begin = expanded_begin, .row = expanded_row, .end = expanded_end,
};
