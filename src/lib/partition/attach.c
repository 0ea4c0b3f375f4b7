/* SPDX-License-Identifier: PostgreSQL */
#include "attach.h"

#include <inttypes.h>
#include "condition.h"
#include "related.h"

#define CHECK_NAME "dbops_bounds"

struct attacher {
	struct pg_conn *c;
	const struct partition_model *m;
	const struct partition *parent;
	const struct attach_request *r;
	const struct detach_record *record;
	struct partition_plan *plan;
	struct bound bound;
	/* the table */
	char *schema, *name, *sql, *shown;
	char *parent_sql, *parent_shown;
	bool empty, has_check, proven;  /* has_check: ours, left by a run that was stopped; proven: a recorded constraint is there */
	struct strvec identities;       /* columns */
	struct related_tables related;
};

static void attacher_release(struct attacher *a)
{
	bound_release(&a->bound);
	free(a->schema);
	free(a->name);
	free(a->sql);
	free(a->shown);
	free(a->parent_sql);
	free(a->parent_shown);
	strvec_release(&a->identities);
	related_tables_release(&a->related);
}

/* --- what there is ----------------------------------------------------------------------------------------- */

static bool read_bounds(struct attacher *a, struct error *err)
{
	autofree char *text = NULL;

	if (!a->r->bounds && !a->record->bounds) {
		error_set(err, EXIT_USAGE, "no bounds are given for '%s', and none are recorded in its comment", a->shown);
		return error_hint(err, "Give --bounds as 'dbops partitions list' shows them: --bounds \"FROM ('2025-01-01') TO ('2025-02-01')\".");
	}
	text = !a->r->bounds                              ? xstrdup(a->record->bounds)
	       : strcasecmp(a->r->bounds, "DEFAULT") == 0 ? xstrdup("DEFAULT")
							  : xasprintf("FOR VALUES %s", a->r->bounds);
	if (bound_parse(text, &a->bound, NULL))
		return true;
	error_set(err, EXIT_USAGE, "'%s' are no bounds", a->r->bounds ? a->r->bounds : a->record->bounds);
	return error_hint(err, "PostgreSQL's form is meant, with quotes around values: FROM ('2025-01-01') TO ('2025-02-01'), IN ('a', NULL), "
			       "WITH (MODULUS 4, REMAINDER 0), DEFAULT.");
}

/* Attached already: with the same parent and bounds that is what was wanted. */
static bool look_at_parent(struct attacher *a, const PGresult *r, bool *ret_done, struct error *err)
{
	_cleanup_bound_ struct bound has = { 0 };
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT, parent = STRBUF_INIT;

	*ret_done = false;
	if (PQgetisnull(r, 0, 2))
		return true;
	bound_parse(pg_value(r, 0, 4), &has, NULL);
	*ret_done = (uint32_t)pg_int(r, 0, 2) == a->parent->oid && bound_equal(&has, &a->bound);
	if (*ret_done)
		return true;
	pg_add_display_name(&parent, pg_value(r, 0, 5), pg_value(r, 0, 3));
	bound_add_display(&bounds, &has);
	error_set(err, EXIT_REFUSED, "'%s' is a partition of '%s' already", a->shown, parent.buf);
	return error_detail(err, "Its bounds are %s.", bounds.buf);
}

static bool load_table(struct attacher *a, bool *ret_done, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, shown = STRBUF_INIT;
	autofree char *oid = xasprintf("%" PRIu32, a->r->table);
	_cleanup_result_ PGresult *r = pg_query(a->c, err,
		"SELECT n.nspname, c.relname, i.inhparent, p.relname, pg_catalog.pg_get_expr(c.relpartbound, 0), pn.nspname,"
		" c.relkind = 'r' AND pg_catalog.pg_relation_size(c.oid) = 0,"
		" EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.conname = '" CHECK_NAME "')"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent"
		" LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE c.oid = $1::oid",
		1, (const char *[]){ oid });

	if (!r)
		return false;
	if (!PQntuples(r))
		return error_set(err, EXIT_NOT_FOUND, "the table was dropped in the meantime");
	a->schema = xstrdup(pg_value(r, 0, 0));
	a->name = xstrdup(pg_value(r, 0, 1));
	a->empty = pg_bool(r, 0, 6);
	a->has_check = pg_bool(r, 0, 7);
	pg_add_qualified(&sql, a->schema, a->name);
	pg_add_display_name(&shown, a->schema, a->name);
	a->sql = strbuf_detach(&sql);
	a->shown = strbuf_detach(&shown);
	return read_bounds(a, err) && look_at_parent(a, r, ret_done, err);
}

static bool load_identities(struct attacher *a, const char *oid, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(a->c, err,
		"SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attidentity <> '' AND NOT attisdropped ORDER BY attnum", 1, &oid);

	for (int i = 0; r && i < PQntuples(r); i++)
		strvec_push(&a->identities, pg_value(r, i, 0));
	return r != NULL;
}

/* DETACH CONCURRENTLY has left the partition constraint as a CHECK, on versions that do. */
static bool look_for_constraint(struct attacher *a, const char *oid, struct error *err)
{
	if (!a->record->constraint || !a->record->bounds || (a->r->bounds && strcmp(a->bound.text, a->record->bounds) != 0))
		return true;

	autofree char *wanted = xasprintf("CHECK (%s)", a->record->constraint);
	_cleanup_result_ PGresult *r = pg_query(a->c, err,
		"SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid AND contype = 'c' AND convalidated"
		" AND pg_catalog.pg_get_constraintdef(oid) IN ($2, 'CHECK (' || $2 || ')')",
		2, (const char *[]){ oid, wanted });

	a->proven = r && PQntuples(r) > 0;
	return r != NULL;
}

/* --- statements -------------------------------------------------------------------------------------------- */

static void drop_identities(struct attacher *a)
{
	struct plan_step *step;

	if (!a->identities.len || a->c->version < 170000)
		return;
	step = plan_add_step(a->plan, STEP_TRANSACTION, "drop the identity of %s", a->shown);
	for (size_t i = 0; i < a->identities.len; i++) {
		_cleanup_strbuf_ struct strbuf column = STRBUF_INIT;

		pg_add_ident(&column, a->identities.items[i]);
		plan_lock(plan_add(step, "a partition has its parent's identity, and may not have one of its own",
				  "ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY", a->sql, column.buf),
			LOCK_ACCESS_EXCLUSIVE, a->r->table, a->shown);
	}
}

/* Two transactions: the first needs ACCESS EXCLUSIVE for a moment, the second reads everything and lets others work. */
static void add_check(struct attacher *a, const char *condition)
{
	struct plan_step *step = plan_add_step(a->plan, STEP_TRANSACTION, "let no rows into %s that are outside", a->shown);
	struct plan_statement *s;

	if (a->has_check)
		plan_lock(plan_add(step, "left by a run that was stopped", "ALTER TABLE %s DROP CONSTRAINT " CHECK_NAME, a->sql), LOCK_ACCESS_EXCLUSIVE,
			a->r->table, a->shown);
	s = plan_add(step, "for new rows only, so nothing is read", "ALTER TABLE %s ADD CONSTRAINT " CHECK_NAME " CHECK (%s) NOT VALID", a->sql, condition);
	s->undo = xasprintf("ALTER TABLE %s DROP CONSTRAINT " CHECK_NAME, a->sql);
	plan_lock(s, LOCK_ACCESS_EXCLUSIVE, a->r->table, a->shown);
	step = plan_add_step(a->plan, STEP_TRANSACTION, "check the rows of %s", a->shown);
	plan_lock(plan_add(step, "reads the table while others read and write it", "ALTER TABLE %s VALIDATE CONSTRAINT " CHECK_NAME, a->sql),
		LOCK_SHARE_UPDATE_EXCLUSIVE, a->r->table, a->shown);
}

static void restore_comment(struct attacher *a, struct plan_step *step)
{
	_cleanup_strbuf_ struct strbuf literal = STRBUF_INIT;

	if (!a->record->bounds)
		return;
	if (a->record->comment)
		pg_add_literal(&literal, a->record->comment);
	else
		strbuf_adds(&literal, "NULL");
	plan_add(step, "the record of the detach has served", "COMMENT ON TABLE %s IS %s", a->sql, literal.buf);
}

static void add_attach(struct attacher *a, bool prove, bool drop_check)
{
	const struct partition *def = partition_default(a->m, a->parent);
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT, display = STRBUF_INIT;
	struct plan_step *step = plan_add_step(a->plan, STEP_TRANSACTION, "attach %s", a->shown);
	struct plan_statement *s;

	bound_add_display(&display, &a->bound);
	bound_add_sql(&bounds, &a->bound);
	step->detail = strbuf_detach(&display);
	step->proof_table = prove ? xstrdup(a->name) : NULL;
	if (def)
		plan_add(step, "ATTACH reads the DEFAULT partition while nobody else can; after this time it gives up",
			"SET LOCAL statement_timeout = %" PRId64, a->r->scan_ms);
	if (prove)
		plan_add(step, "the server says at this level that it need not read the table", "SET LOCAL client_min_messages = debug1");
	s = plan_add(step, prove ? "constraints prove the rows; reads and writes of the parent go on" : "reads the table while nobody else can",
		"ALTER TABLE %s ATTACH PARTITION %s %s", a->parent_sql, a->sql, bounds.buf);
	s->undo = xasprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", a->parent_sql, a->sql);
	plan_lock(s, LOCK_SHARE_UPDATE_EXCLUSIVE, a->parent->oid, a->parent_shown);
	plan_lock(s, LOCK_ACCESS_EXCLUSIVE, a->r->table, a->shown);
	if (def) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		pg_add_display_name(&name, def->schema, def->name);
		plan_lock(s, LOCK_ACCESS_EXCLUSIVE, def->oid, name.buf);
	}
	related_tables_lock(&a->related, false, s);
	if (drop_check)
		plan_add(step, "the bounds say the same from now on", "ALTER TABLE %s DROP CONSTRAINT " CHECK_NAME, a->sql);
	restore_comment(a, step);
}

static bool refuse_scan(const struct attacher *a, struct error *err)
{
	error_set(err, EXIT_REFUSED, "no constraint can prove that the rows of '%s' are within the bounds", a->shown);
	error_detail(err, "The key of '%s' is %s.", a->parent_shown, a->parent->key.definition);
	return error_hint(err, "With --allow-scan ATTACH reads the table while nobody else can.");
}

static bool add_steps(struct attacher *a, struct error *err)
{
	_cleanup_strbuf_ struct strbuf condition = STRBUF_INIT;
	bool check = !a->proven && !a->empty && condition_add(&condition, a->parent, &a->bound);

	if (!a->proven && !a->empty && !check && !a->r->allow_scan)
		return refuse_scan(a, err);
	drop_identities(a);
	if (check)
		add_check(a, condition.buf);
	add_attach(a, (check || a->proven) && !a->r->allow_scan, check || a->has_check);
	return true;
}

static bool make(struct attacher *a, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, shown = STRBUF_INIT;
	autofree char *oid = xasprintf("%" PRIu32, a->r->table);
	bool done = false;

	pg_add_qualified(&sql, a->parent->schema, a->parent->name);
	pg_add_display_name(&shown, a->parent->schema, a->parent->name);
	a->parent_sql = strbuf_detach(&sql);
	a->parent_shown = strbuf_detach(&shown);
	if (!load_table(a, &done, err))
		return false;
	return done || (related_tables_load(a->c, a->parent->oid, &a->related, err) && load_identities(a, oid, err) && look_for_constraint(a, oid, err) && add_steps(a, err));
}

bool partition_plan_attach(struct pg_conn *c, const struct partition_model *m, const struct attach_request *r, const struct detach_record *record,
	struct partition_plan *plan, struct error *err)
{
	struct attacher a = { .c = c, .m = m, .parent = &m->items[0], .r = r, .record = record, .plan = plan };
	bool ok = make(&a, err);

	attacher_release(&a);
	return ok;
}
