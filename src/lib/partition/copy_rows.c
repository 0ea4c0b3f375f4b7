/* SPDX-License-Identifier: PostgreSQL */
#include "copy_rows.h"

#include <errno.h>
#include <poll.h>

/* Waits until a row may be there; a stop request ends the statement. */
static bool wait_for_rows(struct pg_conn *c, const char *what, const struct cancel *cancel, struct error *err)
{
	struct pollfd fds[2] = {
		{ .fd = PQsocket(c->pg), .events = POLLIN },
		{ .fd = cancel ? cancel->wake_fd : -1, .events = POLLIN },
	};

	if (poll(fds, 2, -1) < 0 && errno != EINTR)
		return error_set_errno(err, EXIT_BUG, errno, "cannot wait for the server");
	if (!cancel_check(cancel, err)) {
		pg_interrupt(c);
		return false;
	}
	return PQconsumeInput(c->pg) || pg_error(err, c, NULL, "cannot read '%s'", what);
}

static bool end_copy(struct pg_conn *c, const char *what, struct error *err)
{
	bool ok = true;

	for (PGresult *end; (end = PQgetResult(c->pg)); PQclear(end))
		if (PQresultStatus(end) != PGRES_COMMAND_OK)
			ok = pg_error(err, c, end, "cannot read '%s'", what);
	return ok;
}

bool copy_rows(struct pg_conn *c, const char *sql, const char *what, const struct cancel *cancel,
	bool (*row)(void *data, const char *text, size_t len, struct error *err), void *data, struct error *err)
{
	_cleanup_result_ PGresult *r = PQexec(c->pg, sql);
	char *text;
	int len;

	if (PQresultStatus(r) != PGRES_COPY_OUT)
		return pg_error(err, c, r, "cannot read '%s'", what);
	while ((len = PQgetCopyData(c->pg, &text, 1)) >= 0) {
		bool ok = len ? row(data, text, (size_t)len, err) : wait_for_rows(c, what, cancel, err);

		if (len)
			PQfreemem(text);
		if (!ok)
			return false;
	}
	if (len != -1)
		return pg_error(err, c, NULL, "cannot read '%s'", what);
	return end_copy(c, what, err);
}
