/* SPDX-License-Identifier: PostgreSQL */
#include "answer.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>
#include "clock.h"

static const struct {
	const char *name;
	enum cell_tone tone;
} severities[] = {
	[SEVERITY_OK] = { "ok", TONE_GOOD },
	[SEVERITY_INFO] = { "info", TONE_PLAIN },
	[SEVERITY_UNKNOWN] = { "unknown", TONE_WARNING },
	[SEVERITY_WARNING] = { "warning", TONE_WARNING },
	[SEVERITY_CRITICAL] = { "critical", TONE_CRITICAL },
};

const char *severity_name(enum severity s)
{
	return severities[s].name;
}

enum cell_tone severity_tone(enum severity s)
{
	return severities[s].tone;
}

static void finding_release(struct finding *f)
{
	free(f->object);
	free(f->message);
	free(f->evidence);
	free(f->fix);
	free(f->undo);
	free(f->suppressed);
}

void answer_release(struct answer *a)
{
	for (size_t i = 0; i < a->findings.len; i++)
		finding_release(&a->findings.items[i]);
	for (size_t i = 0; i < a->metrics.len; i++)
		for (unsigned k = 0; k < METRIC_LABELS; k++)
			free(a->metrics.items[i].label_value[k]);
	for (size_t i = 0; i < a->gaps.len; i++) {
		free(a->gaps.items[i].what);
		free(a->gaps.items[i].reason);
		free(a->gaps.items[i].grant);
	}
	vec_release(&a->findings);
	vec_release(&a->metrics);
	vec_release(&a->gaps);
	free(a->summary);
	*a = (struct answer){ .name = a->name, .rows_are_findings = a->rows_are_findings };
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

struct finding *answer_finding(struct answer *a, const struct finding *f)
{
	struct finding *added = vec_push(&a->findings);

	*added = (struct finding){
		.id = f->id,
		.severity = f->severity,
		.object = copy(f->object),
		.message = copy(f->message),
		.evidence = copy(f->evidence),
		.fix = copy(f->fix),
		.undo = copy(f->undo),
		.suppressed = copy(f->suppressed),
	};
	return added;
}

static bool is_same_series(const struct metric *a, const struct metric *b)
{
	if (strcmp(a->name, b->name) != 0)
		return false;
	for (unsigned k = 0; k < METRIC_LABELS && a->label[k]; k++)
		if (!b->label_value[k] || strcmp(a->label_value[k], b->label_value[k]) != 0)
			return false;
	return true;
}

static char *labels_text(const struct metric *m)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (unsigned k = 0; k < METRIC_LABELS && m->label[k]; k++)
		strbuf_addf(&text, "%s%s %s", k ? ", " : "", m->label[k], m->label_value[k]);
	return text.len ? strbuf_detach(&text) : NULL;
}

/* For people; performance data and metrics have the figure itself. */
static void add_value(struct strbuf *out, const struct metric *m, double value)
{
	switch (m->unit) {
	case UNIT_SECONDS:
		if (value == floor(value) && value < 60)
			strbuf_addf(out, "%.0f s", value); /* as thresholds are written */
		else
			latency_format(value, out);
		break;
	case UNIT_BYTES:
		size_format((int64_t)value, out);
		break;
	case UNIT_PERCENT:
		strbuf_addf(out, "%.1f %%", value);
		break;
	case UNIT_NUMBER:
		if (fabs(value) >= 100 && fabs(value) < 9e15)
			count_format(llround(value), out);
		else
			strbuf_addf(out, "%.3g", value);
		break;
	}
}

static void add_limit(struct strbuf *out, const struct metric *m, const struct range *r)
{
	double scale = r->percent ? m->maximum / 100 : 1;
	double low = r->low * scale, high = r->left ? m->maximum - r->high * scale : r->high * scale;

	if (!r->inside && isfinite(low) && low != 0 && isfinite(high)) {
		strbuf_adds(out, "the thresholds are ");
		add_value(out, m, low);
		strbuf_adds(out, " and ");
		add_value(out, m, high);
	} else if (r->inside) {
		strbuf_adds(out, "which is within the threshold");
	} else {
		strbuf_adds(out, "the threshold ");
		add_value(out, m, isfinite(high) ? high : low);
	}
}

static void add_threshold_finding(struct answer *a, const struct metric *m, enum severity severity)
{
	const struct range *range = severity == SEVERITY_CRITICAL ? &m->critical : &m->warning;
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;
	autofree char *object = labels_text(m);

	for (const char *s = m->perfdata ? m->perfdata : m->name; *s; s++)
		strbuf_addch(&message, *s == '_' ? ' ' : *s);
	strbuf_adds(&message, " is ");
	add_value(&message, m, m->value);
	if (m->maximum > 0) {
		strbuf_adds(&message, " of ");
		add_value(&message, m, m->maximum);
	}
	strbuf_adds(&message, ", ");
	add_limit(&message, m, range);
	answer_finding(a, &(struct finding){ .id = m->finding, .severity = severity, .object = object, .message = message.buf });
}

void answer_metric(struct answer *a, const struct metric *m)
{
	if (!isfinite(m->value))
		return;
	for (size_t i = 0; i < a->metrics.len; i++)
		if (is_same_series(m, &a->metrics.items[i]))
			return;

	struct metric *added = vec_push(&a->metrics);

	*added = *m;
	for (unsigned k = 0; k < METRIC_LABELS; k++)
		added->label_value[k] = m->label[k] ? xstrdup(m->label_value[k] ? m->label_value[k] : "") : NULL;
	if (!m->finding)
		return;
	if (range_alerts(&m->critical, m->value, m->maximum))
		add_threshold_finding(a, added, SEVERITY_CRITICAL);
	else if (range_alerts(&m->warning, m->value, m->maximum))
		add_threshold_finding(a, added, SEVERITY_WARNING);
}

void answer_gap(struct answer *a, bool decisive, const char *what, const char *reason, const char *grant)
{
	*vec_push(&a->gaps) = (struct gap){ copy(what), copy(reason), copy(grant), decisive };
}

static bool accepts(const struct config_suppression *s, const struct finding *f)
{
	return fnmatch(s->finding, f->id, 0) == 0 &&
	       (!s->object || fnmatch(s->object, f->object ? f->object : "", 0) == 0);
}

static void suppress(struct answer *a, const struct config_suppression *s, const char *today)
{
	bool expired = s->expires && strcmp(s->expires, today) < 0;

	for (size_t i = 0; i < a->findings.len; i++) {
		struct finding *f = &a->findings.items[i];

		if (f->suppressed || expired || !accepts(s, f))
			continue;
		f->suppressed = s->expires ? xasprintf("%s (until %s)", s->reason, s->expires) : xstrdup(s->reason);
	}
}

bool answer_suppress(struct answer *a, const struct config *c, const char *today, struct error *err)
{
	const struct strvec *names = &c->names[CONFIG_SUPPRESSION];

	for (size_t i = 0; i < names->len; i++) {
		struct config_suppression s;

		if (!config_suppression(c, names->items[i], &s, err))
			return false;
		suppress(a, &s, today);
	}
	return true;
}

enum severity answer_status(const struct answer *a)
{
	enum severity worst = a->unavailable ? SEVERITY_UNKNOWN : SEVERITY_OK;

	for (size_t i = 0; i < a->gaps.len; i++)
		if (a->gaps.items[i].decisive && worst < SEVERITY_UNKNOWN)
			worst = SEVERITY_UNKNOWN;
	for (size_t i = 0; i < a->findings.len; i++) {
		const struct finding *f = &a->findings.items[i];

		if (!f->suppressed && f->severity > SEVERITY_INFO && f->severity > worst)
			worst = f->severity;
	}
	return worst;
}

const char *answer_completeness(const struct answer *a)
{
	if (a->unavailable)
		return "unavailable";
	return a->gaps.len ? "partial" : "full";
}

const struct column finding_columns[] = {
	{ "severity", "SEVERITY", CELL_TEXT, 0, "critical, warning, unknown or info" },
	{ "id", "FINDING", CELL_TEXT, 0, "stable name of the finding, for suppressions" },
	{ "object", "OBJECT", CELL_TEXT, 0, "what it is about" },
	{ "message", "WHAT", CELL_TEXT, COLUMN_WIDE, "what was found" },
	{ "evidence", NULL, CELL_JSON, COLUMN_EXTRA, "the figures it rests on" },
	{ "fix", NULL, CELL_TEXT, COLUMN_EXTRA, "SQL or command that cures it" },
	{ "undo", NULL, CELL_TEXT, COLUMN_EXTRA, "SQL that takes the cure back" },
	{ "suppressed", NULL, CELL_BOOL, COLUMN_EXTRA, "whether the configuration accepts it" },
	{ "reason", NULL, CELL_TEXT, COLUMN_EXTRA, "why the configuration accepts it" },
	COLUMN_END,
};

void finding_cells(const struct finding *f, struct cell ret[FINDING_CELLS])
{
	const struct cell cells[FINDING_CELLS] = {
		{ .text = severity_name(f->severity), .tone = f->suppressed ? TONE_FAINT : severity_tone(f->severity) },
		CELL_OF_TEXT(f->id),
		CELL_OF_TEXT(f->object),
		CELL_OF_TEXT(f->message),
		CELL_OF_TEXT(f->evidence),
		CELL_OF_TEXT(f->fix),
		CELL_OF_TEXT(f->undo),
		CELL_OF_INT(f->suppressed != NULL),
		CELL_OF_TEXT(f->suppressed),
	};

	memcpy(ret, cells, sizeof(cells));
}
