/* SPDX-License-Identifier: PostgreSQL
 *
 * pooler.c - is there a pooler, and does it hand out backends per transaction?
 *
 * A pooler makes up its own cancel key, so the process id that libpq was told differs from the
 * one the backend reports. Under transaction pooling a second session gets, in its transaction,
 * the backend that answered the first session a moment ago (pools are stacks), or the first session
 * finds itself on another backend (pools that take turns). Under session pooling neither can
 * happen.
 */
#include <poll.h>

#include "clock.h"
#include "internal.h"

enum { ROUNDS = 3, PATIENCE_MS = 3000 };

/* One statement with a time limit, because a session pooler that is full lets us wait. Returns
 * the single integer, 0 when nothing came in time, -1 on failure. */
static int64_t ask_in_time(struct pg_conn *c, const char *sql)
{
	double deadline = clock_monotonic() + PATIENCE_MS / 1000.0;
	int64_t value = -1;

	if (!PQsendQuery(c->pg, sql))
		return -1;
	while (PQisBusy(c->pg)) {
		struct pollfd fd = { .fd = PQsocket(c->pg), .events = POLLIN };
		double left = deadline - clock_monotonic();

		if (left <= 0)
			return 0;
		poll(&fd, 1, (int)(left * 1000) + 1);
		if (!PQconsumeInput(c->pg))
			return -1;
	}
	for (;;) {
		_cleanup_result_ PGresult *r = PQgetResult(c->pg);

		if (!r)
			return value;
		if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1)
			value = pg_int(r, 0, 0);
	}
}

static int64_t backend_of(struct pg_conn *c, struct error *err)
{
	autofree char *pid = pg_query_value(c, err, "SELECT pg_catalog.pg_backend_pid()");

	return pid ? strtoll(pid, NULL, 10) : -1;
}

/* One round: 1 = proof of transaction pooling, 0 = none, -1 = err is set. */
static int compare_backends(struct pg_conn *c, struct pg_conn *other, struct error *err)
{
	int64_t mine = backend_of(c, err);

	if (mine < 0)
		return -1;
	if (mine != c->server_pid)
		return 1;

	int64_t seen = ask_in_time(other, "BEGIN; SELECT pg_catalog.pg_backend_pid()");

	if (seen > 0)
		pg_exec(other, NULL, "ROLLBACK");
	return seen == mine;
}

static bool set_verdict(struct pg_pooler *ret, const struct pg_conn *c, bool proven)
{
	ret->pooling = proven ? PG_POOLED_TRANSACTION : PG_POOLED_SESSION;
	ret->reason = proven ? xasprintf("%s moves this session from one server process to another",
				       c->server)
	                     : xasprintf("the process id announced by %s is not the server's",
				       c->server);
	return true;
}

bool pg_detect_pooler(struct pg_conn *c, struct pg_pooler *ret, struct error *err)
{
	*ret = (struct pg_pooler){ .pooling = PG_DIRECT };

	int64_t now = backend_of(c, err);

	if (now < 0)
		return false;
	if (now != c->server_pid)
		return set_verdict(ret, c, true);
	if (now == PQbackendPID(c->pg))
		return true;

	/* no second session to be had: a full session pooler; the rest stays unproven */
	_cleanup_conn_ struct pg_conn *other = pg_clone(c, NULL, NULL, NULL);
	int verdict = 0;

	for (int i = 0;
		other && PQtransactionStatus(other->pg) == PQTRANS_IDLE && i < ROUNDS && !verdict;
		i++)
		verdict = compare_backends(c, other, err);
	return verdict >= 0 && set_verdict(ret, c, verdict > 0);
}

bool pg_refuse_transaction_pooler(struct pg_conn *c, const char *what, struct error *err)
{
	_cleanup_pooler_ struct pg_pooler pooler = { 0 };

	if (!pg_detect_pooler(c, &pooler, err))
		return false;
	if (pooler.pooling != PG_POOLED_TRANSACTION)
		return true;
	error_set(err, EXIT_CONFIG, "%s does not work through a transaction pooler", what);
	error_detail(err, "How it was recognised: %s.", pooler.reason);
	return error_hint(err,
		"Connect to the server itself or to the pooler's session mode (Supabase: port 5432 "
		"instead of 6543; Neon: the host name without \"-pooler\").");
}
