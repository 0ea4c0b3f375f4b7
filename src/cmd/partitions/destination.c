/* SPDX-License-Identifier: PostgreSQL */
#include "destination.h"

#include "clock.h"
#include "hold.h"
#include "xalloc.h"

static bool is_remote(struct app *app, const char *spec)
{
	_cleanup_strvec_ struct strvec names = { 0 };

	config_remote_names(app->config, &names);
	return strncmp(spec, "s3://", 5) == 0 || strvec_contains(&names, spec);
}

struct storage *open_destination(struct app *app, const char *spec, bool create, int64_t slots, bool *ret_remote, struct error *err)
{
	if (!spec || !spec[0]) {
		error_set(err, EXIT_USAGE, "it is not said where the archives are");
		error_hint(err, "Name a folder, s3://BUCKET/PREFIX, or a remote of the configuration: --%s PLACE.", create ? "to" : "from");
		return NULL;
	}
	*ret_remote = is_remote(app, spec);
	if (*ret_remote)
		return open_remote(app, spec, slots, 0, err);
	return storage_file_open(strncmp(spec, "file://", 7) == 0 ? spec + 7 : spec, create, err);
}

const struct operand subject_operands[] = {
	{ "PARTITION", "a partition, or a table that was one, as SQL names it", 1, 1, COMPLETE_TABLE },
	{ .name = NULL },
};

bool load_subject(struct pg_conn *c, const char *name, struct archive_subject *ret, struct error *err)
{
	uint32_t oid;
	char kind;

	return partition_resolve(c, name, &oid, &kind, err) && archive_subject_load(c, oid, ret, err);
}

bool keep_session(struct pg_conn *c, struct error *err)
{
	return c->version < 140000 || pg_exec(c, err, "SET idle_session_timeout = 0");
}

bool confirm_plan(struct app *app, const char *plan, const char *digest, const char *apply, struct error *err)
{
	bool same = apply && strcmp(apply, digest) == 0;

	if (apply && !same) {
		error_set(err, EXIT_CONFIG, "the plan is not the one that was agreed to");
		error_detail(err, "Its digest is %s, not '%s'.", digest, apply);
		return error_hint(err, "Look at the plan again with --dry-run.");
	}
	app->yes = app->yes || same;
	return app_confirm(app, plan, err);
}

/* The catalog has forgotten what a detached table belonged to (s may be older than the detach), but the hold has not. */
static bool add_former_parent(struct pg_conn *c, const struct archive_subject *s, struct hold_query *q, struct error *err)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT, sql = STRBUF_INIT;
	const char *value;

	if (!s->parent_name)
		return true;
	pg_add_display_name(&shown, s->parent_schema, s->parent_name);
	strvec_push(&q->names, shown.buf);
	strvec_push(&q->names, s->parent_name);
	pg_add_qualified(&sql, s->parent_schema, s->parent_name);
	value = sql.buf;

	_cleanup_result_ PGresult *r = pg_query(c, err, "SELECT pg_catalog.to_regclass($1)::oid", 1, &value);

	return r && (pg_is_null(r, 0, 0) || hold_names(c, (uint32_t)pg_int(r, 0, 0), false, q, err));
}

bool check_holds(struct app *app, struct pg_conn *c, const struct archive_subject *s, struct error *err)
{
	struct hold_query q = { .database = c->database, .sql = s->sql, .now = clock_now_us() };
	struct config_hold hold = { 0 };
	bool ok = hold_names(c, s->oid, true, &q, err) && add_former_parent(c, s, &q, err) && hold_of_table(c, app->config, &q, &hold, err);

	strvec_release(&q.names);
	return ok && (!hold.name[0] || hold_refuse(&hold, s->shown, err));
}

bool held_rows(struct app *app, struct pg_conn *c, uint32_t oid, struct strvec *ret, struct error *err)
{
	struct hold_query q = { .database = c->database, .now = clock_now_us() };
	struct config_hold hold = { 0 };
	bool ok = hold_names(c, oid, true, &q, err) && hold_of_rows(app->config, &q, ret, &hold, err);

	if (ok && hold.name[0])
		ok = hold_refuse(&hold, q.names.items[0], err);
	strvec_release(&q.names);
	return ok;
}
