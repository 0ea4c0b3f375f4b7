/* SPDX-License-Identifier: PostgreSQL */
#include "scratch_internal.h"

/* CREATE DATABASE knows the ICU provider since 15, the builtin one since 17. */
static bool knows_provider(int major, char provider)
{
	return provider == 'i' ? major >= 15 : provider == 'b' && major >= 17;
}

static void add_setting(struct strbuf *sql, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	strbuf_addf(sql, " %s ", name);
	pg_add_literal(sql, value);
}

static void build_create(
	struct strbuf *sql, const struct scratch_database *db, int major, bool plain)
{
	char provider = knows_provider(major, db->locale_provider) ? db->locale_provider : 'c';

	strbuf_reset(sql);
	strbuf_adds(sql, "CREATE DATABASE ");
	pg_add_ident(sql, db->name);
	strbuf_adds(sql, " TEMPLATE template0");
	add_setting(sql, "ENCODING", db->encoding);
	add_setting(sql, "LC_COLLATE", plain ? "C" : db->collate);
	add_setting(sql, "LC_CTYPE", plain ? "C" : db->ctype);
	if (plain || provider == 'c')
		return;
	strbuf_adds(sql, provider == 'i' ? " LOCALE_PROVIDER icu" : " LOCALE_PROVIDER builtin");
	add_setting(sql, provider == 'i' ? "ICU_LOCALE" : "BUILTIN_LOCALE", db->icu_locale);
}

/* The statement failed for its locale: the fallback can help. */
static bool is_about_locale(const struct error *err)
{
	return strcmp(err->sqlstate, "42809") == 0 || /* invalid locale name */
	       strcmp(err->sqlstate, "22023") ==
	               0 || /* encoding and locale do not fit, ICU's refusals */
	       strcmp(err->sqlstate, "42P17") == 0 ||
	       strcmp(err->sqlstate, "0A000") == 0;
}

static bool create(struct pg_conn *server, const struct scratch_database *db, int major,
	struct log *log, struct error *err)
{
	_cleanup_error_ struct error first = ERROR_INIT;
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	build_create(&sql, db, major, false);
	if (pg_exec(server, &first, sql.buf))
		return true;
	if (!is_about_locale(&first))
		return error_move(err, &first);
	build_create(&sql, db, major, true);
	if (!pg_exec(server, err, sql.buf))
		return false;
	log_warning(log, "scratch.locale",
		"the scratch server cannot have the locale of database \"%s\", it uses \"C\": text "
		"sorts differently "
		"there (%s)",
		db->name, first.message);
	return true;
}

/* initdb made one called "postgres", and so may the source's be. */
static bool drop_old(struct pg_conn *server, const char *name, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "DROP DATABASE IF EXISTS ");
	pg_add_ident(&sql, name);
	return pg_exec(server, err, sql.buf);
}

struct pg_conn *scratch_create_database(
	struct scratch *s, const struct scratch_database *db, struct log *log, struct error *err)
{
	struct pg_params p;

	scratch_params(s, "template1", &p);

	_cleanup_conn_ struct pg_conn *server = pg_connect(&p, log, err);

	if (!server || !drop_old(server, db->name, err) ||
		!create(server, db, scratch_major(s), log, err)) {
		error_prefix(err, "cannot create database \"%s\" on the scratch server", db->name);
		return NULL;
	}
	return pg_clone(server, db->name, NULL, err);
}
