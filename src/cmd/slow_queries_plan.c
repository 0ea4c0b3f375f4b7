/* SPDX-License-Identifier: PostgreSQL */
/* dbops slow-queries --explain: the generic plan of an entry. */
#include <inttypes.h>

#include "slow_queries.h"

static bool is_better(const struct statement *s, const struct statement *than)
{
	if (!than || s->here != than->here)
		return !than || s->here;
	return s->v[STATEMENT_CALLS] > than->v[STATEMENT_CALLS];
}

/* The same statement of several roles and databases has one id: this database goes first, then the most calls. */
static struct statement *find(struct statements *all, int64_t query_id)
{
	struct statement *found = NULL;

	for (size_t i = 0; i < all->items.len; i++) {
		struct statement *s = &all->items.items[i];

		if (!s->hidden && s->query_id == query_id && is_better(s, found))
			found = s;
	}
	return found;
}

static bool not_found(const struct look *look, const char *id, struct error *err)
{
	const struct probe *p = &look->inspector->probe;
	_cleanup_strbuf_ struct strbuf role = STRBUF_INIT;

	error_set(err, EXIT_NOT_FOUND, "pg_stat_statements has no statement %s", id);
	if (p->reads_stats)
		return error_hint(err, "Ids are in the column query_id; entries that are rarely called are evicted.");
	pg_add_ident(&role, p->current_user);
	return error_hint(err, "This role does not see the statements of others: GRANT pg_monitor TO %s;", role.buf);
}

static bool is_usable(const struct statement *s, const char *id, struct error *err)
{
	if (!s->here) {
		error_set(err, EXIT_NOT_FOUND, "statement %s ran in database \"%s\"", id, s->database ? s->database : "");
		return error_hint(err, "Connect to that database with -d.");
	}
	return s->text || error_set(err, EXIT_NOT_FOUND, "the text of statement %s is lost", id);
}

static bool plan(struct look *look, struct slow_rows *rows, struct statement *s, struct error *err)
{
	if (generic_plan(look->inspector, s->text, s->userid, s->role ? s->role : "", &rows->plan, err))
		return true;
	if (!err->detail)
		error_detail(err, "%s", s->text);
	if (!err->hint)
		error_hint(err, "Constants are parameters in this text, which does not parse everywhere (INTERVAL $1), and names without a "
				"schema are looked up in search_path.");
	return false;
}

bool slow_collect_plan(struct look *look, struct slow_rows *rows, struct error *err)
{
	const struct slow_args *args = look->args;
	int64_t id = strtoll(args->explain, NULL, 10);
	struct statement *s;

	rows->kind = SLOW_PLAN;
	if (!pgss_read(look->inspector, false, &rows->pgss, &rows->statements, err))
		return false;
	if (rows->pgss.problem) {
		error_set(err, EXIT_REFUSED, "%s", rows->pgss.problem);
		return rows->pgss.cure ? error_hint(err, "%s", rows->pgss.cure) : false;
	}
	s = find(&rows->statements, id);
	if (!s)
		return not_found(look, args->explain, err);

	struct statement chosen = *s;

	*s = rows->statements.items.items[0];
	rows->statements.items.items[0] = chosen;
	statements_limit(&rows->statements, 1);
	s = &rows->statements.items.items[0];
	return pgss_read_texts(look->inspector, &rows->pgss, &rows->statements, err) && is_usable(s, args->explain, err) && plan(look, rows, s, err);
}
