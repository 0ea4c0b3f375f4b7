/* SPDX-License-Identifier: PostgreSQL */
/* The rows of sql/partition_parity.sql as findings: what each kind of difference means, and the SQL that ends it. */
#include "parity.h"

#define VALUES 8

struct difference {
	const struct check *check;
	const struct partition *p;
	const char *v[VALUES]; /* NULL = SQL NULL */
};

static bool is_true(const char *s)
{
	return s && s[0] == 't';
}

/* --- privileges ---------------------------------------------------------------------------------------------- */

static void add_role(struct strbuf *sql, const char *role)
{
	if (role)
		pg_add_ident(sql, role);
	else
		strbuf_adds(sql, "PUBLIC");
}

static char *grant_sql(const struct difference *d, bool grant)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_addf(&sql, "%s %s ON TABLE ", grant ? "GRANT" : "REVOKE", d->v[1]);
	parity_add_table(&sql, d->p);
	strbuf_adds(&sql, grant ? " TO " : " FROM ");
	add_role(&sql, d->v[0]);
	strbuf_adds(&sql, grant && is_true(d->v[2]) ? " WITH GRANT OPTION;" : ";");
	return strbuf_detach(&sql);
}

static void grant_missing(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.grant_missing", SEVERITY_INFO, d->p,
		xasprintf("%s may %s its parent, but not it directly", d->v[0] ? d->v[0] : "PUBLIC", d->v[1]));

	f->fix = grant_sql(d, true);
	f->undo = grant_sql(d, false);
}

static void grant_extra(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.grant_extra", SEVERITY_WARNING, d->p,
		xasprintf("%s may %s it directly, but not its parent", d->v[0] ? d->v[0] : "PUBLIC", d->v[1]));

	f->fix = grant_sql(d, false);
	f->undo = grant_sql(d, true);
}

/* --- policies ------------------------------------------------------------------------------------------------ */

static void add_drop_policy(struct strbuf *sql, const struct difference *d)
{
	strbuf_adds(sql, "DROP POLICY ");
	pg_add_ident(sql, d->v[0]);
	strbuf_adds(sql, " ON ");
	parity_add_table(sql, d->p);
	strbuf_addch(sql, ';');
}

static void add_create_policy(struct strbuf *sql, const struct difference *d)
{
	static const struct {
		char letter;
		const char *word;
	} commands[] = { { 'r', "SELECT" }, { 'a', "INSERT" }, { 'w', "UPDATE" }, { 'd', "DELETE" }, { '*', "ALL" } };

	strbuf_adds(sql, "CREATE POLICY ");
	pg_add_ident(sql, d->v[0]);
	strbuf_adds(sql, " ON ");
	parity_add_table(sql, d->p);
	strbuf_addf(sql, " AS %s", is_true(d->v[2]) ? "PERMISSIVE" : "RESTRICTIVE");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (d->v[1] && commands[i].letter == d->v[1][0])
			strbuf_addf(sql, " FOR %s", commands[i].word);
	strbuf_addf(sql, " TO %s", d->v[3]);
	if (d->v[4])
		strbuf_addf(sql, " USING (%s)", d->v[4]);
	if (d->v[5])
		strbuf_addf(sql, " WITH CHECK (%s)", d->v[5]);
	strbuf_addch(sql, ';');
}

/* A missing policy that permits shuts out those who name the partition; one that restricts lets them through. */
static void policy_missing(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf create = STRBUF_INIT, drop = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.policy_missing", is_true(d->v[2]) ? SEVERITY_INFO : SEVERITY_WARNING, d->p,
		xasprintf("it has no policy %s, its parent has", d->v[0]));

	add_create_policy(&create, d);
	add_drop_policy(&drop, d);
	f->fix = strbuf_detach(&create);
	f->undo = strbuf_detach(&drop);
}

static void policy_different(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.policy_different", SEVERITY_WARNING, d->p,
		xasprintf("its policy %s is not that of its parent", d->v[0]));

	strbuf_adds(&sql, "BEGIN;\n");
	add_drop_policy(&sql, d);
	strbuf_addch(&sql, '\n');
	add_create_policy(&sql, d);
	strbuf_adds(&sql, "\nCOMMIT;");
	f->fix = strbuf_detach(&sql);
}

static void policy_extra(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf create = STRBUF_INIT, drop = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.policy_extra", is_true(d->v[2]) ? SEVERITY_WARNING : SEVERITY_INFO, d->p,
		xasprintf("it has a policy %s that its parent has not", d->v[0]));

	add_create_policy(&create, d);
	add_drop_policy(&drop, d);
	f->fix = strbuf_detach(&drop);
	f->undo = strbuf_detach(&create);
}

/* --- columns and statistics ---------------------------------------------------------------------------------- */

static char *alter_column(const struct difference *d, const char *action, const char *argument)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "ALTER TABLE ");
	parity_add_table(&sql, d->p);
	strbuf_adds(&sql, " ALTER COLUMN ");
	pg_add_ident(&sql, d->v[0]);
	strbuf_addf(&sql, " %s%s;", action, argument);
	return strbuf_detach(&sql);
}

static void identity(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.identity", SEVERITY_WARNING, d->p,
		xasprintf("column %s counts on its own here: rows inserted directly get numbers that the parent gives, too", d->v[0]));

	f->fix = alter_column(d, "DROP IDENTITY", "");
	f->undo = alter_column(d, "ADD GENERATED ", d->v[1][0] == 'a' ? "ALWAYS AS IDENTITY" : "BY DEFAULT AS IDENTITY");
}

static char *alter_default(const struct difference *d, const char *expression)
{
	return expression ? alter_column(d, "SET DEFAULT ", expression) : alter_column(d, "DROP DEFAULT", "");
}

static void column_default(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.column_default", SEVERITY_INFO, d->p,
		xasprintf("column %s has the default %s here, %s in the parent; it counts for rows inserted directly", d->v[0],
			d->v[2] ? d->v[2] : "NULL", d->v[1] ? d->v[1] : "NULL"));

	f->fix = alter_default(d, d->v[1]);
	f->undo = alter_default(d, d->v[2]);
}

/* A partition may compute another value from 16 on; a statement that changes it exists from 17 on, and writes the table anew. */
static void generated(const struct difference *d, struct answer *a)
{
	autofree char *wanted = xasprintf("(%s)", d->v[1] ? d->v[1] : ""), *actual = xasprintf("(%s)", d->v[2] ? d->v[2] : "");
	struct finding *f = check_finding(a, "partitions.generated", SEVERITY_WARNING, d->p,
		xasprintf("column %s is generated as %s here, as %s in the parent", d->v[0], d->v[2] ? d->v[2] : "nothing", d->v[1] ? d->v[1] : "nothing"));

	if (d->check->version < 170000 || !d->v[1] || !d->v[2])
		return;
	f->fix = alter_column(d, "SET EXPRESSION AS ", wanted);
	f->undo = alter_column(d, "SET EXPRESSION AS ", actual);
}

static void target(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.statistics_target", SEVERITY_INFO, d->p,
		xasprintf("column %s has statistics target %s, %s in the parent", d->v[0], d->v[2], d->v[1]));

	f->fix = alter_column(d, "SET STATISTICS ", d->v[1]);
	f->undo = alter_column(d, "SET STATISTICS ", d->v[2]);
}

static void statistics(const struct difference *d, struct answer *a)
{
	autofree char *of = xasprintf("%s on %s", d->v[0] ? d->v[0] : "", d->v[1]);
	autofree char *name = parity_object_name(d->p->name, of, "_stat");
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, drop = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.statistics", SEVERITY_INFO, d->p,
		xasprintf("it has no extended statistics on %s, its parent has", d->v[1]));

	strbuf_adds(&sql, "CREATE STATISTICS ");
	pg_add_qualified(&sql, d->p->schema, name);
	if (d->v[0])
		strbuf_addf(&sql, " (%s)", d->v[0]);
	strbuf_addf(&sql, " ON %s FROM ", d->v[1]);
	parity_add_table(&sql, d->p);
	strbuf_addch(&sql, ';');
	strbuf_adds(&drop, "DROP STATISTICS ");
	pg_add_qualified(&drop, d->p->schema, name);
	strbuf_addch(&drop, ';');
	f->fix = strbuf_detach(&sql);
	f->undo = strbuf_detach(&drop);
}

/* --- indexes ------------------------------------------------------------------------------------------------- */

static void add_attach_index(struct strbuf *sql, const struct difference *d, const char *schema, const char *index)
{
	strbuf_adds(sql, "ALTER INDEX ");
	pg_add_qualified(sql, d->v[0], d->v[1]);
	strbuf_adds(sql, " ATTACH PARTITION ");
	pg_add_qualified(sql, schema, index);
	strbuf_addch(sql, ';');
}

static void add_constraint(struct strbuf *sql, const struct difference *d, const char *index)
{
	strbuf_adds(sql, "ALTER TABLE ");
	parity_add_table(sql, d->p);
	strbuf_adds(sql, " ADD CONSTRAINT ");
	pg_add_ident(sql, index);
	strbuf_adds(sql, d->v[4][0] == 'p' ? " PRIMARY KEY USING INDEX " : " UNIQUE USING INDEX ");
	pg_add_ident(sql, index);
	strbuf_adds(sql, ";\n");
}

/* A table that is partitioned itself gets the frame of an index, to be filled by its own partitions. */
static void add_create_index(struct strbuf *sql, const struct difference *d, const char *index)
{
	bool frame = d->p->kind == 'p';

	strbuf_addf(sql, "CREATE %sINDEX %s", is_true(d->v[3]) ? "UNIQUE " : "", frame ? "" : "CONCURRENTLY ");
	pg_add_ident(sql, index);
	strbuf_adds(sql, frame ? " ON ONLY " : " ON ");
	parity_add_table(sql, d->p);
	strbuf_addf(sql, " %s;\n", d->v[2]);
	if (d->v[4])
		add_constraint(sql, d, index);
	add_attach_index(sql, d, d->p->schema, index);
}

static void index_missing(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f = check_finding(a, d->v[5] ? "partitions.index_unattached" : "partitions.index_missing", SEVERITY_WARNING, d->p,
		d->v[5] ? xasprintf("its index %s is not attached to %s, which so is not valid", d->v[5], d->v[1])
			: xasprintf("it has no index for %s of its parent", d->v[1]));

	if (d->v[5]) {
		add_attach_index(&sql, d, d->p->schema, d->v[5]);
	} else {
		autofree char *name = parity_object_name(d->p->name, d->v[1], d->v[4] ? "_key" : "_idx");
		bool is_exclusion = d->v[4] && d->v[4][0] == 'x', is_key_of_branch = d->v[4] && d->p->kind == 'p';

		if (is_exclusion || is_key_of_branch)
			return; /* ADD CONSTRAINT … USING INDEX is not for them */
		add_create_index(&sql, d, name);
	}
	f->fix = strbuf_detach(&sql);
}

/* Attaching an index that is attached makes the server look again whether all of them are valid. */
static void index_invalid(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.index_invalid", SEVERITY_WARNING, d->p,
		xasprintf("its index %s is not valid: queries do not use it", d->v[2]));

	strbuf_adds(&sql, "REINDEX INDEX CONCURRENTLY ");
	pg_add_qualified(&sql, d->p->schema, d->v[2]);
	strbuf_adds(&sql, ";\n");
	add_attach_index(&sql, d, d->p->schema, d->v[2]);
	f->fix = strbuf_detach(&sql);
}

static void index_stuck(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.index_stuck", SEVERITY_INFO, d->p,
		xasprintf("its index %s is marked invalid although that of every partition is valid", d->v[1]));

	add_attach_index(&sql, d, d->v[2], d->v[3]);
	f->fix = strbuf_detach(&sql);
}

/* --- the rest ------------------------------------------------------------------------------------------------ */

static void replica_index(const struct difference *d, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct finding *f = check_finding(a, "partitions.replica_identity", SEVERITY_WARNING, d->p,
		xasprintf("replica identity is not index %s, which its parent's is", d->v[0]));

	strbuf_adds(&sql, "ALTER TABLE ");
	parity_add_table(&sql, d->p);
	strbuf_adds(&sql, " REPLICA IDENTITY USING INDEX ");
	pg_add_ident(&sql, d->v[0]);
	strbuf_addch(&sql, ';');
	f->fix = strbuf_detach(&sql);
}

static char *alter_trigger(const struct difference *d, char state)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "ALTER TABLE ");
	parity_add_table(&sql, d->p);
	strbuf_adds(&sql, state == 'D'	 ? " DISABLE TRIGGER "
			  : state == 'A' ? " ENABLE ALWAYS TRIGGER "
			  : state == 'R' ? " ENABLE REPLICA TRIGGER "
					 : " ENABLE TRIGGER ");
	pg_add_ident(&sql, d->v[0]);
	strbuf_addch(&sql, ';');
	return strbuf_detach(&sql);
}

static const char *trigger_state(char state)
{
	return state == 'D' ? "disabled" : state == 'A' ? "always enabled" : state == 'R' ? "enabled for replication" : "enabled";
}

static void trigger(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.trigger", SEVERITY_WARNING, d->p,
		xasprintf("trigger %s is %s here, %s in the parent", d->v[0], trigger_state(d->v[2][0]), trigger_state(d->v[1][0])));

	f->fix = alter_trigger(d, d->v[1][0]);
	f->undo = alter_trigger(d, d->v[2][0]);
}

static char *alter_publication(const struct difference *d, const char *action)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "ALTER PUBLICATION ");
	pg_add_ident(&sql, d->v[0]);
	strbuf_addf(&sql, " %s TABLE ", action);
	parity_add_table(&sql, d->p);
	strbuf_addch(&sql, ';');
	return strbuf_detach(&sql);
}

static void publication(const struct difference *d, struct answer *a)
{
	struct finding *f = check_finding(a, "partitions.publication", SEVERITY_WARNING, d->p,
		xasprintf("publication %s has most of its siblings, but not it", d->v[0]));

	f->fix = alter_publication(d, "ADD");
	f->undo = alter_publication(d, "DROP");
}

static const struct {
	const char *kind;
	void (*add)(const struct difference *d, struct answer *a);
} kinds[] = {
	{ "grant_missing", grant_missing },
	{ "grant_extra", grant_extra },
	{ "policy_missing", policy_missing },
	{ "policy_different", policy_different },
	{ "policy_extra", policy_extra },
	{ "identity", identity },
	{ "default", column_default },
	{ "generated", generated },
	{ "target", target },
	{ "statistics", statistics },
	{ "index_missing", index_missing },
	{ "index_invalid", index_invalid },
	{ "index_stuck", index_stuck },
	{ "replica_index", replica_index },
	{ "trigger", trigger },
	{ "publication", publication },
};

static void add_locked(const struct partition *first, size_t n, struct answer *a)
{
	autofree char *name = check_name(first);
	autofree char *what = n == 1 ? xasprintf("whether %s is like its parent", name)
				     : xasprintf("whether %s and %zu more are like their parents", name, n - 1);

	answer_gap(a, true, what, "locked by another session", NULL);
}

void parity_differences(const struct check *c, const PGresult *r, struct answer *a)
{
	const struct partition *locked = NULL;
	size_t locked_count = 0;

	for (int i = 0; i < PQntuples(r); i++) {
		struct difference d = { c, check_find(c, (uint32_t)pg_int(r, i, 1)), { NULL } };

		if (!d.p)
			continue;
		if (strcmp(pg_value(r, i, 0), "locked") == 0) {
			locked = locked ? locked : d.p;
			locked_count++;
			continue;
		}
		for (int k = 0; k < VALUES; k++)
			d.v[k] = pg_text(r, i, k + 2);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (strcmp(kinds[k].kind, pg_value(r, i, 0)) == 0)
				kinds[k].add(&d, a);
	}
	if (locked)
		add_locked(locked, locked_count, a);
}
