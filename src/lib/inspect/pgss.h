/* SPDX-License-Identifier: PostgreSQL
 *
 * pgss.h - asking pg_stat_statements, wherever it is installed, and saying why it does not answer.
 *
 * It reads and never resets. Numbers come without the texts, which the server would have to read from a file; texts are asked
 * for the few entries that are shown.
 */
#ifndef DBOPS_PGSS_H
#define DBOPS_PGSS_H

#include "inspector.h"
#include "statements.h"

struct pgss {
	char *problem;  /* why there are no statements; NULL = there are */
	char *cure;     /* SQL that helps; NULL = none */
	char *text_problem; /* why there are no texts; NULL = there are */
	char *track;    /* pg_stat_statements.track: "top", "all", "none" */
	bool track_planning;
	int64_t entries_max; /* pg_stat_statements.max */
	int version;    /* of the extension: 111 is 1.11 */
};

void pgss_release(struct pgss *p);
#define _cleanup_pgss_ _cleanup_(pgss_release)

/* Reads everything, all databases, in one round trip. That it cannot be read for one of the known reasons is no error: then
 * ret->problem says why. */
bool pgss_read(struct inspector *in, bool with_text, struct pgss *ret, struct statements *statements, struct error *err);
/* Adds the texts of what is in s; one that is gone stays NULL. When the server cannot read them at all (one that does not fit this
 * database's encoding is enough), p->text_problem says so. */
bool pgss_read_texts(struct inspector *in, struct pgss *p, struct statements *s, struct error *err);
/* "1.11" -> 111; 0 = not such a text. */
int pgss_version(const char *text);
/* The SQL that adds pg_stat_statements to the libraries that are loaded now. */
void pgss_add_preload(struct strbuf *out, const char *now);

#endif
