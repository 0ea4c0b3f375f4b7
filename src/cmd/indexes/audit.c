/* SPDX-License-Identifier: PostgreSQL */
/* dbops indexes audit - which indexes are broken, superfluous, unused or missing. */
#include "group.h"

#include <fnmatch.h>
#include <string.h>
#include "audit.h"

struct audit_args {
	struct strvec schemas, tables;
	const char *only;
	int64_t min_size, min_age;
	struct strvec standbys;
	const char *expect;
	bool all, exact, prove, sql;
};

static const char *const only_choices[] = { "all", "invalid", "duplicate", "redundant", "unused", "foreign-key",
	"missing", "bloat", "expected", NULL };

static const struct option options[] = {
	OPT_LIST(struct audit_args, schemas, .long_name = "schema", .metavar = "PATTERN", .help = "only tables of schemas that match"),
	OPT_LIST(struct audit_args, tables, .long_name = "table", .metavar = "PATTERN",
		.help = "only tables that match, as NAME or SCHEMA.NAME; * and ? stand for any characters"),
	OPT_ENUM(struct audit_args, only, .long_name = "only", .choices = only_choices, .fallback = "all",
		.help = "one kind of finding"),
	OPT_SIZE(struct audit_args, min_size, .long_name = "min-size", .metavar = "SIZE", .fallback = "0",
		.help = "leave out what is about a smaller index"),
	OPT_DURATION(struct audit_args, min_age, .long_name = "min-age", .metavar = "TIME", .config_key = "indexes.min_age",
		.fallback = "30d", .help = "call an index unused when it was not scanned for TIME; statistics must be that old"),
	OPT_LIST(struct audit_args, standbys, .long_name = "standby", .metavar = "DSN", .config_key = "indexes.standbys",
		.help = "count the scans of this standby, too; one for each that streams from the server"),
	OPT_FLAG(struct audit_args, exact, .long_name = "exact",
		.help = "measure bloat by reading every B-tree of 1 MiB and more (extension pgstattuple) instead of estimating it"),
	OPT_FLAG(struct audit_args, prove, .long_name = "prove",
		.help = "plan the statements that read tables from end to end with hypothetical indexes (extension hypopg), and advise those that help"),
	OPT_PATH(struct audit_args, expect, .long_name = "expect", .metavar = "FILE", .config_key = "indexes.expect",
		.help = "CREATE INDEX statements, SQL or a YAML list: report those that are missing, invalid or different"),
	OPT_FLAG(struct audit_args, sql, .long_name = "sql",
		.help = "print a psql script of the cures, with the way back, instead of the findings"),
	OPT_FLAG(struct audit_args, all, .long_name = "all",
		.help = "also show indexes that must stay whether they are used or not, with the reason"),
	OPT_END,
};

static const struct column columns[] = {
	{ "severity", "SEVERITY", CELL_TEXT, 0, "critical, warning, unknown or info" },
	{ "id", "FINDING", CELL_TEXT, 0, "stable name of the finding, for suppressions" },
	{ "verdict", "VERDICT", CELL_TEXT, 0,
		"what to do: CANDIDATE (may go), REVIEW (look first), DROP, REBUILD, ATTACH, CREATE, WAIT, KEEP" },
	{ "object", "OBJECT", CELL_TEXT, 0, "the index, or the table that lacks one" },
	{ "table", NULL, CELL_TEXT, COLUMN_EXTRA, "its table" },
	{ "method", NULL, CELL_TEXT, COLUMN_EXTRA, "its access method" },
	{ "size", "SIZE", CELL_SIZE, 0, "bytes; of a partitioned index all of them together" },
	{ "size_estimated", NULL, CELL_BOOL, COLUMN_EXTRA,
		"the table is locked, so the size is what the last VACUUM or ANALYZE noted" },
	{ "scans", "SCANS", CELL_INT, 0, "scans since the statistics began, on all servers that were asked; the planner's own ones included" },
	{ "last_scan", NULL, CELL_TIME, COLUMN_EXTRA, "when it was last scanned; PostgreSQL 16 and newer" },
	{ "message", "WHY", CELL_TEXT, COLUMN_WIDE, "what was found" },
	{ "evidence", NULL, CELL_JSON, COLUMN_EXTRA, "the figures it rests on" },
	{ "fix", NULL, CELL_TEXT, COLUMN_EXTRA, "SQL that cures it" },
	{ "undo", NULL, CELL_TEXT, COLUMN_EXTRA, "SQL that takes the cure back" },
	{ "suppressed", NULL, CELL_BOOL, COLUMN_EXTRA, "whether the configuration accepts it" },
	{ "reason", NULL, CELL_TEXT, COLUMN_EXTRA, "why the configuration accepts it" },
	COLUMN_END,
};

static const struct example examples[] = {
	{ "dbops indexes audit -d app", "everything that is wrong with the indexes of app" },
	{ "dbops indexes audit -d app --only duplicate --format json", "one kind, for a program" },
	{ "dbops indexes audit -d app --expect indexes.sql --only expected --check", "a check that the agreed indexes exist" },
	{ "dbops indexes audit -d app --sql -o change.sql", "the cures and the way back, to be read and run by psql" },
	{ NULL, NULL },
};

struct audit {
	const struct audit_args *args;
	struct index_model model;
	struct index_findings findings;
	struct expected_indexes expected;
	size_t no_estimate; /* indexes whose bloat could not be told */
	char *database;
};

static void release(void *rows)
{
	struct audit *a = rows;

	indexes_findings_release(&a->findings);
	indexes_expected_release(&a->expected);
	free(a->database);
	indexes_model_release(&a->model);
	free(a);
}

static bool matches(const struct strvec *patterns, const char *text)
{
	for (size_t k = 0; k < patterns->len; k++)
		if (fnmatch(patterns->items[k], text, 0) == 0)
			return true;
	return false;
}

static void select_tables(struct audit *a)
{
	for (size_t k = 0; k < a->model.tables.len; k++) {
		struct table_info *t = &a->model.tables.items[k];
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		if (a->args->schemas.len && !matches(&a->args->schemas, t->schema))
			t->selected = false;
		if (!a->args->tables.len || matches(&a->args->tables, t->name))
			continue;
		strbuf_addf(&name, "%s.%s", t->schema, t->name);
		if (!matches(&a->args->tables, name.buf))
			t->selected = false;
	}
}

static bool is_asked_for(const struct audit *a, enum index_kind kind)
{
	return strcmp(a->args->only, "all") == 0 || strcmp(a->args->only, index_kind_names[kind]) == 0;
}

/* Takes out what was not asked for. */
static void filter(struct audit *a)
{
	size_t kept = 0;

	for (size_t k = 0; k < a->findings.items.len; k++) {
		struct index_finding *x = &a->findings.items.items[k];

		if (is_asked_for(a, x->kind) && (!x->index || indexes_size(&a->model, x->index, NULL) >= a->args->min_size)) {
			struct index_finding keep = *x;

			*x = a->findings.items.items[kept];
			a->findings.items.items[kept++] = keep;
		}
	}
	for (size_t k = kept; k < a->findings.items.len; k++)
		indexes_finding_release(&a->findings.items.items[k]);
	a->findings.items.len = kept;
}

static char *object_of(const struct index_finding *x)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	if (x->object)
		return xstrdup(x->object);
	if (x->index)
		indexes_add_name(&name, x->index);
	else
		pg_add_display_name(&name, x->table->schema, x->table->name);
	return strbuf_detach(&name);
}

static void give_answer(struct audit *a, struct answer *answer)
{
	for (size_t k = 0; k < a->findings.items.len; k++) {
		struct index_finding *x = &a->findings.items.items[k];
		autofree char *object = object_of(x);

		x->answered = answer->findings.len;
		answer_finding(answer, &(struct finding){
			.id = x->id,
			.severity = x->severity,
			.object = object,
			.message = x->reason,
			.evidence = x->evidence,
			.fix = x->fix,
			.undo = x->undo,
		});
	}
}

static void add_metrics(const struct audit *a, struct answer *answer)
{
	size_t counts[INDEX_KINDS] = { 0 };

	for (size_t k = 0; k < a->findings.items.len; k++)
		counts[a->findings.items.items[k].kind]++;
	for (size_t k = 0; k < INDEX_KINDS; k++) {
		struct metric m = {
			.name = "indexes_findings",
			.help = "Findings about indexes, by kind.",
			.value = (double)counts[k],
			.label = { "kind" },
			.label_value = { (char *)index_kind_names[k] },
			.perfdata = "findings",
		};

		if (is_asked_for(a, (enum index_kind)k))
			answer_metric(answer, &m);
	}
	answer_metric(answer, &(struct metric){ .name = "indexes", .help = "Indexes that were looked at.",
		.value = (double)a->model.indexes.len, .perfdata = "indexes" });
}

static void note_locked(const struct audit *a, struct answer *answer)
{
	size_t n = 0;

	for (size_t k = 0; k < a->model.indexes.len; k++)
		n += a->model.indexes.items[k].opaque && a->model.indexes.items[k].table && a->model.indexes.items[k].table->selected;
	if (!n)
		return;

	autofree char *what = xasprintf("%zu index%s with expressions or conditions", n, n == 1 ? "" : "es");

	answer_gap(answer, is_asked_for(a, INDEX_DUPLICATE) || is_asked_for(a, INDEX_REDUNDANT), what,
		"somebody holds the table ACCESS EXCLUSIVE, so they could not be compared", NULL);
}

static void note_no_verdict(const struct audit *a, struct answer *answer)
{
	autofree char *why = is_asked_for(a, INDEX_UNUSED) ? indexes_no_verdict(&a->model, a->args->min_age * 1000) : NULL;

	if (why)
		answer_gap(answer, true, "unused indexes", why, NULL);
}

static bool sample_standbys(struct look *look, struct audit *a, struct error *err)
{
	for (size_t k = 0; k < a->args->standbys.len; k++)
		if (!audit_sample_standby(look, &a->model, a->args->standbys.items[k], err))
			return error_prefix(err, "--standby");
	return true;
}

static void compare_samples(struct look *look, struct audit *a)
{
	const char *why_not = look->before ? sample_incomparable(look->before, look->now) : NULL;

	/* a crash leaves no stats_reset that would differ */
	if (look->before && !why_not && a->model.node.since > look->before->at)
		why_not = "the statistics began anew since the earlier sample";
	indexes_add_sample(&a->model, look->now);
	if (why_not)
		answer_gap(look->answer, false, "the earlier sample", why_not, NULL);
	else if (look->before)
		indexes_compare_samples(&a->model, look->before);
}

static bool wants_samples(const struct app *app)
{
	return app->save || app->since || app->interval;
}

static void judge(struct audit *a)
{
	indexes_judge_invalid(&a->model, &a->findings);
	indexes_judge_duplicates(&a->model, &a->findings);
	indexes_cover_fkeys(&a->model);
	indexes_judge_fkeys(&a->model, &a->findings);
	indexes_judge_missing(&a->model, &a->findings);
	indexes_judge_unused(&a->model, a->args->min_age * 1000, a->args->all, &a->findings);
}

static bool look_for_bloat(struct look *look, struct audit *a, struct error *err)
{
	if (!is_asked_for(a, INDEX_BLOAT))
		return true;
	if (a->args->exact)
		return indexes_measure_bloat(look->inspector, &a->model, &a->findings, &a->no_estimate, err);
	return indexes_estimate_bloat(look->inspector, &a->model, &a->findings, &a->no_estimate, err);
}

static void note_no_estimate(const struct look *look, const struct audit *a)
{
	const struct probe *p = &look->inspector->probe;
	_cleanup_strbuf_ struct strbuf grant = STRBUF_INIT;

	if (!a->no_estimate)
		return;

	autofree char *what = xasprintf("bloat of %zu index%s", a->no_estimate, a->no_estimate == 1 ? "" : "es");

	strbuf_adds(&grant, "GRANT pg_read_all_data TO ");
	pg_add_ident(&grant, p->current_user);
	strbuf_addch(&grant, ';');
	if (a->args->exact) /* an estimate is information only: nothing is decided by it */
		answer_gap(look->answer, true, what, "a lock or --statement-timeout stood in the way of reading them", NULL);
	else if (p->reads_data)
		answer_gap(look->answer, false, what, "their tables have no recent statistics; ANALYZE them", NULL);
	else
		answer_gap(look->answer, false, what, "this role does not see the statistics of all tables, or there are none",
			p->version >= 140000 ? grant.buf : NULL);
}

/* Everything that needs the server. */
static bool ask(struct look *look, struct audit *a, struct error *err)
{
	if (a->args->expect && !audit_read_expected(a->args->expect, &a->expected, err))
		return false;
	if (!indexes_model_load(look->inspector, &a->model, err) || !sample_standbys(look, a, err))
		return false;
	indexes_find_promotion(look->inspector, &a->model);
	if (wants_samples(look->app))
		compare_samples(look, a);
	select_tables(a);
	judge(a);
	indexes_expect_want(&a->model, &a->expected);
	if (is_asked_for(a, INDEX_MISSING))
		indexes_name_statements(look->inspector, &a->findings);
	if (a->args->prove && !indexes_prove(look->inspector, &a->findings, err))
		return false;
	return look_for_bloat(look, a, err) && indexes_model_details(look->inspector, &a->model, err);
}

static void *collect(struct look *look, struct error *err)
{
	struct audit *a = xcalloc(1, sizeof(*a));

	a->args = look->args;
	a->database = xstrdup(look->inspector->conn->database);
	if (!ask(look, a, err)) {
		release(a);
		return NULL;
	}
	note_no_verdict(a, look->answer);
	note_no_estimate(look, a);
	indexes_judge_expected(&a->model, &a->expected, &a->findings);
	filter(a);
	indexes_add_sql(&a->model, &a->findings);
	indexes_sort(&a->model, &a->findings);
	if (a->model.hidden_builds)
		gap_stats(look->answer, &look->inspector->probe, "indexes that are being built");
	note_locked(a, look->answer);
	give_answer(a, look->answer);
	add_metrics(a, look->answer);
	return a;
}

static void print_row(const struct audit *a, const struct index_finding *x, const struct answer *answer, struct report *r)
{
	const struct finding *f = &answer->findings.items[x->answered];
	const struct index_info *i = x->index;
	_cleanup_strbuf_ struct strbuf table = STRBUF_INIT;
	bool estimated = false;
	int64_t size = i ? indexes_size(&a->model, i, &estimated) : 0;

	if (x->table)
		pg_add_display_name(&table, x->table->schema, x->table->name);

	const struct cell cells[] = {
		{ .text = severity_name(f->severity), .tone = f->suppressed ? TONE_FAINT : severity_tone(f->severity) },
		CELL_OF_TEXT(f->id),
		CELL_OF_TEXT(index_verdict_names[x->verdict]),
		CELL_OF_TEXT(f->object),
		CELL_OF_TEXT(x->table ? table.buf : NULL),
		CELL_OF_TEXT(i ? i->method : NULL),
		i ? CELL_OF_INT(size) : CELL_NULL(),
		i ? CELL_OF_INT(estimated) : CELL_NULL(),
		i && i->kind == 'i' ? CELL_OF_INT((int64_t)(i->scans + i->standby_scans)) : CELL_NULL(),
		i && i->last_scan ? CELL_OF_INT(i->last_scan) : CELL_NULL(),
		CELL_OF_TEXT(f->message),
		CELL_OF_TEXT(f->evidence),
		CELL_OF_TEXT(f->fix),
		CELL_OF_TEXT(f->undo),
		CELL_OF_INT(f->suppressed != NULL),
		CELL_OF_TEXT(f->suppressed),
	};

	report_row(r, cells);
}

static void print(const void *rows, const struct answer *answer, struct report *r)
{
	const struct audit *a = rows;

	for (size_t k = 0; k < a->findings.items.len; k++)
		print_row(a, &a->findings.items.items[k], answer, r);
}

static bool script(const void *rows, const struct answer *answer, struct strbuf *out)
{
	const struct audit *a = rows;

	if (a->args->sql)
		indexes_add_script(&a->findings, answer, a->database, out);
	return a->args->sql;
}

static const struct inspection inspection = {
	.name = "indexes",
	.columns = columns,
	.counters = index_counters,
	.rows_are_findings = true,
	.collect = collect,
	.print = print,
	.text = script,
	.release = release,
};

static bool run(struct app *app, const void *args, struct error *err)
{
	const struct audit_args *a = args;

	if (a->sql && (app->watch || app->report.format != FORMAT_TABLE)) {
		error_set(err, EXIT_USAGE, "--sql prints a script: it excludes --watch and --format");
		return error_hint(err, "The SQL of each finding is in the members fix and undo of --format json.");
	}
	return inspect(app, &inspection, args, err);
}

const struct command indexes_audit_command = {
	.name = "audit",
	.summary = "find broken, superfluous, unused and missing indexes",
	.detail = "Looks at all indexes of one database, partitioned ones as one at their root. Nothing is changed and no lock is waited "
		  "for: an index of a table that somebody holds ACCESS EXCLUSIVE is judged by the catalog alone.",
	.options = options,
	.columns = columns,
	.examples = examples,
	.args_size = sizeof(struct audit_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_ROWS | COMMAND_INSPECT | COMMAND_DELTA,
	.run = run,
};
