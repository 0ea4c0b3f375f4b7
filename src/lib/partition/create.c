/* SPDX-License-Identifier: PostgreSQL */
#include "create.h"

#include <inttypes.h>
#include "grid.h"
#include "properties.h"
#include "related.h"

void candidates_release(struct candidates *v)
{
	for (size_t i = 0; i < v->len; i++) {
		bound_release(&v->items[i].bound);
		free(v->items[i].name);
	}
	vec_release(v);
}

struct maker {
	struct pg_conn *c;
	const struct partition_model *m;
	const struct partition *parent, *newest, *def; /* newest, def: NULL = none */
	const struct create_request *r;
	const char *schema;
	struct properties properties;
	struct related_tables related;
	char *parent_sql, *parent_shown;
	int64_t name_max;
	struct partition_plan *plan;
};

/* --- what there is ----------------------------------------------------------------------------------------- */

/* The last one by bounds is taken for the newest; DEFAULT is like no other. */
static const struct partition *newest_of(const struct partition_model *m, const struct partition *parent)
{
	const struct partition *newest = NULL;

	for (const struct partition *p = partition_next(m, parent, NULL); p; p = partition_next(m, parent, p))
		if (p->bound.kind != BOUND_DEFAULT && !p->detach_pending)
			newest = p;
	return newest;
}

/* The first one with storage at or below p. */
static uint32_t leaf_of(const struct partition_model *m, const struct partition *p)
{
	for (size_t i = p ? (size_t)(p - m->items) : SIZE_MAX; p && i < p->end; i++)
		if (m->items[i].kind == 'r')
			return m->items[i].oid;
	return 0;
}

static bool prepare(struct maker *k, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, shown = STRBUF_INIT;
	autofree char *max = pg_query_value(k->c, err, "SELECT pg_catalog.current_setting('max_identifier_length')");

	if (!max)
		return false;
	k->name_max = strtoll(max, NULL, 10);
	pg_add_qualified(&sql, k->parent->schema, k->parent->name);
	pg_add_display_name(&shown, k->parent->schema, k->parent->name);
	k->parent_sql = strbuf_detach(&sql);
	k->parent_shown = strbuf_detach(&shown);
	k->newest = newest_of(k->m, k->parent);
	k->def = partition_default(k->m, k->parent);
	k->schema = k->r->schema ? k->r->schema : k->newest ? k->newest->schema : k->parent->schema;
	return properties_load(k->c, k->parent->oid, leaf_of(k->m, k->newest ? k->newest : k->def), &k->properties, err) && related_tables_load(k->c, k->parent->oid, &k->related, err);
}

/* Through their parent partitions are published by themselves; who lists them one by one has to go on doing so. */
static bool note_publications(struct maker *k, struct error *err)
{
	if (!k->newest)
		return true;

	autofree char *oid = xasprintf("%" PRIu32, k->newest->oid);
	_cleanup_result_ PGresult *r = pg_query(k->c, err,
		"SELECT p.pubname FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
		" WHERE r.prrelid = $1::oid ORDER BY 1",
		1, (const char *[]){ oid });

	for (int i = 0; r && i < PQntuples(r); i++)
		strvec_pushf(&k->plan->notes, "publication '%s' names partition '%s' itself: add the new ones with ALTER PUBLICATION … ADD TABLE",
			pg_value(r, i, 0), k->newest->name);
	return r != NULL;
}

static void maker_release(struct maker *k)
{
	properties_release(&k->properties);
	related_tables_release(&k->related);
	free(k->parent_sql);
	free(k->parent_shown);
}

/* --- names ------------------------------------------------------------------------------------------------- */

static const char *pattern_of(const struct maker *k, const struct candidate *cand, struct grid *g)
{
	static const char *const patterns[] = { [BOUND_LIST] = "{table}_{values}", [BOUND_HASH] = "{table}_{remainder}" };

	if (k->r->pattern)
		return k->r->pattern;
	return cand->bound.kind == BOUND_RANGE ? grid_pattern(g, cand->local) : patterns[cand->bound.kind];
}

/* The server would cut it, and two partitions of a long table would have one name. */
static bool check_length(const struct maker *k, const char *name, struct error *err)
{
	if ((int64_t)strlen(name) <= k->name_max)
		return true;
	error_set(err, EXIT_USAGE, "the name '%s' has %zu bytes, and PostgreSQL keeps %" PRId64, name, strlen(name), k->name_max);
	return error_hint(err, "Give a shorter pattern with --name, such as --name 'short_%%Y_%%m'.");
}

static bool check_taken(const struct maker *k, const char *name, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(k->c, err,
		"SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' ELSE 'table' END,"
		" (SELECT i.inhparent::regclass FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),"
		" pg_catalog.pg_get_expr(c.relpartbound, 0)"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
		2, (const char *[]){ k->schema, name });

	if (!r || !PQntuples(r))
		return r != NULL;
	error_set(err, EXIT_REFUSED, "there is a %s '%s' in schema '%s' already", pg_value(r, 0, 0), name, k->schema);
	if (!PQgetisnull(r, 0, 1))
		error_detail(err, "It is a partition of %s: %s.", pg_value(r, 0, 1), pg_value(r, 0, 2));
	else
		error_detail(err, "It is not a partition of '%s'.", k->parent_shown);
	return error_hint(err, "Attach it ('dbops partitions attach'), rename it, or give another pattern with --name.");
}

static bool name_all(struct maker *k, struct candidates *v, struct error *err)
{
	struct grid g = { 0 };

	if (v->len && v->items[0].bound.kind == BOUND_RANGE && !k->r->pattern &&
		!grid_parse(k->c, k->r->interval, k->r->timezone, partition_key_kind(k->parent), k->r->unit, &g, err))
		return false;
	for (size_t i = 0; i < v->len; i++) {
		struct candidate *cand = &v->items[i];

		if (!create_name(pattern_of(k, cand, &g), k->parent->name, cand, err) || !check_length(k, cand->name, err))
			return false;
		for (size_t n = 0; n < i; n++)
			if (strcmp(v->items[n].name, cand->name) == 0) {
				error_set(err, EXIT_USAGE, "two partitions would be called '%s'", cand->name);
				return error_hint(err, "Give a pattern with --name that tells them apart.");
			}
		if (!check_taken(k, cand->name, err))
			return false;
	}
	return true;
}

/* --- statements -------------------------------------------------------------------------------------------- */

static char *qualified(const char *schema, const char *name)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	pg_add_qualified(&sb, schema, name);
	return strbuf_detach(&sb);
}

static bool shares_key(const struct partition_key *a, const struct partition_key *b)
{
	for (size_t i = 0; i < a->columns.len; i++)
		for (size_t k = 0; k < b->columns.len; k++)
			if (!a->columns.items[i].name || !b->columns.items[k].name ||
				strcmp(a->columns.items[i].name, b->columns.items[k].name) == 0)
				return true;
	return false;
}

/* trades_2025_01_eu of trades_2025_01 becomes trades_2025_02_eu; what is not named after its parent gets a number. */
static char *child_name(const struct partition *child, const struct partition *template, const char *name, unsigned number)
{
	size_t len = strlen(template->name);

	return strncmp(child->name, template->name, len) == 0 ? xasprintf("%s%s", name, child->name + len) : xasprintf("%s_%u", name, number);
}

static bool add_table(struct maker *k, struct plan_step *step, const struct partition *template, const char *name, struct error *err);

/* Sub-partitions as the template has them. NOLINTNEXTLINE(misc-no-recursion): as deep as the tree */
static bool add_children(struct maker *k, struct plan_step *step, const struct partition *template, const char *name, struct error *err)
{
	autofree char *table_sql = qualified(k->schema, name);
	unsigned number = 0;

	for (const struct partition *p = partition_next(k->m, template, NULL); p; p = partition_next(k->m, template, p)) {
		autofree char *child = child_name(p, template, name, ++number), *child_sql = qualified(k->schema, child);
		_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT;

		if (p->detach_pending)
			continue;
		if (p->bound.kind == BOUND_UNKNOWN || (p->bound.kind == BOUND_RANGE && shares_key(&template->key, &k->parent->key))) {
			error_set(err, EXIT_REFUSED, "the sub-partitions of '%s' cannot be taken as a template", template->name);
			error_detail(err, "The range of '%s' is one of the same key as that of its parent.", p->name);
			return error_hint(err, "Create partitions without sub-partitions with --no-template, then sub-partitions of each.");
		}
		if (!check_length(k, child, err) || !check_taken(k, child, err) || !add_table(k, step, p, child, err))
			return false;
		bound_add_sql(&bounds, &p->bound);
		plan_add(step, "a sub-partition as the newest partition has it", "ALTER TABLE %s ATTACH PARTITION %s %s", table_sql, child_sql, bounds.buf);
	}
	return true;
}

/* One table, like parent, with the sub-partitions of template (NULL = none). NOLINTNEXTLINE(misc-no-recursion): as above */
static bool add_table(struct maker *k, struct plan_step *step, const struct partition *template, const char *name, struct error *err)
{
	autofree char *table_sql = qualified(k->schema, name);
	const char *partition_by = template && template->kind == 'p' ? template->key.definition : NULL;
	struct plan_statement *s = plan_add_take(step, "a table like the parent, seen by nobody yet",
		properties_create_sql(&k->properties, table_sql, k->parent_sql, partition_by));

	plan_lock(s, LOCK_ACCESS_SHARE, k->parent->oid, k->parent_shown);
	properties_add(&k->properties, step, table_sql, !partition_by);
	return !partition_by || add_children(k, step, template, name, err);
}

static void add_attach(struct maker *k, struct plan_step *step, const struct candidate *cand, const char *table_sql)
{
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT, shown = STRBUF_INIT;
	struct plan_statement *s;

	if (k->def) /* its readers, and so all of the parent's, wait meanwhile */
		plan_add(step, "ATTACH reads the DEFAULT partition while nobody else can; after this time it gives up",
			"SET LOCAL statement_timeout = %" PRId64, k->r->scan_ms);
	bound_add_sql(&bounds, &cand->bound);
	s = plan_add(step, "reads and writes of the parent go on", "ALTER TABLE %s ATTACH PARTITION %s %s", k->parent_sql, table_sql, bounds.buf);
	s->undo = xasprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY; DROP TABLE %s", k->parent_sql, table_sql, table_sql);
	plan_lock(s, LOCK_SHARE_UPDATE_EXCLUSIVE, k->parent->oid, k->parent_shown);
	if (k->def) {
		pg_add_display_name(&shown, k->def->schema, k->def->name);
		plan_lock(s, LOCK_ACCESS_EXCLUSIVE, k->def->oid, shown.buf);
	}
	related_tables_lock(&k->related, false, s);
}

static bool add_partition(struct maker *k, const struct candidate *cand, bool move, struct error *err)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT, bounds = STRBUF_INIT;
	autofree char *table_sql = qualified(k->schema, cand->name);
	struct plan_step *step;

	pg_add_display_name(&shown, k->schema, cand->name);
	bound_add_display(&bounds, &cand->bound);
	step = plan_add_step(k->plan, STEP_TRANSACTION, "create %s", shown.buf);
	step->detail = strbuf_detach(&bounds);
	if (!add_table(k, step, k->r->no_template ? NULL : k->newest, cand->name, err) ||
		(move && !create_move_rows(k->c, step, k->parent, k->def, &cand->bound, table_sql, err)))
		return false;
	add_attach(k, step, cand, table_sql);
	properties_add_identity(&k->properties, step, table_sql);
	return true;
}

static bool find(struct maker *k, struct candidates *v, struct error *err)
{
	switch (k->parent->key.strategy) {
	case STRATEGY_RANGE:
		return create_find_range(k->c, k->m, k->r, v, k->plan, err);
	case STRATEGY_LIST:
		return create_find_list(k->c, k->m, k->r, v, err);
	default:
		return create_find_hash(k->m, k->r, v, err);
	}
}

static bool make(struct maker *k, struct candidates *v, struct error *err)
{
	autofree bool *moves = NULL;

	if (!find(k, v, err) || !prepare(k, err) || !name_all(k, v, err))
		return false;
	if (v->len && !note_publications(k, err))
		return false;
	moves = xcalloc(v->len + 1, sizeof(*moves));
	if (k->def && v->len && !create_check_default(k->c, k->parent, k->def, v, k->r, moves, err))
		return false;
	for (size_t i = 0; i < v->len; i++)
		if (!add_partition(k, &v->items[i], moves[i], err))
			return false;
	return true;
}

bool partition_plan_create(struct pg_conn *c, const struct partition_model *m, const struct create_request *r, struct partition_plan *plan,
	struct error *err)
{
	_cleanup_candidates_ struct candidates v = { 0 };
	struct maker k = { .c = c, .m = m, .parent = &m->items[0], .r = r, .plan = plan };
	bool ok = make(&k, &v, err);

	maker_release(&k);
	return ok;
}
