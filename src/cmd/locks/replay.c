/* SPDX-License-Identifier: PostgreSQL */
/* dbops locks --replay - the tree at any instant of a recording, without a server. */
#include "locks.h"

#include <errno.h>
#include <string.h>
#include "clock.h"
#include "lock_record.h"

#define WARNINGS_MAX 5

/* One line of the file. */
struct line {
	off_t offset;
	int64_t at; /* 0 = damaged */
};

struct recording {
	const char *path;
	FILE *file;
	char *buffer;
	size_t alloc;
	VEC(struct line) instants; /* those that can be read */
	size_t damaged;
};

static void recording_release(struct recording *r)
{
	if (r->file)
		fclose(r->file);
	free(r->buffer);
	vec_release(&r->instants);
}

/* The next line into ret; false at the end of the file. */
static bool next_line(struct recording *r, struct lock_instant *ret, bool *readable)
{
	ssize_t len = getline(&r->buffer, &r->alloc, r->file);

	if (len < 0)
		return false;
	if (len && r->buffer[len - 1] == '\n')
		len--;
	*readable = lock_instant_read(r->buffer, (size_t)len, ret, NULL);
	return true;
}

static void warn_of_damage(struct app *app, struct recording *r, size_t number)
{
	if (r->damaged++ < WARNINGS_MAX)
		log_warning(&app->log, "locks.damaged", "line %zu of '%s' is damaged or cut off and is left out", number, r->path);
}

/* Where the instants are; what cannot be read is left out, unless nothing can. */
static bool index_recording(struct app *app, struct recording *r, struct error *err)
{
	for (size_t number = 1;; number++) {
		_cleanup_lock_instant_ struct lock_instant i = { 0 };
		off_t offset = ftello(r->file);
		bool readable;

		if (!next_line(r, &i, &readable))
			break;
		if (readable)
			*vec_push(&r->instants) = (struct line){ offset, i.facts.at };
		else
			warn_of_damage(app, r, number);
	}
	if (ferror(r->file))
		return error_set_errno(err, EXIT_UNAVAILABLE, errno, "cannot read '%s'", r->path);
	if (r->instants.len)
		return true;
	error_set(err, EXIT_DAMAGED, "'%s' holds no recording of locks", r->path);
	error_hint(err, "dbops locks --record FILE --watch 1s makes one.");
	return false;
}

static bool open_recording(struct app *app, const char *path, struct recording *r, struct error *err)
{
	r->path = path;
	r->file = fopen(path, "re");
	if (!r->file) {
		error_set_errno(err, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_UNAVAILABLE, errno, "cannot open '%s'", path);
		return false;
	}
	return index_recording(app, r, err);
}

/* --- which instant ------------------------------------------------------------------------------------------ */

bool locks_check_at(const char *text, struct error *err)
{
	int64_t us;

	if (clock_parse_utc(text, &us) || (text[0] == '-' && duration_parse(text + 1, &us)))
		return true;
	error_set(err, EXIT_USAGE, "'%s' is no point in time", text);
	return error_hint(err, "Write it as 2026-11-20T20:36:16Z, or as -5min: so long before the end of the recording.");
}

static int64_t wanted_time(const struct recording *r, const char *at)
{
	int64_t us;

	if (clock_parse_utc(at, &us))
		return us;
	duration_parse(at + 1, &us);
	return r->instants.items[r->instants.len - 1].at - us * 1000;
}

/* The last instant that is not after `at`; lines of two runs may be out of order. */
static bool find_instant(const struct recording *r, const char *at, size_t *ret, struct error *err)
{
	int64_t wanted = wanted_time(r, at);
	bool found = false;

	for (size_t i = 0; i < r->instants.len; i++)
		if (r->instants.items[i].at <= wanted && (!found || r->instants.items[i].at >= r->instants.items[*ret].at)) {
			*ret = i;
			found = true;
		}
	if (found)
		return true;

	_cleanup_strbuf_ struct strbuf first = STRBUF_INIT;

	clock_format_utc(r->instants.items[0].at, true, &first);
	return error_set(err, EXIT_NOT_FOUND, "the recording begins at %s, later than '%s'", first.buf, at);
}

/* first..last; all of them when neither --at nor --step says which. */
static bool choose(const struct recording *r, const struct locks_replay *args, size_t *first, size_t *last, struct error *err)
{
	*first = 0;
	*last = r->instants.len - 1;
	if (!args->at && !args->step)
		return true;
	if (args->at && !find_instant(r, args->at, last, err))
		return false;

	int64_t chosen = (int64_t)*last + args->step;

	if (chosen < 0 || chosen >= (int64_t)r->instants.len)
		return error_set(err, EXIT_NOT_FOUND, "the recording has no instant %lld steps from there: it has %zu", (long long)args->step,
			r->instants.len);
	*first = *last = (size_t)chosen;
	return true;
}

/* --- showing ------------------------------------------------------------------------------------------------ */

static void print_time(struct app *app, int64_t at)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	clock_format_utc(at, true, &text);
	fprintf(app->report.out, "at %s\n", text.buf);
}

static bool show_instant(struct app *app, struct recording *r, size_t n, const struct inspection *inspection,
	const struct locks_replay *args, struct error *err)
{
	_cleanup_lock_instant_ struct lock_instant i = { 0 };
	_cleanup_answer_ struct answer a = { .name = inspection->name };
	_cleanup_lock_graph_ struct lock_graph g = { 0 };
	bool readable = false;

	if (fseeko(r->file, r->instants.items[n].offset, SEEK_SET) != 0 || !next_line(r, &i, &readable) || !readable)
		return error_set(err, EXIT_UNAVAILABLE, "'%s' changed while it was read", r->path);

	struct locks_rows rows = { .facts = i.facts, .plan = args->plan };
	const struct inspect_source source = { i.server ? i.server : "", i.database ? i.database : "", i.server_version,
		inspection->columns };

	lock_graph_build(&g, &i.facts, args->min_wait);
	lock_graph_simulate(&g);
	rows.graph = g;
	a.at = i.facts.at;
	locks_judge(&g, &args->limits, &a);
	if (r->damaged)
		answer_gap(&a, false, "the recording", "lines that are damaged or cut off are left out", NULL);
	if (app->report.format == FORMAT_TABLE || app->report.format == FORMAT_EXPANDED)
		print_time(app, i.facts.at);
	return inspect_show(app, inspection, &source, &rows, &a, err);
}

bool locks_replay(struct app *app, const struct inspection *inspection, const struct locks_replay *args, struct error *err)
{
	_cleanup_(recording_release) struct recording r = { 0 };
	bool one_answer = app->report.format == FORMAT_PROM || app->report.format == FORMAT_NAGIOS;
	size_t first, last;

	if (!open_recording(app, args->path, &r, err) || !choose(&r, args, &first, &last, err))
		return false;
	if (one_answer)
		first = last;
	app->report.compact = first < last;
	for (size_t n = first; n <= last; n++) {
		if (n > first && !app->report.compact)
			fputc('\n', app->report.out);
		if (!show_instant(app, &r, n, inspection, args, err) || !cancel_check(app->cancel, err))
			return false;
	}
	return true;
}
