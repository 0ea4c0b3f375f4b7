/* SPDX-License-Identifier: PostgreSQL */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clock.h"
#include "codec.h"
#include "fs.h"
#include "json.h"

#define LEDGER_MAX_BYTES ((size_t)256 << 20)

char *ledger_path(const char *given)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (given && *given)
		return xstrdup(given);
	if (state && *state)
		return xasprintf("%s/dbops/ledger.ndjson", state);
	return xasprintf("%s/.local/state/dbops/ledger.ndjson", home && *home ? home : "/var/lib/dbops");
}

static void add_hash(struct strbuf *out, const char *line, size_t len)
{
	uint8_t hash[32];

	codec_sha256(line, len, hash);
	strbuf_add_hex(out, hash, sizeof(hash));
}

/* The operating system's user, by name if it has one. */
static char *system_user(void)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found) == 0 && found)
		return xstrdup(found->pw_name);
	return xasprintf("%ld", (long)getuid());
}

static void write_entry(const struct pg_conn *c, const struct ledger_entry *e, const char *previous, struct strbuf *out)
{
	struct json j = JSON_INIT(out, 0);
	char fingerprint[FINGERPRINT_HEX_LEN + 1] = "";
	autofree char *user = system_user();

	if (e->fingerprint)
		fingerprint_format(e->fingerprint, fingerprint);
	jsonw_object_begin(&j, NULL);
	jsonw_time(&j, "at", clock_now_us());
	jsonw_string(&j, "phase", e->phase);
	jsonw_string(&j, "action", e->action);
	jsonw_string(&j, "database", c->database);
	jsonw_string(&j, "server", c->server);
	jsonw_string(&j, "role", c->user);
	jsonw_string(&j, "system_user", user);
	jsonw_string(&j, "policy", e->policy);
	jsonw_string(&j, "table", e->table);
	jsonw_string(&j, "parent", e->parent);
	jsonw_string(&j, "bounds", e->bounds);
	jsonw_string(&j, "condition", e->condition);
	if (e->rows >= 0)
		jsonw_int(&j, "rows", e->rows);
	else
		jsonw_null(&j, "rows");
	jsonw_string(&j, "archive", e->archive);
	jsonw_string(&j, "manifest_sha256", e->manifest_sha256);
	jsonw_string(&j, "fingerprint", e->fingerprint ? fingerprint : NULL);
	jsonw_string(&j, "detail", e->detail);
	jsonw_string(&j, "previous", previous);
	jsonw_object_end(&j);
	strbuf_addch(out, '\n');
}

static size_t start_of_last_line(const struct strbuf *text)
{
	size_t at = text->len ? text->len - 1 : 0;

	while (at && text->buf[at - 1] != '\n')
		at--;
	return at;
}

/* A line that was cut off by a crash must not swallow the next one. */
static bool check_end(const char *path, const struct strbuf *text, struct error *err)
{
	if (!text->len || (text->buf[text->len - 1] == '\n' && text->buf[start_of_last_line(text)] == '{'))
		return true;
	error_set(err, EXIT_DAMAGED, "ledger '%s' does not end with a line of a ledger", path);
	return error_hint(err, "Look at its end; nothing is removed before its lines are whole again.");
}

static bool append_locked(int fd, const char *path, const struct pg_conn *c, const struct ledger_entry *e, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, line = STRBUF_INIT, previous = STRBUF_INIT;

	if (!fs_read(path, LEDGER_MAX_BYTES, &text, err) || !check_end(path, &text, err))
		return false;
	if (text.len) {
		size_t at = start_of_last_line(&text);

		add_hash(&previous, text.buf + at, text.len - at - 1);
	}
	write_entry(c, e, text.len ? previous.buf : NULL, &line);
	if (!fs_write_all(fd, path, line.buf, line.len, err))
		return false;
	return fsync(fd) == 0 || error_set_errno(err, fs_exit_code(errno), errno, "cannot write ledger '%s'", path);
}

bool ledger_append(const char *path, const struct pg_conn *c, const struct ledger_entry *e, struct error *err)
{
	autofree char *copy = xstrdup(path);

	if (!fs_mkdirs(dirname(copy), err))
		return error_prefix(err, "ledger");

	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) != 0) {
		error_set_errno(err, fs_exit_code(errno), errno, "cannot open ledger '%s'", path);
		return error_hint(err, "Name another file by --ledger. Nothing is removed without a line in it.");
	}
	return append_locked(fd, path, c, e, err);
}

static bool follows(const char *line, const struct strbuf *previous, bool first)
{
	json_auto_t *object = json_loads(line, 0, NULL);
	const char *said = json_string_value(json_object_get(object, "previous"));

	return json_is_object(object) && (first ? !said : said && strcmp(said, previous->buf) == 0);
}

bool ledger_read(const char *path, struct strvec *ret_lines, size_t *ret_broken, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, previous = STRBUF_INIT;
	_cleanup_error_ struct error failed = ERROR_INIT;

	*ret_broken = 0;
	if (!fs_read(path, LEDGER_MAX_BYTES, &text, &failed))
		return failed.code == EXIT_NOT_FOUND || error_move(err, &failed);
	for (const char *p = text.buf; *p;) {
		size_t n = strcspn(p, "\n");
		char *line = xstrndup(p, n);

		if (!*ret_broken && !follows(line, &previous, !ret_lines->len))
			*ret_broken = ret_lines->len + 1;
		strbuf_reset(&previous);
		add_hash(&previous, line, n);
		strvec_push_take(ret_lines, line);
		p += n + (p[n] == '\n');
	}
	return true;
}

char *ledger_member(const char *line, const char *name)
{
	json_auto_t *object = json_loads(line, 0, NULL);
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		return xasprintf("%lld", (long long)json_integer_value(value));
	return xstrdup(json_string_value(value));
}
