/* SPDX-License-Identifier: PostgreSQL */
/* From retention policies to what has to be done. */
#include "maintain.h"

#include <inttypes.h>
#include "clock.h"
#include "create.h"
#include "destination.h"
#include "detach.h"
#include "hold.h"

static void item_free(struct maintain_item *i)
{
	free(i->object);
	free(i->detail);
	free(i->note);
	free(i->archive);
	error_release(&i->error);
	partition_plan_release(&i->plan);
	removal_release(&i->removal);
	archive_subject_release(&i->subject);
	purge_release(&i->purge);
	free(i);
}

void maintain_release(struct maintain *m)
{
	for (size_t i = 0; i < m->items.len; i++)
		item_free(m->items.items[i]);
	for (size_t i = 0; i < m->policies.len; i++) {
		strvec_release(&m->policies.items[i]->owned);
		free(m->policies.items[i]);
	}
	vec_release(&m->items);
	vec_release(&m->policies);
	strvec_release(&m->held);
}

const char *maintain_action_name(enum maintain_action action)
{
	static const char *const names[] = { "policy", "create", "detach", "archive", "drop", "purge" };

	return names[action];
}

const char *maintain_archive_to(const struct maintain *m, const struct policy *p)
{
	return p->r.to ? p->r.to : m->args->to ? m->args->to : "";
}

/* --- policies ---------------------------------------------------------------------------------------------- */

static bool load_config(struct maintain *m, struct error *err)
{
	const struct strvec *names = &m->app->config->names[CONFIG_RETENTION];

	for (size_t i = 0; i < names->len; i++) {
		struct policy *p = xcalloc(1, sizeof(*p));

		*vec_push(&m->policies) = p;
		if (!config_retention(m->app->config, names->items[i], &p->r, err))
			return false;
	}
	return true;
}

static const char *own(struct policy *p, char *text)
{
	strvec_push_take(&p->owned, text);
	return p->owned.items[p->owned.len - 1];
}

/* retention_policies (table_name, retention_days, archive_enabled, last_archived_at): the last two may be missing. */
static bool load_table(struct maintain *m, struct error *err)
{
	_cleanup_subject_ struct archive_subject table = { 0 };
	autofree char *sql = NULL;

	if (!m->args->policies)
		return true;
	if (!load_subject(m->c, m->args->policies, &table, err))
		return false;
	sql = xasprintf("SELECT p.table_name, p.retention_days, coalesce((pg_catalog.to_jsonb(p) ->> 'archive_enabled')::bool, true) FROM %s p"
			" WHERE p.retention_days > 0 ORDER BY p.table_name",
		table.sql);

	_cleanup_result_ PGresult *r = pg_query(m->c, err, sql, 0, NULL);

	for (int i = 0; r && i < PQntuples(r); i++) {
		struct policy *p = xcalloc(1, sizeof(*p));

		*vec_push(&m->policies) = p;
		p->from_table = true;
		p->r = (struct config_retention){
			.name = own(p, xstrdup(pg_value(r, i, 0))),
			.table = own(p, xstrdup(pg_value(r, i, 0))),
			.keep = own(p, xasprintf("%s days", pg_value(r, i, 1))),
			.action = pg_bool(r, i, 2) ? "archive" : "drop",
			.epoch = "none",
			.batch = 1000,
		};
	}
	return r || error_prefix(err, "policies of '%s'", table.shown);
}

bool maintain_load_policies(struct maintain *m, struct error *err)
{
	if (!load_config(m, err) || !load_table(m, err))
		return false;
	if (m->policies.len)
		return true;
	error_set(err, EXIT_CONFIG, "there is no retention policy");
	return error_hint(err, "Describe them under 'retention' in dbops.yaml, or name a table that has them by --policies.");
}

/* --- items ------------------------------------------------------------------------------------------------- */

static struct maintain_item *add_item(struct maintain *m, const struct policy *p, enum maintain_action action, const char *object)
{
	struct maintain_item *i = xcalloc(1, sizeof(*i));

	*i = (struct maintain_item){ .policy = p, .action = action, .object = xstrdup(object), .rows = -1 };
	*vec_push(&m->items) = i;
	return i;
}

static void fail(struct maintain_item *i, struct error *err)
{
	i->state = STATE_FAILED;
	error_move(&i->error, err);
}

static enum epoch_unit unit_of(const struct policy *p)
{
	return partitions_unit(p->r.epoch);
}

/* Held is no failure: the policy is followed as far as it may be. sql NULL: holds of rows do not keep the whole. */
static bool is_held(struct maintain *m, struct maintain_item *i, uint32_t oid, const char *sql, struct error *err)
{
	struct hold_query q = { .database = m->c->database, .sql = sql, .now = clock_now_us() };
	struct config_hold hold = { 0 };
	bool ok = hold_names(m->c, oid, true, &q, err) && hold_of_table(m->c, m->app->config, &q, &hold, err);

	strvec_release(&q.names);
	if (ok && hold.name && hold.name[0]) {
		i->state = STATE_HELD;
		i->note = xasprintf("hold '%s': %s", hold.name, hold.reason);
	}
	return ok;
}

static bool plan_create(struct maintain *m, const struct policy *p, const struct change_target *t, const struct partition_model *model,
	struct error *err)
{
	const struct strvec none = { 0 };
	const struct create_request request = {
		.table_text = p->r.table,
		.interval = p->r.interval,
		.ahead = p->r.ahead,
		.timezone = p->r.timezone ? p->r.timezone : "UTC",
		.unit = unit_of(p),
		.now = m->args->now,
		.values = &none,
		.scan_ms = m->args->change.lock_timeout,
	};
	struct maintain_item *i = add_item(m, p, MAINTAIN_CREATE, t->root_name);

	change_plan(&i->plan, "dbops partitions maintain", &m->args->change, t);
	if (!partition_plan_create(m->c, model, &request, &i->plan, err))
		return false;
	if (!i->plan.steps.len) {
		item_free(i);
		m->items.len--;
		return true;
	}
	i->detail = xasprintf("%zu partition%s: %s%s", i->plan.steps.len, i->plan.steps.len == 1 ? "" : "s", i->plan.steps.items[0].title,
		i->plan.steps.len > 1 ? " and on" : "");
	return true;
}

static enum maintain_action action_of(const struct policy *p)
{
	return strcmp(p->r.action, "archive") == 0 ? MAINTAIN_ARCHIVE : strcmp(p->r.action, "drop") == 0 ? MAINTAIN_DROP : MAINTAIN_DETACH;
}

struct old_partition {
	uint32_t oid;
	char *shown, *sql, *bounds;
};
struct old_partitions {
	struct old_partition *items;
	size_t len, alloc;
};

static void old_release(struct old_partitions *v)
{
	for (size_t i = 0; i < v->len; i++) {
		free(v->items[i].shown);
		free(v->items[i].sql);
		free(v->items[i].bounds);
	}
	vec_release(v);
}

static bool find_old(struct maintain *m, const struct policy *p, const struct partition_model *model, struct old_partitions *ret,
	struct error *err)
{
	const struct cutoff_request cutoff = { .older_than = p->r.keep, .timezone = p->r.timezone ? p->r.timezone : "UTC", .now = m->args->now,
		.unit = unit_of(p) };
	struct partition_refs refs = { 0 };
	bool ok = partition_find_older(m->c, model, &model->items[0], &cutoff, &refs, err);

	for (size_t i = 0; ok && i < refs.len; i++) {
		_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT, sql = STRBUF_INIT, bounds = STRBUF_INIT;

		pg_add_display_name(&shown, refs.items[i]->schema, refs.items[i]->name);
		pg_add_qualified(&sql, refs.items[i]->schema, refs.items[i]->name);
		bound_add_display(&bounds, &refs.items[i]->bound);
		*vec_push(ret) = (struct old_partition){ refs.items[i]->oid, strbuf_detach(&shown), strbuf_detach(&sql), strbuf_detach(&bounds) };
	}
	vec_release(&refs);
	return ok;
}

static bool plan_detach_item(struct maintain *m, struct maintain_item *i, uint32_t oid, const struct change_target *t, struct error *err)
{
	const struct partition_load load = { .table = t->root };
	const struct detach_request request = { .allow_plain = m->args->allow_plain, .wait_ms = m->args->change.max_wait };
	_cleanup_model_ struct partition_model model = { 0 };
	_cleanup_error_ struct error ignored = ERROR_INIT;
	const struct partition *p;
	bool ok;

	change_plan(&i->plan, "dbops partitions maintain", &m->args->change, t);
	ok = partition_begin(m->c, err) && partition_model_load(m->c, &load, &model, err);
	p = ok ? partition_by_oid(&model, oid) : NULL;
	ok = ok && (p || error_set(err, EXIT_BUSY, "'%s' was detached in the meantime", i->object)) &&
	     partition_plan_detach(m->c, &model, p, &request, &i->plan, err);
	return partition_end(m->c, ok ? err : &ignored) && ok;
}

static bool plan_removal(struct maintain *m, struct maintain_item *i, uint32_t oid, const struct change_target *t, struct error *err)
{
	const char *to = i->action == MAINTAIN_ARCHIVE ? maintain_archive_to(m, i->policy) : NULL;

	i->removal = (struct removal){
		.app = m->app,
		.c = m->c,
		.change = &m->args->change,
		.ledger = m->args->ledger,
		.policy = i->policy->r.name,
		.allow_plain = m->args->allow_plain,
		.subject = &i->subject,
	};
	if (!archive_subject_load(m->c, oid, &i->subject, err) || !removal_plan(&i->removal, "dbops partitions maintain", t, to, err))
		return false;
	if (to)
		strvec_pushf(&i->removal.plan.notes, "before the first step %s is exported to %s, read back and proven", i->subject.shown, to);
	return true;
}

bool maintain_check_pending(struct maintain *m, uint32_t oid, struct error *err)
{
	autofree char *value = xasprintf("%" PRIu32, oid);
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	_cleanup_result_ PGresult *r = NULL;

	if (m->c->version < 140000)
		return true;
	r = pg_query(m->c, err,
		"SELECT n.nspname, c.relname FROM pg_catalog.pg_inherits mine JOIN pg_catalog.pg_inherits i ON i.inhparent = mine.inhparent"
		" JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE mine.inhrelid = $1::oid AND i.inhrelid <> mine.inhrelid AND i.inhdetachpending",
		1, (const char *[]){ value });
	if (!r || !PQntuples(r))
		return r != NULL;
	pg_add_display_name(&name, pg_value(r, 0, 0), pg_value(r, 0, 1));
	error_set(err, EXIT_BUSY, "the detach of '%s' is pending, and only one can be", name.buf);
	return error_hint(err, "The next run ends it, and then does the rest.");
}

/* What another policy does to the same partition. */
static struct maintain_item *planned_before(const struct maintain *m, uint32_t oid)
{
	for (size_t i = 0; i < m->items.len; i++)
		if (m->items.items[i]->oid == oid)
			return m->items.items[i];
	return NULL;
}

/* An archive that fails must not be followed by a drop that wants none: where policies contradict each other, nothing is done. */
static bool contradict(struct maintain_item *i, struct maintain_item *other, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	bool held = other->state == STATE_HELD;

	error_set(err, EXIT_CONFIG, "policies '%s' (%s) and '%s' (%s) contradict each other", other->policy->r.name, maintain_action_name(other->action),
		i->policy->r.name, maintain_action_name(i->action));
	error_hint(err, "One of them must be changed; nothing is done to the partition before.");
	if (held || other->state == STATE_FAILED)
		return false;
	error_set(&failed, err->code, "%s", err->message);
	fail(other, &failed);
	return false;
}

static void plan_old(struct maintain *m, const struct policy *p, const struct old_partition *old, const struct change_target *t)
{
	struct maintain_item *other = planned_before(m, old->oid), *i;
	_cleanup_error_ struct error err = ERROR_INIT;
	bool ok;

	if (other && other->action == action_of(p))
		return;
	i = add_item(m, p, action_of(p), old->shown);
	i->detail = xstrdup(old->bounds);
	i->oid = old->oid;
	ok = is_held(m, i, old->oid, old->sql, &err) && (!other || contradict(i, other, &err));
	ok = ok && maintain_check_pending(m, old->oid, &err);
	if (ok && i->state == STATE_PLANNED)
		ok = i->action == MAINTAIN_DETACH ? plan_detach_item(m, i, old->oid, t, &err) : plan_removal(m, i, old->oid, t, &err);
	if (!ok)
		fail(i, &err);
}

static bool plan_partitioned(struct maintain *m, const struct policy *p, uint32_t oid, struct error *err)
{
	const struct partition_load load = { .table = oid };
	_cleanup_target_ struct change_target t = { 0 };
	_cleanup_model_ struct partition_model model = { 0 };
	_cleanup_error_ struct error ignored = ERROR_INIT;
	struct old_partitions old = { 0 };
	bool ok;

	if (strcmp(p->r.action, "purge") == 0)
		return error_set(err, EXIT_CONFIG, "'%s' is partitioned: its policy must archive, detach or drop, not purge", p->r.table);
	if (!change_lock(m->app, m->c, &m->args->change, oid, &t, err))
		return false;
	ok = partition_begin(m->c, err) && partition_model_load(m->c, &load, &model, err) &&
	     (model.len || error_set(err, EXIT_NOT_FOUND, "'%s' was dropped in the meantime", p->r.table)) &&
	     (!p->r.interval || plan_create(m, p, &t, &model, err)) && (!p->r.keep || find_old(m, p, &model, &old, err));
	ok = partition_end(m->c, ok ? err : &ignored) && ok;
	for (size_t i = 0; ok && i < old.len; i++)
		plan_old(m, p, &old.items[i], &t);
	old_release(&old);
	return ok;
}

static bool plan_purge(struct maintain *m, const struct policy *p, uint32_t oid, struct error *err)
{
	_cleanup_strvec_ struct strvec held = { 0 };
	const struct purge_request request = { .oid = oid, .column = p->r.column, .older_than = p->r.keep, .held = &held };
	struct maintain_item *i;

	if (strcmp(p->r.action, "purge") != 0) {
		error_set(err, EXIT_CONFIG, "'%s' is not partitioned", p->r.table);
		return error_hint(err, "Its rows can be purged: a policy of the configuration with 'action: purge' and the 'column' that tells their age.");
	}
	i = add_item(m, p, MAINTAIN_PURGE, p->r.table);
	if (!is_held(m, i, oid, NULL, err))
		return false;
	if (i->state == STATE_HELD)
		return true;
	if (!held_rows(m->app, m->c, oid, &held, err) || !purge_prepare(m->c, &request, &i->purge, err) || !purge_count(m->c, &i->purge, &i->rows, err))
		return false;
	i->detail = xstrdup(i->purge.condition);
	if (i->rows)
		return true;
	item_free(i);
	m->items.len--;
	return true;
}

static bool plan_policy(struct maintain *m, const struct policy *p, struct error *err)
{
	uint32_t oid;
	char kind;

	if (p->r.database && strcmp(p->r.database, m->c->database) != 0)
		return true;
	/* an earlier purge has emptied the search_path of the session */
	if (!pg_exec(m->c, err, "RESET search_path") || !partition_resolve(m->c, p->r.table, &oid, &kind, err))
		return false;
	return kind == 'p' ? plan_partitioned(m, p, oid, err) : plan_purge(m, p, oid, err);
}

/* The item that was begun when it failed; else one of its own. */
static struct maintain_item *failed_item(struct maintain *m, const struct policy *p, size_t before)
{
	struct maintain_item *last = m->items.len > before ? m->items.items[m->items.len - 1] : NULL;

	if (last && last->state == STATE_PLANNED && !last->detail)
		return last;
	return add_item(m, p, MAINTAIN_NONE, p->r.table);
}

void maintain_make_plan(struct maintain *m)
{
	for (size_t i = 0; i < m->policies.len; i++) {
		_cleanup_error_ struct error err = ERROR_INIT;
		size_t before = m->items.len;

		if (!plan_policy(m, m->policies.items[i], &err))
			fail(failed_item(m, m->policies.items[i], before), &err);
	}
}

void maintain_add_script(const struct maintain *m, struct strbuf *out)
{
	for (size_t k = 0; k < m->items.len; k++) {
		const struct maintain_item *i = m->items.items[k];

		if (i->state != STATE_PLANNED)
			continue;
		if (i->action == MAINTAIN_PURGE)
			strbuf_addf(out, "-- purge %s in batches\nDELETE FROM ONLY %s WHERE %s;\n\n", i->purge.shown, i->purge.sql, i->purge.condition);
		else
			plan_add_script(i->action == MAINTAIN_ARCHIVE || i->action == MAINTAIN_DROP ? &i->removal.plan : &i->plan, out);
	}
}
