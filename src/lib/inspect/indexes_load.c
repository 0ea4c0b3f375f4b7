/* SPDX-License-Identifier: PostgreSQL */
/* The catalog's rows become the model. Only here is the server asked. */
#include "indexes.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ATTEMPTS 3

static double real_or_zero(const PGresult *r, int row, int col)
{
	return pg_is_null(r, row, col) ? 0 : pg_real(r, row, col);
}

static bool has(const char *flags, char c)
{
	return strchr(flags, c) != NULL;
}

static void read_table(const PGresult *r, int row, struct table_info *t)
{
	const char *flags = pg_value(r, row, 4);

	*t = (struct table_info){
		.oid = (uint32_t)pg_int(r, row, 0),
		.schema = pg_value(r, row, 1),
		.name = pg_value(r, row, 2),
		.kind = pg_value(r, row, 3)[0],
		.locked = has(flags, 'L'),
		.extension = has(flags, 'e'),
		.selected = true,
		.pages = pg_int(r, row, 5),
		.rows = pg_real(r, row, 6),
		.parent_oid = (uint32_t)pg_int(r, row, 7),
		.toast_oid = (uint32_t)pg_int(r, row, 8),
		.seq_scans = real_or_zero(r, row, 9),
		.seq_reads = real_or_zero(r, row, 10),
		.index_scans = real_or_zero(r, row, 11),
		.inserts = real_or_zero(r, row, 12),
		.updates = real_or_zero(r, row, 13),
		.hot_updates = real_or_zero(r, row, 14),
		.deletes = real_or_zero(r, row, 15),
		.modified = real_or_zero(r, row, 16),
		.last_seq_scan = pg_int(r, row, 17),
		.newpage_updates = pg_is_null(r, row, 18) ? NAN : pg_real(r, row, 18),
	};
}

bool indexes_read_strings(const char *text, struct strvec *ret)
{
	size_t left = strlen(text);

	while (*text) {
		char *end;
		unsigned long len = strtoul(text, &end, 10);

		if (*end != ':' || len > left - (size_t)(end + 1 - text))
			return false;
		strvec_push_take(ret, xstrndup(end + 1, len));
		left -= (size_t)(end + 1 - text) + len;
		text = end + 1 + len;
	}
	return true;
}

/* The next number of a list separated by spaces; 0 at its end. */
static int64_t next_number(const char **list)
{
	char *end;
	int64_t n = strtoll(*list, &end, 10);

	*list = end;
	return n;
}

static size_t count_numbers(const char *list)
{
	size_t n = 0;

	for (const char *p = list; *p; p++)
		n += *p != ' ' && (p == list || p[-1] == ' ');
	return n;
}

static void read_keys(const PGresult *r, int row, struct index_info *i)
{
	const char *attnums = pg_value(r, row, 7), *classes = pg_value(r, row, 8), *collations = pg_value(r, row, 9),
		   *options = pg_value(r, row, 10);
	_cleanup_strvec_ struct strvec expressions = { 0 };

	indexes_read_strings(pg_value(r, row, 11), &expressions);
	i->column_count = (unsigned)count_numbers(attnums);
	i->keys = xcalloc(i->column_count + 1, sizeof(*i->keys));
	for (size_t k = 0; k < i->column_count; k++) {
		bool is_key = k < i->key_count;

		i->keys[k] = (struct index_key){
			.attnum = (int)next_number(&attnums),
			.opclass = is_key ? (uint32_t)next_number(&classes) : 0,
			.collation = is_key ? (uint32_t)next_number(&collations) : 0,
			.option = is_key ? (unsigned)next_number(&options) : 0,
			.expression = k < expressions.len && expressions.items[k][0] ? xstrdup(expressions.items[k]) : NULL,
		};
	}
}

static void read_index(const PGresult *r, int row, struct index_info *i)
{
	const char *flags = pg_value(r, row, 5);

	*i = (struct index_info){
		.oid = (uint32_t)pg_int(r, row, 0),
		.table_oid = (uint32_t)pg_int(r, row, 1),
		.name = pg_value(r, row, 2),
		.method = pg_value(r, row, 3),
		.kind = pg_value(r, row, 4)[0],
		.unique = has(flags, 'u'),
		.primary = has(flags, 'p'),
		.exclusion = has(flags, 'x'),
		.immediate = has(flags, 'i'),
		.clustered = has(flags, 'c'),
		.valid = has(flags, 'v'),
		.checkxmin = has(flags, 'k'),
		.ready = has(flags, 'r'),
		.live = has(flags, 'l'),
		.replident = has(flags, 'd'),
		.nulls_not_distinct = has(flags, 'n'),
		.extension = has(flags, 'e'),
		.locked = has(flags, 'L'),
		.building = has(flags, 'b'),
		.key_count = (unsigned)pg_int(r, row, 6),
		.predicate = pg_text(r, row, 12),
		.has_expressions = pg_bool(r, row, 13),
		.has_predicate = pg_bool(r, row, 14),
		.options = pg_text(r, row, 15),
		.pages = pg_int(r, row, 16),
		.rows = pg_real(r, row, 17),
		.scans = real_or_zero(r, row, 18),
		.reads = real_or_zero(r, row, 19),
		.last_scan = pg_int(r, row, 20),
		.constraint = pg_text(r, row, 21),
		.constraint_type = pg_value(r, row, 22)[0],
		.fkeys = pg_int(r, row, 23),
		.parent_oid = (uint32_t)pg_int(r, row, 24),
		.size = -1,
	};
	i->opaque = (i->has_expressions && pg_is_null(r, row, 11)) || (i->has_predicate && !i->predicate);
	read_keys(r, row, i);
}

static void read_fkey(const PGresult *r, int row, struct fkey_info *f)
{
	const char *columns = pg_value(r, row, 4), *operators = pg_value(r, row, 5), *collations = pg_value(r, row, 12);

	*f = (struct fkey_info){
		.oid = (uint32_t)pg_int(r, row, 0),
		.table_oid = (uint32_t)pg_int(r, row, 1),
		.referenced_oid = (uint32_t)pg_int(r, row, 2),
		.name = pg_value(r, row, 3),
		.column_count = count_numbers(columns),
		.parent_oid = (uint32_t)pg_int(r, row, 6),
		.delete_action = pg_value(r, row, 7)[0],
		.update_action = pg_value(r, row, 8)[0],
		.enforced = pg_bool(r, row, 9),
		.period = pg_bool(r, row, 10),
	};
	f->columns = xcalloc(f->column_count + 1, sizeof(*f->columns));
	f->operators = xcalloc(f->column_count + 1, sizeof(*f->operators));
	f->collations = xcalloc(f->column_count + 1, sizeof(*f->collations));
	for (size_t k = 0; k < f->column_count; k++) {
		f->columns[k] = (int)next_number(&columns);
		f->operators[k] = (uint32_t)next_number(&operators);
		f->collations[k] = (uint32_t)next_number(&collations);
	}
}

static void read_families(struct index_model *m, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r); row++) {
		struct index_family f = { (uint32_t)pg_int(r, row, 0), (uint32_t)pg_int(r, row, 1) };

		if (pg_value(r, row, 2)[0] == 'c')
			*vec_push(&m->classes) = f;
		else
			*vec_push(&m->equality) = f;
	}
}

static void read_server(struct index_model *m, const PGresult *r)
{
	m->standbys = pg_int(r, 0, 0) + pg_int(r, 0, 1);
	m->node.since = pg_int(r, 0, 2);
	m->node.guessed = pg_bool(r, 0, 3);
	m->system_identifier = xstrdup(pg_value(r, 0, 4));
	m->timeline = pg_int(r, 0, 5);
	m->hidden_builds = pg_bool(r, 0, 6);
}

enum { TABLES, INDEXES, FKEYS, FAMILIES, SERVER, RESULTS };

static bool ask(struct inspector *in, PGresult **ret, struct error *err)
{
	autofree char *sql = xasprintf("%s;\n%s;\n%s;\n%s;\n%s", sql_indexes_tables, sql_indexes, sql_indexes_fkeys,
		sql_indexes_families, sql_indexes_server);

	for (int attempt = 1;; attempt++) {
		if (inspector_batch(in, sql, ret, RESULTS, err))
			return true;
		if (strcmp(err->sqlstate, "55P03") != 0 || attempt == ATTEMPTS)
			return error_prefix(err, "reading the catalog");
		error_release(err); /* locked between our look at pg_locks and the deparser's: now it is in pg_locks */
	}
}

bool indexes_model_load(struct inspector *in, struct index_model *ret, struct error *err)
{
	PGresult *r[RESULTS];

	if (!ask(in, r, err))
		return false;
	*ret = (struct index_model){
		.now = inspector_now(in),
		.block_size = in->probe.block_size,
		.version = in->probe.version,
		.in_recovery = in->probe.in_recovery,
	};
	for (int row = 0; row < PQntuples(r[TABLES]); row++)
		read_table(r[TABLES], row, vec_push(&ret->tables));
	for (int row = 0; row < PQntuples(r[INDEXES]); row++)
		read_index(r[INDEXES], row, vec_push(&ret->indexes));
	for (int row = 0; row < PQntuples(r[FKEYS]); row++) {
		struct fkey_info *f = vec_push(&ret->fkeys);

		read_fkey(r[FKEYS], row, f);
		indexes_read_strings(pg_value(r[FKEYS], row, 11), &f->names);
	}
	read_families(ret, r[FAMILIES]);
	read_server(ret, r[SERVER]);
	for (size_t k = 0; k < RESULTS; k++)
		*vec_push(&ret->results) = r[k];
	indexes_model_link(ret);
	return true;
}

/* --- details --------------------------------------------------------------------------------------------- */

static void want(struct index_info *i, void *data)
{
	(void)data;
	i->wanted = true;
}

/* The list of OIDs, and whether it has any. */
static bool add_wanted(struct index_model *m, struct strbuf *sql)
{
	bool any = false;

	for (size_t k = 0; k < m->indexes.len; k++)
		if (m->indexes.items[k].wanted && m->indexes.items[k].kind == 'I')
			indexes_walk(m, &m->indexes.items[k], want, NULL);
	for (size_t k = 0; k < m->indexes.len; k++)
		if (m->indexes.items[k].wanted) {
			strbuf_addf(sql, "%s%" PRIu32, any ? "," : "", m->indexes.items[k].oid);
			any = true;
		}
	return any;
}

static void read_details(struct index_model *m, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r); row++) {
		struct index_info *i = indexes_find(m, (uint32_t)pg_int(r, row, 0));

		if (!i)
			continue;
		i->size = pg_is_null(r, row, 1) ? -1 : pg_int(r, row, 1);
		i->definition = pg_text(r, row, 2);
		i->constraint_definition = pg_text(r, row, 3);
		i->tablespace = pg_text(r, row, 4);
		i->comment = pg_text(r, row, 5);
	}
}

bool indexes_model_details(struct inspector *in, struct index_model *m, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	const char *mark = strstr(sql_indexes_details, "{}");

	strbuf_add(&sql, sql_indexes_details, (size_t)(mark + 1 - sql_indexes_details));
	if (!add_wanted(m, &sql))
		return true;
	strbuf_adds(&sql, mark + 1);
	for (int attempt = 1;; attempt++) {
		PGresult *r = inspector_query(in, sql.buf, err);

		if (r) {
			read_details(m, r);
			*vec_push(&m->results) = r;
			return true;
		}
		if (strcmp(err->sqlstate, "55P03") != 0 || attempt == ATTEMPTS)
			return error_prefix(err, "reading the definitions of indexes");
		error_release(err);
	}
}
