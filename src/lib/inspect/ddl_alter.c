/* SPDX-License-Identifier: PostgreSQL */
/*
 * ddl_alter.c - ALTER TABLE: each form and the lock it takes. The strongest of a statement's forms counts.
 */
#include "ddl_internal.h"

#include <string.h>
#include <strings.h>

#define AX  LOCK_ACCESS_EXCLUSIVE
#define SUX LOCK_SHARE_UPDATE_EXCLUSIVE
#define SRX LOCK_SHARE_ROW_EXCLUSIVE

static const char type_change[] = "changes the type: the table is written anew unless the old type can be read as the new one";
static const char new_values[] = "computes a value for every row";
static const char copied[] = "moves the table";
static const char checked[] = "checks every row";
static const char index_built[] = "builds an index";

struct form {
	const char *words;
	enum lock_mode mode;
	enum ddl_scope scope; /* DDL_TREE: children, too, unless ONLY */
	const char *rewrite, *scan;
};

/* Past the column's name. */
static const struct form column_forms[] = {
	{ "type", AX, DDL_TREE, type_change, NULL },
	{ "set data type", AX, DDL_TREE, type_change, NULL },
	{ "set default", AX, DDL_TREE, NULL, NULL },
	{ "drop default", AX, DDL_TREE, NULL, NULL },
	{ "set not null", AX, DDL_TREE, NULL, checked },
	{ "drop not null", AX, DDL_TREE, NULL, NULL },
	{ "set expression", AX, DDL_TREE, new_values, NULL },
	{ "drop expression", AX, DDL_TREE, NULL, NULL },
	{ "add generated", AX, DDL_PARTITIONS, NULL, NULL },
	{ "set generated", AX, DDL_PARTITIONS, NULL, NULL },
	{ "restart", AX, DDL_PARTITIONS, NULL, NULL },
	{ "set increment", AX, DDL_PARTITIONS, NULL, NULL },
	{ "drop identity", AX, DDL_PARTITIONS, NULL, NULL },
	{ "set statistics", SUX, DDL_TREE, NULL, NULL },
	{ "set storage", AX, DDL_TREE, NULL, NULL },
	{ "set compression", AX, DDL_TREE, NULL, NULL },
	{ "set (", SUX, DDL_SELF, NULL, NULL },
	{ "reset (", SUX, DDL_SELF, NULL, NULL },
};

static const struct form table_forms[] = {
	{ "enable row level security", AX, DDL_SELF, NULL, NULL },
	{ "disable row level security", AX, DDL_SELF, NULL, NULL },
	{ "force row level security", AX, DDL_SELF, NULL, NULL },
	{ "no force row level security", AX, DDL_SELF, NULL, NULL },
	{ "enable rule", AX, DDL_SELF, NULL, NULL },
	{ "disable rule", AX, DDL_SELF, NULL, NULL },
	{ "enable replica rule", AX, DDL_SELF, NULL, NULL },
	{ "enable always rule", AX, DDL_SELF, NULL, NULL },
	{ "enable trigger", SRX, DDL_PARTITIONS, NULL, NULL },
	{ "disable trigger", SRX, DDL_PARTITIONS, NULL, NULL },
	{ "enable replica trigger", SRX, DDL_PARTITIONS, NULL, NULL },
	{ "enable always trigger", SRX, DDL_PARTITIONS, NULL, NULL },
	{ "cluster on", SUX, DDL_SELF, NULL, NULL },
	{ "set without cluster", SUX, DDL_SELF, NULL, NULL },
	{ "set without oids", AX, DDL_TREE, NULL, NULL },
	{ "set access method", AX, DDL_SELF, copied, NULL },
	{ "set tablespace", AX, DDL_SELF, copied, NULL },
	{ "set logged", AX, DDL_SELF, copied, NULL },
	{ "set unlogged", AX, DDL_SELF, copied, NULL },
	{ "set schema", AX, DDL_SELF, NULL, NULL },
	{ "set ( user_catalog_table", AX, DDL_SELF, NULL, NULL },
	{ "reset ( user_catalog_table", AX, DDL_SELF, NULL, NULL },
	{ "set (", SUX, DDL_SELF, NULL, NULL },
	{ "reset (", SUX, DDL_SELF, NULL, NULL },
	{ "of", AX, DDL_SELF, NULL, NULL },
	{ "not of", AX, DDL_SELF, NULL, NULL },
	{ "owner to", AX, DDL_SELF, NULL, NULL },
	{ "replica identity", AX, DDL_SELF, NULL, NULL },
	{ "rename to", AX, DDL_SELF, NULL, NULL },
	{ "rename", AX, DDL_TREE, NULL, NULL },
};

/* What the forms of one statement share. */
struct target {
	struct ddl_statement *s;
	struct ddl_parser *p;
	const char *name;
	bool only;
};

static void lock(const struct target *t, enum ddl_scope scope, enum lock_mode mode)
{
	ddl_add(t->s, t->name, (scope == DDL_TREE || scope == DDL_PARTITIONS) && t->only ? DDL_SELF : scope, mode);
}

/* A constraint's table, and what it refers to if it is a foreign key. */
static void lock_constraint(const struct target *t, const char *name, enum lock_mode mode, enum lock_mode referenced)
{
	ddl_add_constrained(t->s, t->name, t->only ? DDL_SELF : DDL_TREE, name, mode);
	ddl_add_referenced(t->s, t->name, name, referenced);
}

static bool apply_form(const struct target *t, const struct form *forms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!ddl_take(t->p, forms[i].words))
			continue;
		lock(t, forms[i].scope, forms[i].mode);
		if (forms[i].rewrite)
			t->s->rewrite = forms[i].rewrite;
		if (forms[i].scan)
			t->s->scan = forms[i].scan;
		/* a parenthesis that the words opened */
		if (strchr(forms[i].words, '('))
			while (!ddl_at_end(t->p) && !ddl_take(t->p, ")"))
				ddl_skip(t->p);
		ddl_skip_item(t->p);
		return true;
	}
	return ddl_give_up(t->s, "this form of ALTER TABLE is not known");
}

/* Whether words stand in the rest of this item, outside of parentheses; steps behind them. */
static bool find_in_item(struct ddl_parser *p, const char *words)
{
	struct ddl_parser at = *p;

	for (; !ddl_at_end(&at) && !ddl_is(&at, ","); ddl_skip(&at))
		if (ddl_take(&at, words)) {
			*p = at;
			return true;
		}
	return false;
}

static bool item_has(const struct ddl_parser *p, const char *words)
{
	struct ddl_parser copy = *p;

	return find_in_item(&copy, words);
}

/* REFERENCES table: the other end is locked like this one. */
static bool add_references(struct ddl_statement *s, struct ddl_parser *p, enum lock_mode mode)
{
	struct ddl_parser at = *p;

	if (!find_in_item(&at, "references"))
		return false;

	autofree char *other = ddl_name(&at);

	if (other)
		ddl_add(s, other, DDL_SELF, mode);
	return other != NULL;
}

/* Functions whose value is the same for all rows of a statement: such a default is stored once, not in each row. */
static bool is_stable_call(const struct ddl_token *t)
{
	static const char *const names[] = { "now", "transaction_timestamp", "statement_timestamp", "lower", "upper", "to_char", "make_date",
		"make_interval", "date_trunc", "current_setting", "jsonb_build_object", "jsonb_build_array", "md5", "numeric", "varchar",
		"char", "decimal", "bit", "timestamp", "time", "interval" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (t->len == strlen(names[i]) && strncasecmp(t->at, names[i], t->len) == 0)
			return true;
	return false;
}

static bool has_volatile_default(const struct ddl_parser *p)
{
	struct ddl_parser at = *p;

	if (!find_in_item(&at, "default"))
		return false;
	for (unsigned depth = 0; !ddl_at_end(&at) && (depth || !ddl_is(&at, ",")); at.at++) {
		const struct ddl_token *t = at.at;

		depth += ddl_is(&at, "(");
		depth -= depth && ddl_is(&at, ")");
		if (t->kind == DDL_WORD && t + 1 < at.end && t[1].kind == DDL_PUNCT && *t[1].at == '(' && !is_stable_call(t))
			return true;
	}
	return false;
}

void ddl_column(struct ddl_statement *s, struct ddl_parser *p)
{
	static const char *const serials[] = { "serial", "bigserial", "smallserial", "serial4", "serial8", "serial2" };

	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++)
		if (ddl_is(p, serials[i]))
			s->rewrite = "fills the new column from a sequence";
	if (item_has(p, "as identity"))
		s->rewrite = "fills the new column from a sequence";
	else if (item_has(p, "stored"))
		s->rewrite = new_values;
	else if (has_volatile_default(p))
		s->rewrite = "computes the default for every row, unless its function is not volatile";
	if (item_has(p, "unique") || item_has(p, "primary key"))
		s->scan = index_built;
	add_references(s, p, SRX);
	ddl_skip_item(p);
}

/* A primary key makes its columns NOT NULL, in children, too; partitions get an index of their own. 18 locks children in any case. */
static void lock_indexed(const struct target *t, bool primary, bool by_index)
{
	lock(t, primary && !by_index ? DDL_TREE : DDL_SELF, AX);
	if (t->only)
		return;
	if (!by_index)
		ddl_add_for(t->s, t->name, DDL_PARTITIONS, LOCK_SHARE, 0, 18);
	ddl_add_for(t->s, t->name, DDL_TREE, AX, 18, 0);
}

/* Past ADD [CONSTRAINT name]. */
static bool add_constraint(const struct target *t)
{
	bool valid = !item_has(t->p, "not valid"), by_index = item_has(t->p, "using index") && !item_has(t->p, "using index tablespace");

	if (ddl_is(t->p, "foreign key")) {
		lock(t, DDL_PARTITIONS, SRX);
		if (!add_references(t->s, t->p, SRX))
			return ddl_give_up(t->s, "the foreign key does not say what it refers to");
		t->s->scan = valid ? checked : t->s->scan;
	} else if (ddl_is(t->p, "check") || ddl_is(t->p, "not null")) {
		lock(t, DDL_TREE, AX);
		t->s->scan = valid ? checked : t->s->scan;
	} else if (ddl_is(t->p, "unique") || ddl_is(t->p, "primary key") || ddl_is(t->p, "exclude")) {
		lock_indexed(t, ddl_is(t->p, "primary key"), by_index);
		t->s->scan = by_index ? t->s->scan : index_built;
	} else {
		return ddl_give_up(t->s, "this kind of constraint is not known");
	}
	ddl_skip_item(t->p);
	return true;
}

static bool starts_constraint(const struct ddl_parser *p)
{
	return ddl_is(p, "foreign key") || ddl_is(p, "check (") || ddl_is(p, "unique") || ddl_is(p, "primary key") || ddl_is(p, "exclude") ||
	       ddl_is(p, "not null");
}

static bool add_form(const struct target *t)
{
	if (ddl_take(t->p, "constraint")) {
		autofree char *name = ddl_identifier(t->p);

		return name ? add_constraint(t) : ddl_give_up(t->s, "the constraint has no name");
	}
	if (starts_constraint(t->p))
		return add_constraint(t);
	ddl_take(t->p, "column");
	ddl_take(t->p, "if not exists");

	autofree char *column = ddl_identifier(t->p);

	if (!column)
		return ddl_give_up(t->s, "the column has no name");
	lock(t, DDL_TREE, AX);
	ddl_column(t->s, t->p);
	return true;
}

static bool drop_form(const struct target *t)
{
	bool constraint = ddl_take(t->p, "constraint");

	if (!constraint)
		ddl_take(t->p, "column");
	ddl_take(t->p, "if exists");

	autofree char *name = ddl_identifier(t->p);

	if (!name)
		return ddl_give_up(t->s, "there is no name of what to drop");
	if (constraint)
		lock_constraint(t, name, AX, AX);
	else
		lock(t, DDL_TREE, AX);
	ddl_skip_item(t->p);
	return true;
}

static bool alter_form(const struct target *t)
{
	bool constraint = ddl_take(t->p, "constraint");

	if (!constraint)
		ddl_take(t->p, "column");

	autofree char *name = ddl_identifier(t->p);

	if (!name)
		return ddl_give_up(t->s, "there is no name of what to alter");
	if (!constraint)
		return apply_form(t, column_forms, sizeof(column_forms) / sizeof(column_forms[0]));
	lock_constraint(t, name, AX, AX);
	ddl_skip_item(t->p);
	return true;
}

/* A foreign key is checked with ROW SHARE on what it refers to. */
static bool validate_form(const struct target *t)
{
	autofree char *name = ddl_identifier(t->p);

	if (!name)
		return ddl_give_up(t->s, "there is no name of what to validate");
	lock_constraint(t, name, SUX, LOCK_ROW_SHARE);
	t->s->scan = checked;
	return true;
}

static bool inherit_form(const struct target *t, enum lock_mode parent_mode)
{
	autofree char *parent = ddl_name(t->p);

	if (!parent)
		return ddl_give_up(t->s, "there is no name of a parent");
	lock(t, DDL_SELF, AX);
	ddl_add(t->s, parent, DDL_SELF, parent_mode);
	return true;
}

static bool attach_form(const struct target *t)
{
	autofree char *partition = ddl_name(t->p);

	if (!partition)
		return ddl_give_up(t->s, "there is no name of a partition");
	ddl_add(t->s, t->name, DDL_SELF, SUX);
	ddl_add(t->s, t->name, DDL_DEFAULT, AX);
	ddl_add(t->s, partition, DDL_TREE, AX);
	t->s->scan = "checks every row of the partition, unless a CHECK constraint proves the bounds, and those of the DEFAULT partition";
	ddl_skip_item(t->p);
	return true;
}

static bool detach_form(const struct target *t)
{
	autofree char *partition = ddl_name(t->p);
	bool later = ddl_take(t->p, "concurrently") || ddl_take(t->p, "finalize");

	if (!partition)
		return ddl_give_up(t->s, "there is no name of a partition");
	t->s->concurrently |= later;
	ddl_add(t->s, t->name, DDL_SELF, later ? SUX : AX);
	ddl_add(t->s, t->name, DDL_DEFAULT, AX);
	ddl_add(t->s, partition, DDL_SELF, AX);
	ddl_add(t->s, partition, DDL_REFERENCED, SRX);
	return true;
}

static bool one_form(const struct target *t)
{
	if (ddl_take(t->p, "add"))
		return add_form(t);
	if (ddl_take(t->p, "drop"))
		return drop_form(t);
	if (ddl_take(t->p, "alter"))
		return alter_form(t);
	if (ddl_take(t->p, "validate constraint"))
		return validate_form(t);
	if (ddl_take(t->p, "no inherit"))
		return inherit_form(t, LOCK_ACCESS_SHARE);
	if (ddl_take(t->p, "inherit"))
		return inherit_form(t, SUX);
	if (ddl_take(t->p, "attach partition"))
		return attach_form(t);
	if (ddl_take(t->p, "detach partition"))
		return detach_form(t);
	return apply_form(t, table_forms, sizeof(table_forms) / sizeof(table_forms[0]));
}

bool ddl_alter_table(struct ddl_statement *s, struct ddl_parser *p)
{
	struct target t = { .s = s, .p = p };

	if (ddl_is(p, "all in tablespace"))
		return ddl_give_up(s, "it names no table");
	s->missing_ok = ddl_take(p, "if exists");
	t.only = ddl_take(p, "only");

	autofree char *name = ddl_name(p);

	if (!name)
		return ddl_give_up(s, "there is no name of a table");
	t.name = name;
	ddl_take(p, "*");
	do {
		if (!one_form(&t))
			return false;
	} while (ddl_take(p, ","));
	return ddl_at_end(p) || ddl_give_up(s, "this form of ALTER TABLE is not known");
}
