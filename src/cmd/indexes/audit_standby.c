/* SPDX-License-Identifier: PostgreSQL */
/* dbops indexes audit --standby: the scans that a standby counts. */
#include "audit.h"

#include <stddef.h>
#include <string.h>

/* Adds to a DSN what it leaves out and the primary's connection has. */
static char *complete_dsn(const char *dsn, const struct pg_conn *c)
{
	static const struct {
		const char *keyword;
		size_t offset;
	} inherited[] = { { "dbname", offsetof(struct pg_conn, database) }, { "user", offsetof(struct pg_conn, user) } };
	bool url = strstr(dsn, "://") != NULL;
	PQconninfoOption *given = PQconninfoParse(dsn, NULL);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, dsn);
	for (size_t k = 0; given && k < 2; k++) {
		const char *value = *(char *const *)((const char *)c + inherited[k].offset);
		const PQconninfoOption *o = given;

		while (o->keyword && strcmp(o->keyword, inherited[k].keyword) != 0)
			o++;
		if (o->val)
			continue;
		if (url) {
			strbuf_addf(&text, "%c%s=", strchr(text.buf, '?') ? '&' : '?', inherited[k].keyword);
			strbuf_add_percent(&text, value, "");
			continue;
		}
		strbuf_addf(&text, " %s='", inherited[k].keyword);
		for (const char *s = value; *s; s++) {
			if (*s == '\'' || *s == '\\')
				strbuf_addch(&text, '\\');
			strbuf_addch(&text, *s);
		}
		strbuf_addch(&text, '\'');
	}
	PQconninfoFree(given);
	return strbuf_detach(&text);
}

/* A standby that cannot be asked is a gap, one that is none of this server's a mistake. */
bool audit_sample_standby(struct look *look, struct index_model *m, const char *dsn, struct error *err)
{
	const struct inspector *in = look->inspector;
	autofree char *complete = complete_dsn(dsn, in->conn);
	const struct pg_params p = {
		.dbname = complete,
		.no_password = look->app->no_password,
		.application_name = "dbops indexes",
		.cancel = look->app->cancel,
	};
	struct inspector standby = { .statement_timeout = in->statement_timeout, .lock_timeout = in->lock_timeout };
	bool ok = inspector_open(&standby, &p, &look->app->log, err) &&
		  indexes_sample_standby(m, &standby, in->conn->database, err);

	inspector_close(&standby);
	if (ok || err->code == EXIT_USAGE || err->code == EXIT_CONFIG || cancel_requested(look->app->cancel))
		return ok;
	answer_gap(look->answer, true, "a standby", err->message, NULL);
	error_release(err);
	return true;
}
