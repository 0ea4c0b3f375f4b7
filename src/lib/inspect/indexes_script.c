/* SPDX-License-Identifier: PostgreSQL */
/*
 * One psql script of all cures, and the way back in the same file: what the way back needs (definitions, comments) is
 * gone when the way there was taken.
 */
#include "indexes.h"

#include <string.h>

#define LOCK_TIMEOUT "2s"

/* Behind the statement at s: after its ";\n" outside quotes. */
static const char *end_of_statement(const char *s)
{
	char quote = '\0';

	for (; *s; s++) {
		if (quote) {
			quote = *s == quote ? '\0' : quote; /* doubled ones close and open again */
		} else if (*s == '"' || *s == '\'') {
			quote = *s;
		} else if (s[0] == ';' && s[1] == '\n') {
			return s + 2;
		}
	}
	return s;
}

static bool is_concurrent(const char *s, const char *end)
{
	static const char *const starts[] = {
		"CREATE INDEX CONCURRENTLY ", "CREATE UNIQUE INDEX CONCURRENTLY ", "DROP INDEX CONCURRENTLY ", "REINDEX INDEX CONCURRENTLY ",
	};

	for (size_t k = 0; k < sizeof(starts) / sizeof(*starts); k++)
		if ((size_t)(end - s) > strlen(starts[k]) && strncmp(s, starts[k], strlen(starts[k])) == 0)
			return true;
	return false;
}

struct script {
	struct strbuf *out;
	bool limited; /* lock_timeout is set */
};

/* A plain statement makes everybody wait who comes after it in the queue, so it gives up soon. A concurrent one blocks
 * nobody, but leaves an invalid index when it gives up. */
static void add_statement(struct script *s, const char *text, const char *end)
{
	bool limit = !is_concurrent(text, end);

	if (limit != s->limited) {
		strbuf_adds(s->out, limit ? "SET lock_timeout = '" LOCK_TIMEOUT "';\n" : "SET lock_timeout = 0;\n");
		s->limited = limit;
	}
	strbuf_add(s->out, text, (size_t)(end - text));
}

static void add_commented(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		strbuf_adds(out, "-- ");
		strbuf_add(out, text, len);
		strbuf_addch(out, '\n');
		text += len + (text[len] == '\n');
	}
}

static bool is_for_review(const struct index_finding *x)
{
	return x->verdict == VERDICT_REVIEW || x->severity == SEVERITY_UNKNOWN;
}

static void add_part(struct script *s, const struct index_finding *x, const struct finding *f, const char *text)
{
	autofree char *title = xasprintf("%s %s: %s", index_verdict_names[x->verdict], f->object, f->message);

	strbuf_addch(s->out, '\n');
	for (char *c = title; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	add_commented(s->out, title);
	if (!text) {
		strbuf_adds(s->out, "-- there is no way back\n");
	} else if (is_for_review(x)) {
		add_commented(s->out, text);
	} else {
		for (const char *end; *text; text = end) {
			end = end_of_statement(text);
			add_statement(s, text, end);
		}
	}
}

static bool is_creating(const struct index_finding *x)
{
	return x->verdict == VERDICT_CREATE || x->verdict == VERDICT_ATTACH || x->verdict == VERDICT_REBUILD;
}

/* What is in the script, in its order: what makes comes before what drops. */
static size_t choose(const struct index_findings *f, const struct answer *a, const struct index_finding **ret)
{
	size_t n = 0;

	for (int dropping = 0; dropping <= 1; dropping++)
		for (size_t k = 0; k < f->items.len; k++) {
			const struct index_finding *x = &f->items.items[k];

			if (x->fix && is_creating(x) != dropping && !a->findings.items[x->answered].suppressed)
				ret[n++] = x;
		}
	return n;
}

static void add_header(struct strbuf *out, const char *database, size_t n)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	pg_add_literal(&name, database);
	strbuf_addf(out, "-- dbops indexes audit: %zu finding%s with a cure. Read it before you run it.\n", n, n == 1 ? "" : "s");
	strbuf_adds(out, "--   psql -X -f FILE                  makes the changes\n"
			 "--   psql -X -v rollback=1 -f FILE    takes them back\n"
			 "-- Commented out: what needs a decision. Not for a transaction (-1): CONCURRENTLY cannot run in one.\n"
			 "\\set ON_ERROR_STOP on\n");
	strbuf_addf(out, "SELECT current_database() <>%s%s AS dbops_other_database \\gset\n", name.buf[0] == ' ' ? "" : " ", name.buf);
	strbuf_adds(out, "\\if :dbops_other_database\n\\warn 'this script is for another database'\n\\quit\n\\endif\n"
			 "SET statement_timeout = 0;\n");
}

void indexes_add_script(const struct index_findings *f, const struct answer *a, const char *database, struct strbuf *out)
{
	const struct index_finding **chosen = xcalloc(f->items.len + 1, sizeof(*chosen));
	size_t n = choose(f, a, chosen);
	struct script forward = { .out = out }, back = { .out = out };

	add_header(out, database, n);
	strbuf_adds(out, "SET lock_timeout = 0;\n\n\\if :{?rollback}\n");
	for (size_t k = n; k-- > 0;)
		add_part(&back, chosen[k], &a->findings.items[chosen[k]->answered], chosen[k]->undo);
	strbuf_adds(out, "\n\\else\n");
	for (size_t k = 0; k < n; k++)
		add_part(&forward, chosen[k], &a->findings.items[chosen[k]->answered], chosen[k]->fix);
	strbuf_adds(out, "\n\\endif\n");
	free(chosen);
}
