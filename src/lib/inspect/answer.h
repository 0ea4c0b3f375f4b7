/* SPDX-License-Identifier: PostgreSQL
 *
 * answer.h - what an inspection found out, beside its rows: findings, metrics, and what it could not see.
 *
 * One answer serves every format: JSON members, a Nagios line with performance data, Prometheus
 * metrics, lines below a table. Ids of findings ("locks.blocked") are stable and the same everywhere.
 * What this role cannot see is a gap: it makes the answer partial, and a check UNKNOWN rather than OK.
 */
#ifndef DBOPS_ANSWER_H
#define DBOPS_ANSWER_H

#include "config.h"
#include "range.h"
#include "report.h"

/* In rising order of what a check answers. */
enum severity { SEVERITY_OK, SEVERITY_INFO, SEVERITY_UNKNOWN, SEVERITY_WARNING, SEVERITY_CRITICAL };
/* "ok", "info", "unknown", "warning", "critical" */
const char *severity_name(enum severity s);
enum cell_tone severity_tone(enum severity s);

struct finding {
	const char *id;        /* "indexes.unused"; a constant */
	enum severity severity;
	char *object;          /* "public.orders_idx", "pid 4711"; NULL = the whole server or database */
	char *message;         /* one sentence without full stop */
	char *evidence;        /* JSON object; NULL = none */
	char *fix, *undo;      /* SQL or a command; NULL = none */
	char *suppressed;      /* reason of the suppression that accepts it; NULL = counts */
};

#define METRIC_LABELS 4
struct metric {
	const char *name;      /* "connections_used_ratio": Prometheus' name without "dbops_"; a constant */
	const char *help;      /* a constant, one sentence */
	enum unit unit;        /* base units: seconds, bytes, per cent 0-100 */
	bool counter;          /* only rises: TYPE counter; name ends with _total */
	double value;          /* NAN: not known; not emitted */
	const char *label[METRIC_LABELS]; /* names; constants, NULL = no further ones */
	char *label_value[METRIC_LABELS];
	const char *perfdata;  /* label in Nagios' performance data; a constant; NULL = not there */
	const char *finding;   /* id of the finding when a threshold alerts; a constant; NULL = the command's own findings say it */
	struct range warning, critical;
	double maximum;        /* 0 = none */
};

struct gap {
	char *what, *reason, *grant; /* grant: the SQL that closes it; NULL = none */
	bool decisive;         /* a check cannot say OK without it */
};

struct answer {
	const char *name;      /* "locks": the array of rows, the word in Nagios' line */
	const char *profile;   /* of the configuration; a label of every metric, so that those of several databases meet; NULL = none */
	int64_t at;            /* server's clock */
	bool rows_are_findings; /* the rows are the findings: they are not written beside them again */
	bool unavailable;      /* nothing could be said at all; the gaps say why */
	VEC(struct finding) findings;
	VEC(struct metric) metrics;
	VEC(struct gap) gaps;
	char *summary;         /* text of the Nagios line; NULL = made of findings and perfdata */
};

void answer_release(struct answer *a);
#define _cleanup_answer_ _cleanup_(answer_release)

/* Adds a finding; id is kept, every other string is copied (may be NULL). The address is valid until the next. */
struct finding *answer_finding(struct answer *a, const struct finding *f);
/* Adds a metric, label values copied. A metric whose threshold alerts is a finding, too. A second metric with the
 * same name and labels is dropped. Metrics are few: never one a table, index or statement. */
void answer_metric(struct answer *a, const struct metric *m);
/* Notes what could not be seen. grant NULL = nothing to grant. */
void answer_gap(struct answer *a, bool decisive, const char *what, const char *reason, const char *grant);

/* Marks findings that the configuration accepts; a suppression whose time is over accepts nothing.
 * today is YYYY-MM-DD, UTC. A suppression that is wrong: EXIT_CONFIG. */
bool answer_suppress(struct answer *a, const struct config *c, const char *today, struct error *err);

/* The worst of findings (suppressed and informational ones left out) and gaps. */
enum severity answer_status(const struct answer *a);
/* "full", "partial", "unavailable" */
const char *answer_completeness(const struct answer *a);

/* JSON members: at, completeness, gaps, status, metrics and, unless they are the rows, findings. */
void answer_add_json(const struct answer *a, struct json *j);
/* Lines below a table: gaps, findings unless they are the rows; with checked the verdict. */
void answer_add_notes(const struct answer *a, bool checked, struct report *r);
/* "DBOPS LOCKS WARNING - text | 'label'=1;…" and long output. Monitoring Plugins Development Guidelines. */
void answer_add_nagios(const struct answer *a, struct strbuf *out);
/* Prometheus text format 0.0.4: HELP and TYPE once a name, base units, dbops_up, dbops_complete, dbops_status. */
void answer_add_prom(const struct answer *a, struct strbuf *out);
/* The same when the answer could not be had: dbops_up 0. (Nagios' line is app_print_error()'s.) */
void answer_failed_prom(const char *name, const char *profile, struct strbuf *out);

/* Columns and cells of findings as rows. */
extern const struct column finding_columns[];
#define FINDING_CELLS 9
void finding_cells(const struct finding *f, struct cell ret[FINDING_CELLS]);

#endif
