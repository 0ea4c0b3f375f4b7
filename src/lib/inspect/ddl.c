/* SPDX-License-Identifier: PostgreSQL */
#include "ddl_internal.h"

#include <string.h>
#include "strbuf.h"

#define AX  LOCK_ACCESS_EXCLUSIVE
#define SUX LOCK_SHARE_UPDATE_EXCLUSIVE
#define SRX LOCK_SHARE_ROW_EXCLUSIVE

static const char written_anew[] = "writes the whole table anew";
static const char index_built[] = "builds an index";
static const char no_name[] = "there is no name of a table";
static const char unknown[] = "this statement is not known";

static void statement_release(struct ddl_statement *s)
{
	for (size_t i = 0; i < s->locks.len; i++) {
		free(s->locks.items[i].name);
		free(s->locks.items[i].constraint);
	}
	vec_release(&s->locks);
	free(s->text);
	free(s->creates);
}

void ddl_script_release(struct ddl_script *s)
{
	for (size_t i = 0; i < s->statements.len; i++)
		statement_release(&s->statements.items[i]);
	vec_release(&s->statements);
}

bool ddl_give_up(struct ddl_statement *s, const char *problem)
{
	s->problem = problem;
	return false;
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void add(struct ddl_statement *s, const char *name, enum ddl_scope scope, const char *constraint, enum lock_mode mode)
{
	for (size_t i = 0; i < s->locks.len; i++) {
		struct ddl_lock *l = &s->locks.items[i];

		if (l->scope != scope || l->from || l->below || strcmp(l->name, name) != 0 || !is_same(l->constraint, constraint))
			continue;
		l->mode = mode > l->mode ? mode : l->mode;
		return;
	}
	*vec_push(&s->locks) = (struct ddl_lock){ xstrdup(name), scope, constraint ? xstrdup(constraint) : NULL, mode, 0, 0 };
}

void ddl_add(struct ddl_statement *s, const char *name, enum ddl_scope scope, enum lock_mode mode)
{
	add(s, name, scope, NULL, mode);
}

void ddl_add_for(struct ddl_statement *s, const char *name, enum ddl_scope scope, enum lock_mode mode, int from, int below)
{
	*vec_push(&s->locks) = (struct ddl_lock){ xstrdup(name), scope, NULL, mode, from, below };
}

void ddl_add_referenced(struct ddl_statement *s, const char *table, const char *constraint, enum lock_mode mode)
{
	add(s, table, DDL_REFERENCED, constraint, mode);
}

void ddl_add_constrained(struct ddl_statement *s, const char *table, enum ddl_scope scope, const char *constraint, enum lock_mode mode)
{
	add(s, table, scope, constraint, mode);
}

/* The next name, locked; false when there is none. */
static bool lock_next(struct ddl_statement *s, struct ddl_parser *p, enum ddl_scope scope, enum lock_mode mode)
{
	autofree char *name = ddl_name(p);

	if (!name)
		return ddl_give_up(s, no_name);
	ddl_add(s, name, scope, mode);
	return true;
}

/* Past the next "word" anywhere in the statement, parentheses skipped. */
static bool seek(struct ddl_parser *p, const char *words)
{
	while (!ddl_at_end(p)) {
		if (ddl_take(p, words))
			return true;
		ddl_skip(p);
	}
	return false;
}

/* --- indexes ------------------------------------------------------------------------------------------------ */

static bool create_index(struct ddl_statement *s, struct ddl_parser *p)
{
	s->concurrently = ddl_take(p, "concurrently");
	s->scan = index_built;
	if (!seek(p, "on"))
		return ddl_give_up(s, no_name);

	bool only = ddl_take(p, "only");

	return lock_next(s, p, only || s->concurrently ? DDL_SELF : DDL_PARTITIONS, s->concurrently ? SUX : LOCK_SHARE);
}

static bool drop_index(struct ddl_statement *s, struct ddl_parser *p)
{
	s->concurrently = ddl_take(p, "concurrently");
	s->missing_ok = ddl_take(p, "if exists");
	do {
		autofree char *name = ddl_name(p);

		if (!name)
			return ddl_give_up(s, "there is no name of an index");
		ddl_add(s, name, DDL_TABLE, s->concurrently ? SUX : AX);
		ddl_add(s, name, DDL_TREE, s->concurrently ? SUX : AX);
	} while (ddl_take(p, ","));
	return true;
}

static bool alter_index(struct ddl_statement *s, struct ddl_parser *p)
{
	s->missing_ok = ddl_take(p, "if exists");

	autofree char *name = ddl_name(p);

	if (!name)
		return ddl_give_up(s, "there is no name of an index");
	if (ddl_is(p, "rename") || ddl_is(p, "set (") || ddl_is(p, "reset (")) {
		ddl_add(s, name, DDL_SELF, SUX);
	} else if (ddl_is(p, "set tablespace")) {
		ddl_add(s, name, DDL_SELF, AX);
		s->rewrite = "moves the index";
	} else if (ddl_is(p, "alter")) {
		ddl_add(s, name, DDL_SELF, SUX);
	} else {
		return ddl_give_up(s, "this form of ALTER INDEX is not known");
	}
	return true;
}

static bool reindex(struct ddl_statement *s, struct ddl_parser *p)
{
	if (ddl_is(p, "("))
		ddl_skip(p);

	bool index = ddl_take(p, "index");

	if (!index && !ddl_take(p, "table"))
		return ddl_give_up(s, "REINDEX of a schema or database locks one table after the other");
	s->concurrently = ddl_take(p, "concurrently");
	s->scan = index_built;

	autofree char *name = ddl_name(p);

	if (!name)
		return ddl_give_up(s, no_name);
	if (index)
		ddl_add(s, name, DDL_SELF, s->concurrently ? SUX : AX);
	ddl_add(s, name, index ? DDL_TABLE : DDL_PARTITIONS, s->concurrently ? SUX : LOCK_SHARE);
	return true;
}

/* --- tables ------------------------------------------------------------------------------------------------- */

static bool drop_table(struct ddl_statement *s, struct ddl_parser *p)
{
	s->missing_ok = ddl_take(p, "if exists");
	do {
		autofree char *name = ddl_name(p);
		struct ddl_parser rest = *p;

		if (!name)
			return ddl_give_up(s, no_name);
		ddl_add(s, name, DDL_TREE, AX);
		ddl_add(s, name, DDL_PARENT, AX);
		ddl_add(s, name, DDL_PARENT_DEFAULT, AX);
		ddl_add(s, name, DDL_REFERENCED, AX);
		if (seek(&rest, "cascade")) {
			ddl_add(s, name, DDL_REFERENCING, AX);
			ddl_add(s, name, DDL_DEPENDENTS, AX);
		}
	} while (ddl_take(p, ","));
	return true;
}

/* Views, sequences, foreign tables: one object each. */
static bool drop_object(struct ddl_statement *s, struct ddl_parser *p)
{
	s->missing_ok = ddl_take(p, "if exists");
	do {
		if (!lock_next(s, p, DDL_SELF, AX))
			return false;
	} while (ddl_take(p, ","));
	return true;
}

static bool truncate_table(struct ddl_statement *s, struct ddl_parser *p)
{
	ddl_take(p, "table");
	do {
		bool only = ddl_take(p, "only");
		autofree char *name = ddl_name(p);
		struct ddl_parser rest = *p;

		if (!name)
			return ddl_give_up(s, no_name);
		ddl_take(p, "*");
		ddl_add(s, name, only ? DDL_SELF : DDL_TREE, AX);
		if (seek(&rest, "cascade"))
			ddl_add(s, name, DDL_REFERENCING, AX);
	} while (ddl_take(p, ","));
	return true;
}

/* CREATE TABLE … INHERITS (a, b) */
static bool lock_parents(struct ddl_statement *s, struct ddl_parser p)
{
	if (!seek(&p, "inherits") || !ddl_take(&p, "("))
		return true;
	do {
		if (!lock_next(s, &p, DDL_SELF, SUX))
			return false;
	} while (ddl_take(&p, ","));
	return true;
}

static bool create_table(struct ddl_statement *s, struct ddl_parser *p)
{
	ddl_take(p, "if not exists");

	autofree char *name = ddl_name(p);

	if (!name)
		return ddl_give_up(s, no_name);
	s->creates = xstrdup(name);
	if (ddl_is(p, "as") || ddl_is(p, "of"))
		return ddl_give_up(s, "CREATE TABLE of a query or of a type is not forecast");
	if (ddl_take(p, "partition of")) {
		struct ddl_parser parent = *p;

		if (!lock_next(s, p, DDL_SELF, AX) || !lock_next(s, &parent, DDL_DEFAULT, AX))
			return false;
	}
	if (!lock_parents(s, *p))
		return false;
	/* a column a token: where REFERENCES stands does not matter for a table that nobody knows yet */
	for (; !ddl_at_end(p); p->at++)
		if (p->at->kind == DDL_WORD && ddl_take(p, "references")) {
			if (!lock_next(s, p, DDL_SELF, SRX))
				return false;
			p->at--;
		}
	return true;
}

static bool lock_table(struct ddl_statement *s, struct ddl_parser *p)
{
	struct ddl_parser in = *p;
	enum lock_mode mode = AX;

	ddl_take(p, "table");
	if (seek(&in, "in")) {
		mode = LOCK_NONE;
		for (enum lock_mode m = LOCK_ACCESS_SHARE; m <= LOCK_ACCESS_EXCLUSIVE; m++) {
			autofree char *words = xasprintf("%s mode", lock_mode_name(m));
			struct ddl_parser at = in;

			for (char *c = words; *c; c++)
				*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
			if (ddl_take(&at, words))
				mode = m;
		}
		if (mode == LOCK_NONE)
			return ddl_give_up(s, "this lock mode is not known");
	}
	do {
		bool only = ddl_take(p, "only");

		if (!lock_next(s, p, only ? DDL_SELF : DDL_TREE, mode))
			return false;
		ddl_take(p, "*");
	} while (ddl_take(p, ","));
	return true;
}

static bool has_option(const struct ddl_parser *p, const char *word)
{
	struct ddl_parser at = *p;

	for (; !ddl_at_end(&at) && !ddl_is(&at, ")"); at.at++)
		if (ddl_is(&at, word))
			return true;
	return false;
}

static bool vacuum(struct ddl_statement *s, struct ddl_parser *p)
{
	static const char *const words[] = { "freeze", "verbose", "analyze", "analyse" };
	bool full = false;

	if (ddl_is(p, "(")) {
		full = has_option(p, "full") && !has_option(p, "false") && !has_option(p, "off");
		ddl_skip(p);
	}
	full |= ddl_take(p, "full");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ddl_take(p, words[i]);
	if (full)
		s->rewrite = written_anew;
	do {
		if (!lock_next(s, p, DDL_TREE, full ? AX : SUX))
			return ddl_give_up(s, "VACUUM and ANALYZE of everything lock one table after the other");
		if (ddl_is(p, "("))
			ddl_skip(p);
	} while (ddl_take(p, ","));
	return true;
}

static bool cluster(struct ddl_statement *s, struct ddl_parser *p)
{
	if (ddl_is(p, "("))
		ddl_skip(p);
	ddl_take(p, "verbose");
	s->rewrite = written_anew;
	return lock_next(s, p, DDL_SELF, AX);
}

static bool refresh(struct ddl_statement *s, struct ddl_parser *p)
{
	bool gently = ddl_take(p, "concurrently");

	s->rewrite = gently ? NULL : written_anew;
	return lock_next(s, p, DDL_SELF, gently ? LOCK_EXCLUSIVE : AX);
}

/* ON table, somewhere behind. */
static bool lock_on(struct ddl_statement *s, struct ddl_parser *p, enum ddl_scope scope, enum lock_mode mode)
{
	return seek(p, "on") ? lock_next(s, p, scope, mode) : ddl_give_up(s, no_name);
}

static bool create_trigger(struct ddl_statement *s, struct ddl_parser *p)
{
	struct ddl_parser from = *p;

	if (!lock_on(s, p, DDL_PARTITIONS, SRX))
		return false;
	/* a constraint trigger's other table */
	if (seek(&from, "from") && ddl_at_end(p) == false)
		return lock_next(s, &from, DDL_SELF, LOCK_ACCESS_SHARE);
	return true;
}

static bool drop_trigger(struct ddl_statement *s, struct ddl_parser *p)
{
	return lock_on(s, p, DDL_PARTITIONS, AX);
}

static bool on_table_exclusively(struct ddl_statement *s, struct ddl_parser *p)
{
	return lock_on(s, p, DDL_SELF, AX);
}

static bool create_rule(struct ddl_statement *s, struct ddl_parser *p)
{
	return seek(p, "to") ? lock_next(s, p, DDL_SELF, AX) : ddl_give_up(s, no_name);
}

static bool create_statistics(struct ddl_statement *s, struct ddl_parser *p)
{
	return seek(p, "from") ? lock_next(s, p, DDL_SELF, SUX) : ddl_give_up(s, no_name);
}

static bool comment(struct ddl_statement *s, struct ddl_parser *p)
{
	if (ddl_take(p, "table") || ddl_take(p, "view") || ddl_take(p, "materialized view"))
		return lock_next(s, p, DDL_SELF, SUX);
	if (!ddl_take(p, "column"))
		return ddl_give_up(s, "this kind of COMMENT is not forecast");

	autofree char *name = ddl_name(p);
	/* the last part is the column; a dot inside quotes is no end of a part */
	char *dot = name ? strrchr(name, '.') : NULL;

	if (!dot || strchr(dot, '"'))
		return ddl_give_up(s, "the column's name is not understood");
	*dot = '\0';
	ddl_add(s, name, DDL_SELF, SUX);
	return true;
}

static bool alter_view(struct ddl_statement *s, struct ddl_parser *p)
{
	s->missing_ok = ddl_take(p, "if exists");
	return lock_next(s, p, DDL_SELF, AX);
}

static bool insert(struct ddl_statement *s, struct ddl_parser *p)
{
	struct ddl_parser at = *p;

	if (!lock_next(s, p, DDL_SELF, LOCK_ROW_EXCLUSIVE))
		return false;
	return seek(&at, "select") ? ddl_give_up(s, "statements that read other tables are not forecast") : true;
}

static bool nothing(struct ddl_statement *s, struct ddl_parser *p)
{
	(void)s;
	p->at = p->end;
	return true;
}

/* --- the table of statements -------------------------------------------------------------------------------- */

static const struct {
	const char *words;
	bool (*read)(struct ddl_statement *s, struct ddl_parser *p);
} statements[] = {
	{ "alter table", ddl_alter_table },
	{ "alter index", alter_index },
	{ "alter view", alter_view },
	{ "alter materialized view", alter_view },
	{ "create index", create_index },
	{ "create unique index", create_index },
	{ "drop index", drop_index },
	{ "reindex", reindex },
	{ "create table", create_table },
	{ "create unlogged table", create_table },
	{ "drop table", drop_table },
	{ "drop view", drop_object },
	{ "drop materialized view", drop_object },
	{ "drop sequence", drop_object },
	{ "drop foreign table", drop_object },
	{ "truncate", truncate_table },
	{ "lock", lock_table },
	{ "vacuum", vacuum },
	{ "analyze", vacuum },
	{ "analyse", vacuum },
	{ "cluster", cluster },
	{ "refresh materialized view", refresh },
	{ "create trigger", create_trigger },
	{ "create or replace trigger", create_trigger },
	{ "create constraint trigger", create_trigger },
	{ "drop trigger", drop_trigger },
	{ "alter trigger", drop_trigger },
	{ "create rule", create_rule },
	{ "create or replace rule", create_rule },
	{ "drop rule", on_table_exclusively },
	{ "alter rule", on_table_exclusively },
	{ "create policy", on_table_exclusively },
	{ "alter policy", on_table_exclusively },
	{ "drop policy", on_table_exclusively },
	{ "create statistics", create_statistics },
	{ "comment on", comment },
	{ "insert into", insert },
	/* these lock no table that others use */
	{ "begin", nothing },
	{ "start transaction", nothing },
	{ "commit", nothing },
	{ "end", nothing },
	{ "rollback", nothing },
	{ "savepoint", nothing },
	{ "release", nothing },
	{ "set", nothing },
	{ "reset", nothing },
	{ "show", nothing },
	{ "create schema", nothing },
	{ "create type", nothing },
	{ "create function", nothing },
	{ "create or replace function", nothing },
	{ "create procedure", nothing },
	{ "create or replace procedure", nothing },
	{ "create sequence", nothing },
	{ "create role", nothing },
	{ "create domain", nothing },
};

static void read_statement(struct ddl_statement *s, struct ddl_parser p)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (ddl_take(&p, statements[i].words)) {
			statements[i].read(s, &p);
			return;
		}
	ddl_give_up(s, unknown);
}

static const struct ddl_token *find_end(const struct ddl_token *t)
{
	while (t->kind != DDL_END && !(t->kind == DDL_PUNCT && *t->at == ';'))
		t++;
	return t;
}

static void add_statement(struct ddl_script *script, struct ddl_parser p)
{
	const struct ddl_token *last = p.end - 1;
	struct ddl_statement *s = vec_push(&script->statements);

	s->text = xstrndup(p.at->at, (size_t)(last->at + last->len - p.at->at));
	read_statement(s, p);
}

bool ddl_parse(const char *sql, struct ddl_script *ret, struct error *err)
{
	struct ddl_tokens tokens;

	*ret = (struct ddl_script){ 0 };
	if (!ddl_lex(sql, &tokens, err))
		return false;
	for (const struct ddl_token *t = tokens.items; t->kind != DDL_END;) {
		const struct ddl_token *end = find_end(t);

		if (end > t)
			add_statement(ret, (struct ddl_parser){ t, end });
		t = end->kind == DDL_END ? end : end + 1;
	}
	vec_release(&tokens);
	return ret->statements.len || error_set(err, EXIT_USAGE, "there is no statement");
}

bool ddl_script_may_miss(const struct ddl_script *script, const char *name)
{
	bool made = false;

	for (size_t i = 0; i < script->statements.len; i++) {
		const struct ddl_statement *s = &script->statements.items[i];

		for (size_t k = 0; k < s->locks.len; k++)
			if (strcmp(s->locks.items[k].name, name) == 0 && !s->missing_ok && !made)
				return false;
		made |= is_same(s->creates, name) && s->creates;
	}
	return true;
}
