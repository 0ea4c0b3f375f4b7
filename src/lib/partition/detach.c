/* SPDX-License-Identifier: PostgreSQL */
#include "detach.h"

#include <errno.h>
#include <inttypes.h>
#include "age.h"
#include "record.h"
#include "related.h"

/* --- which ------------------------------------------------------------------------------------------------- */

static bool refuse_key(const struct partition *parent, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	pg_add_display_name(&name, parent->schema, parent->name);
	error_set(err, EXIT_USAGE, "the partitions of '%s' have no age", name.buf);
	error_detail(err, "It is partitioned by %s.", parent->key.definition);
	return error_hint(err, "Integer keys that count time need --epoch, other integers --before NUMBER; list and hash partitions are named one by one.");
}

static bool read_number(const char *text, int64_t *ret, struct error *err)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return (!errno && end != text && !*end) || error_set(err, EXIT_USAGE, "--before '%s' is not a number", text);
}

/* In key space (grid.h). */
static bool find_cutoff(struct pg_conn *c, enum key_kind kind, const struct cutoff_request *r, int64_t *ret, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	bool local = kind == KEY_DATE || kind == KEY_TIMESTAMP;

	if (r->older_than && !age_check(r->older_than, err))
		return false;

	_cleanup_result_ PGresult *q = pg_query(c, &failed,
		"SELECT (extract(epoch FROM CASE WHEN $5::bool THEN pg_catalog.timezone('UTC', l) ELSE pg_catalog.timezone($1, l) END) * 1000000)::int8,"
		" l <= pg_catalog.timezone($1, coalesce($2::timestamptz, pg_catalog.now())) FROM (SELECT coalesce($3::timestamp,"
		" pg_catalog.timezone($1, coalesce($2::timestamptz, pg_catalog.now())) - $4::interval) AS l) s",
		5, (const char *[]){ r->timezone, r->now, r->before, r->older_than, local ? "true" : "false" });

	/* 0A000: "cannot convert infinity to bigint" */
	if (!q && (strncmp(failed.sqlstate, "22", 2) == 0 || strcmp(failed.sqlstate, "0A000") == 0))
		return error_set(err, EXIT_USAGE, "%s", failed.message);
	if (!q)
		return error_move(err, &failed);
	*ret = pg_int(q, 0, 0);
	return pg_bool(q, 0, 1) || error_set(err, EXIT_USAGE, "the time limit is in the future");
}

/* Year 1980, before which nobody's partitions end; a unit that is too fine by a thousand puts every key of today into 1970. */
#define FIRST_PLAUSIBLE (INT64_C(315532800) * 1000000)

static bool refuse_partition(const struct partition *parent, const struct partition *p, const char *why, const char *hint, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, bounds = STRBUF_INIT;

	pg_add_display_name(&name, parent->schema, parent->name);
	bound_add_display(&bounds, &p->bound);
	error_set(err, EXIT_REFUSED, "the age of partitions of '%s' cannot be told", name.buf);
	error_detail(err, "%s: '%s' is %s.", why, p->name, bounds.buf);
	return error_hint(err, "%s", hint);
}

/* The least key in key space that no row of p has. Where further key columns have a bound of their own, rows with the first one's very value are
 * in p, too: TO ('2024-01-31', MAXVALUE) has all of that day. */
static bool end_of(const struct partition *parent, const struct partition *p, enum epoch_unit unit, int64_t *ret)
{
	static const int64_t steps[] = { [KEY_DATE] = INT64_C(86400000000), [KEY_TIMESTAMP] = 1, [KEY_TIMESTAMPTZ] = 1, [KEY_UUID] = 1000 };
	static const int64_t units[] = { [EPOCH_SECONDS] = 1000000, [EPOCH_MILLISECONDS] = 1000, [EPOCH_MICROSECONDS] = 1, [EPOCH_NANOSECONDS] = 1 };
	enum key_kind kind = partition_key_kind(parent);
	bool further = false;
	int64_t from;

	if (!partition_span(parent, p, unit, &from, ret) || *ret == INSTANT_MIN)
		return false;
	for (size_t i = 1; i < p->bound.to.len; i++)
		further |= p->bound.to.items[i].kind != BOUND_MINVALUE;
	if (further && __builtin_add_overflow(*ret, kind == KEY_INTEGER ? units[unit] : steps[kind], ret))
		*ret = INSTANT_MAX;
	return *ret != INSTANT_MAX;
}

/* What is removed must not hang on a mistake about what the key means. */
static bool check_key(const struct partition_model *m, const struct partition *parent, enum epoch_unit unit, bool number, struct error *err)
{
	enum key_kind kind = partition_key_kind(parent);
	const struct partition *newest = NULL;
	int64_t end, last = INSTANT_MIN;

	for (const struct partition *p = partition_next(m, parent, NULL); p; p = partition_next(m, parent, p)) {
		if (!end_of(parent, p, unit, &end))
			continue;
		if (kind == KEY_UUID && p->bound.to.items[0].text[14] != '7')
			return refuse_partition(parent, p, "A UUID that is not of version 7 is no time", "Name the partitions one by one.", err);
		if (end > last) {
			last = end;
			newest = p;
		}
	}
	if (kind != KEY_INTEGER || number || !newest || last >= FIRST_PLAUSIBLE)
		return true;
	return refuse_partition(parent, newest, "Even the newest partition would have ended before 1980",
		"Is the unit of the key right? 's', 'ms', 'us' and 'ns' are a thousand apart.", err);
}

bool partition_find_older(struct pg_conn *c, const struct partition_model *m, const struct partition *parent, const struct cutoff_request *r,
	struct partition_refs *ret, struct error *err)
{
	enum key_kind kind = partition_key_kind(parent);
	bool number = kind == KEY_INTEGER && r->unit == EPOCH_NONE;
	enum epoch_unit unit = number ? EPOCH_MICROSECONDS : r->unit; /* one microsecond a step: the plain integer itself */
	int64_t cutoff = 0, end;

	if (parent->key.strategy != STRATEGY_RANGE || kind == KEY_OTHER || (number && !r->before))
		return refuse_key(parent, err);
	if (!check_key(m, parent, unit, number, err) || (number ? !read_number(r->before, &cutoff, err) : !find_cutoff(c, kind, r, &cutoff, err)))
		return false;
	for (const struct partition *p = partition_next(m, parent, NULL); p; p = partition_next(m, parent, p))
		if (end_of(parent, p, unit, &end) && end <= cutoff)
			*vec_push(ret) = p;
	return true;
}

/* --- how --------------------------------------------------------------------------------------------------- */

struct detacher {
	struct pg_conn *c;
	const struct partition *p, *parent;
	struct partition_plan *plan;
	char *table_sql, *table_shown, *parent_sql, *parent_shown;
	struct related_tables related;
	struct detach_record record; /* not of a pending detach */
};

static char *quoted(const struct partition *p)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	pg_add_qualified(&sb, p->schema, p->name);
	return strbuf_detach(&sb);
}

static char *shown(const struct partition *p)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	pg_add_display_name(&sb, p->schema, p->name);
	return strbuf_detach(&sb);
}

static char *comment_sql(const struct detacher *d, const char *comment)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "COMMENT ON TABLE %s IS ", d->table_sql);
	if (comment)
		pg_add_literal(&sb, comment);
	else
		strbuf_adds(&sb, "NULL");
	return strbuf_detach(&sb);
}

static void add_record(struct detacher *d, struct plan_step *step)
{
	autofree char *comment = detach_record_write(&d->record);
	struct plan_statement *s = plan_add_take(step, "a detached table has forgotten its bounds; they stay in its comment", comment_sql(d, comment));

	s->undo = comment_sql(d, d->record.comment);
	plan_lock(s, LOCK_SHARE_UPDATE_EXCLUSIVE, d->p->oid, d->table_shown);
}

/* Committed before CONCURRENTLY begins: whatever happens then, what the table was is known. What is pending is past the point where old
 * transactions could be waited for. */
static void add_record_step(struct detacher *d)
{
	struct plan_step *step = plan_add_step(d->plan, STEP_TRANSACTION, "record what %s is", d->table_shown);

	if (!d->p->detach_pending) {
		step->oid = d->p->oid;
		step->parent = d->parent->oid;
	}
	add_record(d, step);
}

static char *undo_sql(const struct detacher *d)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (d->p->bound.kind == BOUND_UNKNOWN)
		return NULL;
	strbuf_addf(&sb, "ALTER TABLE %s ATTACH PARTITION %s ", d->parent_sql, d->table_sql);
	bound_add_sql(&sb, &d->p->bound);
	return strbuf_detach(&sb);
}

static struct plan_step *add_detach_step(struct detacher *d, enum step_kind kind)
{
	_cleanup_strbuf_ struct strbuf bounds = STRBUF_INIT;
	struct plan_step *step = plan_add_step(d->plan, kind, d->p->detach_pending ? "finish the detach of %s" : "detach %s", d->table_shown);

	bound_add_display(&bounds, &d->p->bound);
	step->detail = strbuf_detach(&bounds);
	step->oid = d->p->oid;
	step->parent = d->parent->oid;
	return step;
}

static void add_concurrent(struct detacher *d, const struct detach_request *r)
{
	struct plan_step *step = add_detach_step(d, STEP_DETACH);
	struct plan_statement *s;

	if (d->p->detach_pending)
		s = plan_add(step, "its detach was interrupted; this ends it", "ALTER TABLE %s DETACH PARTITION %s FINALIZE", d->parent_sql, d->table_sql);
	else
		s = plan_add(step, "reads and writes of the parent go on; the partition's own readers are waited for",
			"ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", d->parent_sql, d->table_sql);
	s->undo = undo_sql(d);
	plan_lock(s, LOCK_SHARE_UPDATE_EXCLUSIVE, d->parent->oid, d->parent_shown);
	plan_lock(s, LOCK_ACCESS_EXCLUSIVE, d->p->oid, d->table_shown);
	related_tables_lock(&d->related, true, s);
	/* the writers of tables with foreign keys would queue, so for them the short wait holds */
	step->wait_ms = d->related.len ? d->plan->lock_timeout_ms : r->wait_ms;
	plan_add(step, "ends a detach that was interrupted", "ALTER TABLE %s DETACH PARTITION %s FINALIZE", d->parent_sql, d->table_sql);
}

static void add_plain(struct detacher *d, const struct partition *def)
{
	struct plan_step *step = add_detach_step(d, STEP_TRANSACTION);
	struct plan_statement *s = plan_add(step, "all users of the parent wait for this moment, and for lock_timeout at most before it",
		"ALTER TABLE %s DETACH PARTITION %s", d->parent_sql, d->table_sql);

	s->undo = undo_sql(d);
	plan_lock(s, LOCK_ACCESS_EXCLUSIVE, d->parent->oid, d->parent_shown);
	plan_lock(s, LOCK_ACCESS_EXCLUSIVE, d->p->oid, d->table_shown);
	if (def && def != d->p) {
		autofree char *name = shown(def);

		plan_lock(s, LOCK_ACCESS_EXCLUSIVE, def->oid, name);
	}
	related_tables_lock(&d->related, true, s);
	add_record(d, step); /* after it: the parent is locked before its partition, as everywhere */
}

static bool refuse_plain(const struct detacher *d, const struct partition *def, struct error *err)
{
	error_set(err, EXIT_REFUSED, "'%s' cannot be detached without locking all users of '%s' out for a moment", d->table_shown, d->parent_shown);
	if (def)
		error_detail(err, "DETACH CONCURRENTLY is impossible while there is a DEFAULT partition, '%s'.", def->name);
	else
		error_detail(err, "DETACH CONCURRENTLY came with PostgreSQL 14.");
	return error_hint(err, "With --allow-plain it is done under ACCESS EXCLUSIVE, which is waited for --lock-timeout at a time.");
}

static bool refuse_pending(const struct partition *other, struct error *err)
{
	autofree char *name = shown(other);

	error_set(err, EXIT_REFUSED, "the detach of '%s' is pending, and only one can be", name);
	return error_hint(err, "End it first: dbops partitions detach '%s'", name);
}

/* Somebody else may have begun it, without a record; FINALIZE would end what is known of the bounds. */
static bool plan_pending(struct detacher *d, const struct detach_request *r, struct error *err)
{
	_cleanup_record_ struct detach_record before = { 0 };

	if (!detach_record_load(d->c, d->p->oid, &before, err))
		return false;
	if (!before.bounds) {
		if (!detach_record_make(d->c, d->p->oid, &d->record, err))
			return false;
		add_record_step(d);
	}
	add_concurrent(d, r);
	return true;
}

static bool plan_one(struct detacher *d, const struct partition_model *m, const struct detach_request *r, struct error *err)
{
	const struct partition *def = partition_default(m, d->parent);
	bool plain = def || d->c->version < 140000;

	if (!related_tables_load(d->c, d->parent->oid, &d->related, err))
		return false;
	if (d->p->detach_pending)
		return plan_pending(d, r, err);
	for (const struct partition *p = partition_next(m, d->parent, NULL); p; p = partition_next(m, d->parent, p))
		if (p->detach_pending)
			return refuse_pending(p, err);
	if (plain && !r->allow_plain)
		return refuse_plain(d, def, err);
	if (!detach_record_make(d->c, d->p->oid, &d->record, err))
		return false;
	if (plain) {
		add_plain(d, def);
		return true;
	}
	add_record_step(d);
	add_concurrent(d, r);
	return true;
}

bool partition_plan_detach(struct pg_conn *c, const struct partition_model *m, const struct partition *p, const struct detach_request *r,
	struct partition_plan *plan, struct error *err)
{
	const struct partition *parent = partition_parent(m, p);
	autofree char *table_sql = quoted(p), *table_shown = shown(p);

	if (!parent)
		return error_set(err, EXIT_NOT_FOUND, "'%s' is not a partition", table_shown);

	autofree char *parent_sql = quoted(parent), *parent_shown = shown(parent);
	struct detacher d = { c, p, parent, plan, table_sql, table_shown, parent_sql, parent_shown, { 0 }, { 0 } };

	if (parent->key.strategy == STRATEGY_HASH)
		strvec_pushf(&plan->notes, "'%s' is partitioned by hash: rows that belong to '%s' cannot be inserted until another partition takes its place",
			parent_shown, table_shown);

	bool ok = plan_one(&d, m, r, err);

	related_tables_release(&d.related);
	detach_record_release(&d.record);
	return ok;
}
