/* SPDX-License-Identifier: PostgreSQL
 *
 * consistency.h - do manifest and table of contents speak of the same tables?
 */
#ifndef DBOPS_CONSISTENCY_H
#define DBOPS_CONSISTENCY_H

#include "manifest.h"
#include "toc.h"

/* Every TABLE DATA entry has exactly one table in the manifest, and the other way round; else
 * EXIT_DAMAGED naming the first that does not. */
bool consistency_check(const struct toc *t, const struct manifest *m, struct error *err);

#endif
