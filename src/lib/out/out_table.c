/* SPDX-License-Identifier: PostgreSQL */
/* Text for people: libsmartcols draws the table, the expanded form is plain lines. */
#include <libsmartcols.h>

#include "error.h"
#include "writer.h"

enum { BAR_WIDTH = 10, WIDE_MIN = 12, GAP = 2 };

static bool in_table(const struct column *c)
{
	return c->title && !(c->flags & COLUMN_EXTRA);
}

static int column_flags(const struct column *c)
{
	int flags = cell_is_right_aligned(c->type) ? SCOLS_FL_RIGHT : 0;

	if (c->flags & COLUMN_TREE)
		flags |= SCOLS_FL_TREE;
	return c->flags & COLUMN_WIDE ? flags | SCOLS_FL_TRUNC : flags;
}

static void table_begin(struct report *r)
{
	r->table = scols_new_table();
	if (!r->table)
		BUG("out of memory");
	scols_table_set_stream(r->table, r->options.out);
	scols_table_enable_colors(r->table, r->options.color);
	scols_table_enable_ascii(r->table, !r->options.utf8);
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

static void add_table_text(const struct report *r, const struct column *column, const struct cell *c, struct strbuf *out)
{
	if ((column->flags & COLUMN_BAR) && r->options.width && !c->null) {
		add_bar(out, c->real, BAR_WIDTH, r->options.utf8);
		strbuf_addch(out, ' ');
	}
	cell_add_text(column->type, c, out);
}

static void table_row(struct report *r, const struct cell *cells)
{
	struct libscols_line *above = r->parent < 0 ? NULL : r->lines.items[r->parent];
	struct libscols_line *line = scols_table_new_line(r->table, above);
	size_t shown = 0;

	if (!line)
		BUG("out of memory");
	*vec_push(&r->lines) = line;
	for (size_t i = 0; i < r->column_count; i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		if (!in_table(&r->columns[i]))
			continue;
		add_table_text(r, &r->columns[i], &cells[i], &text);
		scols_line_set_data(line, shown, text.buf);
		if (r->options.color && tone_color(cells[i].tone))
			scols_cell_set_color(scols_line_get_cell(line, shown), tone_color(cells[i].tone));
		shown++;
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

/* Terminal columns of the longest text of column n; bytes that continue a UTF-8 character do not count. */
static size_t text_width(const struct report *r, size_t n)
{
	size_t max = 0;

	for (size_t i = 0; i < r->lines.len; i++) {
		const char *s = scols_cell_get_data(scols_line_get_cell(r->lines.items[i], n));
		size_t width = 0;

		for (; s && *s; s++)
			width += ((unsigned char)*s & 0xc0) != 0x80;
		max = width > max ? width : max;
	}
	return max;
}

/* The width below which something would be cut that must not be. */
static size_t narrowest(const struct report *r)
{
	size_t sum = 0, shown = 0;

	for (size_t i = 0; i < r->column_count; i++) {
		const struct column *c = &r->columns[i];

		if (!in_table(c))
			continue;

		size_t width = text_width(r, shown++), title = strlen(c->title);

		width = width > title ? width : title;
		sum += (c->flags & COLUMN_WIDE) && width > WIDE_MIN ? WIDE_MIN : width;
		sum += GAP;
	}
	return sum ? sum - GAP : 0;
}

static void print_line_expanded(struct report *r, struct libscols_line *line, int title_width)
{
	size_t shown = 0;

	for (size_t i = 0; i < r->column_count; i++) {
		if (!in_table(&r->columns[i]))
			continue;

		const char *text = scols_cell_get_data(scols_line_get_cell(line, shown++));

		if (text && *text)
			strbuf_addf(&r->buffer, "%-*s  %s\n", title_width, r->columns[i].title, text);
	}
}

/* A block a row, empty cells left out: for a terminal too narrow for the table. */
static void print_expanded(struct report *r)
{
	size_t width = 0;

	for (size_t i = 0; i < r->column_count; i++)
		if (in_table(&r->columns[i]) && strlen(r->columns[i].title) > width)
			width = strlen(r->columns[i].title);
	for (size_t i = 0; i < r->lines.len; i++) {
		if (i)
			strbuf_addch(&r->buffer, '\n');
		print_line_expanded(r, r->lines.items[i], (int)width);
	}
}

static void table_end(struct report *r)
{
	if (!r->rows)
		print_heading(r);
	else if (r->options.width && narrowest(r) > (size_t)r->options.width)
		print_expanded(r);
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
