/* SPDX-License-Identifier: PostgreSQL */
/*
 * Indexes that nothing uses.
 *
 * Zero scans prove little by themselves: not before the statistics are old enough, not while a standby may be
 * scanning, and never for an index that enforces something. Nor do a few scans prove use: the planner looks into an index
 * for the smallest and largest value, and counts as a scan.
 */
#include "indexes.h"

#include <string.h>
#include "clock.h"

#define PROBES_MAX 100 /* more scans than that were not only the planner's */

struct usage {
	double scans, reads, new_scans, writes, table_reads;
	int64_t last_scan;
	bool is_new;
};

static void add_usage(struct index_info *i, void *data)
{
	struct usage *u = data;
	const struct table_info *t = i->table;

	if (i->kind != 'i')
		return;
	u->scans += i->scans + i->standby_scans;
	u->reads += i->reads + i->standby_reads;
	u->new_scans += i->new_scans;
	u->is_new |= i->is_new;
	if (i->last_scan > u->last_scan)
		u->last_scan = i->last_scan;
	if (!t)
		return;
	u->writes += t->inserts + (t->updates > t->hot_updates ? t->updates - t->hot_updates : 0);
	/* building an index reads the table, too, and counts */
	u->table_reads += t->index_scans + (t->seq_scans > (double)t->index_count ? t->seq_scans - (double)t->index_count : 0);
}

static struct usage usage_of(const struct index_model *m, struct index_info *i)
{
	struct usage u = { 0 };

	add_usage(i, &u);
	indexes_walk(m, i, add_usage, &u);
	return u;
}

static char *days_text(int64_t us)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (us >= 2 * 86400000000LL)
		strbuf_addf(&text, "%.0f days", (double)us / 86400e6);
	else
		duration_format((double)us / 1e6, &text);
	return strbuf_detach(&text);
}

char *indexes_no_verdict(const struct index_model *m, int64_t min_age)
{
	bool by_sample = m->compared_since && m->now - m->compared_since >= min_age;

	if (m->in_recovery)
		return xstrdup("this is a standby: it does not know what the primary scans; ask there, with --standby");
	if (m->sampled < m->standbys)
		return xasprintf("%lld standby%s of this server %s not sampled and may use any index; give --standby DSN for each",
			(long long)(m->standbys - m->sampled), m->standbys - m->sampled == 1 ? "" : "s",
			m->standbys - m->sampled == 1 ? "was" : "were");
	if (by_sample)
		return NULL;
	if (!m->node.since)
		return xstrdup("it is not known when the statistics began");
	if (m->now - m->node.since >= min_age)
		return NULL;

	autofree char *have = days_text(m->now > m->node.since ? m->now - m->node.since : 0), *need = days_text(min_age);

	return xasprintf("the statistics began %s ago%s, --min-age asks for %s", have,
		m->promoted && m->promoted == m->node.since ? ", when this server was promoted" : "", need);
}

/* Why nothing is ever said against this index; NULL = it must prove its use. */
static const char *reason_to_keep(const struct index_info *i)
{
	if (i->primary)
		return "it is the primary key";
	if (i->constraint_type)
		return i->exclusion ? "it enforces an exclusion constraint" : "it enforces a unique constraint";
	if (i->unique)
		return "it is unique: that is enforced, and the planner relies on it";
	if (i->fkeys)
		return "foreign keys refer to it";
	if (i->replident)
		return "it is the replica identity of its table";
	if (i->clustered)
		return "the table is clustered on it";
	if (i->extension || (i->table && i->table->extension))
		return "it belongs to an extension";
	if (i->building)
		return "somebody is rebuilding it";
	return NULL;
}

static bool is_vector(const struct index_info *i)
{
	return strcmp(i->method, "hnsw") == 0 || strcmp(i->method, "ivfflat") == 0;
}

static const char *reason_to_review(const struct index_model *m, const struct index_info *i, const struct usage *u)
{
	if (i->supports_fkey)
		return "a foreign key needs it when rows it refers to are deleted";
	if (i->relied_on)
		return "another finding relies on it";
	if (i->has_expressions)
		return m->version >= 140000
			? "ANALYZE keeps statistics of its expression, which the planner uses without scanning it: keep them by CREATE STATISTICS"
			: "ANALYZE keeps statistics of its expression, which the planner uses without scanning it";
	if (u->table_reads == 0)
		return "nobody read the table at all: what uses it may run rarely";
	if (is_vector(i))
		return "only ORDER BY distance LIMIT uses an index for vectors, and building it again takes long";
	if (i->has_predicate)
		return "it is for few rows: the query it serves may be rare";
	if (u->is_new)
		return "it is younger than the earlier sample";
	return NULL;
}

static char *evidence_of(const struct index_model *m, const struct index_info *i, const struct usage *u, int64_t since)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_double(&j, "scans", u->scans);
	jsonw_double(&j, "entries_read", u->reads);
	jsonw_time(&j, "last_scan", u->last_scan);
	jsonw_time(&j, "since", since);
	jsonw_seconds(&j, "window", (double)(m->now - since) / 1e6);
	jsonw_bool(&j, "window_is_upper_limit", true); /* nothing tells when an index was made */
	jsonw_int(&j, "standbys_sampled", m->sampled);
	jsonw_double(&j, "writes", u->writes);
	if (i->kind == 'I')
		jsonw_int(&j, "partitions", (int64_t)i->leaves);
	jsonw_object_end(&j);
	return strbuf_detach(&text);
}

/* What speaks against the index, and since when; NULL = it is used. *ret_weak: only a suspicion. */
static char *accusation(const struct index_model *m, const struct usage *u, int64_t min_age, int64_t *ret_since, bool *ret_weak)
{
	*ret_since = m->node.since;
	*ret_weak = false;
	if (m->compared_since && m->now - m->compared_since >= min_age) {
		*ret_since = m->compared_since;
		if (u->new_scans > 0)
			return NULL;
	} else if (u->scans > 0) {
		if (u->last_scan && m->now - u->last_scan >= min_age) {
			autofree char *ago = days_text(m->now - u->last_scan);

			return xasprintf("last scanned %s ago", ago);
		}
		if (u->scans > PROBES_MAX || u->reads > 2 * u->scans)
			return NULL;
		*ret_weak = true;
		return xasprintf("%.0f scans that read %.0f entries: they may be the planner's own", u->scans, u->reads);
	}

	autofree char *window = days_text(m->now - *ret_since);

	return xasprintf("no scan in %s", window);
}

static void judge_one(const struct index_model *m, struct index_info *i, int64_t min_age, struct index_findings *f)
{
	struct usage u = usage_of(m, i);
	int64_t since;
	bool weak;
	char *reason = accusation(m, &u, min_age, &since, &weak);

	if (!reason)
		return;

	const char *review = reason_to_review(m, i, &u);

	if (review) {
		char *longer = xasprintf("%s; but %s", reason, review);

		free(reason);
		reason = longer;
	}

	bool look = weak || review;
	struct index_finding *x = indexes_add(f, INDEX_UNUSED, "indexes.unused", look ? SEVERITY_INFO : SEVERITY_WARNING,
		look ? VERDICT_REVIEW : VERDICT_CANDIDATE, i, i->table, reason);

	x->evidence = evidence_of(m, i, &u, since);
	x->rank = (double)(indexes_size(m, i, NULL) + 1) * (u.writes + 1);
}

void indexes_judge_unused(struct index_model *m, int64_t min_age, bool keep_too, struct index_findings *f)
{
	autofree char *no_verdict = indexes_no_verdict(m, min_age);

	for (size_t k = 0; k < m->indexes.len; k++) {
		struct index_info *i = &m->indexes.items[k];
		const char *keep = reason_to_keep(i);

		if (!indexes_is_usable(i) || indexes_is_attached(i) || i->superfluous || !i->table || !i->table->selected)
			continue;
		if (keep && keep_too)
			indexes_add(f, INDEX_UNUSED, "indexes.kept", SEVERITY_OK, VERDICT_KEEP, i, i->table, xstrdup(keep));
		else if (!keep && !no_verdict)
			judge_one(m, i, min_age, f);
	}
}
