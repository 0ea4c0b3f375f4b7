/* SPDX-License-Identifier: PostgreSQL */
#include "model.h"

#include <inttypes.h>

bool partition_begin(struct pg_conn *c, struct error *err)
{
	return pg_exec(c, err,
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
		"SET LOCAL search_path = ''; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, MDY'; "
		"SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; "
		"SET LOCAL standard_conforming_strings = on; SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '1s'");
}

bool partition_end(struct pg_conn *c, struct error *err)
{
	return pg_exec(c, err, "COMMIT");
}

void partition_model_release(struct partition_model *m)
{
	for (size_t i = 0; i < m->len; i++) {
		struct partition *p = &m->items[i];

		free(p->schema);
		free(p->name);
		free(p->owner);
		free(p->key.definition);
		for (size_t k = 0; k < p->key.columns.len; k++) {
			free(p->key.columns.items[k].name);
			free(p->key.columns.items[k].type);
		}
		vec_release(&p->key.columns);
		bound_release(&p->bound);
	}
	vec_release(m);
}

/* --- reading ----------------------------------------------------------------------------------------------- */

/* Tables that somebody holds, or waits for, in ACCESS EXCLUSIVE mode: every function that opens a table would queue up there.
 * To be asked by NOT IN, which is hashed; NOT EXISTS in a lateral query is not, and both sides may have thousands of rows. */
#define LOCKED_SQL                                                                                                    \
	" locked AS ("                                                                                                \
	" SELECT coalesce(i.indrelid, l.relation) AS oid FROM pg_catalog.pg_locks l"                                  \
	" LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = l.relation"                                               \
	" WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()"  \
	" AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))"

/* Children by pg_inherits, because pg_partition_tree() omits those pending detach. pg_get_expr() gets no table: bounds
 * have no columns in them, and since PostgreSQL 17 it would lock the table. */
static const char tree_sql[] =
	"WITH RECURSIVE" LOCKED_SQL ", tree AS ("
	" SELECT c.oid, 0::oid AS parent, false AS pending FROM pg_catalog.pg_class c"
	" WHERE c.relkind = 'p' AND c.relpersistence <> 't'"
	" AND CASE WHEN $1::oid = 0 THEN NOT c.relispartition ELSE c.oid = $1 END"
	" UNION ALL"
	" SELECT i.inhrelid, i.inhparent, %s FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)"
	"SELECT c.oid, t.parent, t.pending, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), c.relkind,"
	" pg_catalog.pg_get_expr(c.relpartbound, 0), c.reltuples::int8, p.partstrat,"
	" CASE WHEN c.relkind = 'p' AND c.oid NOT IN (SELECT k.oid FROM locked k) THEN pg_catalog.pg_get_partkeydef(c.oid) END,"
	" (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)"
	" FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid"
	" ORDER BY n.nspname, c.relname, c.oid";

/* The class's input type also covers expressions and domains. */
static const char keys_sql[] =
	"SELECT p.partrelid, a.attname, o.opcintype::int8,"
	" pg_catalog.format_type(coalesce(a.atttypid, o.opcintype), a.atttypmod)"
	" FROM pg_catalog.pg_partitioned_table p"
	" CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(p.partattrs::int2[]), pg_catalog.unnest(p.partclass::oid[]))"
	" WITH ORDINALITY AS k (attnum, class, n)"
	" JOIN pg_catalog.pg_opclass o ON o.oid = k.class"
	" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum AND k.attnum > 0"
	" WHERE p.partrelid = ANY ($1::oid[]) ORDER BY p.partrelid, k.n";

/* pg_total_relation_size() opens the table and its indexes. */
static const char sizes_sql[] =
	"WITH" LOCKED_SQL "SELECT w.oid, s.bytes, pg_catalog.pg_stat_get_tuples_inserted(w.oid) + pg_catalog.pg_stat_get_tuples_updated(w.oid)"
	" + pg_catalog.pg_stat_get_tuples_deleted(w.oid), %s, s.heap = 0"
	" FROM pg_catalog.unnest($1::oid[]) AS w (oid)"
	" LEFT JOIN LATERAL (SELECT pg_catalog.pg_total_relation_size(w.oid) AS bytes, pg_catalog.pg_relation_size(w.oid) AS heap"
	" WHERE w.oid NOT IN (SELECT k.oid FROM locked k)) s ON true";

/* The newest of the files of 1 GiB each; there are not more than the total size has room for. */
static const char last_write_sql[] =
	"(SELECT (extract(epoch FROM max((pg_catalog.pg_stat_file(pg_catalog.pg_relation_filepath(w.oid)"
	" || CASE WHEN f.n > 0 THEN '.' || f.n ELSE '' END, true)).modification)) * 1000000)::int8"
	" FROM pg_catalog.generate_series(0, coalesce(s.bytes, 0) / 1073741824) AS f (n))";

static int64_t int_or_unknown(const PGresult *r, int row, int col)
{
	return PQgetisnull(r, row, col) ? PARTITION_UNKNOWN : pg_int(r, row, col);
}

static enum partition_strategy strategy_of(const char *letter)
{
	return letter[0] == 'r' ? STRATEGY_RANGE : letter[0] == 'l' ? STRATEGY_LIST : letter[0] == 'h' ? STRATEGY_HASH : STRATEGY_NONE;
}

static void read_partition(const PGresult *r, int row, struct partition *p)
{
	*p = (struct partition){
		.oid = (uint32_t)pg_int(r, row, 0),
		.parent = PARTITION_NO_PARENT,
		.parent_oid = (uint32_t)pg_int(r, row, 11),
		.detach_pending = pg_bool(r, row, 2),
		.schema = xstrdup(pg_value(r, row, 3)),
		.name = xstrdup(pg_value(r, row, 4)),
		.owner = xstrdup(pg_value(r, row, 5)),
		.kind = pg_value(r, row, 6)[0],
		.rows = pg_int(r, row, 8),
		.key.strategy = strategy_of(pg_value(r, row, 9)),
		.key.definition = PQgetisnull(r, row, 10) ? NULL : xstrdup(pg_value(r, row, 10)),
		.bytes = PARTITION_UNKNOWN,
		.writes = PARTITION_UNKNOWN,
		.last_write = PARTITION_UNKNOWN,
	};
	if (!PQgetisnull(r, row, 7))
		bound_parse(pg_value(r, row, 7), &p->bound, NULL); /* unknown ones are kept as such */
}

static int compare_oids(const void *a, const void *b)
{
	const struct partition *x = *(struct partition *const *)a, *y = *(struct partition *const *)b;

	return (x->oid > y->oid) - (x->oid < y->oid);
}

/* Pointers to the partitions, sorted by OID. */
struct index {
	struct partition **items;
	size_t len;
};

static struct index index_make(struct partition *items, size_t len)
{
	struct index x = { xcalloc(len + 1, sizeof(*x.items)), len };

	for (size_t i = 0; i < len; i++)
		x.items[i] = &items[i];
	qsort(x.items, len, sizeof(*x.items), compare_oids);
	return x;
}

static struct partition *index_find(const struct index *x, uint32_t oid)
{
	struct partition wanted = { .oid = oid }, *key = &wanted;
	struct partition **found = bsearch(&key, x->items, x->len, sizeof(*x->items), compare_oids);

	return found ? *found : NULL;
}

static void index_release(struct index *x)
{
	free(x->items);
}

/* "{1,2,3}" of the partitions that wanted() accepts; NULL = all. */
static char *oid_array(const struct partition_model *m, bool (*wanted)(const struct partition *p))
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addch(&sb, '{');
	for (size_t i = 0; i < m->len; i++)
		if (wanted(&m->items[i]))
			strbuf_addf(&sb, "%s%" PRIu32, sb.len > 1 ? "," : "", m->items[i].oid);
	strbuf_addch(&sb, '}');
	return strbuf_detach(&sb);
}

static bool is_partitioned(const struct partition *p)
{
	return p->kind == 'p';
}

static bool has_storage(const struct partition *p)
{
	return p->kind == 'r';
}

/* What pg_get_partkeydef() would say but for expressions, operator classes and collations: for a table that is locked. */
static char *describe_key(const struct partition_key *key)
{
	static const char *const names[] = { [STRATEGY_RANGE] = "RANGE", [STRATEGY_LIST] = "LIST", [STRATEGY_HASH] = "HASH",
		[STRATEGY_NONE] = "?" };
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s (", names[key->strategy]);
	for (size_t i = 0; i < key->columns.len; i++) {
		strbuf_adds(&sb, i ? ", " : "");
		if (key->columns.items[i].name)
			pg_add_display_name(&sb, NULL, key->columns.items[i].name);
		else
			strbuf_adds(&sb, "expression");
	}
	strbuf_addch(&sb, ')');
	return strbuf_detach(&sb);
}

static bool load_keys(struct pg_conn *c, const struct partition_model *m, const struct index *x, struct error *err)
{
	autofree char *oids = oid_array(m, is_partitioned);
	_cleanup_result_ PGresult *r = pg_query(c, err, keys_sql, 1, (const char *[]){ oids });

	for (int i = 0; r && i < PQntuples(r); i++) {
		struct partition *p = index_find(x, (uint32_t)pg_int(r, i, 0));

		if (p)
			*vec_push(&p->key.columns) = (struct key_column){
				.name = PQgetisnull(r, i, 1) ? NULL : xstrdup(pg_value(r, i, 1)),
				.type = xstrdup(pg_value(r, i, 3)),
				.kind = key_kind_of_type(pg_int(r, i, 2)),
			};
	}
	for (size_t i = 0; i < m->len; i++)
		if (m->items[i].kind == 'p' && !m->items[i].key.definition)
			m->items[i].key.definition = describe_key(&m->items[i].key);
	return r != NULL;
}

static bool load_sizes(struct pg_conn *c, const struct partition_model *m, const struct index *x, struct error *err)
{
	/* asked first: naming a function without the privilege is an error even where it would not be called */
	autofree char *may_stat = pg_query_value(c, err,
		"SELECT pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text, boolean)', 'execute')");

	if (!may_stat)
		return false;

	autofree char *sql = xasprintf(sizes_sql, may_stat[0] == 't' ? last_write_sql : "NULL");
	autofree char *oids = oid_array(m, has_storage);
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 1, (const char *[]){ oids });

	for (int i = 0; r && i < PQntuples(r); i++) {
		struct partition *p = index_find(x, (uint32_t)pg_int(r, i, 0));

		if (!p)
			continue;
		p->bytes = int_or_unknown(r, i, 1);
		p->writes = int_or_unknown(r, i, 2);
		p->last_write = int_or_unknown(r, i, 3);
		if (p->rows == PARTITION_UNKNOWN && pg_bool(r, i, 4))
			p->rows = 0; /* never analyzed, but not a page */
	}
	return r != NULL;
}

/* --- the tree ---------------------------------------------------------------------------------------------- */

static const struct bound_values *first_values(const struct bound *b)
{
	return b->kind == BOUND_RANGE ? &b->from : &b->list;
}

/* Siblings: by parent, then DEFAULT and what is not understood last, then by value. */
static int compare_bounds(const struct bound *a, const struct bound *b, enum key_kind kind)
{
	const struct bound_values *x = first_values(a), *y = first_values(b);
	bool a_last = a->kind <= BOUND_DEFAULT, b_last = b->kind <= BOUND_DEFAULT;

	if (a_last || b_last)
		return a_last - b_last;
	if (a->kind == BOUND_HASH)
		return a->remainder != b->remainder ? (a->remainder > b->remainder) - (a->remainder < b->remainder)
						    : (a->modulus > b->modulus) - (a->modulus < b->modulus);
	for (size_t i = 0; i < x->len && i < y->len; i++) {
		/* kind is the first column's; the others are ordered for display only */
		int order = bound_value_compare(&x->items[i], &y->items[i], i && b->kind == BOUND_RANGE ? KEY_OTHER : kind);

		if (order)
			return order;
	}
	return 0;
}

struct child {
	struct partition *p, *parent; /* parent NULL = root */
	size_t rank;                  /* by name, to make the order complete */
};

static int compare_children(const void *a, const void *b)
{
	const struct child *x = a, *y = b;
	int order;

	if (x->parent != y->parent)
		return !x->parent ? -1 : !y->parent ? 1 : (x->parent->oid > y->parent->oid) - (x->parent->oid < y->parent->oid);
	order = x->parent ? compare_bounds(&x->p->bound, &y->p->bound, partition_key_kind(x->parent)) : 0;
	return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

struct walk {
	struct child *children;
	size_t len;
	struct partition_model *out;
};

static size_t first_child(const struct walk *w, const struct partition *parent)
{
	size_t low = 0, high = w->len;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct partition *p = w->children[middle].parent;

		if (!p || p->oid < parent->oid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add(int64_t *sum, int64_t value)
{
	*sum = *sum == PARTITION_UNKNOWN || value == PARTITION_UNKNOWN ? PARTITION_UNKNOWN : *sum + value;
}

/* What a partitioned table has is what its direct partitions have. A foreign table has no size here. */
static void sum_up(struct partition *sum, const struct partition *p)
{
	add(&sum->rows, p->rows);
	if (p->kind != 'f') {
		add(&sum->bytes, p->bytes);
		add(&sum->writes, p->writes);
		if (p->last_write > sum->last_write)
			sum->last_write = p->last_write;
	}
}

/* Moves p and its subtree to the output. NOLINTNEXTLINE(misc-no-recursion): as deep as the tree */
static void place(struct walk *w, struct partition *p, size_t parent, unsigned level, bool sizes)
{
	size_t at = w->out->len, child = first_child(w, p);
	struct partition *copy = vec_push(w->out);

	*copy = *p;
	copy->parent = parent;
	copy->level = level;
	if (p->kind == 'p') {
		copy->rows = 0;
		copy->bytes = copy->writes = sizes ? 0 : PARTITION_UNKNOWN;
	}
	for (; child < w->len && w->children[child].parent == p; child++) {
		size_t next = w->out->len;

		place(w, w->children[child].p, at, level + 1, sizes);
		sum_up(&w->out->items[at], &w->out->items[next]);
	}
	w->out->items[at].end = w->out->len;
}

static void build_tree(struct partition_model *flat, const uint32_t *parents, const struct index *x, bool sizes,
	struct partition_model *ret)
{
	autofree struct child *children = xcalloc(flat->len + 1, sizeof(*children));
	struct walk w = { children, flat->len, ret };

	for (size_t i = 0; i < flat->len; i++)
		children[i] = (struct child){ &flat->items[i], parents[i] ? index_find(x, parents[i]) : NULL, i };
	qsort(children, flat->len, sizeof(*children), compare_children);
	for (size_t i = 0; i < flat->len && !children[i].parent; i++)
		place(&w, children[i].p, PARTITION_NO_PARENT, 0, sizes);
}

bool partition_model_load(struct pg_conn *c, const struct partition_load *o, struct partition_model *ret, struct error *err)
{
	autofree char *sql = xasprintf(tree_sql, c->version >= 140000 ? "i.inhdetachpending" : "false");
	autofree char *table = xasprintf("%" PRIu32, o->table);
	_cleanup_result_ PGresult *r = pg_query(c, err, sql, 1, (const char *[]){ table });
	struct partition_model flat = { 0 };

	if (!r)
		return false;

	autofree uint32_t *parents = xcalloc((size_t)PQntuples(r) + 1, sizeof(*parents));

	for (int i = 0; i < PQntuples(r); i++) {
		parents[i] = (uint32_t)pg_int(r, i, 1);
		read_partition(r, i, vec_push(&flat));
	}

	struct index x = index_make(flat.items, flat.len);
	bool ok = load_keys(c, &flat, &x, err) && (!o->sizes || load_sizes(c, &flat, &x, err));

	if (ok) {
		build_tree(&flat, parents, &x, o->sizes, ret);
		vec_release(&flat); /* its items live on in *ret */
	}
	index_release(&x);
	partition_model_release(&flat);
	return ok;
}

/* --- looking at it ----------------------------------------------------------------------------------------- */

const struct partition *partition_by_oid(const struct partition_model *m, uint32_t oid)
{
	for (size_t i = 0; i < m->len; i++)
		if (m->items[i].oid == oid)
			return &m->items[i];
	return NULL;
}

const struct partition *partition_next(const struct partition_model *m, const struct partition *parent,
	const struct partition *p)
{
	size_t next = p ? p->end : (size_t)(parent - m->items) + 1;

	return next < parent->end ? &m->items[next] : NULL;
}

const struct partition *partition_parent(const struct partition_model *m, const struct partition *p)
{
	return p->parent == PARTITION_NO_PARENT ? NULL : &m->items[p->parent];
}

const struct partition *partition_default(const struct partition_model *m, const struct partition *parent)
{
	for (const struct partition *p = partition_next(m, parent, NULL); p; p = partition_next(m, parent, p))
		if (p->bound.kind == BOUND_DEFAULT)
			return p;
	return NULL;
}

enum key_kind partition_key_kind(const struct partition *parent)
{
	return parent->key.columns.len ? parent->key.columns.items[0].kind : KEY_OTHER;
}

bool partition_span(const struct partition *parent, const struct partition *p, enum epoch_unit unit, int64_t *ret_from,
	int64_t *ret_to)
{
	enum key_kind kind = partition_key_kind(parent);

	return p->bound.kind == BOUND_RANGE && p->bound.from.len &&
	       instant_of_value(&p->bound.from.items[0], kind, unit, ret_from) &&
	       instant_of_value(&p->bound.to.items[0], kind, unit, ret_to);
}
