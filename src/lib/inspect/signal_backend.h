/* SPDX-License-Identifier: PostgreSQL
 *
 * signal_backend.h - cancels statements and terminates sessions, and looks whether it happened.
 *
 * "true" from pg_cancel_backend() and pg_terminate_backend() means only that a signal was sent. A session is known by its pid
 * and its start, because pids are used again; both are compared in the very statement that sends the signal, and so is
 * the state it was chosen for. A read-only transaction keeps nobody from signalling: what must not be done is refused here.
 * Source: PostgreSQL documentation, "Server Signaling Functions".
 */
#ifndef DBOPS_SIGNAL_BACKEND_H
#define DBOPS_SIGNAL_BACKEND_H

#include "inspector.h"
#include "sessions.h"

enum signal_action { SIGNAL_CANCEL, SIGNAL_TERMINATE };

enum signal_outcome {
	SIGNAL_PLANNED,    /* not yet sent */
	SIGNAL_REFUSED,    /* by us: reason says why */
	SIGNAL_DENIED,     /* by the server: reason is its message */
	SIGNAL_CHANGED,    /* it is gone, or does something else by now: nothing was sent */
	SIGNAL_SENT,       /* not yet seen to have worked */
	SIGNAL_CANCELLED,  /* the statement ended */
	SIGNAL_TERMINATED, /* the session ended */
	SIGNAL_STILL_THERE /* it did not, within the time */
};
extern const char *const signal_outcome_names[]; /* "planned", "refused", … */

struct signal_item {
	struct session session;
	enum signal_outcome outcome;
	char *reason;      /* NULL = none */
	bool escalated;    /* terminated because cancelling did not help */
};

struct signal_plan {
	enum signal_action action;
	bool by_rule;      /* chosen by what they do: they must still do it when the signal is sent */
	VEC(struct signal_item) items;
	PGresult *result;  /* holds the sessions' strings */
};
void signal_plan_release(struct signal_plan *p);
#define _cleanup_signal_plan_ _cleanup_(signal_plan_release)

/* Why this session may not be signalled; NULL = it may. Replication, autovacuum, background and superusers' sessions are refused
 * unless force; autovacuum against wraparound, hidden sessions, our own, and what the server would not allow, always. */
const char *signal_refusal(const struct session *s, const struct probe *p, enum signal_action action, bool force);

/* One session by pid. expected_start: microseconds since 1970; 0 = any. EXIT_NOT_FOUND when there is none, or when
 * another session has that pid now. */
bool signal_plan_pid(struct inspector *in, int pid, int64_t expected_start, bool force, struct signal_plan *p, struct error *err);
/* Client sessions that match, without our own; p->by_rule becomes true. */
bool signal_plan_rule(struct inspector *in, const struct session_filter *f, bool force, struct signal_plan *p, struct error *err);

struct signal_wait {
	double seconds;    /* to see whether it worked */
	double escalate;   /* SIGNAL_CANCEL: terminate what has not stopped after so many seconds; 0 = never */
	const struct cancel *cancel;
};
/* Sends and waits; every item gets its outcome. False only when the connection failed or a stop was requested. */
bool signal_apply(struct inspector *in, struct signal_plan *p, const struct signal_wait *wait, struct error *err);
/* Items that have this outcome. */
size_t signal_count(const struct signal_plan *p, enum signal_outcome outcome);

#endif
