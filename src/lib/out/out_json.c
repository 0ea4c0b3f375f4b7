/* SPDX-License-Identifier: PostgreSQL */
#include "writer.h"

static void add_cell(struct json *j, const struct column *column, const struct cell *c)
{
	if (c->null) {
		jsonw_null(j, column->key);
		return;
	}
	switch (column->type) {
	case CELL_INT:
	case CELL_PID:
	case CELL_SIZE:
		jsonw_int(j, column->key, c->number);
		break;
	case CELL_DURATION:
	case CELL_PERCENT:
		jsonw_seconds(j, column->key, c->real);
		break;
	case CELL_LATENCY:
	case CELL_NUMBER:
		jsonw_real(j, column->key, c->real);
		break;
	case CELL_TIME:
		jsonw_time(j, column->key, c->number);
		break;
	case CELL_BOOL:
		jsonw_bool(j, column->key, c->number != 0);
		break;
	case CELL_JSON:
		jsonw_raw(j, column->key, c->text);
		break;
	case CELL_TEXT:
	case CELL_ID:
	case CELL_END:
		jsonw_string(j, column->key, c->text);
		break;
	}
}

static void add_row(struct report *r, const struct cell *cells)
{
	jsonw_object_begin(&r->json, NULL);
	for (size_t i = 0; i < r->column_count; i++)
		add_cell(&r->json, &r->columns[i], &cells[i]);
	jsonw_object_end(&r->json);
}

static void json_begin(struct report *r)
{
	jsonw_object_begin(&r->json, NULL);
	jsonw_int(&r->json, "schema_version", 1);
}

/* The array starts late, so that report_header() can write members before it. */
static void json_row(struct report *r, const struct cell *cells)
{
	if (!r->rows)
		jsonw_array_begin(&r->json, r->name);
	add_row(r, cells);
}

static void json_end(struct report *r)
{
	if (!r->rows)
		jsonw_array_begin(&r->json, r->name);
	jsonw_array_end(&r->json);
	jsonw_object_end(&r->json);
	strbuf_addch(&r->buffer, '\n');
}

const struct writer json_writer = { .begin = json_begin, .row = json_row, .end = json_end };

static void ndjson_begin(struct report *r)
{
	(void)r;
}

static void ndjson_row(struct report *r, const struct cell *cells)
{
	r->json = (struct json)JSON_INIT(&r->buffer, 0);
	add_row(r, cells);
	strbuf_addch(&r->buffer, '\n');
}

static void ndjson_end(struct report *r)
{
	(void)r;
}

const struct writer ndjson_writer = { .begin = ndjson_begin, .row = ndjson_row, .end = ndjson_end };
