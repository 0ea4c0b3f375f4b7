/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions purge - deletes old rows of a table that is not partitioned, in small batches. */
#include "purge.h"

#include <inttypes.h>
#include "clock.h"
#include "codec.h"
#include "destination.h"
#include "hold.h"
#include "remove.h"

struct purge_args {
	const char *column, *older_than, *before, *apply, *ledger;
	bool allow_cascade;
	int64_t batch, lock_timeout, max_wait, max_lag, pause;
};

#define A struct purge_args
static const struct option options[] = {
	OPT_GROUP("Which rows"),
	OPT_STRING(A, column, .long_name = "column", .metavar = "NAME",
		.help = "column of type date or timestamp that tells a row's age: created_at, or deleted_at of rows deleted softly"),
	OPT_STRING(A, older_than, .long_name = "older-than", .metavar = "INTERVAL",
		.help = "rows that are older, counted from the beginning of today (UTC): '90 days'"),
	OPT_STRING(A, before, .long_name = "before", .metavar = "TIME", .help = "rows from before this point in time (UTC without a zone)"),
	OPT_FLAG(A, allow_cascade, .long_name = "allow-cascade",
		.help = "purge although foreign keys then delete or change rows of other tables"),
	OPT_GROUP("How"),
	OPT_STRING(A, apply, .long_name = "apply", .metavar = "DIGEST", .help = "carry the plan out if it is the very one with this digest (of --dry-run)"),
	OPT_INT(A, batch, .long_name = "batch", .metavar = "N", .config_key = "partitions.batch", .fallback = "1000", .min = 1, .max = 100000,
		.help = "rows of one transaction, about"),
	OPT_SIZE(A, max_lag, .long_name = "max-lag", .metavar = "SIZE", .config_key = "partitions.max_lag", .fallback = "64MiB",
		.help = "wait while a standby has more than this to replay; 0 = do not look"),
	OPT_DURATION(A, pause, .long_name = "pause", .metavar = "TIME", .config_key = "partitions.pause", .fallback = "10ms", .max = 3600000,
		.help = "rest after each transaction"),
	OPT_LOCKS(A, lock_timeout, max_wait),
	OPT_LEDGER(A),
	OPT_END,
};
#undef A

static const struct operand operands[] = {
	{ "TABLE", "a table as SQL names it", 1, 1, COMPLETE_TABLE },
	{ .name = NULL },
};

static const struct example examples[] = {
	{ "dbops partitions purge -d app positions --column deleted_at --older-than '90 days' --dry-run", "how many rows, and which" },
	{ "dbops partitions purge -d app positions --column deleted_at --older-than '90 days' --yes", "delete them, 1,000 at a time" },
	{ NULL, NULL },
};

struct outcome {
	const struct purge *purge;
	const struct purge_result *result;
};

static void fill(struct json *j, const void *data)
{
	const struct outcome *o = data;

	jsonw_string(j, "table", o->purge->shown);
	jsonw_string(j, "condition", o->purge->condition);
	jsonw_int(j, "rows", o->result->rows);
	jsonw_int(j, "batches", o->result->batches);
	jsonw_bool(j, "remaining", o->result->remaining);
	jsonw_int(j, "lock_waits", o->result->lock_waits);
	jsonw_int(j, "lag_waits", o->result->lag_waits);
	jsonw_seconds(j, "seconds", o->result->seconds);
}

static bool print_outcome(struct app *app, const struct purge *p, const struct purge_result *result, struct error *err)
{
	const struct outcome o = { p, result };
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (app->report.format == FORMAT_JSON)
		return report_document(&app->report, fill, &o, err);
	strbuf_addf(&sb, "%s: ", p->shown);
	count_format(result->rows, &sb);
	strbuf_addf(&sb, " rows deleted in %" PRId64 " transactions, ", result->batches);
	duration_format(result->seconds, &sb);
	strbuf_adds(&sb, "\n");
	if (fputs(sb.buf, app->report.out) == EOF || fflush(app->report.out) == EOF)
		return error_set(err, EXIT_CANNOT_WRITE, "cannot write to standard output");
	return true;
}

static bool check_arguments(const struct purge_args *a, struct error *err)
{
	if (!a->column)
		return error_set(err, EXIT_USAGE, "it is not said which column tells a row's age (--column)");
	if (!a->older_than == !a->before)
		return error_set(err, EXIT_USAGE, "say either --older-than or --before");
	return true;
}

/* The plan for people, and its digest: the very table and condition, and what goes with the rows. */
static void describe(const struct purge *p, int64_t rows, struct strbuf *out, char **ret_digest)
{
	_cleanup_strbuf_ struct strbuf hex = STRBUF_INIT;
	_cleanup_strbuf_ struct strbuf what = STRBUF_INIT;
	uint8_t hash[32];

	strbuf_addf(&what, "%" PRIu32 " DELETE FROM ONLY %s WHERE %s", p->oid, p->sql, p->condition);
	for (size_t i = 0; i < p->notes.len; i++)
		strbuf_addf(&what, "\n%s", p->notes.items[i]);
	codec_sha256(what.buf, what.len, hash);
	strbuf_add_hex(&hex, hash, sizeof(hash));
	strbuf_addf(out, "purge %s\n  DELETES ", p->shown);
	count_format(rows, out);
	strbuf_addf(out, " rows where %s\n  in batches along %s\n", p->condition, p->by_index ? "an index on the column" : "the pages of the table");
	for (size_t i = 0; i < p->notes.len; i++)
		strbuf_addf(out, "  note: %s\n", p->notes.items[i]);
	strbuf_addf(out, "  digest %s\n", hex.buf);
	*ret_digest = strbuf_detach(&hex);
}

static bool confirm(struct app *app, const struct purge_args *a, const struct purge *p, int64_t rows, struct error *err)
{
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;
	autofree char *digest = NULL;

	describe(p, rows, &plan, &digest);
	return confirm_plan(app, plan.buf, digest, a->apply, err);
}

static bool purge(struct app *app, const struct purge_args *a, struct pg_conn *c, const struct purge *p, struct purge_result *result,
	struct error *err)
{
	const struct purge_options o = {
		.batch = a->batch,
		.lock_timeout_ms = a->lock_timeout,
		.max_wait_ms = a->max_wait,
		.max_lag = a->max_lag,
		.pause_ms = a->pause,
		.log = &app->log,
		.cancel = app->cancel,
	};

	return purge_with_ledger(app, c, p, &o, a->ledger, NULL, result, err);
}

static bool run(struct app *app, const void *data, struct error *err)
{
	const struct purge_args *a = data;
	_cleanup_conn_ struct pg_conn *c = NULL;
	_cleanup_purge_ struct purge p = { 0 };
	_cleanup_strvec_ struct strvec held = { 0 };
	struct purge_request request = { .column = a->column, .older_than = a->older_than, .before = a->before, .held = &held,
		.allow_cascade = a->allow_cascade };
	struct purge_result result;
	int64_t rows;
	char kind;

	if (!check_arguments(a, err) || !(c = partitions_connect(app, "dbops partitions purge", err)))
		return false;
	if (c->in_recovery) {
		error_set(err, EXIT_REFUSED, "nothing can be deleted on a standby");
		return error_hint(err, "Connect to the primary.");
	}
	if (!pg_refuse_transaction_pooler(c, "a purge", err) || !partition_resolve(c, app->operands.items[0], &request.oid, &kind, err) ||
		!hold_warn_of_unmatched(c, app->config, &app->log, err) || !held_rows(app, c, request.oid, &held, err) || !purge_prepare(c, &request, &p, err) || !purge_count(c, &p, &rows, err) ||
		!confirm(app, a, &p, rows, err) || !purge(app, a, c, &p, &result, err))
		return false;
	return print_outcome(app, &p, &result, err);
}

const struct command partitions_purge_command = {
	.name = "purge",
	.summary = "delete old rows of a table that is not partitioned, in small batches",
	.detail = "Deletes rows whose column lies before a point in time, for tables that have no partitions to drop: softly deleted rows after "
		  "their grace, events after their age. Each batch is a transaction of its own that waits for no lock longer than "
		  "--lock-timeout, passes over rows that somebody has locked, and waits for standbys that fall behind.\n\n"
		  "Refused: foreign keys that would delete or change rows of other tables, rows this role cannot see, tables under a hold of the "
		  "configuration. Rows under a hold stay. What was deleted stands in the ledger.",
	.options = options,
	.operands = operands,
	.examples = examples,
	.args_size = sizeof(struct purge_args),
	.needs = NEED_SERVER,
	.flags = COMMAND_DOCUMENT | COMMAND_DESTRUCTIVE,
	.run = run,
};
