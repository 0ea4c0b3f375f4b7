/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <poll.h>

#include "internal.h"

/* libpq's messages end with a newline and may have several lines; the first is the message. */
static char *first_line(const char *text)
{
	return xstrndup(text, strcspn(text, "\n"));
}

/* True when the server can no longer be talked to, whatever the result says. */
static bool is_lost(const struct pg_conn *c, const PGresult *r)
{
	return PQstatus(c->pg) == CONNECTION_BAD || !r;
}

static enum exit_code code_of(const struct pg_conn *c, const PGresult *r, const char *sqlstate)
{
	if (atomic_load(&c->session->interrupted))
		return EXIT_INTERRUPTED;
	if (!sqlstate[0])
		return is_lost(c, r) ? EXIT_UNAVAILABLE : EXIT_REFUSED;
	return pg_exit_code(sqlstate);
}

static bool fail(struct error *err, const struct pg_conn *c, const PGresult *r, const char *context)
{
	if (atomic_load(&c->session->interrupted) && cancel_requested(c->session->stop))
		return cancel_check(c->session->stop, err);

	const char *sqlstate = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *primary = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *detail = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL) : NULL;
	const char *hint = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_HINT) : NULL;
	const char *text = r && PQresultErrorMessage(r)[0] ? PQresultErrorMessage(r)
	                                                   : PQerrorMessage(c->pg);
	autofree char *line = first_line(text);

	if (!primary)
		primary = line[0] ? line : "the server gave no reason";
	error_set(err, code_of(c, r, sqlstate ? sqlstate : ""), "%s%s%s", context ? context : "",
		context ? ": " : "", primary);
	if (!err)
		return false;
	if (sqlstate)
		memcpy(err->sqlstate, sqlstate, strnlen(sqlstate, 5) + 1);
	if (detail)
		error_detail(err, "%s", detail);
	if (hint)
		error_hint(err, "%s", hint);
	return false;
}

bool pg_error(struct error *err, const struct pg_conn *c, const PGresult *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	autofree char *context = xvasprintf(fmt, ap);
	va_end(ap);
	return fail(err, c, r, context);
}

static bool is_success(const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	       status == PGRES_EMPTY_QUERY;
}

static bool is_copy(const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Waits for the next result; a stop request cancels the statement, and then the session ends. */
static void wait_result(struct pg_conn *c)
{
	const struct cancel *cancel = c->session->stop;

	while (cancel && PQisBusy(c->pg)) {
		int unsent = PQflush(c->pg);
		struct pollfd fds[2] = {
			{ .fd = PQsocket(c->pg), .events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)) },
			{ .fd = cancel->wake_fd, .events = POLLIN },
		};
		int n = unsent < 0 ? -1 : poll(fds, 2, -1);

		if (n < 0 && errno == EINTR && unsent >= 0)
			continue;
		if (n > 0 && fds[1].revents) {
			pg_interrupt(c);
			return;
		}
		if (n < 0 || !PQconsumeInput(c->pg))
			return;
	}
}

/* The results of what was sent: the first failure, else the last. PQexec() would give the last in
 * any case, "server closed the connection" rather than the server's reason before it. */
static PGresult *collect(struct pg_conn *c)
{
	PGconn *pg = c->pg;
	PGresult *kept = NULL, *r;

	while (wait_result(c), (r = PQgetResult(pg)) != NULL) {
		if (kept && !is_success(kept)) {
			PQclear(r);
			continue;
		}
		PQclear(kept);
		kept = r;
		if (is_copy(r))
			break;
	}
	return kept;
}

/* What a caller left unread of an earlier command, as PQexec() does. */
static void discard_results(PGconn *pg)
{
	PGresult *r;
	bool copy = false;

	while (!copy && (r = PQgetResult(pg)) != NULL) {
		copy = is_copy(r);
		PQclear(r);
	}
}

bool pg_exec(struct pg_conn *c, struct error *err, const char *sql)
{
	discard_results(c->pg);

	_cleanup_result_ PGresult *r = PQsendQuery(c->pg, sql) ? collect(c) : NULL;

	return is_success(r) || fail(err, c, r, NULL);
}

/* Keeps what returned rows; the first failure ends up in *failed. */
static size_t collect_rows(struct pg_conn *c, PGresult **ret, size_t n, PGresult **failed)
{
	size_t got = 0;
	PGresult *r;

	while (wait_result(c), (r = PQgetResult(c->pg)) != NULL) {
		if (!is_success(r) && !*failed)
			*failed = r;
		else if (PQresultStatus(r) == PGRES_TUPLES_OK && got++ < n)
			ret[got - 1] = r;
		else
			PQclear(r);
	}
	return got;
}

bool pg_batch(struct pg_conn *c, struct error *err, const char *sql, PGresult **ret, size_t n)
{
	_cleanup_result_ PGresult *failed = NULL;

	discard_results(c->pg);
	for (size_t i = 0; i < n; i++)
		ret[i] = NULL;

	bool sent = PQsendQuery(c->pg, sql);
	size_t got = sent ? collect_rows(c, ret, n, &failed) : 0;

	if (sent && !failed && got == n)
		return true;
	for (size_t i = 0; i < n; i++) {
		PQclear(ret[i]);
		ret[i] = NULL;
	}
	if (sent && !failed && got)
		BUG("%zu results instead of %zu", got, n);
	return fail(err, c, failed, NULL);
}

bool pg_execf(struct pg_conn *c, struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	autofree char *sql = xvasprintf(fmt, ap);
	va_end(ap);
	return pg_exec(c, err, sql);
}

PGresult *pg_query(
	struct pg_conn *c, struct error *err, const char *sql, int n, const char *const *values)
{
	discard_results(c->pg);

	PGresult *r = PQsendQueryParams(c->pg, sql, n, NULL, values, NULL, NULL, 0) ? collect(c)
	                                                                            : NULL;

	if (is_success(r))
		return r;
	fail(err, c, r, NULL);
	PQclear(r);
	return NULL;
}

char *pg_query_value(struct pg_conn *c, struct error *err, const char *sql)
{
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 0, NULL);

	if (!r)
		return NULL;
	if (PQntuples(r) != 1 || PQnfields(r) < 1) {
		error_set(err, EXIT_NOT_FOUND, "expected one row, the server returned %d",
			PQntuples(r));
		return NULL;
	}
	return xstrdup(PQgetvalue(r, 0, 0));
}
