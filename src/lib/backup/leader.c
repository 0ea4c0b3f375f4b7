/* SPDX-License-Identifier: PostgreSQL */
#include "leader.h"

#include <inttypes.h>
#include <poll.h>
#include "clock.h"
#include "session.h"
#include "xalloc.h"

#define LOCK_BATCH         500
#define LOCK_ATTEMPT_MS    2000
#define SNAPSHOT_ATTEMPTS  3

static const char sql_describe[] =
	"SELECT d.datname, pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,"
	" pg_catalog.pg_database_size(d.oid), pg_catalog.current_setting('lc_monetary'),"
	" pg_catalog.current_setting('server_version'),"
	" pg_catalog.to_jsonb(d)->>'datlocprovider',"
	" COALESCE(pg_catalog.to_jsonb(d)->>'datlocale', pg_catalog.to_jsonb(d)->>'daticulocale')"
	" FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";

static char *text_or_null(const PGresult *r, int col)
{
	return PQgetisnull(r, 0, col) ? NULL : xstrdup(PQgetvalue(r, 0, col));
}

static bool describe(struct leader *l, struct log *log, struct manifest *m, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(l->conn, err, sql_describe, 0, NULL);

	if (!r)
		return false;
	m->database = text_or_null(r, 0);
	m->encoding = text_or_null(r, 1);
	m->collate = text_or_null(r, 2);
	m->ctype = text_or_null(r, 3);
	m->database_bytes = pg_int(r, 0, 4);
	m->lc_monetary = text_or_null(r, 5);
	m->server_version = text_or_null(r, 6);
	m->locale_provider = text_or_null(r, 7);
	m->icu_locale = text_or_null(r, 8);
	m->server_version_num = l->conn->version;
	m->in_recovery = l->conn->in_recovery;

	_cleanup_error_ struct error denied = ERROR_INIT;

	m->system_identifier = pg_query_value(
		l->conn, &denied, "SELECT system_identifier FROM pg_catalog.pg_control_system()");
	if (!m->system_identifier) {
		m->system_identifier = xstrdup("unknown");
		log_warning(log, "backup.identity", "the system identifier cannot be read: %s", denied.message);
	}
	return true;
}

/* One run per database and label at a time; the lock lives as long as the session. */
static bool lock_series(struct leader *l, const char *label, struct error *err)
{
	const char *values[] = { label ? label : "" };
	_cleanup_result_ PGresult *r = pg_query(l->conn, err,
		"SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('dbops backup ' || $1, 0))", 1,
		values);

	if (!r)
		return false;
	if (pg_bool(r, 0, 0))
		return true;
	error_set(err, EXIT_BUSY, "another backup of database \"%s\" is running", l->conn->database);
	error_detail(err, "It holds the advisory lock of the series (label \"%s\").", label ? label : "");
	return error_hint(err, "Wait for it, or give this run another --label.");
}

bool leader_connect(struct leader *l, const struct backup_options *o, struct log *log, struct manifest *m,
	struct error *err)
{
	l->conn = pg_connect(&o->server, log, err);
	if (!l->conn)
		return false;
	l->filtered = o->tables.len || o->exclude_tables.len || o->schemas.len || o->exclude_schemas.len;
	return pg_refuse_transaction_pooler(l->conn, "a backup", err) && lock_series(l, o->label, err) && describe(l, log, m, err) &&
	       session_pin(l->conn, m->encoding, err);
}

static const char sql_snapshot[] =
	"SELECT pg_catalog.pg_export_snapshot(),"
	" CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"
	" ELSE pg_catalog.pg_current_wal_lsn() END";

static bool export_snapshot(struct leader *l, struct error *err)
{
	if (!session_begin_snapshot(l->conn, NULL, err))
		return false;

	_cleanup_result_ PGresult *r = pg_query(l->conn, err, sql_snapshot, 0, NULL);

	if (!r)
		return error_prefix(err, "cannot export a snapshot");
	free(l->snapshot);
	free(l->lsn);
	l->snapshot = text_or_null(r, 0);
	l->lsn = text_or_null(r, 1);
	l->snapshot_at = clock_now_us();
	return true;
}

/* The tables pg_dump would take: not the system's, not an extension's own. */
static const char sql_tables[] =
	"SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'"
	" AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = c.oid"
	"  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)"
	" ORDER BY c.oid";

static bool lock_user_tables(struct leader *l, const struct backup_options *o, const struct cancel *cancel,
	bool *ret_stale, struct error *err)
{
	_cleanup_result_ PGresult *r = pg_query(l->conn, err, sql_tables, 0, NULL);

	if (!r)
		return false;

	size_t n = (size_t)PQntuples(r);
	autofree struct leader_table *tables = xcalloc(n, sizeof(*tables));

	for (size_t i = 0; i < n; i++)
		tables[i] = (struct leader_table){ .oid = (uint32_t)pg_int(r, (int)i, 0),
			.schema = PQgetvalue(r, (int)i, 1),
			.name = PQgetvalue(r, (int)i, 2) };
	return leader_lock(l, tables, n, o, cancel, ret_stale, err);
}

bool leader_begin(struct leader *l, const struct backup_options *o, struct log *log,
	const struct cancel *cancel, struct error *err)
{
	for (int attempt = 0; attempt < SNAPSHOT_ATTEMPTS; attempt++) {
		bool stale = false;

		if (!export_snapshot(l, err))
			return false;
		if (l->filtered)
			return true;
		if (!lock_user_tables(l, o, cancel, &stale, err))
			return false;
		if (!stale)
			return true;
		log_info(log, "backup.snapshot", "a table changed while the locks were taken: new snapshot");
		if (!leader_rollback(l, err))
			return false;
	}
	error_set(err, EXIT_BUSY, "tables are truncated or rewritten again and again");
	return error_hint(err, "Try again when no migration is running.");
}

static bool leader_lost(struct leader *l, struct error *err)
{
	error_set(err, EXIT_UNAVAILABLE, "the connection that holds the snapshot and the locks was lost");
	if (PQerrorMessage(l->conn->pg)[0])
		error_detail(err, "%s", PQerrorMessage(l->conn->pg));
	return error_hint(err, "Without its locks a table may have changed under the backup: run it again. On a standby, "
			       "recovery conflicts end it (max_standby_streaming_delay).");
}

bool leader_is_alive(struct leader *l, struct error *err)
{
	struct pollfd fd = { .fd = PQsocket(l->conn->pg), .events = POLLIN };

	if (PQstatus(l->conn->pg) != CONNECTION_OK)
		return leader_lost(l, err);

	/* an idle server says nothing; what comes is its farewell */
	if (poll(&fd, 1, 0) <= 0)
		return true;
	if (PQconsumeInput(l->conn->pg) && PQstatus(l->conn->pg) == CONNECTION_OK)
		return true;
	return leader_lost(l, err);
}

bool leader_confirm(struct leader *l, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (pg_exec(l->conn, &failed, "SELECT 1") && PQtransactionStatus(l->conn->pg) == PQTRANS_INTRANS)
		return true;
	if (failed.code == EXIT_INTERRUPTED || failed.code == EXIT_TERMINATED)
		return error_move(err, &failed);
	return leader_lost(l, err);
}

bool leader_rollback(struct leader *l, struct error *err)
{
	return pg_exec(l->conn, err, "ROLLBACK");
}

/* Adds who holds what on the tables to err's detail; best effort. */
static void name_holder(struct leader *l, const char *oids, struct error *err)
{
	const char *values[] = { oids };
	_cleanup_error_ struct error ignored = ERROR_INIT;
	_cleanup_result_ PGresult *r = pg_query(l->conn, &ignored,
		"SELECT l.pid, l.mode, pg_catalog.format('%I.%I', n.nspname, c.relname),"
		" COALESCE(pg_catalog.left(a.query, 200), ''), l.granted FROM pg_catalog.pg_locks l"
		" JOIN pg_catalog.pg_class c ON c.oid = l.relation"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		" LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
		" WHERE l.relation = ANY ($1::pg_catalog.oid[]) AND l.mode = 'AccessExclusiveLock'"
		" ORDER BY l.granted DESC, l.pid LIMIT 1",
		1, values);

	if (r && PQntuples(r) == 1)
		error_detail(err, "Process %s %s %s on %s: %s", pg_value(r, 0, 0),
			pg_bool(r, 0, 4) ? "holds" : "waits for", pg_value(r, 0, 1), pg_value(r, 0, 2),
			pg_value(r, 0, 3));
}

enum attempt { ATTEMPT_LOCKED, ATTEMPT_TIMEOUT, ATTEMPT_FAILED };

/* Under a savepoint, so that a timeout costs neither the snapshot nor the locks held already. */
static enum attempt try_lock(struct leader *l, const char *sql, int64_t timeout_ms, struct error *err)
{
	_cleanup_error_ struct error failed = ERROR_INIT;

	if (!pg_execf(l->conn, err, "SAVEPOINT locks; SET LOCAL lock_timeout = %" PRId64, timeout_ms))
		return ATTEMPT_FAILED;
	if (pg_exec(l->conn, &failed, sql))
		return pg_exec(l->conn, err, "SET LOCAL lock_timeout = 0; RELEASE SAVEPOINT locks") ?
			       ATTEMPT_LOCKED :
			       ATTEMPT_FAILED;

	bool timeout = strcmp(failed.sqlstate, "55P03") == 0;

	if (!pg_exec(l->conn, timeout ? err : NULL, "ROLLBACK TO SAVEPOINT locks; RELEASE SAVEPOINT locks"))
		timeout = false;
	error_move(err, &failed);
	return timeout ? ATTEMPT_TIMEOUT : ATTEMPT_FAILED;
}

static bool lock_batch(struct leader *l, const struct leader_table *tables, size_t n, double deadline,
	const struct cancel *cancel, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT, oids = STRBUF_INIT;

	strbuf_adds(&sql, "LOCK TABLE ");
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(&sql, i ? ", ONLY " : "ONLY ");
		pg_add_qualified(&sql, tables[i].schema, tables[i].name);
		strbuf_addf(&oids, "%s%u", i ? "," : "{", tables[i].oid);
	}
	strbuf_adds(&sql, " IN ACCESS SHARE MODE");
	strbuf_addch(&oids, '}');
	for (;;) {
		int64_t left = (int64_t)((deadline - clock_monotonic()) * 1000);
		int64_t wait = left > LOCK_ATTEMPT_MS ? LOCK_ATTEMPT_MS : left < 1 ? 1 : left;
		enum attempt a = cancel_check(cancel, err) ? try_lock(l, sql.buf, wait, err) : ATTEMPT_FAILED;

		if (a != ATTEMPT_TIMEOUT)
			return a == ATTEMPT_LOCKED;
		if (clock_monotonic() >= deadline)
			break;
		error_release(err);
		/* let those queue who wait behind us, then try again */
		if (!cancel_pause(cancel, 100, err))
			return false;
	}
	error_set(err, EXIT_BUSY, "cannot lock the tables within --lock-timeout");
	name_holder(l, oids.buf, err);
	return error_hint(err, "Try again later, raise --lock-timeout, or leave the table out with --exclude-table.");
}

/* relfilenode as our snapshot sees it against the relation's file now: they differ exactly after
 * a TRUNCATE or a rewrite that the snapshot does not see. And the name as the snapshot sees it
 * against what it means now: tables that swapped their names are locked and read by name. */
static bool any_stale(struct leader *l, const struct leader_table *tables, size_t n, bool *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf oids = STRBUF_INIT;

	for (size_t i = 0; i < n; i++)
		strbuf_addf(&oids, "%s%u", i ? "," : "{", tables[i].oid);
	strbuf_adds(&oids, n ? "}" : "{}");

	const char *values[] = { oids.buf };
	_cleanup_result_ PGresult *r = pg_query(l->conn, err,
		"SELECT EXISTS (SELECT FROM pg_catalog.pg_class c"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::pg_catalog.oid[])"
		" AND ((c.relkind = 'r' AND c.relfilenode <> 0"
		"  AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid))"
		" OR pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname))"
		"  IS DISTINCT FROM c.oid::pg_catalog.regclass))",
		1, values);

	if (!r)
		return false;
	*ret = pg_bool(r, 0, 0);
	return true;
}

bool leader_lock(struct leader *l, const struct leader_table *tables, size_t n, const struct backup_options *o,
	const struct cancel *cancel, bool *ret_stale, struct error *err)
{
	double deadline = clock_monotonic() + (double)o->lock_timeout_ms / 1000;

	*ret_stale = false;
	for (size_t i = 0; i < n; i += LOCK_BATCH) {
		size_t batch = n - i < LOCK_BATCH ? n - i : LOCK_BATCH;

		if (lock_batch(l, tables + i, batch, deadline, cancel, err))
			continue;
		/* dropped since the snapshot: that, too, asks for a new one */
		if (strcmp(err->sqlstate, "42P01") != 0 && strcmp(err->sqlstate, "3F000") != 0)
			return false;
		error_release(err);
		*ret_stale = true;
		return true;
	}
	return any_stale(l, tables, n, ret_stale, err);
}

void leader_release(struct leader *l)
{
	pg_close(l->conn);
	free(l->snapshot);
	free(l->lsn);
	*l = (struct leader){ 0 };
}
