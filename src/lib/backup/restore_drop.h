/* SPDX-License-Identifier: PostgreSQL
 *
 * restore_drop.h - --clean: drops what the archive is about to create.
 *
 * pg_restore's sections cannot do it: a table cannot go while another's foreign key (a later
 * section) refers to it. The archive's own drop statements run in reverse order, all in one transaction.
 */
#ifndef DBOPS_RESTORE_DROP_H
#define DBOPS_RESTORE_DROP_H

#include "restore.h"

/* The statements that would run, in order. Borrowed from the TOC; caller releases the array only. */
size_t restore_drop_statements(const struct restore_source *src, const struct toc_entry ***ret);

/* if_exists: an object that is not there is fine. */
bool restore_drop(const struct restore_source *src, struct pg_conn *c, bool if_exists, struct error *err);

#endif
