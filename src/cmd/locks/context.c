/* SPDX-License-Identifier: PostgreSQL */
/* What stands around the waits: settings, deadlocks, the size of the lock table. */
#include "locks.h"

#include "clock.h"

const char *const locks_counters[] = { "deadlocks", "conflicts", NULL };

void locks_read_context(struct locks_context *ret, const PGresult *r)
{
	*ret = (struct locks_context){
		.lock_timeout = pg_int(r, 0, PQfnumber(r, "lock_timeout_ms")),
		.deadlock_timeout = pg_int(r, 0, PQfnumber(r, "deadlock_timeout_ms")),
		.log_lock_waits = pg_bool(r, 0, PQfnumber(r, "log_lock_waits")),
		.lock_capacity = pg_int(r, 0, PQfnumber(r, "lock_capacity")),
		.deadlocks = pg_int(r, 0, PQfnumber(r, "deadlocks")),
		.conflicts = pg_int(r, 0, PQfnumber(r, "conflicts")),
	};
}

/* Deadlocks are over when they are counted: only "since when" says something. */
static void find_deadlocks(const struct locks_context *c, struct look *look)
{
	const double values[] = { (double)c->deadlocks, (double)c->conflicts };

	sample_add(look->now, "server", values);

	const double *before = look->before ? sample_find(look->before, "server") : NULL;
	const char *incomparable = look->before ? sample_incomparable(look->before, look->now) : NULL;

	if (!before || incomparable || !(values[0] > before[0]))
		return;

	autofree char *message = xasprintf("%.0f deadlocks in the last %.0f s; the server ended a session each time", values[0] - before[0],
		sample_seconds(look->before, look->now));

	answer_finding(look->answer, &(struct finding){ .id = "locks.deadlocks", .severity = SEVERITY_INFO, .message = message });
}

void locks_judge_context(const struct locks_context *c, int64_t lock_objects, struct look *look)
{
	struct metric table = {
		.name = "locks_table_objects",
		.help = "Objects in the shared lock table.",
		.value = (double)lock_objects,
		.perfdata = "lock_table",
		.finding = "locks.table",
		.maximum = (double)c->lock_capacity,
	};

	range_parse("80%", UNIT_NUMBER, &table.warning, NULL);
	range_parse("95%", UNIT_NUMBER, &table.critical, NULL);
	answer_metric(look->answer, &table);
	answer_metric(look->answer, &(struct metric){ .name = "locks_deadlocks_total", .counter = true, .value = (double)c->deadlocks,
					    .help = "Deadlocks of all databases since the statistics began." });
	find_deadlocks(c, look);
}

static void add_timeout(struct strbuf *out, const char *name, int64_t ms)
{
	strbuf_addf(out, "%s ", name);
	if (ms)
		duration_format((double)ms / 1000, out);
	else
		strbuf_adds(out, "none");
	strbuf_adds(out, ", ");
}

void locks_print_context(const struct locks_context *c, bool waits, struct report *r)
{
	struct json *j = report_header(r);
	_cleanup_strbuf_ struct strbuf note = STRBUF_INIT;

	if (j) {
		jsonw_object_begin(j, "settings");
		jsonw_seconds(j, "lock_timeout", (double)c->lock_timeout / 1000);
		jsonw_seconds(j, "deadlock_timeout", (double)c->deadlock_timeout / 1000);
		jsonw_bool(j, "log_lock_waits", c->log_lock_waits);
		jsonw_object_end(j);
	}
	if (!waits)
		return;
	add_timeout(&note, "lock_timeout", c->lock_timeout);
	add_timeout(&note, "deadlock_timeout", c->deadlock_timeout);
	report_note(r, TONE_FAINT, "%slog_lock_waits %s", note.buf, c->log_lock_waits ? "on" : "off");
}
