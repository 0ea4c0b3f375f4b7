/* SPDX-License-Identifier: PostgreSQL
 *
 * copy_out.h - reads one work unit from the server and stores it as blocks.
 */
#ifndef DBOPS_COPY_OUT_H
#define DBOPS_COPY_OUT_H

#include <stdatomic.h>
#include "plan.h"

/* What a unit has stored so far: enough to go on after a lost connection and to prove that the
 * rows that come again are the same. */
struct unit_state {
	uint64_t rows;
	struct fingerprint fingerprint;
};

struct copier {
	struct pg_conn *conn;               /* in a transaction on the snapshot */
	const struct archive_targets *targets;
	struct block_maker *maker;
	struct strbuf text;                 /* the block being filled */
	const struct plan_job *locked;      /* the table this session holds a lock on */
	bool is_leader;                     /* the leader's own connection: holds every lock already */
	atomic_llong *raw_bytes;            /* text read so far, all workers */
	const atomic_bool *stop;
};

enum copy_result {
	COPY_DONE,
	COPY_REFUSED,    /* the table could not be locked without waiting */
	COPY_LOST,       /* the connection broke: reconnect and call again with the same state */
	COPY_FAILED,
};

enum copy_result copy_table_unit(struct copier *c, struct plan_unit u, struct unit_state *state,
	struct error *err);

/* A group of large objects, each into its own file. Results go to plan->stored_objects. */
enum copy_result copy_large_objects(struct copier *c, struct plan *p, const struct plan_job *job, size_t *next,
	struct error *err);

void copier_release(struct copier *c); /* not the connection */

#endif
