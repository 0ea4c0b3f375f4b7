/* SPDX-License-Identifier: PostgreSQL */
/* Asks for the facts, and compares what a table has one of. */
#include "parity.h"

#define NAME_MAX_BYTES 63

/* --- what a table has ---------------------------------------------------------------------------------------- */

struct facts {
	const struct partition *p;
	const char *owner, *identity, *options, *tablespace, *grantees; /* tablespace, grantees NULL = none */
	bool rls, forced;
};

struct facts_index {
	struct facts *items; /* in the model's order; p NULL = nothing is known, the table is new or gone */
	const struct check *check;
};

static const struct facts *facts_of(const struct facts_index *x, const struct partition *p)
{
	const struct facts *f = &x->items[p - x->check->model.items];

	return f->p ? f : NULL;
}

static void read_facts(const struct facts_index *x, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++) {
		const struct partition *p = check_find(x->check, (uint32_t)pg_int(r, i, 0));

		if (p)
			x->items[p - x->check->model.items] = (struct facts){
				.p = p,
				.owner = pg_value(r, i, 1),
				.rls = pg_bool(r, i, 2),
				.forced = pg_bool(r, i, 3),
				.identity = pg_value(r, i, 4),
				.options = pg_value(r, i, 5),
				.tablespace = pg_text(r, i, 6),
				.grantees = pg_text(r, i, 7),
			};
	}
}

void parity_add_table(struct strbuf *sql, const struct partition *p)
{
	pg_add_qualified(sql, p->schema, p->name);
}

char *parity_object_name(const char *table, const char *of, const char *suffix)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	size_t room = NAME_MAX_BYTES - 9 - strlen(suffix), len = strlen(table);

	for (const char *s = of; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619u;
	if (len > room)
		for (len = room; len && ((unsigned char)table[len] & 0xc0) == 0x80; len--)
			; /* not within a character */
	return xasprintf("%.*s_%08x%s", (int)len, table, hash, suffix);
}

static char *alter(const struct partition *p, const char *action)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "ALTER TABLE ");
	parity_add_table(&sql, p);
	strbuf_addf(&sql, " %s;", action);
	return strbuf_detach(&sql);
}

static char *alter_to(const struct partition *p, const char *action, const char *name)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, action);
	pg_add_ident(&sql, name);
	return alter(p, sql.buf);
}

static void compare_owner(const struct facts *parent, const struct facts *f, struct answer *a)
{
	struct finding *added;

	if (strcmp(parent->owner, f->owner) == 0)
		return;
	added = check_finding(a, "partitions.owner", SEVERITY_WARNING, f->p,
		xasprintf("it belongs to %s, its parent to %s", f->owner, parent->owner));
	added->fix = alter_to(f->p, "OWNER TO ", parent->owner);
	added->undo = alter_to(f->p, "OWNER TO ", f->owner);
}

/* Policies of the parent hold for queries of the parent; whoever names the partition gets what is granted there. */
static void compare_rls(const struct facts *parent, const struct facts *f, struct answer *a)
{
	struct finding *added;

	if (parent->rls && !f->rls) {
		added = check_finding(a, "partitions.rls", f->grantees ? SEVERITY_CRITICAL : SEVERITY_WARNING, f->p,
			f->grantees ? xasprintf("row-level security is off, unlike the parent's: %s may use it directly, past all policies",
					    f->grantees)
				    : xstrdup("row-level security is off, unlike the parent's; nobody but the owner may use it directly"));
		added->fix = alter(f->p, "ENABLE ROW LEVEL SECURITY");
		added->undo = alter(f->p, "DISABLE ROW LEVEL SECURITY");
	}
	if (parent->forced && !f->forced) {
		added = check_finding(a, "partitions.rls_forced", SEVERITY_WARNING, f->p,
			xstrdup("row-level security is not forced for its owner, unlike the parent's"));
		added->fix = alter(f->p, "FORCE ROW LEVEL SECURITY");
		added->undo = alter(f->p, "NO FORCE ROW LEVEL SECURITY");
	}
}

static void compare_tablespace(const struct facts *parent, const struct facts *f, struct answer *a)
{
	struct finding *added;

	if (f->p->kind != 'r' || !parent->tablespace || (f->tablespace && strcmp(parent->tablespace, f->tablespace) == 0))
		return;
	added = check_finding(a, "partitions.tablespace", SEVERITY_INFO, f->p,
		xasprintf("it is in tablespace %s, new partitions go to %s; the move writes the table anew and locks it for that time",
			f->tablespace ? f->tablespace : "pg_default", parent->tablespace));
	added->fix = alter_to(f->p, "SET TABLESPACE ", parent->tablespace);
	added->undo = alter_to(f->p, "SET TABLESPACE ", f->tablespace ? f->tablespace : "pg_default");
}

/* --- what most siblings have --------------------------------------------------------------------------------- */

/* The value that more than half of the parent's tables have, by vote (Boyer and Moore); NULL = none. */
static const char *majority(const struct facts_index *x, const struct partition *parent, const char *(*value)(const struct facts *))
{
	const struct partition_model *m = &x->check->model;
	const char *winner = NULL;
	size_t lead = 0, votes = 0, total = 0;

	for (const struct partition *p = partition_next(m, parent, NULL); p; p = partition_next(m, parent, p)) {
		const struct facts *f = facts_of(x, p);

		if (!f || p->kind != 'r')
			continue;
		if (!lead)
			winner = value(f);
		lead = strcmp(winner, value(f)) == 0 ? lead + 1 : lead - 1;
	}
	for (const struct partition *p = partition_next(m, parent, NULL); p && winner; p = partition_next(m, parent, p)) {
		const struct facts *f = facts_of(x, p);

		if (!f || p->kind != 'r')
			continue;
		total++;
		votes += strcmp(winner, value(f)) == 0;
	}
	return votes * 2 > total ? winner : NULL;
}

static const char *identity_value(const struct facts *f)
{
	return f->identity;
}

static const char *options_value(const struct facts *f)
{
	return f->options;
}

static char *alter_identity(const struct partition *p, char identity)
{
	return alter(p, identity == 'f'   ? "REPLICA IDENTITY FULL"
			: identity == 'n' ? "REPLICA IDENTITY NOTHING"
					  : "REPLICA IDENTITY DEFAULT");
}

static const char *identity_name(char identity)
{
	return identity == 'f' ? "FULL" : identity == 'n' ? "NOTHING" : identity == 'i' ? "an index" : "DEFAULT";
}

/* "an index" is compared by the SQL, which knows which index belongs to which. */
static void compare_identity(const struct facts *parent, const char *usual, const struct facts *f, struct answer *a)
{
	bool own = parent->identity[0] != 'd';
	char wanted = own ? parent->identity[0] : usual ? usual[0] : 'd';
	struct finding *added;

	if (f->p->kind != 'r' || wanted == 'i' || wanted == f->identity[0] || (!own && !usual))
		return;
	added = check_finding(a, "partitions.replica_identity", SEVERITY_WARNING, f->p,
		xasprintf("replica identity is %s, that of %s %s", identity_name(f->identity[0]), own ? "the parent" : "most siblings",
			identity_name(wanted)));
	added->fix = alter_identity(f->p, wanted);
	if (f->identity[0] != 'i')
		added->undo = alter_identity(f->p, f->identity[0]);
}

/* Whether the line is one of the lines of options, with only_name up to its "=". */
static bool has_option(const char *options, const char *line, size_t len)
{
	for (const char *s = options; *s; s += strcspn(s, "\n"), s += *s == '\n')
		if (strncmp(s, line, len) == 0 && (line[len - 1] == '=' || s[len] == '\n' || !s[len]))
			return true;
	return false;
}

/* "a='1', b='2'" of what wanted has and has not; names alone with only_names. */
static void add_options(struct strbuf *out, const char *wanted, const char *has, bool only_names)
{
	for (const char *s = wanted; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		size_t len = strcspn(s, "\n"), name = strcspn(s, "=\n");
		autofree char *value = xstrndup(s + name + (s[name] == '='), len - name - (s[name] == '='));

		if (only_names ? has_option(has, s, name + 1) : has_option(has, s, len))
			continue;
		strbuf_addf(out, "%s%.*s", out->len ? ", " : "", (int)name, s);
		if (only_names)
			continue;
		strbuf_adds(out, " = ");
		pg_add_literal(out, value);
	}
}

/* The statements that turn options from into to. */
static char *alter_options(const struct partition *p, const char *from, const char *to)
{
	_cleanup_strbuf_ struct strbuf set = STRBUF_INIT, reset = STRBUF_INIT, sql = STRBUF_INIT;

	add_options(&set, to, from, false);
	add_options(&reset, from, to, true);

	autofree char *set_action = xasprintf("SET (%s)", set.buf), *reset_action = xasprintf("RESET (%s)", reset.buf);
	autofree char *first = set.len ? alter(p, set_action) : NULL, *second = reset.len ? alter(p, reset_action) : NULL;

	strbuf_addf(&sql, "%s%s%s", first ? first : "", first && second ? "\n" : "", second ? second : "");
	return strbuf_detach(&sql);
}

static void compare_options(const char *usual, const struct facts *f, struct answer *a)
{
	struct finding *added;

	if (f->p->kind != 'r' || !usual || strcmp(usual, f->options) == 0)
		return;
	added = check_finding(a, "partitions.options", SEVERITY_INFO, f->p, xstrdup("its storage parameters are not those of most siblings"));
	added->fix = alter_options(f->p, f->options, usual);
	added->undo = alter_options(f->p, usual, f->options);
}

static void compare_children(const struct facts_index *x, const struct facts *parent, struct answer *a)
{
	const struct partition_model *m = &x->check->model;
	const char *identity = majority(x, parent->p, identity_value), *options = majority(x, parent->p, options_value);

	for (const struct partition *p = partition_next(m, parent->p, NULL); p; p = partition_next(m, parent->p, p)) {
		const struct facts *f = facts_of(x, p);

		if (!f || p->detach_pending)
			continue;
		compare_owner(parent, f, a);
		compare_rls(parent, f, a);
		compare_identity(parent, identity, f, a);
		compare_options(options, f, a);
		compare_tablespace(parent, f, a);
	}
}

void parity_tables(const struct check *c, const PGresult *r, struct answer *a)
{
	autofree struct facts *items = xcalloc(c->model.len + 1, sizeof(*items));
	const struct facts_index x = { items, c };

	read_facts(&x, r);
	for (size_t i = 0; i < c->model.len; i++)
		if (items[i].p && items[i].p->kind == 'p')
			compare_children(&x, &items[i], a);
}

/* --- the run ------------------------------------------------------------------------------------------------- */

bool check_parity(struct inspector *in, const struct check *c, struct answer *a, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;
	/* the planner takes an intermediate result for a handful of rows, and would go through it once for each partition */
	autofree char *sql = xasprintf("SET LOCAL enable_nestloop = off;\n%s;\n%s", sql_partition_tables, sql_partition_parity);
	PGresult *r[2];

	if (inspector_batch(in, sql, r, 2, &failed)) {
		parity_tables(c, r[0], a);
		parity_differences(c, r[1], a);
		PQclear(r[0]);
		PQclear(r[1]);
		return true;
	}
	if (strcmp(failed.sqlstate, "55P03") != 0)
		return error_move(err, &failed);
	answer_gap(a, true, "whether partitions are like their parents", "a table is locked by another session", NULL);
	return true;
}
