/* SPDX-License-Identifier: PostgreSQL */
/* The transaction in which the table becomes the first partition of a new one that has its name and all that belongs to it. */
#include "convert.h"

#include "properties.h"

static char *ident(const char *name)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	pg_add_ident(&sb, name);
	return strbuf_detach(&sb);
}

static char *literal(const char *text)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	pg_add_literal(&sb, text);
	return strbuf_detach(&sb);
}

/* --- before the names change ----------------------------------------------------------------------------------- */

static void add_lock(const struct convert *v, struct plan_step *step)
{
	plan_lock(plan_add(step, "from here on others wait, until the end of this transaction", "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", v->table_sql),
		LOCK_ACCESS_EXCLUSIVE, v->oid, v->display);
}

/* Triggers of the partitioned table come to its partitions by themselves, under the same name. */
static bool drop_triggers(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT g.tgname FROM pg_catalog.pg_trigger g WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal ORDER BY g.tgname", err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		autofree char *name = ident(pg_value(r, i, 0));

		plan_add(step, "it comes back as a trigger of the partitioned table", "DROP TRIGGER %s ON %s", name, v->table_sql);
	}
	return r != NULL;
}

static void add_rename(const struct convert *v, struct plan_step *step)
{
	autofree char *partition = ident(v->partition);

	plan_add(step, "the table is to be the first partition", "ALTER TABLE %s RENAME TO %s", v->table_sql, partition);
}

/* --- the new table ----------------------------------------------------------------------------------------------- */

static void add_table(const struct convert *v, const struct properties *p, struct plan_step *step)
{
	autofree char *by = xasprintf("RANGE (%s)", v->key_sql);

	plan_add_take(step, "everything that LIKE can copy", properties_create_sql(p, v->table_sql, v->partition_sql, by));
	plan_add(step, "that held for the old rows only", "ALTER TABLE %s DROP CONSTRAINT " CONVERT_CONSTRAINT, v->table_sql);
}

/* The new table counts on where the old one stopped. */
static bool add_identities(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT a.attname, a.attidentity, n.nspname, s.relname, q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache, q.seqcycle"
		" FROM pg_catalog.pg_attribute a"
		" JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
		" AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'i'"
		" JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace"
		" JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid WHERE a.attrelid = $1::oid AND a.attidentity <> '' ORDER BY a.attnum", err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		autofree char *column = ident(pg_value(r, i, 0)), *column_text = literal(pg_value(r, i, 0)), *table_text = literal(v->table_sql);
		_cleanup_strbuf_ struct strbuf sequence = STRBUF_INIT;

		pg_add_qualified(&sequence, pg_value(r, i, 2), pg_value(r, i, 3));
		plan_add(step, "identity is not copied by LIKE",
			"ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s %sCYCLE)", v->table_sql,
			column, pg_value(r, i, 1)[0] == 'a' ? "ALWAYS" : "BY DEFAULT", pg_value(r, i, 4), pg_value(r, i, 5), pg_value(r, i, 6), pg_value(r, i, 7),
			pg_value(r, i, 8), pg_bool(r, i, 9) ? "" : "NO ");
		plan_add(step, "it goes on where the old one stopped",
			"SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%s, %s), s.last_value, s.is_called) FROM %s s", table_text, column_text, sequence.buf);
		plan_add(step, "one sequence for all partitions", "ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY", v->partition_sql, column);
	}
	return r != NULL;
}

/* So that dropping the first partition, years later, does not drop what the defaults of all need. */
static bool add_sequences(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT n.nspname, s.relname, a.attname FROM pg_catalog.pg_depend d"
		" JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace"
		" JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
		" WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid AND d.deptype = 'a'"
		" ORDER BY a.attnum, s.relname", err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		_cleanup_strbuf_ struct strbuf sequence = STRBUF_INIT;
		autofree char *column = ident(pg_value(r, i, 2));

		pg_add_qualified(&sequence, pg_value(r, i, 0), pg_value(r, i, 1));
		plan_add(step, "it must outlive the first partition", "ALTER SEQUENCE %s OWNED BY %s.%s", sequence.buf, v->table_sql, column);
	}
	return r != NULL;
}

static bool add_foreign_keys(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT k.conname, pg_catalog.pg_get_constraintdef(k.oid), k.confrelid, n.nspname, c.relname FROM pg_catalog.pg_constraint k"
		" JOIN pg_catalog.pg_class c ON c.oid = k.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" WHERE k.conrelid = $1::oid AND k.contype = 'f' ORDER BY k.conname", err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		autofree char *name = ident(pg_value(r, i, 0));
		_cleanup_strbuf_ struct strbuf table = STRBUF_INIT;

		pg_add_display_name(&table, pg_value(r, i, 3), pg_value(r, i, 4));
		plan_lock(plan_add(step, "the first partition has it already, so no row is checked again", "ALTER TABLE %s ADD CONSTRAINT %s %s", v->table_sql, name,
				  pg_value(r, i, 1)),
			LOCK_SHARE_ROW_EXCLUSIVE, (uint32_t)pg_int(r, i, 2), table.buf);
	}
	return r != NULL;
}

static bool add_comment(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v, "SELECT pg_catalog.obj_description($1::oid, 'pg_class')", err);

	if (r && !pg_is_null(r, 0, 0)) {
		autofree char *text = literal(pg_value(r, 0, 0));

		plan_add(step, "LIKE copies comments of columns only", "COMMENT ON TABLE %s IS %s", v->table_sql, text);
	}
	return r != NULL;
}

static const char *trigger_state(char state)
{
	return state == 'D' ? "DISABLE" : state == 'A' ? "ENABLE ALWAYS" : "ENABLE REPLICA";
}

static bool add_triggers(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled, g.tgname FROM pg_catalog.pg_trigger g WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal"
		" ORDER BY g.tgname", err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		char state = pg_value(r, i, 1)[0];
		autofree char *name = ident(pg_value(r, i, 2));

		plan_add(step, "as it was", "%s", pg_value(r, i, 0));
		if (state != 'O')
			plan_add(step, "as it was", "ALTER TABLE %s %s TRIGGER %s", v->table_sql, trigger_state(state), name);
	}
	return r != NULL;
}

/* --- the two become one ------------------------------------------------------------------------------------------ */

static void add_attach(const struct convert *v, struct plan_step *step)
{
	autofree char *bound = literal(v->bound);

	plan_add(step, "the server says at this level that it need not read the table", "SET LOCAL client_min_messages = debug1");
	plan_add(step, "the CHECK proves every row, so none is read", "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (MINVALUE) TO (%s)", v->table_sql,
		v->partition_sql, bound);
	plan_add(step, "enough said", "SET LOCAL client_min_messages = warning");
	plan_add(step, "the bounds say the same now", "ALTER TABLE %s DROP CONSTRAINT " CONVERT_CONSTRAINT, v->partition_sql);
}

/* ON CONFLICT ON CONSTRAINT and other users of the names mean the whole table. */
static void add_index_names(const struct convert *v, struct plan_step *step)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT, sql = STRBUF_INIT;
	autofree char *parent = literal(v->table_sql), *child = literal(v->partition_sql);

	strbuf_addf(&body,
		"DECLARE r record; BEGIN FOR r IN SELECT n.nspname, p.relname AS parent, c.relname AS child FROM pg_catalog.pg_inherits h"
		" JOIN pg_catalog.pg_index x ON x.indexrelid = h.inhparent JOIN pg_catalog.pg_index y ON y.indexrelid = h.inhrelid"
		" JOIN pg_catalog.pg_class p ON p.oid = h.inhparent JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid"
		" JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace"
		" WHERE x.indrelid = %s::pg_catalog.regclass AND y.indrelid = %s::pg_catalog.regclass LOOP"
		" EXECUTE pg_catalog.format('ALTER INDEX %%I.%%I RENAME TO dbops_convert_name', r.nspname, r.parent);"
		" EXECUTE pg_catalog.format('ALTER INDEX %%I.%%I RENAME TO %%I', r.nspname, r.child, r.parent);"
		" EXECUTE pg_catalog.format('ALTER INDEX %%I.dbops_convert_name RENAME TO %%I', r.nspname, r.child); END LOOP; END",
		parent, child);
	strbuf_adds(&sql, "DO ");
	pg_add_literal(&sql, body.buf);
	plan_add_take(step, "the partitioned table's indexes get the names that are known", strbuf_detach(&sql));
}

static bool add_replica_identity(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT i.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_class c ON c.oid = x.indrelid"
		" WHERE x.indrelid = $1::oid AND x.indisreplident AND c.relreplident = 'i'", err);

	if (r && PQntuples(r)) {
		autofree char *index = ident(pg_value(r, 0, 0));

		plan_add(step, "as it was", "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s", v->table_sql, index);
	}
	return r != NULL;
}

static bool add_publications(const struct convert *v, struct partition_plan *plan, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT b.pubname, b.pubviaroot FROM pg_catalog.pg_publication_rel p JOIN pg_catalog.pg_publication b ON b.oid = p.prpubid WHERE p.prrelid = $1::oid"
		" ORDER BY b.pubname", err);

	for (int i = 0; r && i < PQntuples(r); i++) {
		autofree char *name = ident(pg_value(r, i, 0));

		plan_add(step, "the partitions come with it", "ALTER PUBLICATION %s ADD TABLE %s", name, v->table_sql);
		plan_add(step, "it comes with the partitioned table", "ALTER PUBLICATION %s DROP TABLE %s", name, v->partition_sql);
		strvec_pushf(&plan->notes, "publication %s: the subscribers need ALTER SUBSCRIPTION … REFRESH PUBLICATION afterwards%s", pg_value(r, i, 0),
			pg_bool(r, i, 1) ? "" : "; without publish_via_partition_root they need a table for each partition");
	}
	return r != NULL;
}

/* Views and functions with a parsed body know the table by its OID, and would stay with the first partition. */
static bool add_dependents(const struct convert *v, struct plan_step *step, struct error *err)
{
	_cleanup_result_ PGresult *r = convert_query(v,
		"SELECT 'CREATE OR REPLACE VIEW ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)"
		" || coalesce(' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')', '') || ' AS ' || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';')"
		" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND c.oid IN (SELECT w.ev_class"
		" FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass"
		" AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid)\n"
		"UNION ALL SELECT pg_catalog.pg_get_functiondef(f.oid) FROM pg_catalog.pg_proc f WHERE f.prosqlbody IS NOT NULL AND f.oid IN (SELECT d.objid -- @>=14\n"
		" FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass -- @>=14\n"
		" AND d.refobjid = $1::oid) -- @>=14\n", err);

	for (int i = 0; r && i < PQntuples(r); i++)
		plan_add(step, "it is to read the whole table", "%s", pg_value(r, i, 0));
	return r != NULL;
}

/* The first half; the order within it is that of what needs what. */
static bool add_new_table(const struct convert *v, const struct properties *p, struct plan_step *step, struct error *err)
{
	add_lock(v, step);
	if (!drop_triggers(v, step, err) || !convert_swap_keys(v, step, err))
		return false;
	add_rename(v, step);
	add_table(v, p, step);
	if (!add_identities(v, step, err) || !add_foreign_keys(v, step, err) || !add_comment(v, step, err))
		return false;
	properties_add(p, step, v->table_sql, false);
	return add_sequences(v, step, err); /* a sequence has the owner of its table */
}

bool convert_add_swap(const struct convert *v, struct partition_plan *plan, struct error *err)
{
	_cleanup_properties_ struct properties p = { 0 };
	struct plan_step *step = plan_add_step(plan, STEP_TRANSACTION, "make %s a partitioned table with %s as its first partition", v->display, v->partition);

	step->proof_table = xstrdup(v->partition);
	step->detail = xasprintf("FROM (MINVALUE) TO ('%s')", v->bound);
	if (!properties_load(v->conn, v->oid, 0, &p, err) || !add_new_table(v, &p, step, err))
		return false;
	add_attach(v, step);
	add_index_names(v, step);
	return add_triggers(v, step, err) && add_replica_identity(v, step, err) && add_publications(v, plan, step, err) && add_dependents(v, step, err);
}
