/* SPDX-License-Identifier: PostgreSQL */
#include "session.h"

#include <inttypes.h>

const struct session_setting session_settings[] = {
	{ "search_path", "", 0 },
	{ "DateStyle", "ISO, MDY", 0 },
	{ "IntervalStyle", "postgres", 0 },
	{ "TimeZone", "UTC", 0 },
	{ "extra_float_digits", "3", 0 },
	{ "bytea_output", "hex", 0 },
	{ "standard_conforming_strings", "on", 0 },
	{ "row_security", "off", 0 },
	{ "synchronize_seqscans", "off", 0 },
	{ "statement_timeout", "0", 0 },
	{ "lock_timeout", "0", 0 },
	{ "idle_in_transaction_session_timeout", "0", 0 },
	{ "idle_session_timeout", "0", 140000 },
	{ "transaction_timeout", "0", 170000 },
	{ NULL, NULL, 0 },
};

bool session_pin(struct pg_conn *c, const char *encoding, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "SELECT pg_catalog.set_config(s.name, s.value, false) FROM (VALUES ");
	for (const struct session_setting *s = session_settings; s->name; s++) {
		if (c->version < s->min_version)
			continue;
		if (s != session_settings)
			strbuf_adds(&sql, ", ");
		strbuf_addch(&sql, '(');
		pg_add_literal(&sql, s->name);
		strbuf_adds(&sql, ", ");
		pg_add_literal(&sql, s->value);
		strbuf_addch(&sql, ')');
	}
	strbuf_adds(&sql, ") AS s (name, value) UNION ALL "
			  /* CVE-2024-7348: no view or foreign table may stand in for a table; newer minors only */
			  "SELECT pg_catalog.set_config(name, 'view, foreign-table', false) "
			  "FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'");
	if (encoding && PQsetClientEncoding(c->pg, encoding) != 0)
		return pg_error(err, c, NULL, "cannot set client_encoding to \"%s\"", encoding);

	_cleanup_result_ PGresult *r = pg_query(c, err, sql.buf, 0, NULL);

	return r != NULL;
}

bool session_begin_snapshot(struct pg_conn *c, const char *snapshot, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;");
	if (snapshot) {
		strbuf_adds(&sql, "SET TRANSACTION SNAPSHOT ");
		pg_add_literal(&sql, snapshot);
	}
	return pg_exec(c, err, sql.buf);
}

bool session_widen_input(struct pg_conn *c, struct error *err)
{
	return pg_exec(c, err, "SELECT pg_catalog.repeat(' ', 120000)");
}

void session_add_page_range(struct strbuf *sql, uint32_t unit, uint32_t units, int64_t unit_pages)
{
	strbuf_addf(sql, " WHERE ctid >= '(%" PRId64 ",0)'::pg_catalog.tid", unit * unit_pages);
	if (unit + 1 < units)
		strbuf_addf(sql, " AND ctid < '(%" PRId64 ",0)'::pg_catalog.tid", (unit + 1) * unit_pages);
}
