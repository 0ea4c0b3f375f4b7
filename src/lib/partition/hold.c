/* SPDX-License-Identifier: PostgreSQL */
#include "hold.h"

#include <fnmatch.h>
#include <inttypes.h>
#include "clock.h"

/* A pattern may be written as SQL quotes the name, as it is, or without the schema: who forgot a quote shall not lose what is held. */
static void add_forms(struct hold_query *q, const char *schema, const char *name)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT, bare = STRBUF_INIT;

	pg_add_display_name(&shown, schema, name);
	pg_add_display_name(&bare, NULL, name);
	strvec_push(&q->names, shown.buf);
	strvec_push(&q->names, bare.buf);
	strvec_push_take(&q->names, xasprintf("%s.%s", schema, name));
	strvec_push(&q->names, name);
}

bool hold_names(struct pg_conn *c, uint32_t oid, bool below, struct hold_query *q, struct error *err)
{
	autofree char *value = xasprintf("%" PRIu32, oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"WITH RECURSIVE up AS (SELECT $1::oid AS oid, 0 AS level UNION SELECT i.inhparent, u.level + 1 FROM up u"
		" JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid),"
		" down AS (SELECT $1::oid AS oid UNION SELECT i.inhrelid FROM down d JOIN pg_catalog.pg_class p ON p.oid = d.oid AND p.relkind = 'p'"
		" JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid WHERE $2::bool)"
		" SELECT n.nspname, c.relname FROM (SELECT oid, level FROM up UNION SELECT oid, 1 FROM down WHERE oid <> $1::oid) t"
		" JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY t.level",
		2, (const char *[]){ value, below ? "true" : "false" });

	for (int i = 0; r && i < PQntuples(r); i++)
		add_forms(q, pg_value(r, i, 0), pg_value(r, i, 1));
	return r != NULL;
}

static bool applies(const struct config_hold *h, const struct hold_query *q)
{
	if (q->now >= h->until_us || (h->database && strcmp(h->database, q->database) != 0))
		return false;
	for (size_t i = 0; i < q->names.len; i++)
		if (strcmp(h->table, q->names.items[i]) == 0 || fnmatch(h->table, q->names.items[i], 0) == 0)
			return true;
	return false;
}

static bool has_held_rows(struct pg_conn *c, const struct config_hold *h, const struct hold_query *q, bool *ret, struct error *err)
{
	autofree char *sql = xasprintf("SELECT EXISTS (SELECT FROM %s WHERE (%s))", q->sql, h->rows);
	autofree char *value = pg_query_value(c, err, sql);

	*ret = value && value[0] == 't';
	return value || error_prefix(err, "hold '%s'", h->name);
}

bool hold_of_table(struct pg_conn *c, const struct config *config, const struct hold_query *q, struct config_hold *ret, struct error *err)
{
	const struct strvec *names = &config->names[CONFIG_HOLD];

	*ret = (struct config_hold){ .name = "" };
	for (size_t i = 0; i < names->len; i++) {
		struct config_hold h;
		bool held = true;

		if (!config_hold(config, names->items[i], &h, err))
			return false;
		if (!applies(&h, q) || (h.rows && !q->sql))
			continue;
		if (h.rows && !has_held_rows(c, &h, q, &held, err))
			return false;
		if (held) {
			*ret = h;
			return true;
		}
	}
	return true;
}

bool hold_of_rows(const struct config *config, const struct hold_query *q, struct strvec *ret_conditions, struct config_hold *ret_all,
	struct error *err)
{
	const struct strvec *names = &config->names[CONFIG_HOLD];

	*ret_all = (struct config_hold){ .name = "" };
	for (size_t i = 0; i < names->len; i++) {
		struct config_hold h;

		if (!config_hold(config, names->items[i], &h, err))
			return false;
		if (!applies(&h, q))
			continue;
		if (h.rows)
			strvec_push(ret_conditions, h.rows);
		else if (!ret_all->name[0])
			*ret_all = h;
	}
	return true;
}

static bool warn(const struct config *config, const struct hold_query *q, struct log *log, struct error *err)
{
	const struct strvec *names = &config->names[CONFIG_HOLD];

	for (size_t i = 0; i < names->len; i++) {
		struct config_hold h;

		if (!config_hold(config, names->items[i], &h, err))
			return false;
		if (q->now < h.until_us && (!h.database || strcmp(h.database, q->database) == 0) && !applies(&h, q))
			log_warning(log, "hold.unmatched", "hold '%s' fits no table of database '%s': there is none that is called '%s'", h.name, q->database,
				h.table);
	}
	return true;
}

bool hold_warn_of_unmatched(struct pg_conn *c, const struct config *config, struct log *log, struct error *err)
{
	struct hold_query q = { .database = c->database, .now = clock_now_us() };
	_cleanup_result_ PGresult *r = NULL;
	bool ok;

	if (!config->names[CONFIG_HOLD].len)
		return true;
	r = pg_query(c, err,
		"SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_'", 0, NULL);
	for (int i = 0; r && i < PQntuples(r); i++)
		add_forms(&q, pg_value(r, i, 0), pg_value(r, i, 1));
	ok = r && warn(config, &q, log, err);
	strvec_release(&q.names);
	return ok;
}

bool hold_refuse(const struct config_hold *h, const char *table, struct error *err)
{
	error_set(err, EXIT_REFUSED, "'%s' is held: nothing of it is removed", table);
	error_detail(err, "Hold '%s': %s%s%s.", h->name, h->reason, h->until ? ", until " : "", h->until ? h->until : "");
	return error_hint(err, "Holds stand in the configuration under 'holds'.");
}
