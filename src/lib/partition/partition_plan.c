/* SPDX-License-Identifier: PostgreSQL */
#include "partition_plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include "codec.h"

/* --- making ------------------------------------------------------------------------------------------------ */

static void release_statement(struct plan_statement *s)
{
	free(s->sql);
	free(s->reason);
	free(s->undo);
	for (size_t i = 0; i < s->locks.len; i++)
		free(s->locks.items[i].table);
	vec_release(&s->locks);
}

void partition_plan_release(struct partition_plan *p)
{
	for (size_t i = 0; i < p->steps.len; i++) {
		struct plan_step *s = &p->steps.items[i];

		free(s->title);
		free(s->detail);
		free(s->proof_table);
		for (size_t k = 0; k < s->statements.len; k++)
			release_statement(&s->statements.items[k]);
		vec_release(&s->statements);
	}
	vec_release(&p->steps);
	strvec_release(&p->notes);
	free(p->command);
	free(p->table_name);
	free(p->place);
	*p = (struct partition_plan){ 0 };
}

struct plan_step *plan_add_step(struct partition_plan *p, enum step_kind kind, const char *title_fmt, ...)
{
	struct plan_step *s = vec_push(&p->steps);
	va_list ap;

	s->kind = kind;
	va_start(ap, title_fmt);
	s->title = xvasprintf(title_fmt, ap);
	va_end(ap);
	/* it becomes a line of a log, and names may have newlines */
	for (char *at = s->title; (at = strpbrk(at, "\r\n")) != NULL; at++)
		*at = ' ';
	return s;
}

struct plan_statement *plan_add_take(struct plan_step *s, const char *reason, char *sql)
{
	struct plan_statement *st = vec_push(&s->statements);

	st->sql = sql;
	st->reason = xstrdup(reason);
	return st;
}

struct plan_statement *plan_add(struct plan_step *s, const char *reason, const char *sql_fmt, ...)
{
	va_list ap;

	va_start(ap, sql_fmt);
	char *sql = xvasprintf(sql_fmt, ap);
	va_end(ap);
	return plan_add_take(s, reason, sql);
}

void plan_lock(struct plan_statement *s, enum lock_mode mode, uint32_t oid, const char *table)
{
	*vec_push(&s->locks) = (struct plan_lock){ mode, oid, xstrdup(table) };
}

/* --- writing ----------------------------------------------------------------------------------------------- */

void plan_add_one_line(struct strbuf *out, const char *text)
{
	for (; *text; text++)
		strbuf_addch(out, *text == '\n' || *text == '\r' ? ' ' : *text);
}

static void add_comment(struct strbuf *out, const char *before, const char *text)
{
	strbuf_adds(out, "-- ");
	strbuf_adds(out, before);
	plan_add_one_line(out, text);
	strbuf_addch(out, '\n');
}

static void add_locks(struct strbuf *out, const struct plan_statement *s)
{
	for (size_t i = 0; i < s->locks.len; i++) {
		strbuf_addf(out, "%s%s on ", i ? "; " : "", lock_mode_name(s->locks.items[i].mode));
		plan_add_one_line(out, s->locks.items[i].table);
	}
}

void plan_add_settings(const struct partition_plan *p, struct strbuf *sql)
{
	strbuf_addf(sql,
		"SET search_path = '';\n"
		"SET TimeZone = 'UTC';\n"
		"SET DateStyle = 'ISO, MDY';\n"
		"SET IntervalStyle = 'postgres';\n"
		"SET extra_float_digits = 3;\n"
		"SET bytea_output = 'hex';\n"
		"SET standard_conforming_strings = on;\n"
		"SET row_security = off;\n"
		"SET statement_timeout = 0;\n"
		"SET idle_in_transaction_session_timeout = 0;\n"
		/* PostgreSQL 17 and newer; it would end a detach half way */
		"SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout';\n"
		"SET lock_timeout = %" PRId64 ";\n",
		p->lock_timeout_ms);
}

static void add_statement(struct strbuf *out, const struct plan_statement *s, bool comments)
{
	if (comments) {
		_cleanup_strbuf_ struct strbuf locks = STRBUF_INIT;

		add_locks(&locks, s);
		if (s->reason)
			add_comment(out, "", s->reason);
		if (locks.len)
			add_comment(out, "locks: ", locks.buf);
		if (s->undo)
			add_comment(out, "undo: ", s->undo);
	}
	strbuf_adds(out, s->sql);
	strbuf_adds(out, ";\n");
}

/* Nobody queues behind the lock that CONCURRENTLY waits for, so it may wait for longer than others. */
static void add_detach(struct strbuf *out, const struct partition_plan *p, const struct plan_step *s, bool comments)
{
	strbuf_addf(out, "SET lock_timeout = %" PRId64 ";\n", s->wait_ms);
	add_statement(out, &s->statements.items[0], comments);
	if (comments)
		add_comment(out, "if that is interrupted, the detach stays pending, and this ends it: ", s->statements.items[1].sql);
	strbuf_addf(out, "SET lock_timeout = %" PRId64 ";\n", p->lock_timeout_ms);
}

static void add_body(struct strbuf *out, const struct partition_plan *p, const struct plan_step *s, bool comments)
{
	if (s->kind == STEP_DETACH) {
		add_detach(out, p, s, comments);
		return;
	}
	if (s->kind == STEP_TRANSACTION)
		strbuf_adds(out, "BEGIN;\n");
	for (size_t i = 0; i < s->statements.len; i++)
		add_statement(out, &s->statements.items[i], comments);
	if (s->kind == STEP_TRANSACTION)
		strbuf_adds(out, "COMMIT;\n");
}

/* Names may have newlines in them. */
static void add_as_comment(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n\r");

		strbuf_adds(out, "-- ");
		strbuf_add(out, text, n);
		strbuf_addch(out, '\n');
		text += n + (text[n] != '\0');
	}
}

static void add_step(struct strbuf *out, const struct partition_plan *p, const struct plan_step *s, bool comments)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	if (comments) {
		strbuf_addch(out, '\n');
		add_comment(out, "== ", s->title);
	}
	if (!comments || !s->compares) {
		add_body(out, p, s, comments);
		return;
	}
	add_comment(out, "dbops alone can do this step: psql would not compare, so here it is no more than a comment", "");
	add_body(&body, p, s, comments);
	add_as_comment(out, body.buf);
}

static void add_locked(struct strbuf *out, const struct plan_step *s)
{
	for (size_t i = 0; i < s->statements.len; i++)
		for (size_t k = 0; k < s->statements.items[i].locks.len; k++)
			strbuf_addf(out, "%s %" PRIu32 "\n", lock_mode_name(s->statements.items[i].locks.items[k].mode), s->statements.items[i].locks.items[k].oid);
}

void plan_digest(const struct partition_plan *p, char ret[PLAN_DIGEST_SIZE])
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, hex = STRBUF_INIT;
	uint8_t sum[32];

	strbuf_addf(&text, "%" PRIu32 "\n", p->table);
	plan_add_settings(p, &text);
	if (p->place)
		strbuf_addf(&text, "%s\n", p->place);
	for (size_t i = 0; i < p->steps.len; i++) {
		add_step(&text, p, &p->steps.items[i], false);
		add_locked(&text, &p->steps.items[i]);
	}
	codec_sha256(text.buf, text.len, sum);
	strbuf_add_hex(&hex, sum, sizeof(sum));
	memcpy(ret, hex.buf, PLAN_DIGEST_SIZE);
}

void plan_add_script(const struct partition_plan *p, struct strbuf *out)
{
	char digest[PLAN_DIGEST_SIZE];

	plan_digest(p, digest);
	add_comment(out, p->command, "");
	add_comment(out, "table: ", p->table_name);
	add_comment(out, "digest: ", digest);
	for (size_t i = 0; i < p->notes.len; i++)
		add_comment(out, "note: ", p->notes.items[i]);
	if (!p->steps.len) {
		add_comment(out, "nothing to do", "");
		return;
	}
	add_comment(out, "run it with: psql -X -v ON_ERROR_STOP=1 -f FILE", "");
	strbuf_addch(out, '\n');
	plan_add_settings(p, out);
	for (size_t i = 0; i < p->steps.len; i++)
		add_step(out, p, &p->steps.items[i], true);
}

static void summarize_step(struct strbuf *out, const struct plan_step *s)
{
	plan_add_one_line(out, s->title);
	if (s->detail) {
		strbuf_adds(out, "  ");
		plan_add_one_line(out, s->detail);
	}
	strbuf_addch(out, '\n');
	for (size_t i = 0; i < s->statements.len; i++) {
		const struct plan_statement *st = &s->statements.items[i];

		if (!st->locks.len || (s->kind == STEP_DETACH && i))
			continue;
		strbuf_adds(out, "     ");
		add_locks(out, st);
		strbuf_addch(out, '\n');
	}
}

void plan_add_summary(const struct partition_plan *p, struct strbuf *out)
{
	char digest[PLAN_DIGEST_SIZE];

	plan_digest(p, digest);
	strbuf_addf(out, "%s, table ", p->command);
	plan_add_one_line(out, p->table_name);
	strbuf_adds(out, p->steps.len ? ":\n" : ": nothing to do\n");
	for (size_t i = 0; i < p->steps.len; i++) {
		strbuf_addf(out, "%3zu. ", i + 1);
		summarize_step(out, &p->steps.items[i]);
	}
	for (size_t i = 0; i < p->notes.len; i++) {
		strbuf_adds(out, "note: ");
		plan_add_one_line(out, p->notes.items[i]);
		strbuf_addch(out, '\n');
	}
	if (p->steps.len)
		strbuf_addf(out, "locks are waited for %" PRId64 " ms at a time; digest %s\n", p->lock_timeout_ms, digest);
}
