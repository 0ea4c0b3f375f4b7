/* SPDX-License-Identifier: PostgreSQL
 *
 * lock_internal.h - between the files that make the graph of locks; lock_graph.h is for everybody else.
 */
#ifndef DBOPS_LOCK_INTERNAL_H
#define DBOPS_LOCK_INTERNAL_H

#include "lock_graph.h"

/* Walks over the edges of one node:
 *	for (size_t i = g->first[n]; i < g->first[n + 1]; i++) use(g->edges.items[i].blocker);
 *	for (size_t i = g->first_above[n]; i < g->first_above[n + 1]; i++) use(g->edges.items[g->above[i]].waiter); */

/* Fills blocked, from order, cycle and shown (lock_reach.c). */
void lock_graph_reach(struct lock_graph *g);

/* Fills order, cycle, depth, parent, shown, blocked, drawn and the totals. */
void lock_graph_draw(struct lock_graph *g, double min_wait);

#endif
