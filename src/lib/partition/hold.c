/* SPDX-License-Identifier: PostgreSQL */
#include "hold.h"

#include <fnmatch.h>
#include <inttypes.h>

bool hold_names(struct pg_conn *c, uint32_t oid, struct hold_query *q, struct error *err)
{
	autofree char *value = xasprintf("%" PRIu32, oid);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"WITH RECURSIVE up AS (SELECT $1::oid AS oid UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid)"
		"SELECT n.nspname, c.relname FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
		1, (const char *[]){ value });

	for (int i = 0; r && i < PQntuples(r); i++) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		pg_add_display_name(&name, pg_value(r, i, 0), pg_value(r, i, 1));
		strvec_push(&q->names, name.buf);
	}
	return r != NULL;
}

static bool applies(const struct config_hold *h, const struct hold_query *q)
{
	if (q->now >= h->until_us)
		return false;
	for (size_t i = 0; i < q->names.len; i++)
		if (fnmatch(h->table, q->names.items[i], 0) == 0)
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
		if (!applies(&h, q))
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

bool hold_refuse(const struct config_hold *h, const char *table, struct error *err)
{
	error_set(err, EXIT_REFUSED, "'%s' is held: nothing of it is removed", table);
	error_detail(err, "Hold '%s': %s%s%s.", h->name, h->reason, h->until ? ", until " : "", h->until ? h->until : "");
	return error_hint(err, "Holds stand in the configuration under 'holds'.");
}
