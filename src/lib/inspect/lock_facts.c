/* SPDX-License-Identifier: PostgreSQL */
/* Facts about locks: read from the server, freed. */
#include "lock_graph.h"

#include <string.h>
#include "lock_object.h"
#include "pg.h"
#include "pid_map.h"

static void session_release(struct lock_session *s)
{
	free(s->database);
	free(s->user);
	free(s->application);
	free(s->client);
	free(s->backend_type);
	free(s->state);
	free(s->wait_event);
	free(s->query);
	free(s->xid);
}

void lock_facts_release(struct lock_facts *f)
{
	for (size_t i = 0; i < f->sessions.len; i++)
		session_release(&f->sessions.items[i]);
	for (size_t i = 0; i < f->locks.len; i++) {
		free(f->locks.items[i].gid);
		free(f->locks.items[i].tag);
		free(f->locks.items[i].type);
		free(f->locks.items[i].object);
	}
	for (size_t i = 0; i < f->prepared.len; i++) {
		free(f->prepared.items[i].gid);
		free(f->prepared.items[i].owner);
		free(f->prepared.items[i].database);
		free(f->prepared.items[i].xid);
	}
	vec_release(&f->sessions);
	vec_release(&f->locks);
	vec_release(&f->blocks);
	vec_release(&f->prepared);
	*f = (struct lock_facts){ 0 };
}

/* A row of the result with its columns by name. */
struct row {
	const PGresult *r;
	int i;
	struct pid_map *blocks; /* of each blocker the last waiter it was noted for */
};

static const char *text(const struct row *row, const char *column)
{
	return pg_text(row->r, row->i, PQfnumber(row->r, column));
}

static char *copy(const struct row *row, const char *column)
{
	const char *value = text(row, column);

	return value ? xstrdup(value) : NULL;
}

static int64_t number(const struct row *row, const char *column)
{
	const char *value = text(row, column);

	return value ? strtoll(value, NULL, 10) : 0;
}

static bool flag(const struct row *row, const char *column)
{
	const char *value = text(row, column);

	return value && value[0] == 't';
}

static char *client(const struct row *row)
{
	const char *address = text(row, "client_addr"), *port = text(row, "client_port");

	if (!address)
		return port ? xstrdup("socket") : NULL;
	return xasprintf(strchr(address, ':') ? "[%s]:%s" : "%s:%s", address, port ? port : "?");
}

/* Rows come sorted by session. */
static bool is_known(const struct lock_facts *f, int64_t pid)
{
	return f->sessions.len && f->sessions.items[f->sessions.len - 1].pid == pid;
}

static void add_session(struct lock_facts *f, const struct row *row, int64_t pid)
{
	/* no backend at all: it ended between the reading of pg_locks and of pg_stat_activity */
	if (is_known(f, pid) || !text(row, "activity_pid"))
		return;
	*vec_push(&f->sessions) = (struct lock_session){
		.pid = pid,
		.database = copy(row, "datname"),
		.user = copy(row, "usename"),
		.application = copy(row, "application_name"),
		.client = client(row),
		.backend_type = copy(row, "backend_type"),
		.state = copy(row, "state"),
		.wait_event = copy(row, "wait_event"),
		.query = copy(row, "query"),
		.xid = copy(row, "backend_xid"),
		.backend_start = number(row, "backend_start"),
		.xact_start = number(row, "xact_start"),
		.query_start = number(row, "query_start"),
		.state_change = number(row, "state_change"),
	};
}

static void add_prepared(struct lock_facts *f, const struct row *row)
{
	const char *gid = text(row, "gid");

	for (size_t i = 0; gid && i < f->prepared.len; i++)
		if (strcmp(f->prepared.items[i].gid, gid) == 0)
			return;
	if (gid)
		*vec_push(&f->prepared) = (struct lock_prepared){
			.gid = xstrdup(gid),
			.owner = copy(row, "owner"),
			.database = copy(row, "prepared_database"),
			.xid = copy(row, "prepared_xid"),
			.prepared_at = number(row, "prepared_at"),
		};
}

static char *object(const struct row *row)
{
	const struct lock_object o = {
		.type = text(row, "locktype"),
		.database = text(row, "database"),
		.relation = text(row, "relation"),
		.page = text(row, "page"),
		.tuple = text(row, "tuple"),
		.virtualxid = text(row, "virtualxid"),
		.transactionid = text(row, "transactionid"),
		.classid = text(row, "classid"),
		.objid = text(row, "objid"),
		.objsubid = text(row, "objsubid"),
		.database_name = text(row, "lock_database"),
		.is_here = flag(row, "is_here"),
		.schema = text(row, "nspname"),
		.name = text(row, "relname"),
		.class_name = text(row, "class_name"),
		.object_name = text(row, "object_name"),
	};

	return lock_object_describe(&o);
}

static void add_lock(struct lock_facts *f, const struct row *row, int64_t node)
{
	*vec_push(&f->locks) = (struct lock_entry){
		.node = node,
		.gid = copy(row, "gid"),
		.tag = copy(row, "tag"),
		.type = copy(row, "locktype"),
		.object = object(row),
		.mode = lock_mode_parse(text(row, "mode")),
		.granted = flag(row, "granted"),
		.wait_start = number(row, "waitstart"),
	};
}

/* A wait that pg_locks does not have: SERIALIZABLE READ ONLY DEFERRABLE for its snapshot. */
static void add_snapshot_wait(struct lock_facts *f, const struct row *row, int64_t node)
{
	*vec_push(&f->locks) = (struct lock_entry){
		.node = node,
		.type = xstrdup("snapshot"),
		.object = xstrdup("a safe snapshot"),
		.wait_start = number(row, "state_change"),
	};
}

/* An integer[] as the server writes it: {1,2}. Blockers of a parallel group's members come together; group leaders may
 * repeat. In a long queue everybody in front is one: what was added is not looked through for each. */
static void add_blocks(struct lock_facts *f, const char *array, int64_t waiter, struct pid_map *last)
{
	const char *at = array + strspn(array, "{");

	while (*at && *at != '}') {
		char *end;
		int64_t blocker = strtoll(at, &end, 10);
		int64_t *noted = end == at ? NULL : pid_map_at(last, blocker);

		if (noted && *noted != waiter) {
			*vec_push(&f->blocks) = (struct lock_block){ waiter, blocker };
			*noted = waiter;
		}
		at = end + strcspn(end, ",}");
		at += *at == ',';
	}
}

static void read_row(struct lock_facts *f, const struct row *row)
{
	int64_t node = number(row, "node");
	const char *blockers = text(row, "blockers");

	if (node)
		add_session(f, row, node);
	else
		add_prepared(f, row);
	if (text(row, "tag"))
		add_lock(f, row, node);
	else if (blockers && strcmp(blockers, "{}") != 0)
		add_snapshot_wait(f, row, node);
	if (blockers)
		add_blocks(f, blockers, node, row->blocks);
}

void lock_facts_read(struct lock_facts *ret, const PGresult *r)
{
	struct pid_map blocks = { 0 };

	*ret = (struct lock_facts){ 0 };
	for (int i = 0; i < PQntuples(r); i++) {
		const struct row row = { r, i, &blocks };

		ret->at = number(&row, "now_us");
		ret->lock_objects = number(&row, "lock_objects");
		if (text(&row, "node"))
			read_row(ret, &row);
	}
	pid_map_release(&blocks);
}
