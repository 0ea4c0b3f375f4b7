/* SPDX-License-Identifier: PostgreSQL
 *
 * lock_forecast.h - what a statement would meet if it ran now.
 *
 * ddl.h says which locks a statement takes; the server says which relations those are, who holds what on them, and how much they are
 * used. Nothing is run and nothing is locked.
 */
#ifndef DBOPS_LOCK_FORECAST_H
#define DBOPS_LOCK_FORECAST_H

#include <stdint.h>
#include "ddl.h"
#include "pg.h"

struct forecast_relation {
	size_t name;          /* number of the name in forecast_add_names(), from 1 */
	enum ddl_scope scope;
	char *constraint;     /* DDL_REFERENCED, DDL_REFERENCING: the foreign key's name */
	uint32_t oid;
	char *shown;          /* public."Orders" */
	char kind;            /* pg_class.relkind */
	int64_t bytes, rows;  /* as the last VACUUM or ANALYZE saw it; -1 = never did */
	int64_t scans, writes; /* since the statistics began; -1 = not a table */
};

struct forecast_holder {
	uint32_t oid;
	int64_t pid;          /* 0 = a prepared transaction */
	char *gid;
	enum lock_mode mode;
	bool granted;         /* false: waits for it, in front of us */
	char *user, *application, *state, *query;
	int64_t xact_start, backend_start; /* 0 = not known */
};

/* One lock the statement would take. */
struct forecast_lock {
	size_t statement;     /* from 0 */
	const struct forecast_relation *relation;
	enum lock_mode mode;
	VEC(const struct forecast_holder *) blockers; /* the longest transaction first */
};

struct forecast {
	const struct ddl_script *script; /* borrowed */
	int major;
	VEC(struct forecast_relation) relations;
	VEC(struct forecast_holder) holders;
	VEC(struct forecast_lock) locks;
	struct strvec missing;           /* names that are no relation of this database */
};

void forecast_release(struct forecast *f);
#define _cleanup_forecast_ _cleanup_(forecast_release)

/* Adds the SQL that hands the script's names to sql_lock_names, to be run before it. Every name once, in order. */
void forecast_add_names(const struct ddl_script *script, struct strbuf *sql);
/* Makes the forecast for a server of that version (150020) from the results of sql_lock_names, sql_lock_relations and sql_lock_holders. */
void forecast_read(struct forecast *ret, const struct ddl_script *script, int version, const PGresult *names,
	const PGresult *relations, const PGresult *holders);

/* What others cannot do meanwhile: "reads and writes", "writes", "DDL and VACUUM". A constant. */
const char *lock_mode_effect(enum lock_mode m);

#endif
