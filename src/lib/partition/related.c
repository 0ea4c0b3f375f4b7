/* SPDX-License-Identifier: PostgreSQL */
#include "related.h"

#include <inttypes.h>

void related_tables_release(struct related_tables *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->items[i].name);
	vec_release(v);
}

bool related_tables_load(struct pg_conn *c, uint32_t parent, struct related_tables *ret, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, parent);
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT c.oid, n.nspname, c.relname, pg_catalog.bool_or(f.confrelid = $1::oid) FROM pg_catalog.pg_constraint f"
		" JOIN pg_catalog.pg_class c ON c.oid = CASE WHEN f.conrelid = $1::oid THEN f.confrelid ELSE f.conrelid END"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE f.contype = 'f' AND $1::oid IN (f.conrelid, f.confrelid) AND c.oid <> $1::oid GROUP BY 1, 2, 3 ORDER BY n.nspname, c.relname",
		1, (const char *[]){ oid });

	for (int i = 0; r && i < PQntuples(r); i++) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		pg_add_display_name(&name, pg_value(r, i, 1), pg_value(r, i, 2));
		*vec_push(ret) = (struct related_table){ (uint32_t)pg_int(r, i, 0), strbuf_detach(&name), pg_bool(r, i, 3) };
	}
	return r != NULL;
}

void related_tables_lock(const struct related_tables *v, bool detach, struct plan_statement *s)
{
	for (size_t i = 0; i < v->len; i++)
		plan_lock(s, detach && v->items[i].refers ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_ROW_EXCLUSIVE, v->items[i].oid, v->items[i].name);
}
