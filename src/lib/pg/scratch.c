/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "clock.h"
#include "fs.h"
#include "scratch_internal.h"

enum { START_SECONDS = 120, SOCKET_PATH_MAX = 107, LOG_TAIL = 4096, LOG_LINES = 6 };

struct scratch {
	struct scratch_plan plan;
	struct pg_tools tools;
	pid_t keeper;
	int control_fd, status_fd;
};

const struct pg_tools *scratch_tools(const struct scratch *s)
{
	return &s->tools;
}

int scratch_major(const struct scratch *s)
{
	return s->tools.major;
}

void scratch_params(const struct scratch *s, const char *dbname, struct pg_params *ret)
{
	*ret = (struct pg_params){
		.dbname = dbname,
		.host = s->plan.socket_dir,
		.port = "5432",
		.user = "postgres",
		.no_password = true,
		.application_name = "dbops",
		.isolated = true,
	};
}

static void plan_release(struct scratch_plan *p)
{
	free(p->folder);
	free(p->socket_dir);
	free(p->data);
	free(p->initdb_log);
	free(p->log);
	free(p->user.name);
	strvec_release(&p->initdb);
	strvec_release(&p->server);
	strvec_release(&p->env);
}

void scratch_stop(struct scratch *s)
{
	if (!s)
		return;
	cleanup_fd(&s->control_fd);
	while (s->keeper > 0 && waitpid(s->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	cleanup_fd(&s->status_fd);
	plan_release(&s->plan);
	pg_tools_release(&s->tools);
	free(s);
}

/* pg_restore will be wanted from the same folder; a server without clients does in need. */
static bool find_tools(const struct scratch_options *o, struct pg_tools *ret, struct error *err)
{
	static const char *const all[] = { "initdb", "postgres", "pg_restore", NULL };
	static const char *const server[] = { "initdb", "postgres", NULL };

	return pg_tools_find(o->bindir, all, o->major, 0, ret, NULL) ||
	       pg_tools_find(o->bindir, server, o->major, 0, ret, err);
}

static const char *base_folder(const struct scratch_options *o)
{
	const char *temp = getenv("TMPDIR");

	if (o->dir)
		return o->dir;
	return temp && temp[0] ? temp : "/var/tmp";
}

static bool check_space(const char *base, int64_t needed, struct error *err)
{
	_cleanup_strbuf_ struct strbuf want = STRBUF_INIT;
	_cleanup_strbuf_ struct strbuf have = STRBUF_INIT;
	long long available = fs_free_bytes(base);

	if (needed <= 0 || available < 0 || available >= needed)
		return true;
	size_format(needed, &want);
	size_format(available, &have);
	error_set(
		err, EXIT_CANNOT_WRITE, "not enough space for the scratch server in \"%s\"", base);
	error_detail(err, "It needs about %s, %s are free.", want.buf, have.buf);
	return error_hint(err, "Name a folder on a larger file system with TMPDIR.");
}

/* Names only; the keeper makes them. A socket's path is short (sun_path), the folder's need not be.
 */
static bool name_folders(struct scratch_plan *p, const char *base, struct error *err)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	unsigned char random[8];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_set_errno(err, EXIT_BUG, errno, "cannot get random bytes");
	strbuf_add_hex(&name, random, sizeof(random));
	p->folder = xasprintf("%s/" SCRATCH_PREFIX "%s", base, name.buf);
	p->data = fs_join(p->folder, "data");
	p->initdb_log = fs_join(p->folder, "initdb.log");
	p->log = fs_join(p->folder, "log");
	if (strlen(p->folder) + strlen("/.s.PGSQL.5432.lock") <= SOCKET_PATH_MAX)
		p->socket_dir = xstrdup(p->folder);
	else
		p->socket_dir = xasprintf(SCRATCH_SOCKET_PREFIX "%s", name.buf);
	return true;
}

static bool prepare(struct scratch *s, const struct scratch_options *o, struct error *err)
{
	autofree char *base = fs_absolute(base_folder(o));

	if (!find_tools(o, &s->tools, err) || !scratch_find_user(o->run_as, &s->plan.user, err))
		return false;
	if (!fs_is_dir(base))
		return error_set(err, EXIT_NOT_FOUND,
			"there is no folder \"%s\" for the scratch server", base);
	scratch_sweep(base, &s->plan.user);
	if (!check_space(base, o->needed_bytes, err) || !name_folders(&s->plan, base, err))
		return false;
	s->plan.keep = o->keep;
	scratch_settings(&s->plan, &s->tools, o->jobs > 0 ? o->jobs : 1);
	return true;
}

static bool start_keeper(struct scratch *s, struct error *err)
{
	int control[2] = { -1, -1 }, status[2] = { -1, -1 };
	bool ok = pipe2(control, O_CLOEXEC) == 0 && pipe2(status, O_CLOEXEC) == 0;

	s->keeper = ok ? fork() : -1;
	if (s->keeper == 0)
		scratch_keeper(&s->plan, control[0], status[1]);

	int saved = errno;

	cleanup_fd(&control[0]);
	cleanup_fd(&status[1]);
	s->control_fd = control[1];
	s->status_fd = status[0];
	if (s->keeper < 0)
		return error_set_errno(
			err, EXIT_UNAVAILABLE, saved, "cannot start the scratch server");
	return true;
}

/* The last lines of a log as the error's detail. */
static void add_log_tail(const char *path, struct error *err)
{
	char chunk[LOG_TAIL];
	autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t n = size > 0
	                    ? pread(fd, chunk, sizeof(chunk), size > LOG_TAIL ? size - LOG_TAIL : 0)
	                    : 0;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int lines = 0;

	if (n <= 0)
		return;
	strbuf_add(&text, chunk, (size_t)n);
	strbuf_trim(&text);

	const char *start = text.buf + text.len;

	while (start > text.buf && (start[-1] != '\n' || ++lines < LOG_LINES))
		start--;
	error_detail(err, "%s", start);
}

static bool keeper_failed(
	const struct scratch *s, const struct scratch_report *report, struct error *err)
{
	const char *program = report->what == SCRATCH_INITDB_FAILED ? "initdb" : "postgres";

	if (report->what == SCRATCH_FOLDER_FAILED)
		return error_set_errno(err, fs_exit_code(report->status), report->status,
			"cannot create \"%s\" for the scratch server", s->plan.folder);
	switch (report->status) {
	case SCRATCH_NO_FOLDER:
		error_set(err, EXIT_PERMISSION, "user \"%s\" cannot use \"%s\"", s->plan.user.name,
			s->plan.folder);
		return error_hint(err,
			"Every folder above it must be searchable by that user; name another one "
			"with TMPDIR.");
	case SCRATCH_NO_USER:
		return error_set(
			err, EXIT_PERMISSION, "cannot become user \"%s\"", s->plan.user.name);
	case SCRATCH_NO_PROGRAM:
		error_set(err, EXIT_PERMISSION, "user \"%s\" cannot run \"%s/%s\"",
			s->plan.user.name, s->tools.bindir, program);
		return error_hint(
			err, "Program and folders above it must be accessible to that user.");
	}
	error_set(err, EXIT_UNAVAILABLE, "the scratch server's %s ended with status %d", program,
		report->status);
	add_log_tail(report->what == SCRATCH_INITDB_FAILED ? s->plan.initdb_log : s->plan.log, err);
	return false;
}

/* postmaster.pid's eighth line says "ready" (src/include/utils/pidfile.h). */
static bool is_ready(const struct scratch *s)
{
	autofree char *path = fs_join(s->plan.data, "postmaster.pid");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *line;

	if (!fs_read(path, 4096, &text, NULL))
		return false;
	line = text.buf;
	for (int i = 0; line && i < 7; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line && strncmp(line, "ready", 5) == 0;
}

static bool wait_ready(const struct scratch *s, const struct cancel *cancel, struct error *err)
{
	struct pollfd fds[2] = { { s->status_fd, POLLIN, 0 },
		{ cancel ? cancel->wake_fd : -1, POLLIN, 0 } };
	double deadline = clock_monotonic() + START_SECONDS;
	struct scratch_report report;

	while (!is_ready(s)) {
		if (!cancel_check(cancel, err))
			return false;
		if (clock_monotonic() > deadline) {
			error_set(err, EXIT_UNAVAILABLE, "the scratch server did not start in %d s",
				START_SECONDS);
			add_log_tail(s->plan.log, err);
			return false;
		}
		if (poll(fds, 2, 5) <= 0 || !fds[0].revents)
			continue;
		if (read(s->status_fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
			return error_set(err, EXIT_UNAVAILABLE,
				"the keeper of the scratch server was killed");
		return keeper_failed(s, &report, err);
	}
	return true;
}

struct scratch *scratch_start(const struct scratch_options *o, struct log *log,
	const struct cancel *cancel, struct error *err)
{
	_cleanup_scratch_ struct scratch *s = xcalloc(1, sizeof(*s));

	s->control_fd = s->status_fd = -1;
	if (!prepare(s, o, err))
		return NULL;
	log_debug(log, "scratch.start", "starting a scratch PostgreSQL %s in \"%s\"",
		s->tools.version, s->plan.folder);
	if (!start_keeper(s, err) || !wait_ready(s, cancel, err))
		return NULL;
	if (o->keep)
		log_info(log, "scratch.keep", "the scratch server's folder will stay: \"%s\"",
			s->plan.folder);
	return steal(s);
}
