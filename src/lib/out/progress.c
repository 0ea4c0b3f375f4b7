/* SPDX-License-Identifier: PostgreSQL */
#include "progress.h"

#include "clock.h"
#include "json.h"
#include "xalloc.h"

static const double interval[] = {
	[PROGRESS_BAR] = 0.1,
	[PROGRESS_PLAIN] = 30,
	[PROGRESS_JSON] = 1,
};

static void start(struct progress *p, double now, const char *what, int64_t done)
{
	progress_clear(p);
	free(p->what);
	p->what = xstrdup(what);
	p->started = p->last = now;
	p->last_done = done;
	p->rate = 0;
}

/* The newest interval counts a fifth: steady enough to read, quick enough to follow a stall. */
static void smooth(struct progress *p, double now, int64_t done)
{
	double rate = (double)(done - p->last_done) / (now - p->last);

	p->rate = p->rate > 0 ? 0.8 * p->rate + 0.2 * rate : rate;
	p->last = now;
	p->last_done = done;
}

static double seconds_left(const struct progress *p, int64_t done, int64_t total)
{
	return p->rate > 0 && total > done ? (double)(total - done) / p->rate : -1;
}

static double percent(int64_t done, int64_t total)
{
	double value = total > 0 ? 100.0 * (double)done / (double)total : 0;

	return value > 100 ? 100 : value;
}

static void add_amount(const struct progress *p, int64_t done, int64_t total, struct strbuf *sb)
{
	double left = seconds_left(p, done, total);

	size_format(done, sb);
	if (total > 0) {
		strbuf_adds(sb, " of ");
		size_format(total, sb);
	}
	strbuf_adds(sb, ", ");
	size_format((int64_t)p->rate, sb);
	strbuf_adds(sb, "/s");
	if (left >= 0) {
		strbuf_adds(sb, ", ");
		duration_format(left, sb);
		strbuf_adds(sb, " left");
	}
}

static void draw_bar(struct progress *p, int64_t done, int64_t total)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int width = p->width ? p->width : 80;
	int full = 20;

	strbuf_addf(&text, "%s ", p->what);
	if (total > 0) {
		int filled = (int)(percent(done, total) * full / 100);

		strbuf_addch(&text, '[');
		for (int i = 0; i < full; i++)
			strbuf_addch(&text, i < filled ? '#' : '.');
		strbuf_addf(&text, "] %3.0f %%  ", percent(done, total));
	}
	add_amount(p, done, total, &text);
	fprintf(p->out, "\r\033[K%.*s", width - 1, text.buf);
	fflush(p->out);
	p->drawn = true;
}

static void print_plain(struct progress *p, int64_t done, int64_t total)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "dbops: %s: ", p->what);
	if (total > 0)
		strbuf_addf(&text, "%.0f %%, ", percent(done, total));
	add_amount(p, done, total, &text);
	fprintf(p->out, "%s\n", text.buf);
	fflush(p->out);
}

static void print_json(struct progress *p, double now, int64_t done, int64_t total)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);
	double left = seconds_left(p, done, total);

	jsonw_object_begin(&j, NULL);
	jsonw_time(&j, "time", clock_now_us());
	jsonw_string(&j, "level", "info");
	jsonw_string(&j, "event", "progress");
	jsonw_string(&j, "what", p->what);
	jsonw_int(&j, "done_bytes", done);
	if (total > 0)
		jsonw_int(&j, "total_bytes", total);
	else
		jsonw_null(&j, "total_bytes");
	jsonw_seconds(&j, "seconds", now - p->started);
	jsonw_int(&j, "bytes_per_second", (int64_t)p->rate);
	if (left >= 0)
		jsonw_seconds(&j, "seconds_left", left);
	else
		jsonw_null(&j, "seconds_left");
	jsonw_object_end(&j);
	fprintf(p->out, "%s\n", text.buf);
	fflush(p->out);
}

void progress_update(struct progress *p, double now, const char *what, int64_t done, int64_t total)
{
	if (p->mode == PROGRESS_NONE)
		return;
	if (!p->what || strcmp(p->what, what) != 0)
		start(p, now, what, done);
	if (now - p->last < interval[p->mode])
		return;
	smooth(p, now, done);
	if (p->mode == PROGRESS_BAR)
		draw_bar(p, done, total);
	else if (p->mode == PROGRESS_PLAIN)
		print_plain(p, done, total);
	else
		print_json(p, now, done, total);
}

void progress_clear(struct progress *p)
{
	if (!p->drawn)
		return;
	fputs("\r\033[K", p->out);
	fflush(p->out);
	p->drawn = false;
}

void progress_release(struct progress *p)
{
	progress_clear(p);
	free(p->what);
	p->what = NULL;
}
