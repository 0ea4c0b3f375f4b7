/* SPDX-License-Identifier: PostgreSQL */
#include "report.h"

#include <errno.h>
#include <poll.h>
#include "error.h"
#include "writer.h"
#include "xalloc.h"

#define FLUSH_AT (64u << 10)

const char *const report_format_names[] = { "table", "expanded", "json", "ndjson", "csv", "prom", "nagios", NULL };

static const struct writer *const writers[] = {
	[FORMAT_TABLE] = &table_writer, [FORMAT_EXPANDED] = &expanded_writer,
	[FORMAT_JSON] = &json_writer,   [FORMAT_NDJSON] = &ndjson_writer,
	[FORMAT_CSV] = &csv_writer,     [FORMAT_PROM] = &silent_writer,
	[FORMAT_NAGIOS] = &silent_writer,
};

static void ignore(struct report *r)
{
	(void)r;
}

static void ignore_row(struct report *r, const struct cell *cells)
{
	(void)r;
	(void)cells;
}

const struct writer silent_writer = { .begin = ignore, .row = ignore_row, .end = ignore };

bool report_format_parse(const char *name, enum report_format *ret)
{
	if (strcmp(name, "text") == 0) {
		*ret = FORMAT_TABLE;
		return true;
	}
	for (unsigned i = 0; report_format_names[i]; i++)
		if (strcmp(report_format_names[i], name) == 0) {
			*ret = (enum report_format)i;
			return true;
		}
	return false;
}

struct report *report_begin(const struct report_options *o, const char *name,
	const struct column *columns)
{
	struct report *r = xcalloc(1, sizeof(*r));

	*r = (struct report){
		.writer = writers[o->format],
		.options = *o,
		.name = name,
		.columns = columns,
		.buffer = STRBUF_INIT,
		.notes = STRBUF_INIT,
		.parent = -1,
	};
	while (columns[r->column_count].type != CELL_END)
		r->column_count++;
	r->json = (struct json)JSON_INIT(&r->buffer, o->format == FORMAT_JSON && !o->compact ? 2 : 0);
	r->writer->begin(r);
	return r;
}

struct json *report_header(struct report *r)
{
	if (r->options.format != FORMAT_JSON)
		return NULL;
	if (r->rows)
		BUG("report_header() after the first row");
	return &r->json;
}

/* Write errors stay in the stream (ferror) until report_end() looks. */
static void flush(struct report *r, size_t at)
{
	if (r->buffer.len <= at)
		return;
	fwrite(r->buffer.buf, 1, r->buffer.len, r->options.out);
	strbuf_reset(&r->buffer);
}

void report_row(struct report *r, const struct cell *cells)
{
	r->writer->row(r, cells);
	r->rows++;
	/* a reader of ndjson acts on each line as it comes */
	flush(r, r->options.format == FORMAT_NDJSON ? 0 : FLUSH_AT);
}

void report_child(struct report *r, const struct cell *cells, int64_t parent)
{
	if (parent >= (int64_t)r->rows)
		BUG("row %zu below row %jd", r->rows, (intmax_t)parent);
	r->parent = parent;
	report_row(r, cells);
	r->parent = -1;
}

void report_note(struct report *r, enum cell_tone tone, const char *fmt, ...)
{
	static const char *const escapes[] = {
		[TONE_PLAIN] = "", [TONE_GOOD] = "\033[32m", [TONE_WARNING] = "\033[33m",
		[TONE_CRITICAL] = "\033[31m", [TONE_FAINT] = "\033[2m",
	};
	bool color = r->options.color && tone != TONE_PLAIN;
	va_list ap;

	va_start(ap, fmt);
	autofree char *text = xvasprintf(fmt, ap);
	va_end(ap);
	strbuf_adds(&r->notes, color ? escapes[tone] : "");
	add_printable(&r->notes, text);
	strbuf_addf(&r->notes, "%s\n", color ? "\033[0m" : "");
}

/* Below the rows, an empty line between. */
static void print_notes(struct report *r)
{
	if (!r->notes.len || (r->options.format != FORMAT_TABLE && r->options.format != FORMAT_EXPANDED))
		return;
	fflush(r->options.out);
	strbuf_addch(&r->buffer, '\n');
	strbuf_add(&r->buffer, r->notes.buf, r->notes.len);
}

/* Asked of the pipe itself: errno is that of the last call, and stdio may have dropped the text in an earlier one. */
static bool reader_is_gone(FILE *out)
{
	struct pollfd p = { .fd = fileno(out), .events = POLLOUT };

	return errno == EPIPE || (poll(&p, 1, 0) == 1 && p.revents & POLLERR);
}

bool output_failed(FILE *out, struct error *err)
{
	int failed = errno;

	if (reader_is_gone(out))
		return error_set(err, EXIT_PIPE, "the reader of the output went away");
	return error_set_errno(err, EXIT_CANNOT_WRITE, failed ? failed : EIO, "cannot write the output");
}

static bool finish(FILE *out, struct error *err)
{
	errno = 0;
	if (fflush(out) == 0 && !ferror(out))
		return true;
	return output_failed(out, err);
}

bool report_end(struct report *r, struct error *err)
{
	FILE *out = r->options.out;

	r->writer->end(r);
	print_notes(r);
	flush(r, 0);
	report_discard(r);
	return finish(out, err);
}

void report_discard(struct report *r)
{
	if (r->writer->release)
		r->writer->release(r);
	strbuf_release(&r->buffer);
	strbuf_release(&r->notes);
	vec_release(&r->lines);
	free(r);
}

bool report_document(const struct report_options *o, void (*fill)(struct json *j, const void *data),
	const void *data, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, o->format == FORMAT_NDJSON || o->compact ? 0 : 2);

	jsonw_object_begin(&j, NULL);
	jsonw_int(&j, "schema_version", 1);
	fill(&j, data);
	jsonw_object_end(&j);
	strbuf_addch(&text, '\n');
	fwrite(text.buf, 1, text.len, o->out);
	return finish(o->out, err);
}
