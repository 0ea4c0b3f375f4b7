/* SPDX-License-Identifier: PostgreSQL */
/* What a conversion cannot carry over, told before anything is done. */
#include "convert.h"

#include "sql.h"

/* Each row is one obstacle in words. Names of objects are written by ::regclass and its kin, which quote them. */
static const char blockers_sql[] =
	"SELECT 'it is a partition or inherits from another table' FROM pg_catalog.pg_inherits i WHERE i.inhrelid = $1::oid\n"
	"UNION ALL SELECT DISTINCT 'other tables inherit from it' FROM pg_catalog.pg_inherits i WHERE i.inhparent = $1::oid\n"
	"UNION ALL SELECT CASE c.relpersistence WHEN 'u' THEN 'it is unlogged, which a partitioned table cannot be: ALTER TABLE ' || c.oid::regclass"
	" || ' SET LOGGED' ELSE 'it is temporary' END FROM pg_catalog.pg_class c WHERE c.oid = $1::oid AND c.relpersistence <> 'p'\n"
	"UNION ALL SELECT 'extension ' || pg_catalog.quote_ident(e.extname) || ' owns it' FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
	" WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = $1::oid AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'\n"
	/* keys */
	"UNION ALL SELECT 'foreign key ' || pg_catalog.quote_ident(k.conname) || ' of ' || k.conrelid::regclass || ' refers to it, and would go on referring to"
	" the first partition only: ALTER TABLE ' || k.conrelid::regclass || ' DROP CONSTRAINT ' || pg_catalog.quote_ident(k.conname)"
	" FROM pg_catalog.pg_constraint k WHERE k.confrelid = $1::oid AND k.contype = 'f' AND k.conparentid = 0\n"
	"UNION ALL SELECT 'constraint ' || pg_catalog.quote_ident(k.conname) || ' is not validated: ALTER TABLE ' || k.conrelid::regclass || ' VALIDATE CONSTRAINT '"
	" || pg_catalog.quote_ident(k.conname) FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1::oid AND NOT k.convalidated AND k.conname <> '" CONVERT_CONSTRAINT "'\n"
	"UNION ALL SELECT 'constraint ' || pg_catalog.quote_ident(k.conname) || ' is NO INHERIT, so it cannot hold for partitions' FROM pg_catalog.pg_constraint k"
	" WHERE k.conrelid = $1::oid AND k.connoinherit AND k.contype IN ('c', 'n')\n"
	"UNION ALL SELECT 'exclusion constraint ' || pg_catalog.quote_ident(k.conname) || ' cannot be carried over' FROM pg_catalog.pg_constraint k"
	" WHERE k.conrelid = $1::oid AND k.contype = 'x'\n"
	"UNION ALL SELECT 'index ' || x.indexrelid::regclass || ' is not valid: REINDEX INDEX CONCURRENTLY ' || x.indexrelid::regclass"
	" FROM pg_catalog.pg_index x WHERE x.indrelid = $1::oid AND NOT x.indisvalid AND x.indexrelid::regclass::text !~ 'dbops_convert_[0-9]+\"?$'\n"
	/* what depends on the table as such would stay with the first partition */
	"UNION ALL SELECT DISTINCT CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'a rule of ' END || c.oid::regclass || ' reads it and would read the first partition only'"
	" FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid JOIN pg_catalog.pg_class c ON c.oid = w.ev_class"
	" WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid AND c.relkind <> 'v'\n"
	"UNION ALL SELECT DISTINCT 'policy ' || pg_catalog.quote_ident(y.polname) || ' of ' || y.polrelid::regclass || ' reads it and would read the first partition only'"
	" FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy y ON y.oid = d.objid"
	" WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid AND y.polrelid <> $1::oid\n"
	"UNION ALL SELECT DISTINCT CASE d.classid WHEN 'pg_catalog.pg_proc'::regclass THEN 'function ' || d.objid::regprocedure WHEN 'pg_catalog.pg_class'::regclass"
	" THEN 'table ' || d.objid::regclass ELSE 'an object' END || ' uses its row type' FROM pg_catalog.pg_type t"
	" JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND (d.refobjid = t.oid OR d.refobjid = t.typarray)"
	" WHERE t.typrelid = $1::oid AND d.deptype = 'n'\n"
	"UNION ALL SELECT 'trigger ' || pg_catalog.quote_ident(g.tgname) || ' has a transition table, which row triggers of partitioned tables cannot have'"
	" FROM pg_catalog.pg_trigger g WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal AND g.tgtype & 1 = 1 AND (g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL)\n"
	"UNION ALL SELECT 'publication ' || pg_catalog.quote_ident(b.pubname) || ' has a row filter or a column list for it' FROM pg_catalog.pg_publication_rel r -- @>=15\n"
	" JOIN pg_catalog.pg_publication b ON b.oid = r.prpubid WHERE r.prrelid = $1::oid AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL) -- @>=15\n";

/* Unique indexes without the partition key: $2 is its number. Those of constraints can be extended. */
static const char unique_sql[] =
	"SELECT pg_catalog.quote_ident(i.relname), k.contype IS NOT NULL AND x.indnatts = x.indnkeyatts\n"
	" AND NOT x.indnullsnotdistinct -- @>=15\n"
	" FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"
	" LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u') AND NOT k.condeferrable"
	" WHERE x.indrelid = $1::oid AND x.indisunique AND NOT x.indkey::int2[] @> ARRAY[$2::int2] AND i.relname !~ '^dbops_convert_[0-9]+$'"
	" ORDER BY i.relname";

PGresult *convert_query(const struct convert *v, const char *sql, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	autofree char *number = xasprintf("%d", v->key_number);
	bool uses_number = strstr(sql, "$2") != NULL;

	sql_add(&text, sql, v->conn->version);
	return pg_query(v->conn, err, text.buf, uses_number ? 2 : 1, (const char *[]){ v->oid_text, number });
}

static bool find_unique(const struct convert *v, struct strbuf *out, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v, unique_sql, err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		if (!pg_bool(r, i, 1))
			strbuf_addf(out, "unique index %s lacks %s, and uniqueness across partitions needs it there: replace it by hand\n", pg_value(r, i, 0), v->key_sql);
		else if (!v->request->extend_keys)
			strbuf_addf(out, "unique key %s lacks %s, and uniqueness across partitions needs it there: --extend-keys adds it\n", pg_value(r, i, 0), v->key_sql);
	}
	return r != NULL;
}

bool convert_find_blockers(const struct convert *v, struct strbuf *out, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v, blockers_sql, err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		plan_add_one_line(out, pg_value(r, i, 0));
		strbuf_addch(out, '\n');
	}
	return r && find_unique(v, out, err);
}
