/* SPDX-License-Identifier: PostgreSQL */
#include "properties.h"

#include <ctype.h>
#include <inttypes.h>

static char *value_or_null(const PGresult *r, int row, int col)
{
	return PQgetisnull(r, row, col) ? NULL : xstrdup(pg_value(r, row, col));
}

/* --- reading ----------------------------------------------------------------------------------------------- */

static bool load_table(struct pg_conn *c, const char *oid, struct properties *p, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT pg_catalog.pg_get_userbyid(c.relowner), current_user, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,"
		" (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident LIMIT 1),"
		" (SELECT t.spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = c.reltablespace), pg_catalog.quote_ident(c.relname)"
		" FROM pg_catalog.pg_class c WHERE c.oid = $1::oid",
		1, &oid);

	if (!r)
		return false;
	if (!PQntuples(r))
		return error_set(err, EXIT_NOT_FOUND, "the table was dropped in the meantime");
	p->name = xstrdup(pg_value(r, 0, 7));
	p->owner = xstrdup(pg_value(r, 0, 0));
	p->current_user = xstrdup(pg_value(r, 0, 1));
	p->row_security = pg_bool(r, 0, 2);
	p->force_row_security = pg_bool(r, 0, 3);
	p->replica_identity = pg_value(r, 0, 4)[0];
	p->identity_index = (uint32_t)pg_int(r, 0, 5);
	p->tablespace = value_or_null(r, 0, 6);
	return true;
}

static bool load_sibling(struct pg_conn *c, const char *oid, struct properties *p, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT c.relpersistence = 'u', (SELECT t.spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = c.reltablespace),"
		" (SELECT a.amname FROM pg_catalog.pg_am a WHERE a.oid = c.relam AND a.amname <> pg_catalog.current_setting('default_table_access_method')),"
		" o.option FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid"
		" LEFT JOIN LATERAL (SELECT pg_catalog.unnest(c.reloptions) AS option UNION ALL"
		" SELECT 'toast.' || pg_catalog.unnest(t.reloptions)) o ON true WHERE c.oid = $1::oid AND c.relkind = 'r' ORDER BY o.option",
		1, &oid);

	if (!r)
		return false;
	for (int i = 0; i < PQntuples(r); i++) {
		if (!i) {
			p->unlogged = pg_bool(r, i, 0);
			if (!p->tablespace)
				p->tablespace = value_or_null(r, i, 1);
			p->access_method = value_or_null(r, i, 2);
		}
		if (!PQgetisnull(r, i, 3))
			strvec_push(&p->options, pg_value(r, i, 3));
	}
	return true;
}

/* Owner's own privileges come with ownership. */
static bool load_grants(struct pg_conn *c, const char *oid, struct properties *p, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END, a.is_grantable, x.attname,"
		" pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)"
		" FROM (SELECT c.relowner, c.relacl AS acl, NULL::name AS attname FROM pg_catalog.pg_class c WHERE c.oid = $1::oid"
		" UNION ALL SELECT c.relowner, t.attacl, t.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid"
		" WHERE c.oid = $1::oid AND t.attacl IS NOT NULL AND NOT t.attisdropped) x"
		" CROSS JOIN LATERAL pg_catalog.aclexplode(x.acl) a WHERE a.grantee <> x.relowner GROUP BY 1, 2, 3 ORDER BY 3 NULLS FIRST, 1 NULLS FIRST, 2",
		1, &oid);

	for (int i = 0; r && i < PQntuples(r); i++)
		*vec_push(&p->grants) = (struct grant){
			.grantee = value_or_null(r, i, 0),
			.grantable = pg_bool(r, i, 1),
			.column = value_or_null(r, i, 2),
			.privileges = xstrdup(pg_value(r, i, 3)),
		};
	return r != NULL;
}

static bool load_default_grantees(struct pg_conn *c, struct properties *p, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT DISTINCT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) ELSE '' END FROM pg_catalog.pg_default_acl d"
		" CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a WHERE d.defaclobjtype = 'r' AND a.grantee <> d.defaclrole"
		" AND d.defaclrole = (SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolname = current_user) ORDER BY 1",
		0, NULL);

	for (int i = 0; r && i < PQntuples(r); i++)
		strvec_push(&p->default_grantees, pg_value(r, i, 0));
	return r != NULL;
}

static bool load_policies(struct pg_conn *c, const char *oid, struct properties *p, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT p.polname, p.polpermissive, CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'"
		" WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),"
		" CASE WHEN r.oid <> 0 THEN pg_catalog.pg_get_userbyid(r.oid) ELSE '' END"
		" FROM pg_catalog.pg_policy p CROSS JOIN LATERAL pg_catalog.unnest(p.polroles) AS r (oid) WHERE p.polrelid = $1::oid ORDER BY 1, 6",
		1, &oid);
	struct policy *last = NULL;

	for (int i = 0; r && i < PQntuples(r); i++) {
		if (!last || strcmp(last->name, pg_value(r, i, 0)) != 0) {
			last = vec_push(&p->policies);
			last->name = xstrdup(pg_value(r, i, 0));
			last->permissive = pg_bool(r, i, 1);
			last->command = xstrdup(pg_value(r, i, 2));
			last->using_sql = value_or_null(r, i, 3);
			last->check_sql = value_or_null(r, i, 4);
		}
		strvec_push(&last->roles, pg_value(r, i, 5));
	}
	return r != NULL;
}

static bool load_columns(struct pg_conn *c, const char *oid, struct properties *p, struct error *err)
{
	/* -1 (NULL since 17) is the default; options are ours to join: their values are numbers */
	_cleanup_result_ PGresult *r = pg_query(c, err,
		"SELECT a.attname, CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END, pg_catalog.array_to_string(a.attoptions, ', ')"
		" FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
		" AND (a.attstattarget >= 0 OR a.attoptions IS NOT NULL) ORDER BY a.attnum",
		1, &oid);

	for (int i = 0; r && i < PQntuples(r); i++)
		*vec_push(&p->columns) = (struct column_setting){
			.name = xstrdup(pg_value(r, i, 0)),
			.statistics = value_or_null(r, i, 1),
			.options = value_or_null(r, i, 2),
		};
	return r != NULL;
}

bool properties_load(struct pg_conn *c, uint32_t parent, uint32_t sibling, struct properties *ret, struct error *err)
{
	autofree char *oid = xasprintf("%" PRIu32, parent), *other = xasprintf("%" PRIu32, sibling);

	return load_table(c, oid, ret, err) && (!sibling || load_sibling(c, other, ret, err)) && load_grants(c, oid, ret, err) &&
	       load_default_grantees(c, ret, err) && load_policies(c, oid, ret, err) && load_columns(c, oid, ret, err);
}

void properties_release(struct properties *p)
{
	for (size_t i = 0; i < p->grants.len; i++) {
		free(p->grants.items[i].grantee);
		free(p->grants.items[i].privileges);
		free(p->grants.items[i].column);
	}
	for (size_t i = 0; i < p->policies.len; i++) {
		struct policy *q = &p->policies.items[i];

		free(q->name);
		free(q->command);
		free(q->using_sql);
		free(q->check_sql);
		strvec_release(&q->roles);
	}
	for (size_t i = 0; i < p->columns.len; i++) {
		free(p->columns.items[i].name);
		free(p->columns.items[i].statistics);
		free(p->columns.items[i].options);
	}
	vec_release(&p->grants);
	vec_release(&p->policies);
	vec_release(&p->columns);
	strvec_release(&p->default_grantees);
	strvec_release(&p->options);
	free(p->name);
	free(p->owner);
	free(p->current_user);
	free(p->tablespace);
	free(p->access_method);
}

/* --- writing ----------------------------------------------------------------------------------------------- */

char *properties_create_sql(const struct properties *p, const char *table_sql, const char *parent_sql, const char *partition_by)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_addf(&sql, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)", p->unlogged && !partition_by ? "UNLOGGED " : "",
		table_sql, parent_sql);
	if (partition_by)
		strbuf_addf(&sql, " PARTITION BY %s", partition_by);
	if (p->access_method && !partition_by) {
		strbuf_adds(&sql, " USING ");
		pg_add_ident(&sql, p->access_method);
	}
	if (p->tablespace) {
		strbuf_adds(&sql, " TABLESPACE ");
		pg_add_ident(&sql, p->tablespace);
	}
	return strbuf_detach(&sql);
}

static void add_role(struct strbuf *sql, const char *role)
{
	if (role && role[0])
		pg_add_ident(sql, role);
	else
		strbuf_adds(sql, "PUBLIC");
}

static void add_grants(const struct properties *p, struct plan_step *step, const char *table_sql)
{
	for (size_t i = 0; i < p->default_grantees.len; i++) {
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

		strbuf_addf(&sql, "REVOKE ALL ON TABLE %s FROM ", table_sql);
		add_role(&sql, p->default_grantees.items[i]);
		plan_add_take(step, "default privileges are not the parent's", strbuf_detach(&sql));
	}
	for (size_t i = 0; i < p->grants.len; i++) {
		const struct grant *g = &p->grants.items[i];
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

		strbuf_adds(&sql, "GRANT ");
		if (g->column) {
			/* "SELECT, UPDATE" of one column: each privilege has its own list */
			for (const char *at = g->privileges; *at; at += strspn(at, ", ")) {
				int n = (int)strcspn(at, ",");

				strbuf_addf(&sql, "%s%.*s (", at == g->privileges ? "" : ", ", n, at);
				pg_add_ident(&sql, g->column);
				strbuf_addch(&sql, ')');
				at += n;
			}
		} else {
			strbuf_adds(&sql, g->privileges);
		}
		strbuf_addf(&sql, " ON TABLE %s TO ", table_sql);
		add_role(&sql, g->grantee);
		strbuf_adds(&sql, g->grantable ? " WITH GRANT OPTION" : "");
		plan_add_take(step, "grants as the parent has them", strbuf_detach(&sql));
	}
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

/* Adds an expression of the parent to hold for table_sql. Within a subquery it names columns by the parent ("t.customer"), quoted if the
 * name needs it; strings and longer names that end alike are left alone. */
static void add_expression(struct strbuf *sql, const char *expression, const char *parent, const char *table_sql)
{
	size_t len = strlen(parent);
	bool in_string = false;

	for (const char *s = expression; *s; s++) {
		char before = s > expression ? s[-1] : ' ';

		in_string ^= *s == '\'';
		if (!in_string && strncmp(s, parent, len) == 0 && s[len] == '.' && !is_word(before) && before != '.' && before != '"') {
			strbuf_adds(sql, table_sql);
			s += len - 1;
		} else {
			strbuf_addch(sql, *s);
		}
	}
}

static char *policy_sql(const struct properties *p, const struct policy *q, const char *table_sql)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "CREATE POLICY ");
	pg_add_ident(&sql, q->name);
	strbuf_addf(&sql, " ON %s AS %s FOR %s TO ", table_sql, q->permissive ? "PERMISSIVE" : "RESTRICTIVE", q->command);
	for (size_t i = 0; i < q->roles.len; i++) {
		strbuf_adds(&sql, i ? ", " : "");
		add_role(&sql, q->roles.items[i]);
	}
	if (q->using_sql) {
		strbuf_adds(&sql, " USING (");
		add_expression(&sql, q->using_sql, p->name, table_sql);
		strbuf_addch(&sql, ')');
	}
	if (q->check_sql) {
		strbuf_adds(&sql, " WITH CHECK (");
		add_expression(&sql, q->check_sql, p->name, table_sql);
		strbuf_addch(&sql, ')');
	}
	return strbuf_detach(&sql);
}

static void add_row_security(const struct properties *p, struct plan_step *step, const char *table_sql)
{
	for (size_t i = 0; i < p->policies.len; i++)
		plan_add_take(step, "the parent's policies do not hold for who reads the partition itself", policy_sql(p, &p->policies.items[i], table_sql));
	if (p->row_security)
		plan_add(step, "row-level security as the parent has it", "ALTER TABLE %s ENABLE ROW LEVEL SECURITY", table_sql);
	if (p->force_row_security)
		plan_add(step, "row-level security as the parent has it", "ALTER TABLE %s FORCE ROW LEVEL SECURITY", table_sql);
}

static void add_columns(const struct properties *p, struct plan_step *step, const char *table_sql)
{
	for (size_t i = 0; i < p->columns.len; i++) {
		const struct column_setting *k = &p->columns.items[i];
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

		pg_add_ident(&name, k->name);
		if (k->statistics)
			plan_add(step, "statistics target of the parent's column", "ALTER TABLE %s ALTER COLUMN %s SET STATISTICS %s", table_sql,
				name.buf, k->statistics);
		if (k->options && k->options[0])
			plan_add(step, "options of the parent's column", "ALTER TABLE %s ALTER COLUMN %s SET (%s)", table_sql, name.buf, k->options);
	}
}

/* "fillfactor=70" -> fillfactor = '70'; the name is a plain word, with a dot for TOAST. */
static void add_options(const struct properties *p, struct plan_step *step, const char *table_sql)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	if (!p->options.len)
		return;
	strbuf_addf(&sql, "ALTER TABLE %s SET (", table_sql);
	for (size_t i = 0; i < p->options.len; i++) {
		const char *option = p->options.items[i], *equals = strchr(option, '=');

		strbuf_adds(&sql, i ? ", " : "");
		strbuf_add(&sql, option, equals ? (size_t)(equals - option) : strlen(option));
		if (equals) {
			strbuf_adds(&sql, " = ");
			pg_add_literal(&sql, equals + 1);
		}
	}
	strbuf_addch(&sql, ')');
	plan_add_take(step, "storage options as the newest partition has them", strbuf_detach(&sql));
}

void properties_add(const struct properties *p, struct plan_step *step, const char *table_sql, bool leaf)
{
	add_columns(p, step, table_sql);
	if (leaf)
		add_options(p, step, table_sql);
	if (p->replica_identity == 'f' || p->replica_identity == 'n')
		plan_add(step, "replica identity as the parent has it", "ALTER TABLE %s REPLICA IDENTITY %s", table_sql,
			p->replica_identity == 'f' ? "FULL" : "NOTHING");
	add_row_security(p, step, table_sql);
	add_grants(p, step, table_sql);
	/* last of all: afterwards the rest may need rights that only the owner has */
	if (strcmp(p->owner, p->current_user) != 0) {
		_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

		strbuf_addf(&sql, "ALTER TABLE %s OWNER TO ", table_sql);
		pg_add_ident(&sql, p->owner);
		plan_add_take(step, "the parent's owner", strbuf_detach(&sql));
	}
}

void properties_add_identity(const struct properties *p, struct plan_step *step, const char *table_sql)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT, sql = STRBUF_INIT, table = STRBUF_INIT;

	if (p->replica_identity != 'i' || !p->identity_index)
		return;
	pg_add_literal(&table, table_sql);
	/* the name of the partition's index is the server's choice */
	strbuf_addf(&body,
		"DECLARE name name; BEGIN SELECT c.relname INTO STRICT name FROM pg_catalog.pg_inherits h"
		" JOIN pg_catalog.pg_index i ON i.indexrelid = h.inhrelid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
		" WHERE h.inhparent = %" PRIu32 " AND i.indrelid = %s::pg_catalog.regclass;"
		" EXECUTE pg_catalog.format('ALTER TABLE %%s REPLICA IDENTITY USING INDEX %%I', %s, name); END",
		p->identity_index, table.buf, table.buf);
	strbuf_adds(&sql, "DO ");
	pg_add_literal(&sql, body.buf);
	plan_add_take(step, "replica identity by the index that belongs to the parent's", strbuf_detach(&sql));
}
