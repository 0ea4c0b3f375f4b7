/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions maintain - the cron line: partitions ahead, old ones out, by policy. */
#include "maintain.h"

#include "answer.h"
#include "check.h"
#include "codec.h"
#include "destination.h"
#include "hold.h"

#define COMMAND "dbops partitions maintain"

#define A struct maintain_args
static const struct option options[] = {
	OPT_STRING(A, policies, .long_name = "policies", .metavar = "TABLE", .config_key = "partitions.policies",
		.complete = COMPLETE_TABLE,
		.help = "a table of policies, too: table_name, retention_days and, if there, archive_enabled, last_archived_at"),
	OPT_STRING(A, to, .long_name = "to", .metavar = "DIR|s3://…", .config_key = "partitions.archive_to", .complete = COMPLETE_DIR,
		.help = "where archives go of policies that do not say it"),
	OPT_FLAG(A, no_check, .long_name = "no-check", .help = "do not look at the tables' headroom and state afterwards"),
	OPT_FLAG(A, allow_plain, .long_name = "allow-plain",
		.help = "where DETACH CONCURRENTLY is impossible (a DEFAULT partition), detach under ACCESS EXCLUSIVE"),
	OPT_LEDGER(A),
	OPT_JOBS(A, "connections and threads of an archive"),
	OPT_SIZE(A, max_lag, .long_name = "max-lag", .metavar = "SIZE", .config_key = "partitions.max_lag", .fallback = "64MiB",
		.help = "purges wait while a standby has more than this to replay; 0 = do not look"),
	OPT_BINDIR(A, "folder of pg_dump (default: found by the server's major version)"),
	OPT_STRING(A, now, .long_name = "now", .metavar = "TIMESTAMP", .flags = OPTION_HIDDEN, .help = "take this for the present"),
	CHANGE_OPTIONS(A),
	OPT_END,
};
#undef A

static const struct column columns[] = {
	{ "policy", "POLICY", CELL_TEXT, 0, "name of the policy" },
	{ "action", "ACTION", CELL_TEXT, 0, "create, detach, archive, drop, purge; check for a finding; policy for one that cannot be followed" },
	{ "object", "OBJECT", CELL_TEXT, 0, "the table or partition" },
	{ "detail", "DETAIL", CELL_TEXT, COLUMN_WIDE, "bounds, or the rows that go" },
	{ "state", "STATE", CELL_TEXT, 0, "planned, done, held (by a hold of the configuration), failed; of a finding its severity" },
	{ "rows", "ROWS", CELL_INT, 0, "rows archived or purged" },
	{ "archive", NULL, CELL_TEXT, COLUMN_EXTRA, "where the archive is" },
	{ "message", "MESSAGE", CELL_TEXT, COLUMN_WIDE, "why it failed or is held; what was found" },
	COLUMN_END,
};

static const struct example examples[] = {
	{ "dbops partitions maintain -d app --dry-run", "what the policies ask for today, with the digest for --apply" },
	{ "dbops partitions maintain -d app --to s3://cold/app --yes", "the line for cron: does it, nothing twice, nothing on a standby" },
	{ NULL, NULL },
};

static void print_item(struct report *r, const struct maintain_item *i)
{
	static const char *const states[] = { "planned", "held", "done", "failed" };
	const struct cell cells[] = {
		CELL_OF_TEXT(i->policy->r.name),
		CELL_OF_TEXT(maintain_action_name(i->action)),
		CELL_OF_TEXT(i->object),
		CELL_OF_TEXT(i->detail),
		CELL_OF_TEXT(states[i->state]),
		i->rows >= 0 ? CELL_OF_INT(i->rows) : CELL_NULL(),
		CELL_OF_TEXT(i->archive),
		CELL_OF_TEXT(i->state == STATE_FAILED ? i->error.message : i->note),
	};

	report_row(r, cells);
}

/* --- the check afterwards ---------------------------------------------------------------------------------- */

static void print_finding(struct report *r, const struct finding *f)
{
	const struct cell cells[] = { CELL_NULL(), CELL_OF_TEXT("check"), CELL_OF_TEXT(f->object), CELL_OF_TEXT(f->id),
		CELL_OF_TEXT(severity_name(f->severity)), CELL_NULL(), CELL_NULL(), CELL_OF_TEXT(f->message) };

	if (!f->suppressed && f->severity > SEVERITY_INFO)
		report_row(r, cells);
}

static void names_of_tables(const struct maintain *m, struct strvec *ret)
{
	for (size_t i = 0; i < m->policies.len; i++) {
		const struct policy *p = m->policies.items[i];
		_cleanup_error_ struct error ignored = ERROR_INIT;
		uint32_t oid;
		char kind;

		if ((!p->r.database || strcmp(p->r.database, m->c->database) == 0) && partition_resolve(m->c, p->r.table, &oid, &kind, &ignored) &&
			kind == 'p' && !strvec_contains(ret, p->r.table))
			strvec_push(ret, p->r.table);
	}
}

/* A warning of the check is one of the run; what a policy repairs has been repaired by now. */
static bool check(struct maintain *m, struct report *r, struct error *err)
{
	const struct pg_params params = server_params(m->app, COMMAND);
	struct inspector in = { .statement_timeout = INSPECTOR_STATEMENT_TIMEOUT, .lock_timeout = INSPECTOR_LOCK_TIMEOUT };
	_cleanup_strvec_ struct strvec tables = { 0 };
	struct check c = { 0 };
	struct answer a = { 0 };
	bool ok;

	range_parse("7d:", UNIT_SECONDS, &c.options.warning, NULL);
	range_parse("1d:", UNIT_SECONDS, &c.options.critical, NULL);
	ok = pg_exec(m->c, err, "RESET search_path");
	names_of_tables(m, &tables);
	if (ok && tables.len) {
		ok = inspector_open(&in, &params, &m->app->log, err) && check_run(&in, &tables, &c, &a, err);
		for (size_t i = 0; ok && i < a.findings.len; i++)
			print_finding(r, &a.findings.items[i]);
		if (ok && answer_status(&a) > SEVERITY_INFO && answer_status(&a) != SEVERITY_OK)
			m->app->status = answer_status(&a) == SEVERITY_CRITICAL ? EXIT_CRITICAL : EXIT_WARNING;
		inspector_close(&in);
	}
	check_release(&c);
	answer_release(&a);
	return ok;
}

/* --- the whole --------------------------------------------------------------------------------------------- */

static bool print_report(struct maintain *m, bool done, struct error *err)
{
	_cleanup_report_ struct report *r = report_begin(&m->app->report, "items", columns);
	_cleanup_error_ struct error unchecked = ERROR_INIT;
	struct json *header = report_header(r);

	if (header) {
		jsonw_string(header, "database", m->c->database);
		jsonw_bool(header, "applied", done);
	}
	for (size_t i = 0; i < m->items.len; i++)
		print_item(r, m->items.items[i]);
	if (done && !m->args->no_check && !check(m, r, &unchecked)) {
		log_warning(&m->app->log, "maintain.check", "the tables could not be checked: %s", unchecked.message);
		m->app->status = EXIT_WARNING;
	}
	return report_end(steal(r), err);
}

/* The first failure is the error; all of them are in the report. */
static bool judge(struct maintain *m, struct error *err)
{
	const struct maintain_item *first = NULL;
	size_t failed = 0;

	for (size_t i = 0; i < m->items.len; i++) {
		const struct maintain_item *item = m->items.items[i];

		if (item->state != STATE_FAILED)
			continue;
		/* of several the one that will not go away by itself */
		if (!first || (first->error.code == EXIT_BUSY && item->error.code != EXIT_BUSY))
			first = item;
		failed++;
	}
	if (!first)
		return true;
	error_set(err, first->error.code, "%zu of %zu steps failed", failed, m->items.len);
	error_detail(err, "%s %s: %s", maintain_action_name(first->action), first->object, first->error.message);
	return !first->error.hint ? false : error_hint(err, "%s", first->error.hint);
}

static void describe(const struct maintain *m, const char *digest, struct strbuf *out)
{
	strbuf_addf(out, "maintain database '%s'\n", m->c->database);
	for (size_t k = 0; k < m->items.len; k++) {
		const struct maintain_item *i = m->items.items[k];

		strbuf_addf(out, "  %s %s", maintain_action_name(i->action), i->object);
		if (i->detail)
			strbuf_addf(out, "  %s", i->detail);
		if (i->rows > 0)
			strbuf_addf(out, " (%lld rows)", (long long)i->rows);
		if (i->state != STATE_PLANNED)
			strbuf_addf(out, "  NOT DONE: %s", i->state == STATE_FAILED ? i->error.message : i->note);
		strbuf_addch(out, '\n');
	}
	strbuf_addf(out, "  digest %s\n", digest);
}

static size_t count_planned(const struct maintain *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->items.len; i++)
		n += m->items.items[i]->state == STATE_PLANNED;
	return n;
}

static bool print_script(struct maintain *m, const struct strbuf *script, struct error *err)
{
	if (fwrite(script->buf, 1, script->len, m->app->report.out) != script->len || fflush(m->app->report.out) != 0)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

static bool agree(struct maintain *m, const struct strbuf *script, struct error *err)
{
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT, hex = STRBUF_INIT;
	uint8_t hash[32];

	codec_sha256(script->buf, script->len, hash);
	strbuf_add_hex(&hex, hash, sizeof(hash));
	describe(m, hex.buf, &plan);
	return confirm_plan(m->app, plan.buf, hex.buf, m->args->change.apply, err);
}

static bool carry_out(struct maintain *m, struct error *err)
{
	_cleanup_strbuf_ struct strbuf script = STRBUF_INIT;
	bool work;

	maintain_make_plan(m);
	maintain_add_script(m, &script);
	if (m->args->change.sql)
		return print_script(m, &script, err) && judge(m, err);
	work = count_planned(m) > 0;
	if (work && !agree(m, &script, err)) {
		if (!error_is_set(err) && m->app->report.format != FORMAT_TABLE)
			print_report(m, false, err);
		return !error_is_set(err) && judge(m, err);
	}
	maintain_run(m);
	return print_report(m, !m->app->dry_run, err) && judge(m, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct maintain_args *a = data;
	_cleanup_conn_ struct pg_conn *c = partitions_connect(app, COMMAND, err);
	_cleanup_maintain_ struct maintain m = { .app = app, .c = c, .args = a };

	if (!c)
		return false;
	if (c->in_recovery) {
		log_info(&app->log, "maintain.standby", "%s is a standby: nothing to do here", c->server);
		return a->change.sql || print_report(&m, false, err);
	}
	return pg_refuse_transaction_pooler(c, COMMAND, err) && keep_session(c, err) &&
	       hold_warn_of_unmatched(c, app->config, &app->log, err) && maintain_load_policies(&m, err) && carry_out(&m, err);
}

const struct command partitions_maintain_command = {
	.name = "maintain",
	.summary = "create partitions ahead and remove old ones, by policy",
	.detail = "One line for cron. Policies stand in the configuration under 'retention', or in a table (--policies). For each it creates the "
		  "partitions that are missing ahead, and archives, detaches or drops those that ended longer ago than the policy keeps them; tables "
		  "without partitions are purged row by row. Then the tables are checked.\n\n"
		  "An archive is read back and compared before its table is dropped, as 'dbops partitions archive --drop' does. What is under a hold of "
		  "the configuration stays. Each table is locked against other runs of dbops; one that is busy, or a step that fails, does not "
		  "keep the others, and the exit status is that of the gravest failure. What is removed stands in the ledger. On a standby "
		  "nothing is done, with status 0, so the line can be the same on every node.",
	.options = options,
	.columns = columns,
	.examples = examples,
	.args_size = sizeof(struct maintain_args),
	.needs = NEED_SERVER | NEED_REMOTE,
	.flags = COMMAND_ROWS | COMMAND_DESTRUCTIVE,
	.run = run,
};
