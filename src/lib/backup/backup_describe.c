/* SPDX-License-Identifier: PostgreSQL */
#include "backup_run.h"

#include "xalloc.h"

static void exclude_if(struct run *r, const char *sql, const char *kind, const char *reason)
{
	_cleanup_error_ struct error ignored = ERROR_INIT;
	autofree char *found = pg_query_value(r->leader.conn, &ignored, sql);

	if (found && found[0] == 't')
		manifest_add_exclusion(r->m, kind, NULL, reason);
}

static void add_filter(struct run *r, const char *option, const struct strvec *patterns, const char *reason)
{
	for (size_t i = 0; i < patterns->len; i++) {
		strvec_pushf(&r->m->options, "--%s=%s", option, patterns->items[i]);
		manifest_add_exclusion(r->m, option, patterns->items[i], reason);
	}
}

void describe_exclusions(struct run *r)
{
	bool objects = false;

	for (size_t i = 0; i < r->toc.len; i++)
		objects |= toc_is_blobs(&r->toc.items[i]);
	add_filter(r, "table", &r->o->tables, "only what this pattern selects is in the backup");
	add_filter(r, "exclude-table", &r->o->exclude_tables, "left out");
	add_filter(r, "schema", &r->o->schemas, "only what this pattern selects is in the backup");
	add_filter(r, "exclude-schema", &r->o->exclude_schemas, "left out");
	add_filter(r, "exclude-table-data", &r->o->exclude_table_data, "definition only, no rows");
	if (r->o->schema_only)
		manifest_add_exclusion(r->m, "data", NULL, "left out by --schema-only");
	if (r->o->data_only)
		manifest_add_exclusion(r->m, "definitions", NULL, "left out by --data-only");
	if (!objects && !r->o->schema_only)
		exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)", "large objects",
			"pg_dump leaves them out when tables or schemas are selected");
	exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relkind = 'f')", "foreign tables",
		"their rows live on other servers");
	if (r->m->in_recovery)
		exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relpersistence = 'u' AND relkind = 'r')",
			"unlogged tables", "a standby has no rows of unlogged tables");
	exclude_if(r, "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT rolsuper)"
		      " AND EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'pg_subscription')",
		"subscriptions", "only a superuser's dump has them");
}

static void describe_file(struct manifest_file *f, const struct data_file *d, int64_t *next_block)
{
	f->file = xstrdup(d->name);
	f->rows = (int64_t)d->rows;
	f->raw_bytes = (int64_t)d->raw;
	f->stored_bytes = (int64_t)d->stored;
	f->fingerprint = d->fingerprint;
	f->blocks = (int64_t)d->len;
	f->first_block = *next_block;
	*next_block += f->blocks;
}

void describe_data(struct run *r)
{
	int64_t next_block = 0;

	for (size_t i = 0; i < r->plan.len; i++) {
		struct plan_job *job = &r->plan.items[i];

		if (job->large_objects)
			continue;

		struct manifest_file *f = vec_push(&r->m->tables);

		describe_file(f, &job->file, &next_block);
		f->schema = steal(job->schema);
		f->name = steal(job->name);
		f->columns = steal(job->columns);
		f->root = steal(job->root);
		f->condition = steal(job->condition);
		f->oid = job->oid;
		f->unit_pages = job->unit_pages;
	}
	for (size_t i = 0; i < r->plan.stored_objects.len; i++) {
		struct large_object *lo = &r->plan.stored_objects.items[i];
		struct manifest_file *f = vec_push(&r->m->large_objects);

		describe_file(f, &lo->file, &next_block);
		f->oid = lo->oid;
	}
}

void describe_totals(struct manifest *m)
{
	m->table_count = (int64_t)m->tables.len;
	m->large_object_count = (int64_t)m->large_objects.len;
	for (size_t i = 0; i < m->tables.len; i++) {
		m->rows += m->tables.items[i].rows;
		m->raw_bytes += m->tables.items[i].raw_bytes;
		m->stored_bytes += m->tables.items[i].stored_bytes;
	}
	for (size_t i = 0; i < m->large_objects.len; i++) {
		m->raw_bytes += m->large_objects.items[i].raw_bytes;
		m->stored_bytes += m->large_objects.items[i].stored_bytes;
	}
	for (size_t i = 0; i < m->files.len; i++)
		m->stored_bytes += m->files.items[i].bytes;
}
