/* SPDX-License-Identifier: PostgreSQL
 *
 * session.h - the settings under which COPY text is written and read.
 *
 * They are pg_dump's (src/bin/pg_dump/pg_dump.c, setup_connection()) plus those that make the
 * text the same on every server (TimeZone, bytea_output), so that fingerprints compare. The
 * manifest records them. lc_monetary stays the database's: the text must suit pg_restore.
 */
#ifndef DBOPS_SESSION_H
#define DBOPS_SESSION_H

#include "pg.h"

struct session_setting {
	const char *name, *value;
	int min_version; /* 170000: since PostgreSQL 17 */
};
/* Ends with name NULL. */
extern const struct session_setting session_settings[];

/* Pins them for the session; encoding NULL leaves client_encoding alone. */
bool session_pin(struct pg_conn *c, const char *encoding, struct error *err);

/* BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; with snapshot not NULL, SET TRANSACTION SNAPSHOT. */
bool session_begin_snapshot(struct pg_conn *c, const char *snapshot, struct error *err);

/* For a session that will read many rows: makes libpq's input buffer, which begins at 16 KiB and keeps the size of its
 * longest message, about 128 KiB, so that what the server has sent meanwhile is one read and not eight. */
bool session_widen_input(struct pg_conn *c, struct error *err);

/* Adds " WHERE ctid …" for range `unit` of `units`, each of unit_pages heap pages; the last one is
 * open-ended, because the table may have grown since its pages were counted. */
void session_add_page_range(struct strbuf *sql, uint32_t unit, uint32_t units, int64_t unit_pages);

#endif
