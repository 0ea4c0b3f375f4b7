/* SPDX-License-Identifier: PostgreSQL */
/* Indexes that no query can use: what left them so decides what cures them. */
#include "indexes.h"

#include <ctype.h>
#include <string.h>

/* REINDEX CONCURRENTLY calls the index it builds NAME_ccnew and the one it replaces NAME_ccold, with a number when that
 * name is taken. */
static bool is_left_by_reindex(const char *name, const char *suffix)
{
	size_t len = strlen(name);

	while (len && isdigit((unsigned char)name[len - 1]))
		len--;
	return len > strlen(suffix) && strncmp(name + len - strlen(suffix), suffix, strlen(suffix)) == 0;
}

struct state {
	const char *name, *reason;
	enum severity severity;
	enum index_verdict verdict;
};

static const struct state building = { "building", "it is being built or dropped at this moment", SEVERITY_INFO, VERDICT_WAIT };
static const struct state maybe_building = { "unknown",
	"it is invalid; whether somebody is building it now, this role cannot see", SEVERITY_UNKNOWN, VERDICT_WAIT };
static const struct state dropping = { "dropping",
	"a DROP INDEX CONCURRENTLY was interrupted: it only takes space", SEVERITY_WARNING, VERDICT_DROP };
static const struct state ccnew = { "ccnew",
	"an interrupted REINDEX CONCURRENTLY left its new, unfinished index; the old one still works", SEVERITY_WARNING, VERDICT_DROP };
static const struct state ccold = { "ccold",
	"REINDEX CONCURRENTLY replaced it and could not drop it", SEVERITY_WARNING, VERDICT_DROP };
static const struct state toast = { "toast",
	"an interrupted REINDEX CONCURRENTLY left this index of a TOAST table", SEVERITY_WARNING, VERDICT_DROP };
static const struct state parent = { "unattached",
	"a partition has no index attached to it, so the partitioned index counts as invalid", SEVERITY_WARNING, VERDICT_ATTACH };
static const struct state maintained = { "maintained",
	"a build failed: every write maintains it, and no query can use it", SEVERITY_WARNING, VERDICT_REBUILD };
static const struct state debris = { "not_ready",
	"a build failed early: it takes no entries, and no query can use it", SEVERITY_WARNING, VERDICT_REBUILD };

/* A failed build that was made again under another name: there is nothing to rebuild. */
static void prefer_twin(const struct index_model *m, struct index_finding *n)
{
	struct index_info *twin = n->verdict == VERDICT_REBUILD ? indexes_find_same(m, n->index) : NULL;
	_cleanup_strbuf_ struct strbuf reason = STRBUF_INIT;

	if (!twin)
		return;
	strbuf_addf(&reason, "%s; ", n->reason);
	indexes_add_name(&reason, twin);
	strbuf_adds(&reason, " is the same and works");
	free(n->reason);
	n->reason = strbuf_detach(&reason);
	n->verdict = VERDICT_DROP;
	n->other = twin;
	twin->relied_on = true;
}

static const struct state *state_of(const struct index_model *m, const struct index_info *i)
{
	if (i->kind == 'I')
		return &parent;
	if (i->building)
		return &building;
	if (m->hidden_builds)
		return &maybe_building;
	if (!i->live)
		return &dropping;
	if (!i->table || i->table->oid != i->table_oid)
		return &toast;
	if (is_left_by_reindex(i->name, "_ccnew"))
		return &ccnew;
	if (is_left_by_reindex(i->name, "_ccold"))
		return &ccold;
	return i->ready ? &maintained : &debris;
}

static char *evidence_of(const struct index_info *i, const struct state *s)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "state", s->name);
	jsonw_bool(&j, "ready", i->ready);
	jsonw_bool(&j, "live", i->live);
	jsonw_bool(&j, "unique", i->unique);
	jsonw_object_end(&j);
	return strbuf_detach(&text);
}

/* A partition may have the index already, only not attached: its definition tells. */
static void want_indexes_of_partitions(struct index_model *m, const struct table_info *t)
{
	for (size_t k = 0; k < m->tables.len; k++) {
		const struct table_info *p = &m->tables.items[k];

		if (p->parent != t)
			continue;
		for (size_t i = 0; i < p->index_count; i++)
			m->by_table[p->first_index + i]->wanted = m->by_table[p->first_index + i]->relied_on = true;
		if (p->has_children)
			want_indexes_of_partitions(m, p);
	}
}

void indexes_judge_invalid(struct index_model *m, struct index_findings *f)
{
	for (size_t k = 0; k < m->indexes.len; k++) {
		struct index_info *i = &m->indexes.items[k];

		if (indexes_is_usable(i) || (i->kind == 'I' && indexes_is_attached(i)) || (i->table && !i->table->selected))
			continue;

		const struct state *s = state_of(m, i);
		struct index_finding *n = indexes_add(f, INDEX_INVALID, "indexes.invalid", s->severity, s->verdict, i, i->table,
			xstrdup(s->reason));

		n->evidence = evidence_of(i, s);
		prefer_twin(m, n);
		if (s == &parent && i->table)
			want_indexes_of_partitions(m, i->table);
	}
}
