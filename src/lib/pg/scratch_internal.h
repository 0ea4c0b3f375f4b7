/* SPDX-License-Identifier: PostgreSQL
 *
 * scratch_internal.h - what the files of the scratch server share.
 *
 * Three processes: dbops, the keeper (a fork of dbops in a session of its own, which does not die
 * with it) and the postmaster, the keeper's child. dbops holds the writing end of a pipe; when it
 * closes, by scratch_stop() or because dbops is gone for whatever reason, the keeper stops the
 * server and removes the folder. The postmaster in turn dies with the keeper (PR_SET_PDEATHSIG).
 */
#ifndef DBOPS_SCRATCH_INTERNAL_H
#define DBOPS_SCRATCH_INTERNAL_H

#include <sys/types.h>

#include "scratch.h"

#define SCRATCH_PREFIX "dbops-scratch-"
#define SCRATCH_LOCK "keeper.lock"
#define SCRATCH_SOCKET "socket" /* link to the socket's folder when that is another one */
#define SCRATCH_SOCKET_PREFIX "/tmp/dbops-"

/* The unprivileged user that owns folder and server. */
struct scratch_user {
	bool change; /* we are root: become uid and gid first */
	uid_t uid;
	gid_t gid;
	char *name;
};

/* All that the keeper needs, decided before the fork. The keeper makes the folders, so that there is
 * never one without somebody who removes it. */
struct scratch_plan {
	char *folder;     /* private, 0700 */
	char *socket_dir; /* the same, or a short folder of its own below /tmp */
	char *data, *initdb_log, *log;
	struct scratch_user user;
	struct strvec initdb, server, env;
	bool keep;
};

/* What the keeper says on its status pipe; after it nothing more comes. */
struct scratch_report {
	enum { SCRATCH_FOLDER_FAILED = 1, SCRATCH_INITDB_FAILED, SCRATCH_SERVER_ENDED } what;
	int status; /* errno; else exit status, 128 + signal, or one of the codes below */
};
/* Exit codes of a child that did not get as far as the program. */
enum { SCRATCH_NO_FOLDER = 119, SCRATCH_NO_USER = 118, SCRATCH_NO_PROGRAM = 117 };

/* The keeper's life; control_fd reads the pipe from dbops. Runs in a fresh fork. */
_Noreturn void scratch_keeper(const struct scratch_plan *plan, int control_fd, int status_fd);

/* Makes the plan's folders and takes the lock that tells sweeps somebody is in charge; 0 or errno. */
int scratch_make(const struct scratch_plan *plan, int *ret_lock_fd);
/* Removes a scratch folder as its user, so that a link planted there leads nowhere. */
void scratch_remove(const char *folder, const struct scratch_user *user);
/* Removes what earlier keepers left below base when they were killed themselves. */
void scratch_sweep(const char *base, const struct scratch_user *user);

/* Command lines and environment of the plan. */
void scratch_settings(struct scratch_plan *plan, const struct pg_tools *tools, int64_t jobs);

/* In a fork: take over uid and gid, for good. */
bool scratch_become(const struct scratch_user *user);

/* run_as, "postgres" for root, or ourselves. */
bool scratch_find_user(const char *run_as, struct scratch_user *ret, struct error *err);

#endif
