/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <math.h>

#include "clock.h"
#include "error.h"
#include "writer.h"

void cell_add_raw(enum cell_type type, const struct cell *c, struct strbuf *out)
{
	if (c->null)
		return;
	switch (type) {
	case CELL_TEXT:
	case CELL_ID:
	case CELL_JSON:
		strbuf_adds(out, c->text);
		break;
	case CELL_INT:
	case CELL_PID:
	case CELL_SIZE:
		strbuf_addf(out, "%" PRId64, c->number);
		break;
	case CELL_BOOL:
		strbuf_adds(out, c->number ? "true" : "false");
		break;
	case CELL_TIME:
		clock_format_utc(c->number, c->number % 1000000 != 0, out);
		break;
	case CELL_DURATION:
	case CELL_PERCENT:
		if (isfinite(c->real))
			strbuf_addf(out, "%.3f", c->real);
		break;
	case CELL_LATENCY:
	case CELL_NUMBER:
		if (isfinite(c->real))
			strbuf_addf(out, "%.9g", c->real);
		break;
	case CELL_END:
		BUG("a cell without a column");
	}
}

/* Digits where they matter: 0.42, 12.3, 1,234 */
static void add_number(double x, struct strbuf *out)
{
	if (fabs(x) >= 99.95 && fabs(x) < 9e15)
		count_format(llround(x), out);
	else
		strbuf_addf(out, fabs(x) >= 9.995 ? "%.1f" : "%.2f", x);
}

void cell_add_text(enum cell_type type, const struct cell *c, struct strbuf *out)
{
	if (c->null)
		return;
	switch (type) {
	case CELL_INT:
		count_format(c->number, out);
		break;
	case CELL_PID:
		strbuf_addf(out, "%" PRId64, c->number);
		break;
	case CELL_SIZE:
		size_format(c->number, out);
		break;
	case CELL_DURATION:
		if (isfinite(c->real))
			duration_format(c->real, out);
		break;
	case CELL_PERCENT:
		if (isfinite(c->real))
			strbuf_addf(out, "%.1f %%", c->real);
		break;
	case CELL_LATENCY:
		if (isfinite(c->real))
			latency_format(c->real, out);
		break;
	case CELL_NUMBER:
		if (isfinite(c->real))
			add_number(c->real, out);
		break;
	case CELL_BOOL:
		strbuf_adds(out, c->number ? "yes" : "no");
		break;
	case CELL_TIME:
		clock_format_utc(c->number, false, out);
		break;
	case CELL_TEXT:
	case CELL_ID:
	case CELL_JSON:
	case CELL_END:
		add_printable(out, c->text);
		break;
	}
}

void add_bar(struct strbuf *out, double percent, unsigned width, bool utf8)
{
	double share = percent < 0 ? 0 : percent > 100 ? 100 : percent;
	unsigned full = (unsigned)(share * width / 100 + 0.5);

	for (unsigned i = 0; i < width; i++)
		strbuf_adds(out, i < full ? (utf8 ? "\u2588" : "#") : (utf8 ? "\u2591" : "."));
}

const char *tone_color(enum cell_tone tone)
{
	static const char *const names[] = {
		[TONE_PLAIN] = NULL, [TONE_GOOD] = "green", [TONE_WARNING] = "yellow", [TONE_CRITICAL] = "red",
		[TONE_FAINT] = "gray",
	};

	return names[tone];
}

bool cell_is_right_aligned(enum cell_type type)
{
	return type == CELL_INT || type == CELL_PID || type == CELL_SIZE || type == CELL_DURATION ||
	       type == CELL_PERCENT || type == CELL_LATENCY || type == CELL_NUMBER;
}

void add_printable(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n' || c == '\t')
			strbuf_addch(out, ' ');
		else
			strbuf_addch(out, c < 0x20 || c == 0x7f ? '?' : *s);
	}
}
