/* SPDX-License-Identifier: PostgreSQL */
/*
 * Proof that an index would be used: HypoPG lets the planner believe that it exists.
 *
 * The statements that name a table are planned as they are; a column that a sequential scan filters by gets a hypothetical
 * index, and they are planned again. Only when the planner takes it and the cost falls to half is it
 * advised. A hypothetical index lives in the session and is seen by EXPLAIN alone.
 */
#include "indexes.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "generic_plan.h"

#define GAIN 0.5

struct proof {
	struct inspector *in;
	struct index_finding *finding;
	const char *schema; /* of hypopg */
	char *column;       /* the best one; NULL = none */
	double before, after;
	const struct index_statement *statement;
};

static double total_cost(const struct generic_plan *p)
{
	const char *cost = p->lines.len ? strstr(p->lines.items[0], "..") : NULL;

	return cost ? strtod(cost + 2, NULL) : NAN;
}

static bool plan(struct proof *p, const struct index_statement *s, struct generic_plan *ret)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;

	return generic_plan(p->in, s->text, s->userid, s->role, ret, &ignored);
}

static bool has_word(const struct generic_plan *p, const char *word)
{
	for (size_t k = 0; k < p->lines.len; k++)
		if (indexes_mentions(p->lines.items[k], word))
			return true;
	return false;
}

/* Whether a sequential scan of the table, or of a partition, filters by column. */
static bool is_filtered(const struct generic_plan *p, const char *column)
{
	bool scan = false;

	for (size_t k = 0; k < p->lines.len; k++) {
		const char *line = p->lines.items[k];

		if (strstr(line, "(cost="))
			scan = strstr(line, "Seq Scan on ") != NULL;
		else if (scan && strstr(line, "Filter: ") && indexes_mentions(line, column))
			return true;
	}
	return false;
}

static char *make_hypothetical(struct proof *p, const char *column)
{
	const struct table_info *t = p->finding->table;
	_cleanup_strbuf_ struct strbuf definition = STRBUF_INIT, sql = STRBUF_INIT;
	const char *value;

	strbuf_adds(&definition, "CREATE INDEX ON ");
	pg_add_qualified(&definition, t->schema, t->name);
	strbuf_adds(&definition, " (");
	pg_add_ident(&definition, column);
	strbuf_addch(&definition, ')');
	value = definition.buf;
	strbuf_adds(&sql, "SELECT indexname FROM ");
	pg_add_qualified(&sql, p->schema, "hypopg_create_index");
	strbuf_adds(&sql, "($1)");

	_cleanup_result_ PGresult *r = pg_query(p->in->conn, NULL, sql.buf, 1, &value);

	return r && PQntuples(r) ? xstrdup(pg_value(r, 0, 0)) : NULL;
}

static void forget_hypothetical(struct proof *p)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "SELECT ");
	pg_add_qualified(&sql, p->schema, "hypopg_reset");
	strbuf_adds(&sql, "()");
	PQclear(pg_query(p->in->conn, NULL, sql.buf, 0, NULL));
}

static void try_column(struct proof *p, const struct index_statement *s, double before, const char *column)
{
	autofree char *name = make_hypothetical(p, column);
	_cleanup_generic_plan_ struct generic_plan with = { 0 };

	if (name && plan(p, s, &with) && has_word(&with, name)) {
		double after = total_cost(&with);

		if (after <= before * GAIN && (!p->column || after / before < p->after / p->before)) {
			free(p->column);
			p->column = xstrdup(column);
			p->before = before;
			p->after = after;
			p->statement = s;
		}
	}
	forget_hypothetical(p);
}

static PGresult *columns_of(struct inspector *in, const struct table_info *t)
{
	autofree char *sql = xasprintf("SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = %" PRIu32
				       " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum", t->oid);

	return inspector_query(in, sql, NULL);
}

static void try_statement(struct proof *p, const struct index_statement *s, const PGresult *columns)
{
	_cleanup_generic_plan_ struct generic_plan without = { 0 };

	if (!plan(p, s, &without))
		return;
	for (int row = 0; row < PQntuples(columns); row++)
		if (is_filtered(&without, pg_value(columns, row, 0)))
			try_column(p, s, total_cost(&without), pg_value(columns, row, 0));
}

static void add_proof(struct proof *p)
{
	struct index_finding *x = p->finding;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, column = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "column", p->column);
	jsonw_double(&j, "cost_before", p->before);
	jsonw_double(&j, "cost_after", p->after);
	jsonw_string(&j, "query", p->statement->text);
	jsonw_object_end(&j);

	char *longer = xasprintf("%.*s,\"proof\":%s}", (int)strlen(x->evidence) - 1, x->evidence, text.buf);

	free(x->evidence);
	x->evidence = longer;
	pg_add_display_name(&column, NULL, p->column);

	char *reason = xasprintf("%s; with an index on (%s) the planner would use it at %.0f %% of the cost", x->reason, column.buf,
		100 * p->after / p->before);

	free(x->reason);
	x->reason = reason;
	x->severity = SEVERITY_WARNING;
	x->verdict = VERDICT_CREATE;
	x->column = steal(p->column);
}

bool indexes_prove(struct inspector *in, struct index_findings *f, struct error *err)
{
	const struct extension *e = probe_extension(&in->probe, "hypopg");

	if (!e) {
		error_set(err, EXIT_NOT_FOUND, "--prove needs the extension hypopg, which this database does not have");
		return error_hint(err, "Run CREATE EXTENSION hypopg, or leave --prove out.");
	}
	if (!pg_refuse_transaction_pooler(in->conn, "--prove", err))
		return false;
	for (size_t k = 0; k < f->items.len; k++) {
		struct index_finding *x = &f->items.items[k];
		struct proof p = { .in = in, .finding = x, .schema = e->schema };
		_cleanup_result_ PGresult *columns = x->statements.len ? columns_of(in, x->table) : NULL;

		for (size_t n = 0; columns && n < x->statements.len; n++)
			try_statement(&p, &x->statements.items[n], columns);
		if (p.column)
			add_proof(&p);
		free(p.column);
	}
	return true;
}
