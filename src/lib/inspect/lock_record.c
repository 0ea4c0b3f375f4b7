/* SPDX-License-Identifier: PostgreSQL */
#include "lock_record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include "clock.h"
#include "fs.h"
#include "json.h"

#define FORMAT  "dbops-locks-record"
#define VERSION 1

void lock_instant_release(struct lock_instant *i)
{
	free(i->server);
	free(i->database);
	lock_facts_release(&i->facts);
	*i = (struct lock_instant){ 0 };
}

/* --- writing ------------------------------------------------------------------------------------------------ */

static void add_session(struct json *j, const struct lock_session *s)
{
	jsonw_object_begin(j, NULL);
	jsonw_int(j, "pid", s->pid);
	jsonw_string(j, "database", s->database);
	jsonw_string(j, "user", s->user);
	jsonw_string(j, "application", s->application);
	jsonw_string(j, "client", s->client);
	jsonw_string(j, "type", s->backend_type);
	jsonw_string(j, "state", s->state);
	jsonw_string(j, "wait_event", s->wait_event);
	jsonw_string(j, "query", s->query);
	jsonw_string(j, "xid", s->xid);
	jsonw_time(j, "backend_start", s->backend_start);
	jsonw_time(j, "xact_start", s->xact_start);
	jsonw_time(j, "query_start", s->query_start);
	jsonw_time(j, "state_change", s->state_change);
	jsonw_object_end(j);
}

static void add_entry(struct json *j, const struct lock_entry *e)
{
	jsonw_object_begin(j, NULL);
	jsonw_int(j, "pid", e->node);
	jsonw_string(j, "gid", e->gid);
	jsonw_string(j, "tag", e->tag);
	jsonw_string(j, "type", e->type);
	jsonw_string(j, "object", e->object);
	jsonw_string(j, "mode", lock_mode_name(e->mode));
	jsonw_bool(j, "granted", e->granted);
	jsonw_time(j, "wait_start", e->wait_start);
	jsonw_object_end(j);
}

static void add_prepared(struct json *j, const struct lock_prepared *p)
{
	jsonw_object_begin(j, NULL);
	jsonw_string(j, "gid", p->gid);
	jsonw_string(j, "owner", p->owner);
	jsonw_string(j, "database", p->database);
	jsonw_string(j, "xid", p->xid);
	jsonw_time(j, "prepared", p->prepared_at);
	jsonw_object_end(j);
}

static void add_block(struct json *j, const struct lock_block *b)
{
	jsonw_object_begin(j, NULL);
	jsonw_int(j, "waiter", b->waiter);
	jsonw_int(j, "blocker", b->blocker);
	jsonw_object_end(j);
}

#define ADD_ALL(j, key, list, add)                              \
	do {                                                    \
		jsonw_array_begin((j), (key));                  \
		for (size_t i_ = 0; i_ < (list).len; i_++)      \
			add((j), &(list).items[i_]);            \
		jsonw_array_end((j));                           \
	} while (0)

void lock_instant_write(const struct lock_instant *i, struct strbuf *out)
{
	struct json j = JSON_INIT(out, 0);
	const struct lock_facts *f = &i->facts;

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "format", FORMAT);
	jsonw_int(&j, "schema_version", VERSION);
	jsonw_time(&j, "at", f->at);
	jsonw_string(&j, "server", i->server);
	jsonw_string(&j, "database", i->database);
	jsonw_int(&j, "server_version", i->server_version);
	jsonw_int(&j, "lock_objects", f->lock_objects);
	ADD_ALL(&j, "sessions", f->sessions, add_session);
	ADD_ALL(&j, "locks", f->locks, add_entry);
	ADD_ALL(&j, "blocks", f->blocks, add_block);
	ADD_ALL(&j, "prepared", f->prepared, add_prepared);
	jsonw_object_end(&j);
	strbuf_addch(out, '\n');
}

static bool ends_with_newline(int fd, off_t size)
{
	char last;

	return size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

bool lock_instant_append(const struct lock_instant *i, const char *path, struct error *err)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	/* statements may hold what is nobody else's business */
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return error_set_errno(err, EXIT_CANNOT_WRITE, errno, "cannot write the recording '%s'", path);
	if (!ends_with_newline(fd, st.st_size))
		strbuf_addch(&line, '\n');
	lock_instant_write(i, &line);
	return fs_write_all(fd, path, line.buf, line.len, err);
}

/* --- reading ------------------------------------------------------------------------------------------------ */

static char *text(const json_t *o, const char *key)
{
	const char *value = json_string_value(json_object_get(o, key));

	return value ? xstrdup(value) : NULL;
}

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static int64_t instant(const json_t *o, const char *key)
{
	const char *value = json_string_value(json_object_get(o, key));
	int64_t us;

	return value && clock_parse_utc(value, &us) ? us : 0;
}

static bool read_session(const json_t *o, struct lock_facts *f)
{
	*vec_push(&f->sessions) = (struct lock_session){
		.pid = number(o, "pid"),
		.database = text(o, "database"),
		.user = text(o, "user"),
		.application = text(o, "application"),
		.client = text(o, "client"),
		.backend_type = text(o, "type"),
		.state = text(o, "state"),
		.wait_event = text(o, "wait_event"),
		.query = text(o, "query"),
		.xid = text(o, "xid"),
		.backend_start = instant(o, "backend_start"),
		.xact_start = instant(o, "xact_start"),
		.query_start = instant(o, "query_start"),
		.state_change = instant(o, "state_change"),
	};
	return number(o, "pid") > 0;
}

static bool read_entry(const json_t *o, struct lock_facts *f)
{
	struct lock_entry *e = vec_push(&f->locks);
	autofree char *mode = text(o, "mode");

	*e = (struct lock_entry){
		.node = number(o, "pid"),
		.gid = text(o, "gid"),
		.tag = text(o, "tag"),
		.type = text(o, "type"),
		.object = text(o, "object"),
		.mode = mode ? lock_mode_parse(mode) : LOCK_NONE,
		.granted = json_is_true(json_object_get(o, "granted")),
		.wait_start = instant(o, "wait_start"),
	};
	return e->type && e->object && e->node >= 0 && (e->tag || !e->granted);
}

static bool read_prepared(const json_t *o, struct lock_facts *f)
{
	struct lock_prepared *p = vec_push(&f->prepared);

	*p = (struct lock_prepared){ text(o, "gid"), text(o, "owner"), text(o, "database"), text(o, "xid"), instant(o, "prepared") };
	return p->gid != NULL;
}

static bool read_block(const json_t *o, struct lock_facts *f)
{
	*vec_push(&f->blocks) = (struct lock_block){ number(o, "waiter"), number(o, "blocker") };
	return number(o, "waiter") > 0 && number(o, "blocker") >= 0;
}

static bool read_all(const json_t *o, const char *key, bool (*read)(const json_t *o, struct lock_facts *f), struct lock_facts *f)
{
	const json_t *list = json_object_get(o, key);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read(json_array_get(list, i), f))
			return false;
	return json_is_array(list);
}

static bool read_instant(const json_t *o, struct lock_instant *ret)
{
	struct lock_facts *f = &ret->facts;

	ret->server = text(o, "server");
	ret->database = text(o, "database");
	ret->server_version = (int)number(o, "server_version");
	f->at = instant(o, "at");
	f->lock_objects = number(o, "lock_objects");
	return f->at && read_all(o, "sessions", read_session, f) && read_all(o, "locks", read_entry, f) &&
	       read_all(o, "blocks", read_block, f) && read_all(o, "prepared", read_prepared, f);
}

bool lock_instant_read(const char *line, size_t len, struct lock_instant *ret, struct error *err)
{
	json_t *o = json_loadb(line, len, 0, NULL);
	const char *format = json_string_value(json_object_get(o, "format"));
	bool ok = format && strcmp(format, FORMAT) == 0 && number(o, "schema_version") == VERSION;

	*ret = (struct lock_instant){ 0 };
	ok = ok && read_instant(o, ret);
	json_decref(o);
	if (ok)
		return true;
	lock_instant_release(ret);
	return error_set(err, EXIT_DAMAGED, "this is no line of a recording of locks, or it is damaged");
}
