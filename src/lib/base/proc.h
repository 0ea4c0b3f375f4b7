/* SPDX-License-Identifier: PostgreSQL
 *
 * proc.h - child processes whose status is always looked at.
 *
 * A child gets its secrets by environment, never in argv; it is killed with SIGTERM (SIGKILL
 * after 5 s) when a stop is requested, and dies with dbops (PR_SET_PDEATHSIG).
 */
#ifndef DBOPS_PROC_H
#define DBOPS_PROC_H

#include <sys/types.h>
#include "cancel.h"
#include "strbuf.h"
#include "vec.h"

struct proc_spec {
	const char *const *argv; /* argv[0] is the program's path; NULL-terminated */
	const struct strvec *env; /* on top of ours: "NAME=value" sets, "NAME" unsets; NULL = nothing */
	const void *input;        /* fed to stdin (SIGPIPE must be ignored); NULL = /dev/null */
	size_t input_len;
	struct strbuf *output;    /* stdout is collected here; NULL = /dev/null */
	size_t output_limit;      /* more is an error; 0 = 1 MiB */
	struct strbuf *errors;    /* stderr (its last 64 KiB); NULL = /dev/null */
	uid_t run_as_uid;         /* 0 = do not change */
	gid_t run_as_gid;
	/* Called about every 50 ms while the child runs; true = stop it with SIGTERM. May be NULL. */
	bool (*watch)(void *data);
	void *watch_data;
};

/* Runs to the end. True with *ret_status = exit status (128 + signal when killed); false when
 * it could not be started, its output was too long, or a stop was requested. */
bool proc_run(const struct proc_spec *spec, const struct cancel *cancel, int *ret_status,
	struct error *err);

/* In a fresh child: own environment, no signals blocked, die with the parent. Used by proc_run
 * and by whoever forks a daemon (pg/scratch.c). Async-signal-safe after fork. */
void proc_child_setup(pid_t parent);

#endif
