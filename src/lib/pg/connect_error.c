/* SPDX-License-Identifier: PostgreSQL
 *
 * connect_error.c - from libpq's text about a failed connection to code, message, detail, hint.
 *
 * libpq 15 gives no SQLSTATE for a failed connection, but PQERRORS_VERBOSE puts it into the
 * text: "FATAL:  28P01: password authentication failed …", whatever the server's language.
 */
#include <ctype.h>
#include <errno.h>

#include "internal.h"

enum exit_code pg_exit_code(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum exit_code code;
	} table[] = {
		{ "28", EXIT_PERMISSION },      /* invalid authorization specification */
		{ "42501", EXIT_PERMISSION },   /* insufficient privilege */
		{ "3D000", EXIT_NOT_FOUND },    /* database */
		{ "3F000", EXIT_NOT_FOUND },    /* schema */
		{ "42P01", EXIT_NOT_FOUND },    /* table */
		{ "55P03", EXIT_BUSY },         /* lock not available */
		{ "55006", EXIT_BUSY },         /* object in use */
		{ "40001", EXIT_BUSY },         /* serialization failure */
		{ "40P01", EXIT_BUSY },         /* deadlock */
		{ "53300", EXIT_BUSY },         /* too many connections */
		{ "57P03", EXIT_BUSY },         /* starting up, shutting down */
		{ "53100", EXIT_CANNOT_WRITE }, /* disk full */
		{ "57P", EXIT_UNAVAILABLE },    /* operator intervention: shutdown, crash */
		{ "08", EXIT_UNAVAILABLE },     /* connection exception */
	};

	if (!sqlstate[0])
		return EXIT_UNAVAILABLE;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0)
			return table[i].code;
	return EXIT_REFUSED;
}

/* The position of ":  XXXXX: " in text, NULL if there is none. */
static const char *find_sqlstate(const char *text)
{
	for (const char *p = text; (p = strstr(p, ":  ")) != NULL; p++) {
		size_t n = 0;

		while (n < 5 &&
			(isupper((unsigned char)p[3 + n]) || isdigit((unsigned char)p[3 + n])))
			n++;
		if (n == 5 && strncmp(p + 8, ": ", 2) == 0)
			return p;
	}
	return NULL;
}

/* "LOCATION:  auth_failed, auth.c:338" says nothing to a user. */
static bool is_location(const char *line, size_t len)
{
	return len > 10 && strncmp(line, "LOCATION:", 9) == 0;
}

/* One line, without SQLSTATE, source location and libpq's questions ("\tIs the server running …?").
 */
static void add_plain(struct strbuf *sb, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len && text[0] != '\t' && !is_location(text, len)) {
			autofree char *line = xstrndup(text, len);
			const char *state = find_sqlstate(line);

			if (sb->len)
				strbuf_adds(sb, "; ");
			if (state) {
				strbuf_add(sb, line, (size_t)(state - line) + 2);
				strbuf_adds(sb, state + 10);
			} else {
				strbuf_adds(sb, line);
			}
		}
		text += len + (text[len] == '\n');
	}
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

static bool unavailable_hint(struct error *err, const char *host, const char *text)
{
	bool no_route = strstr(text, strerror(ENETUNREACH)) || strstr(text, strerror(EHOSTUNREACH));
	bool no_name = strstr(text, "could not translate host name") != NULL;

	if ((no_route || no_name) && has_suffix(host, ".supabase.co"))
		return error_hint(err,
			"Supabase's direct host has only an IPv6 address, and this machine has no "
			"IPv6; use the session pooler (aws-…pooler.supabase.com, port 5432) "
			"that the project's Connect page shows.");
	if (no_route)
		return error_hint(err,
			"This machine has no route to the address; if the name has only an IPv6 "
			"address, the network here must have IPv6.");
	return error_hint(
		err, "Check host and port, and that the server runs and accepts connections.");
}

static bool code_hint(struct error *err, const PGconn *pg)
{
	if (err->code == EXIT_PERMISSION && PQconnectionNeedsPassword(pg))
		return error_hint(err,
			"No password was found; put it into ~/.pgpass (mode 0600), PGPASSWORD or a "
			"service file. dbops never asks for it.");
	if (err->code == EXIT_PERMISSION)
		return error_hint(err,
			"Check the user, its password in ~/.pgpass (mode 0600) or PGPASSWORD, and "
			"the server's pg_hba.conf.");
	if (err->code == EXIT_NOT_FOUND)
		return error_hint(err, "List the databases with: psql -l");
	if (strcmp(err->sqlstate, "53300") == 0)
		return error_hint(err, "All connection slots are taken; try again later or raise "
				       "max_connections.");
	if (err->code == EXIT_BUSY)
		return error_hint(
			err, "The server is starting or stopping; try again in a moment.");
	return false;
}

bool pg_connect_failed(struct error *err, const struct pg_options *o, const PGconn *pg)
{
	const char *text = PQerrorMessage(pg);
	const char *state = find_sqlstate(text);
	char sqlstate[6] = "";
	const char *host = pg_options_get(o, "host");
	_cleanup_strbuf_ struct strbuf plain = STRBUF_INIT;

	if (state)
		memcpy(sqlstate, state + 3, 5);
	/* asked for a password that nobody gave: libpq ends the attempt itself, without a SQLSTATE
	 */
	else if (PQconnectionNeedsPassword(pg))
		memcpy(sqlstate, "28P01", 6);
	add_plain(&plain, text);
	error_set(err, pg_exit_code(sqlstate), "cannot connect to PostgreSQL: %s",
		plain.len ? plain.buf : "no answer in time");
	if (!err)
		return false;
	memcpy(err->sqlstate, sqlstate, sizeof(sqlstate));
	if (err->code == EXIT_UNAVAILABLE)
		return unavailable_hint(err, host ? host : "", text);
	return code_hint(err, pg);
}
