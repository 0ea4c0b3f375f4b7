/* SPDX-License-Identifier: PostgreSQL */
/* An answer in the formats that carry one. */
#include "answer.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include "utf8.h"

static void add_finding_json(struct json *j, const struct finding *f)
{
	jsonw_object_begin(j, NULL);
	jsonw_string(j, "severity", severity_name(f->severity));
	jsonw_string(j, "id", f->id);
	jsonw_string(j, "object", f->object);
	jsonw_string(j, "message", f->message);
	if (f->evidence)
		jsonw_raw(j, "evidence", f->evidence);
	else
		jsonw_null(j, "evidence");
	jsonw_string(j, "fix", f->fix);
	jsonw_string(j, "undo", f->undo);
	jsonw_bool(j, "suppressed", f->suppressed);
	jsonw_string(j, "reason", f->suppressed);
	jsonw_object_end(j);
}

static void add_metric_json(struct json *j, const struct metric *m)
{
	jsonw_object_begin(j, NULL);
	jsonw_string(j, "name", m->name);
	jsonw_object_begin(j, "labels");
	for (unsigned k = 0; k < METRIC_LABELS && m->label[k]; k++)
		jsonw_string(j, m->label[k], m->label_value[k]);
	jsonw_object_end(j);
	jsonw_double(j, "value", m->value);
	jsonw_object_end(j);
}

static void add_gap_json(struct json *j, const struct gap *g)
{
	jsonw_object_begin(j, NULL);
	jsonw_string(j, "what", g->what);
	jsonw_string(j, "reason", g->reason);
	jsonw_string(j, "grant", g->grant);
	jsonw_object_end(j);
}

void answer_add_json(const struct answer *a, struct json *j)
{
	jsonw_time(j, "at", a->at);
	jsonw_string(j, "completeness", answer_completeness(a));
	jsonw_array_begin(j, "gaps");
	for (size_t i = 0; i < a->gaps.len; i++)
		add_gap_json(j, &a->gaps.items[i]);
	jsonw_array_end(j);
	jsonw_string(j, "status", severity_name(answer_status(a)));
	jsonw_array_begin(j, "metrics");
	for (size_t i = 0; i < a->metrics.len; i++)
		add_metric_json(j, &a->metrics.items[i]);
	jsonw_array_end(j);
	if (a->rows_are_findings)
		return;
	jsonw_array_begin(j, "findings");
	for (size_t i = 0; i < a->findings.len; i++)
		add_finding_json(j, &a->findings.items[i]);
	jsonw_array_end(j);
}

static void note_finding(const struct finding *f, struct report *r)
{
	enum cell_tone tone = f->suppressed ? TONE_FAINT : severity_tone(f->severity);

	report_note(r, tone, "%s  %s: %s%s%s", severity_name(f->severity), f->id, f->object ? f->object : "",
		f->object ? ": " : "", f->message);
	if (f->suppressed)
		report_note(r, TONE_FAINT, "  accepted: %s", f->suppressed);
	else if (f->fix)
		report_note(r, TONE_PLAIN, "  fix: %s", f->fix);
}

static void add_upper(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addch(out, *s == '-' ? ' ' : (char)toupper((unsigned char)*s));
}

/* Text that must stay on its part of the line. */
static void add_plain(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addch(out, *s == '|' ? '/' : (unsigned char)*s < 0x20 ? ' ' : *s);
}

static const struct finding *worst_finding(const struct answer *a)
{
	const struct finding *worst = NULL;

	for (size_t i = 0; i < a->findings.len; i++) {
		const struct finding *f = &a->findings.items[i];

		if (!f->suppressed && f->severity > SEVERITY_INFO && (!worst || f->severity > worst->severity))
			worst = f;
	}
	return worst;
}

static size_t counted_findings(const struct answer *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->findings.len; i++)
		n += !a->findings.items[i].suppressed && a->findings.items[i].severity > SEVERITY_INFO;
	return n;
}

static void add_summary(const struct answer *a, struct strbuf *out)
{
	const struct finding *f = worst_finding(a);
	size_t n = counted_findings(a);

	if (f) {
		strbuf_addf(out, "%s%s%s", f->object ? f->object : "", f->object ? ": " : "", f->message);
		if (n > 1)
			strbuf_addf(out, " (and %zu more)", n - 1);
		if (a->summary)
			strbuf_adds(out, "; ");
	}
	for (size_t i = 0; !f && i < a->gaps.len; i++)
		if (a->gaps.items[i].decisive || a->unavailable) {
			strbuf_addf(out, "%s: %s", a->gaps.items[i].what, a->gaps.items[i].reason);
			if (a->summary)
				strbuf_adds(out, "; ");
			break;
		}
	if (a->summary)
		strbuf_adds(out, a->summary);
	else if (!out->len)
		strbuf_adds(out, "nothing to report");
}

void answer_add_notes(const struct answer *a, bool checked, struct report *r)
{
	for (size_t i = 0; !a->rows_are_findings && i < a->findings.len; i++)
		note_finding(&a->findings.items[i], r);
	for (size_t i = 0; i < a->gaps.len; i++) {
		const struct gap *g = &a->gaps.items[i];

		report_note(r, TONE_WARNING, "%s  %s: %s", answer_completeness(a), g->what, g->reason);
		if (g->grant)
			report_note(r, TONE_PLAIN, "  fix: %s", g->grant);
	}
	if (!checked)
		return;

	_cleanup_strbuf_ struct strbuf status = STRBUF_INIT, summary = STRBUF_INIT;

	add_upper(&status, severity_name(answer_status(a)));
	add_summary(a, &summary);
	report_note(r, severity_tone(answer_status(a)), "%s - %s", status.buf, summary.buf);
}

static void add_perfdata(const struct metric *m, struct strbuf *out)
{
	static const char *const units[] = {
		[UNIT_NUMBER] = "", [UNIT_SECONDS] = "s", [UNIT_BYTES] = "B", [UNIT_PERCENT] = "%",
	};

	strbuf_addf(out, " '%s", m->perfdata);
	for (unsigned k = 0; k < METRIC_LABELS && m->label[k]; k++) {
		strbuf_addch(out, ' ');
		for (const char *s = m->label_value[k]; *s; s++)
			strbuf_addch(out, *s == '\'' || *s == '=' || *s == '|' || (unsigned char)*s < 0x20 ? '_' : *s);
	}
	strbuf_adds(out, "'=");
	strbuf_add_decimal(out, m->value);
	strbuf_addf(out, "%s;", m->counter ? "c" : units[m->unit]);
	range_add(&m->warning, m->maximum, out);
	strbuf_addch(out, ';');
	range_add(&m->critical, m->maximum, out);
	strbuf_addch(out, ';');
	if (m->maximum > 0) {
		strbuf_adds(out, "0;");
		strbuf_add_decimal(out, m->maximum);
	}
}

void answer_add_nagios(const struct answer *a, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf summary = STRBUF_INIT;
	bool any = false;

	strbuf_adds(out, "DBOPS ");
	add_upper(out, a->name);
	strbuf_addch(out, ' ');
	add_upper(out, severity_name(answer_status(a)));
	strbuf_adds(out, " - ");
	add_summary(a, &summary);
	add_plain(out, summary.buf);
	for (size_t i = 0; i < a->metrics.len; i++) {
		if (!a->metrics.items[i].perfdata)
			continue;
		strbuf_adds(out, any ? "" : " |");
		any = true;
		add_perfdata(&a->metrics.items[i], out);
	}
	strbuf_addch(out, '\n');
	for (size_t i = 0; i < a->findings.len; i++) {
		const struct finding *f = &a->findings.items[i];

		strbuf_addf(out, "%s %s: ", f->suppressed ? "accepted" : severity_name(f->severity), f->id);
		add_plain(out, f->object ? f->object : "");
		strbuf_adds(out, f->object ? ": " : "");
		add_plain(out, f->message);
		strbuf_addch(out, '\n');
	}
	for (size_t i = 0; i < a->gaps.len; i++) {
		strbuf_addf(out, "%s: ", answer_completeness(a));
		add_plain(out, a->gaps.items[i].what);
		strbuf_adds(out, ": ");
		add_plain(out, a->gaps.items[i].reason);
		strbuf_addch(out, '\n');
	}
}

static void add_label_value(const char *s, struct strbuf *out)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = utf8_length(s, strlen(s));
		if (!n) /* the format is UTF-8; two names must stay two */
			strbuf_addf(out, "\\\\x%02x", (unsigned char)*s);
		else if (*s == '\n')
			strbuf_adds(out, "\\n");
		else if (*s == '"' || *s == '\\')
			strbuf_addf(out, "\\%c", *s);
		else
			strbuf_add(out, s, n);
	}
}

static void add_label(struct strbuf *out, const char *separator, const char *name, const char *value)
{
	strbuf_addf(out, "%s%s=\"", separator, name);
	add_label_value(value, out);
	strbuf_addch(out, '"');
}

static void add_series(const struct answer *a, const struct metric *m, struct strbuf *out)
{
	bool any = a->profile;

	strbuf_addf(out, "dbops_%s", m->name);
	if (a->profile)
		add_label(out, "{", "profile", a->profile);
	for (unsigned k = 0; k < METRIC_LABELS && m->label[k]; k++) {
		add_label(out, any ? "," : "{", m->label[k], m->label_value[k]);
		any = true;
	}
	strbuf_addf(out, "%s %.15g\n", any ? "}" : "", m->value);
}

/* All series of one name together, as the format demands. */
static void add_family(const struct answer *a, size_t first, struct strbuf *out)
{
	const struct metric *m = &a->metrics.items[first];

	strbuf_addf(out, "# HELP dbops_%s %s\n# TYPE dbops_%s %s\n", m->name, m->help, m->name,
		m->counter ? "counter" : "gauge");
	for (size_t i = first; i < a->metrics.len; i++)
		if (strcmp(a->metrics.items[i].name, m->name) == 0)
			add_series(a, &a->metrics.items[i], out);
}

static bool is_first_of_family(const struct answer *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(a->metrics.items[i].name, a->metrics.items[n].name) == 0)
			return false;
	return true;
}

static void add_gauge(struct strbuf *out, const char *name, const char *help, const char *command, const char *profile, int value)
{
	strbuf_addf(out, "# HELP dbops_%s %s\n# TYPE dbops_%s gauge\ndbops_%s{command=\"%s\"", name, help, name, name, command);
	if (profile)
		add_label(out, ",", "profile", profile);
	strbuf_addf(out, "} %d\n", value);
}

static void add_up(struct strbuf *out, const char *command, const char *profile, bool up)
{
	add_gauge(out, "up", "Whether the inspection got an answer.", command, profile, up);
}

void answer_add_prom(const struct answer *a, struct strbuf *out)
{
	static const int states[] = {
		[SEVERITY_OK] = 0, [SEVERITY_INFO] = 0, [SEVERITY_WARNING] = 1, [SEVERITY_CRITICAL] = 2, [SEVERITY_UNKNOWN] = 3,
	};

	add_up(out, a->name, a->profile, !a->unavailable);
	add_gauge(out, "complete", "Whether this role could see everything the inspection asks for.", a->name, a->profile, !a->gaps.len);
	add_gauge(out, "status", "Verdict: 0 ok, 1 warning, 2 critical, 3 unknown.", a->name, a->profile, states[answer_status(a)]);
	for (size_t i = 0; i < a->metrics.len; i++)
		if (is_first_of_family(a, i))
			add_family(a, i, out);
}

void answer_failed_prom(const char *name, const char *profile, struct strbuf *out)
{
	add_up(out, name, profile, false);
}
