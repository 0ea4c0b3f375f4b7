/* SPDX-License-Identifier: PostgreSQL */
#include "lock_forecast.h"

#include <string.h>

void forecast_release(struct forecast *f)
{
	for (size_t i = 0; i < f->relations.len; i++) {
		free(f->relations.items[i].constraint);
		free(f->relations.items[i].shown);
	}
	for (size_t i = 0; i < f->holders.len; i++) {
		free(f->holders.items[i].gid);
		free(f->holders.items[i].user);
		free(f->holders.items[i].application);
		free(f->holders.items[i].state);
		free(f->holders.items[i].query);
	}
	for (size_t i = 0; i < f->locks.len; i++)
		vec_release(&f->locks.items[i].blockers);
	vec_release(&f->relations);
	vec_release(&f->holders);
	vec_release(&f->locks);
	strvec_release(&f->missing);
	*f = (struct forecast){ 0 };
}

const char *lock_mode_effect(enum lock_mode m)
{
	static const char *const effects[] = {
		[LOCK_NONE] = "nothing",
		[LOCK_ACCESS_SHARE] = "ACCESS EXCLUSIVE only",
		[LOCK_ROW_SHARE] = "exclusive locks",
		[LOCK_ROW_EXCLUSIVE] = "index builds and other DDL",
		[LOCK_SHARE_UPDATE_EXCLUSIVE] = "DDL and VACUUM",
		[LOCK_SHARE] = "writes",
		[LOCK_SHARE_ROW_EXCLUSIVE] = "writes",
		[LOCK_EXCLUSIVE] = "writes and SELECT FOR UPDATE",
		[LOCK_ACCESS_EXCLUSIVE] = "reads and writes",
	};

	return effects[m];
}

/* The script's names, each once; a name's number is its place. */
static void collect_names(const struct ddl_script *script, struct strvec *names)
{
	for (size_t i = 0; i < script->statements.len; i++) {
		const struct ddl_statement *s = &script->statements.items[i];

		for (size_t k = 0; k < s->locks.len; k++)
			if (!strvec_contains(names, s->locks.items[k].name))
				strvec_push(names, s->locks.items[k].name);
	}
}

/* Hexadecimal, so that no name can be read as anything else on its way. */
void forecast_add_names(const struct ddl_script *script, struct strbuf *sql)
{
	_cleanup_strvec_ struct strvec names = { 0 };

	collect_names(script, &names);
	strbuf_adds(sql, "SET LOCAL dbops.names = '");
	for (size_t i = 0; i < names.len; i++) {
		strbuf_adds(sql, i ? "," : "");
		strbuf_add_hex(sql, names.items[i], strlen(names.items[i]));
	}
	strbuf_adds(sql, "';\n");
}

/* --- reading ------------------------------------------------------------------------------------------------ */

static char *copy(const PGresult *r, int row, const char *column)
{
	const char *value = pg_text(r, row, PQfnumber(r, column));

	return value ? xstrdup(value) : NULL;
}

static int64_t number(const PGresult *r, int row, const char *column, int64_t otherwise)
{
	const char *value = pg_text(r, row, PQfnumber(r, column));

	return value ? strtoll(value, NULL, 10) : otherwise;
}

static void read_relation(struct forecast *f, const PGresult *r, int row)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;

	pg_add_display_name(&shown, pg_value(r, row, PQfnumber(r, "nspname")), pg_value(r, row, PQfnumber(r, "relname")));
	*vec_push(&f->relations) = (struct forecast_relation){
		.name = (size_t)number(r, row, "ord", 0),
		.scope = (enum ddl_scope)number(r, row, "scope", 0),
		.constraint = copy(r, row, "conname"),
		.oid = (uint32_t)number(r, row, "oid", 0),
		.shown = strbuf_detach(&shown),
		.kind = pg_value(r, row, PQfnumber(r, "relkind"))[0],
		.bytes = number(r, row, "bytes", -1),
		.rows = number(r, row, "rows", -1),
		.scans = number(r, row, "scans", -1),
		.writes = number(r, row, "writes", -1),
	};
}

static void read_holder(struct forecast *f, const PGresult *r, int row)
{
	*vec_push(&f->holders) = (struct forecast_holder){
		.oid = (uint32_t)number(r, row, "relation", 0),
		.pid = number(r, row, "pid", 0),
		.gid = copy(r, row, "gid"),
		.mode = lock_mode_parse(pg_value(r, row, PQfnumber(r, "mode"))),
		.granted = pg_bool(r, row, PQfnumber(r, "granted")),
		.user = copy(r, row, "usename"),
		.application = copy(r, row, "application_name"),
		.state = copy(r, row, "state"),
		.query = copy(r, row, "query"),
		.xact_start = number(r, row, "xact_start", 0),
		.backend_start = number(r, row, "backend_start", 0),
	};
}

static void find_missing(struct forecast *f, const struct strvec *names, const char *oids)
{
	for (size_t i = 0; i < names->len; i++) {
		if (oids[0] == '0')
			strvec_push(&f->missing, names->items[i]);
		oids += strcspn(oids, ",");
		oids += *oids == ',';
	}
}

/* --- what meets what ---------------------------------------------------------------------------------------- */

static bool is_foreign_key(const struct forecast *f, size_t name, const char *constraint)
{
	for (size_t i = 0; i < f->relations.len; i++) {
		const struct forecast_relation *r = &f->relations.items[i];

		if (r->name == name && r->scope == DDL_REFERENCED && strcmp(r->constraint, constraint) == 0)
			return true;
	}
	return false;
}

static bool is_meant(const struct forecast *f, const struct ddl_lock *l, size_t name, const struct forecast_relation *r)
{
	enum ddl_scope scope = l->scope;

	if (f->major < l->from || (l->below && f->major >= l->below))
		return false;

	if (scope == DDL_TREE && l->constraint && is_foreign_key(f, name, l->constraint))
		scope = DDL_SELF;
	if (r->name != name || r->scope != scope)
		return false;
	return scope != DDL_REFERENCED || !l->constraint || strcmp(r->constraint, l->constraint) == 0;
}

static struct forecast_lock *lock_on(struct forecast *f, size_t statement, const struct forecast_relation *r)
{
	for (size_t i = 0; i < f->locks.len; i++)
		if (f->locks.items[i].statement == statement && f->locks.items[i].relation->oid == r->oid)
			return &f->locks.items[i];

	struct forecast_lock *l = vec_push(&f->locks);

	l->statement = statement;
	l->relation = r;
	return l;
}

static void add_lock(struct forecast *f, size_t statement, const struct ddl_lock *l, size_t name)
{
	for (size_t i = 0; i < f->relations.len; i++) {
		const struct forecast_relation *r = &f->relations.items[i];

		if (!is_meant(f, l, name, r))
			continue;

		struct forecast_lock *lock = lock_on(f, statement, r);

		lock->mode = l->mode > lock->mode ? l->mode : lock->mode;
	}
}

static size_t number_of(const struct strvec *names, const char *name)
{
	for (size_t i = 0; i < names->len; i++)
		if (strcmp(names->items[i], name) == 0)
			return i + 1;
	return 0;
}

/* A session may hold several modes on a table; it stands in the way once. */
static bool is_known(const struct forecast_lock *l, const struct forecast_holder *h)
{
	for (size_t i = 0; i < l->blockers.len; i++) {
		const struct forecast_holder *b = l->blockers.items[i];

		if (h->pid ? b->pid == h->pid : !b->pid && b->gid && h->gid && strcmp(b->gid, h->gid) == 0)
			return true;
	}
	return false;
}

static void find_blockers(struct forecast *f, struct forecast_lock *l)
{
	for (size_t i = 0; i < f->holders.len; i++) {
		const struct forecast_holder *h = &f->holders.items[i];

		if (h->oid == l->relation->oid && lock_modes_conflict(h->mode, l->mode) && !is_known(l, h))
			*vec_push(&l->blockers) = h;
	}
}

void forecast_read(struct forecast *ret, const struct ddl_script *script, int version, const PGresult *names_result, const PGresult *relations,
	const PGresult *holders)
{
	_cleanup_strvec_ struct strvec names = { 0 };

	*ret = (struct forecast){ .script = script, .major = version / 10000 };
	collect_names(script, &names);
	for (int i = 0; i < PQntuples(relations); i++)
		read_relation(ret, relations, i);
	for (int i = 0; i < PQntuples(holders); i++)
		read_holder(ret, holders, i);
	find_missing(ret, &names, pg_value(names_result, 0, 0));
	for (size_t i = 0; i < script->statements.len; i++) {
		const struct ddl_statement *s = &script->statements.items[i];

		for (size_t k = 0; !s->problem && k < s->locks.len; k++)
			add_lock(ret, i, &s->locks.items[k], number_of(&names, s->locks.items[k].name));
	}
	for (size_t i = 0; i < ret->locks.len; i++)
		find_blockers(ret, &ret->locks.items[i]);
}
