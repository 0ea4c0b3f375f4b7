/* SPDX-License-Identifier: PostgreSQL
 *
 * select.h - which entries of an archive --table and --schema mean.
 *
 * A table brings everything that belongs to it: its schema, owned sequences, defaults, rows,
 * indexes, constraints, triggers, policies, comments and privileges, and the types, functions and
 * sequences it needs. What needs a table that is not selected (a foreign key) stays out.
 */
#ifndef DBOPS_SELECT_H
#define DBOPS_SELECT_H

#include "restore.h"

/* Fills an array of t->len flags; caller frees. NULL + EXIT_NOT_FOUND when a name matches nothing.
 * Without names everything is selected. (*ret_companion)[i]: the entry only came along because a
 * selected one needs it; NULL without names; caller frees. *ret_left_out counts what matched but needs something
 * that is not selected. */
bool *select_entries(const struct toc *t, const struct strvec *tables, const struct strvec *schemas, bool **ret_companion,
	size_t *ret_left_out,
	struct error *err);

#endif
