/* SPDX-License-Identifier: PostgreSQL
 *
 * indexes.h - the indexes of a database: the model of the catalog, and what is wrong with it.
 *
 * indexes_load.c reads the catalog in one round trip (indexes_model_load) and, for those indexes that a finding
 * is about, definitions and sizes in a second one (indexes_model_details). Judgement is pure: each
 * indexes_judge_…() goes over the model and adds findings, so that it can be tested on constructed rows.
 * Strings belong to the results that the model keeps.
 *
 * Sources: PostgreSQL documentation, "System Catalogs" (pg_index, pg_constraint, pg_opclass), "The Cumulative
 * Statistics System", CREATE INDEX, REINDEX.
 */
#ifndef DBOPS_INDEXES_H
#define DBOPS_INDEXES_H

#include "answer.h"
#include "inspector.h"
#include "sample.h"

/* One column of an index. Columns of INCLUDE have zeros for what only key columns have. */
struct index_key {
	int attnum;                 /* 0 = an expression */
	unsigned option;            /* pg_index.indoption: 1 DESC, 2 NULLS FIRST */
	uint32_t opclass, collation;
	char *expression;           /* deparsed, "" = a plain column; owned */
};

struct table_info {
	uint32_t oid, parent_oid, toast_oid;
	const char *schema, *name;
	char kind;                  /* r, p(artitioned), m(aterialised view) */
	bool locked;                /* somebody holds or awaits it ACCESS EXCLUSIVE */
	bool extension, selected;   /* belongs to an extension; --schema, --table */
	int64_t pages;
	double rows;                /* estimate of the last ANALYZE; < 0 = never */
	double seq_scans, seq_reads, index_scans, inserts, updates, hot_updates, deletes, modified;
	int64_t last_seq_scan;      /* microseconds; 0 = never or before 16 */
	double newpage_updates;     /* NAN before 16 */
	size_t first_index, index_count; /* in model->by_table */
	struct table_info *parent;  /* the table it is a partition of */
	bool has_children;
};

struct index_info {
	uint32_t oid, table_oid, parent_oid;
	const char *name, *method, *predicate, *options, *constraint;
	char kind;                  /* i, I (of a partitioned table) */
	char constraint_type;       /* p, u, x; 0 = none */
	bool unique, primary, exclusion, immediate, clustered, valid, checkxmin, ready, live, replident, nulls_not_distinct;
	bool extension, locked, building;
	bool has_expressions, has_predicate;
	bool opaque;                /* expressions or predicate could not be read: the table is locked */
	unsigned key_count, column_count;
	struct index_key *keys;     /* column_count of them; owned */
	int64_t pages;
	double rows, scans, reads;  /* of this server */
	double standby_scans, standby_reads;
	double new_scans;           /* of all servers, since the earlier sample */
	bool is_new;                /* not in the earlier sample */
	bool supports_fkey;         /* it covers the columns of a foreign key of its table */
	int64_t last_scan;          /* microseconds; 0 = never or before 16 */
	int64_t fkeys;              /* foreign keys that refer to it */
	struct table_info *table;
	struct index_info *parent;  /* the index it is attached to */
	size_t first_child, child_count; /* in model->by_parent: indexes attached to it */
	size_t leaves;              /* of a partitioned index: indexes that hold entries, below it */
	bool wanted;                /* a finding needs its definition */
	bool relied_on;             /* another index may go because this one stays */
	bool superfluous;           /* because of another one */

	/* indexes_model_details() */
	int64_t size;               /* bytes; -1 = unknown: then pages tell */
	const char *definition, *constraint_definition, *tablespace, *comment;
};

struct fkey_info {
	uint32_t oid, table_oid, referenced_oid, parent_oid;
	const char *name;
	char delete_action, update_action;
	bool enforced, period;
	size_t column_count;
	int *columns;               /* attribute numbers; owned */
	uint32_t *operators, *collations;
	struct strvec names;        /* of the columns */
	struct table_info *table, *referenced;
	bool covered;               /* by an index of its own table, or each partition's by one of the partition */
	size_t covered_columns;     /* the most that one index has of its columns, as its first ones */
	struct index_info *partial_cover; /* that index */
	size_t leaves, leaves_covered; /* partitions with the constraint */
	struct fkey_info *parent;   /* the constraint of the partitioned table */
};

/* An operator class and its family, or an equality operator and a family that it belongs to. */
struct index_family {
	uint32_t oid, family;
};

/* Statistics of one server: when they begin, and where they are from. */
struct index_node {
	int64_t since;              /* microseconds; 0 = unknown */
	bool guessed;               /* never reset, or lost in a crash: since is the cluster's, the index may be younger */
};

struct index_model {
	VEC(struct table_info) tables;  /* by OID */
	VEC(struct index_info) indexes; /* by OID */
	VEC(struct fkey_info) fkeys;    /* by OID */
	VEC(struct index_family) classes, equality; /* by OID */
	struct index_info **by_table, **by_parent; /* all indexes, grouped */
	struct index_node node;
	int64_t now;
	int64_t block_size;
	int version;
	bool in_recovery, hidden_builds;
	int64_t standbys, sampled;      /* that stream from here or from one that was sampled; whose usage is in the rows */
	VEC(int64_t) standbys_started;  /* when the sampled ones started: which they are */
	int64_t compared_since;         /* when the earlier sample was taken; 0 = none */
	int64_t timeline;
	int64_t promoted;               /* microseconds; 0 = not, or unknown */
	char *system_identifier;
	const char **names;             /* of tables and indexes, sorted; made when first needed */
	size_t name_count;
	struct strvec new_names;        /* given by indexes_new_name() */
	VEC(PGresult *) results;
};

void indexes_model_release(struct index_model *m);
#define _cleanup_index_model_ _cleanup_(indexes_model_release)

/* Reads the catalog: one round trip. 55P03 when somebody took a table ACCESS EXCLUSIVE in that very moment, three
 * times in a row. */
bool indexes_model_load(struct inspector *in, struct index_model *ret, struct error *err);
/* Definitions, exact sizes, comments of the indexes that are wanted and of everything attached to them. Those of
 * locked tables stay unknown. */
bool indexes_model_details(struct inspector *in, struct index_model *m, struct error *err);
/* Fills what follows from the rows: pointers, groups, partition trees. indexes_model_load() does it; tests that
 * construct rows call it themselves. */
void indexes_model_link(struct index_model *m);
/* Reads "1:a2:bc", a list of strings each with its length; false when it is not of that form. */
bool indexes_read_strings(const char *text, struct strvec *ret);

struct table_info *indexes_find_table(const struct index_model *m, uint32_t oid);
struct index_info *indexes_find(const struct index_model *m, uint32_t oid);
/* Bytes: exact when known, else pages; partitioned indexes: the sum. *ret_estimated may be NULL. */
int64_t indexes_size(const struct index_model *m, const struct index_info *i, bool *ret_estimated);
/* Calls visit for i's attached indexes, parents first, all levels. */
void indexes_walk(const struct index_model *m, const struct index_info *i, void (*visit)(struct index_info *child, void *data),
	void *data);
/* Whether i is attached to an index of the parent table: then it is judged there. */
static inline bool indexes_is_attached(const struct index_info *i)
{
	return i->parent_oid != 0;
}
static inline bool indexes_is_usable(const struct index_info *i)
{
	return i->valid && i->ready && i->live;
}

/* --- findings -------------------------------------------------------------------------------------------- */

/* What is found, in the order of --only's words. */
enum index_kind { INDEX_INVALID, INDEX_DUPLICATE, INDEX_REDUNDANT, INDEX_UNUSED, INDEX_FKEY, INDEX_MISSING, INDEX_BLOAT,
	INDEX_EXPECTED, INDEX_KINDS };
extern const char *const index_kind_names[]; /* NULL-terminated */

/* What to do about it. */
enum index_verdict {
	VERDICT_KEEP,      /* it must stay; the reason says why */
	VERDICT_WAIT,      /* something is still going on */
	VERDICT_REVIEW,    /* look before acting */
	VERDICT_CANDIDATE, /* may go: nothing speaks for it */
	VERDICT_DROP,      /* serves nothing */
	VERDICT_REBUILD,
	VERDICT_ATTACH,
	VERDICT_CREATE,
};
extern const char *const index_verdict_names[];

/* A statement that names a table: its text, who ran it. */
struct index_statement {
	char *text, *role;
	int64_t userid;
};

struct index_finding {
	enum index_kind kind;
	const char *id;             /* "indexes.invalid"; a constant */
	enum severity severity;
	enum index_verdict verdict;
	struct index_info *index;   /* NULL: about a table */
	struct index_info *other;   /* the one that makes it superfluous */
	struct table_info *table;
	struct fkey_info *fkey;
	char *object;               /* what it is about when there is no index: owned */
	char *reason;               /* one sentence; owned */
	char *evidence;             /* JSON object; owned */
	char *fix, *undo;           /* SQL, statements on lines of their own; owned; NULL = none */
	VEC(struct index_statement) statements; /* of indexes_name_statements() */
	char *column;               /* an index on it was proved to help; owned */
	bool no_fix;                /* another finding has it */
	double rank;                /* larger = earlier, within a severity */
	size_t answered;            /* its place in the answer's findings */
};

struct index_findings {
	VEC(struct index_finding) items;
};
void indexes_finding_release(struct index_finding *x);
void indexes_findings_release(struct index_findings *f);
#define _cleanup_index_findings_ _cleanup_(indexes_findings_release)

/* Adds a finding about i (may be NULL) of table t; reason is taken over. Valid until the next. */
struct index_finding *indexes_add(struct index_findings *f, enum index_kind kind, const char *id, enum severity severity,
	enum index_verdict verdict, struct index_info *i, struct table_info *t, char *reason_take);

/* The schema it is in, and its display name. */
const char *indexes_schema(const struct index_info *i);
void indexes_add_name(struct strbuf *out, const struct index_info *i);

/* Worst first, then by kind, then what costs most. */
void indexes_sort(const struct index_model *m, struct index_findings *f);

/* Invalid indexes, each of the ways of being invalid with its own cure. */
void indexes_judge_invalid(struct index_model *m, struct index_findings *f);
/* Exact duplicates, and indexes that another one makes superfluous: prefixes, mirror images. */
void indexes_judge_duplicates(struct index_model *m, struct index_findings *f);

/* Marks which foreign keys are covered, and what covers them; before indexes_judge_unused(). */
void indexes_cover_fkeys(struct index_model *m);
/* Foreign keys without an index. */
void indexes_judge_fkeys(struct index_model *m, struct index_findings *f);
/* Whether the deparsed predicate only says that columns of f are not NULL, which a look-up by them implies. */
bool indexes_predicate_is_implied(const char *predicate, const struct fkey_info *f);
/* Indexes without use for min_age microseconds; keep_too: also those that must stay, with the reason. After duplicates. */
void indexes_judge_unused(struct index_model *m, int64_t min_age, bool keep_too, struct index_findings *f);
/* Why nothing can be said about use at all; NULL = it can. Caller frees. */
char *indexes_no_verdict(const struct index_model *m, int64_t min_age);

/* Tables that are often read from end to end. */
void indexes_judge_missing(struct index_model *m, struct index_findings *f);
/* Adds to those findings which statements of pg_stat_statements name the table, where that can be asked. */
void indexes_name_statements(struct inspector *in, struct index_findings *f);
/* Plans those statements with hypothetical indexes, and advises what the planner would use. EXIT_NOT_FOUND without hypopg,
 * EXIT_CONFIG through a transaction pooler. */
bool indexes_prove(struct inspector *in, struct index_findings *f, struct error *err);
/* Whether query has name as a word. */
bool indexes_mentions(const char *query, const char *name);

/* B-trees that are larger than they need to be, by the planner's statistics; *ret_unknown grows by those without. */
bool indexes_estimate_bloat(struct inspector *in, struct index_model *m, struct index_findings *f, size_t *ret_unknown, struct error *err);
/* The same by reading them with pgstattuple's pgstatindex(). EXIT_NOT_FOUND without the extension, EXIT_PERMISSION. */
bool indexes_measure_bloat(struct inspector *in, struct index_model *m, struct index_findings *f, size_t *ret_unknown, struct error *err);
/* Whether bloat of i is looked at: B-trees of 1 MiB and more. */
bool indexes_may_bloat(const struct index_info *i);
/* Pages of a B-tree with that many entries of that average width; NAN = cannot be said. */
double indexes_expected_pages(double rows, double width, bool nullable, double fillfactor, int64_t block_size);

/* The findings' SQL as one psql script with the way back, after they are in the answer. */
void indexes_add_script(const struct index_findings *f, const struct answer *a, const char *database, struct strbuf *out);

/* --- usage: indexes_usage.c -------------------------------------------------------------------------------- */

/* Adds the scans of a standby. EXIT_USAGE when it is none of this server, or of another database. */
bool indexes_sample_standby(struct index_model *m, struct inspector *in, const char *database, struct error *err);
/* When this server was a standby once, its counters miss what the primary did before: moves the begin of the statistics. */
void indexes_find_promotion(struct inspector *in, struct index_model *m);
/* The counters of a sample, those of indexes and tables, and the difference to an earlier one. */
extern const char *const index_counters[];
void indexes_add_sample(const struct index_model *m, struct sample *s);
void indexes_compare_samples(struct index_model *m, struct sample *before);

/* A usable index that does everything x is for; NULL = none. */
struct index_info *indexes_find_same(const struct index_model *m, const struct index_info *x);
/* Compares the first n columns of two indexes: < 0, 0, > 0. */
int indexes_compare_keys(const struct index_key *a, const struct index_key *b, size_t n);

/* A name of at most 63 bytes that ends with suffix. */
void indexes_cut_name(struct strbuf *out, const char *base, const char *suffix);
/* The same, not in use by a table or index, nor given before. Caller frees. */
char *indexes_new_name(struct index_model *m, const char *base, const char *suffix);

/* Adds the SQL of each finding, after indexes_model_details(). */
void indexes_add_sql(struct index_model *m, struct index_findings *f);

#endif
