/* SPDX-License-Identifier: PostgreSQL
 *
 * lock_object.h - what a lock is on, in words.
 *
 * Source: PostgreSQL documentation, "pg_locks" and "Wait Events of Type Lock".
 */
#ifndef DBOPS_LOCK_OBJECT_H
#define DBOPS_LOCK_OBJECT_H

#include <stdbool.h>

/* The columns of pg_locks as text, and what the catalog of our own database knows about them; NULL = SQL NULL. */
struct lock_object {
	const char *type; /* pg_locks.locktype */
	const char *database, *relation, *page, *tuple, *virtualxid, *transactionid, *classid, *objid, *objsubid; /* numbers */
	const char *database_name;
	bool is_here;     /* database is ours, or 0: only then an OID means something to us */
	const char *schema, *name;             /* of relation; NULL = not here, or not committed yet */
	const char *class_name, *object_name;  /* of classid and objid */
};

/* "public.orders", "row (3,7) of public.orders", "transaction 753", "advisory lock 42", "otherdb: relation 16384".
 * Names are quoted where SQL needs it. Caller frees. */
char *lock_object_describe(const struct lock_object *o);

#endif
