/* SPDX-License-Identifier: PostgreSQL */
#include "tools.h"

#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <libgen.h>

#include "fs.h"
#include "proc.h"

/* Where distributions put the programs: Debian, PGDG RPM, Alpine, SUSE, Arch and Fedora's own,
 * source builds, Bitnami images, Homebrew, Postgres.app. */
static const char *const places[] = {
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/usr/lib/postgresql*/bin",
	"/usr/bin",
	"/usr/local/bin",
	"/usr/local/pgsql/bin",
	"/opt/bitnami/postgresql/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
};

void pg_tools_release(struct pg_tools *t)
{
	free(t->bindir);
	free(t->version);
	*t = (struct pg_tools){ 0 };
}

char *pg_tools_path(const struct pg_tools *t, const char *program)
{
	return fs_join(t->bindir, program);
}

bool pg_tools_parse_version(const char *text, char **ret_version, int *ret_major)
{
	const char *mark = "(PostgreSQL) ";
	const char *p = strstr(text, mark);

	if (!p)
		return false;
	p += strlen(mark);

	size_t len = strspn(p, "0123456789.");
	const char *rest = p + len;

	/* "18beta1", "19devel" */
	while (len && isalnum((unsigned char)*rest))
		rest++;

	long major = strtol(p, NULL, 10);

	if (!len || major < 9 || major > 999)
		return false;
	*ret_version = xstrndup(p, (size_t)(rest - p));
	*ret_major = (int)major;
	return true;
}

/* Debian's /usr/bin/pg_dump is a Perl script that picks a version by its own rules. */
static bool is_wrapper(const char *path)
{
	char *real = realpath(path, NULL);
	bool wrapper = real && strcmp(basename(real), "pg_wrapper") == 0;

	free(real);
	return wrapper;
}

static bool has_programs(const char *dir, const char *const *programs)
{
	for (size_t i = 0; programs[i]; i++) {
		autofree char *path = fs_join(dir, programs[i]);

		if (!fs_is_executable(path) || is_wrapper(path))
			return false;
	}
	return true;
}

/* Output of "path argument", trimmed; false when it cannot be run. */
static bool ask(const char *path, const char *argument, struct strbuf *output)
{
	const char *const argv[] = { path, argument, NULL };
	const struct proc_spec spec = { .argv = argv, .output = output };
	int status;

	if (!proc_run(&spec, NULL, &status, NULL) || status != 0)
		return false;
	strbuf_trim(output);
	return true;
}

struct search {
	const char *const *programs;
	int min_major, max_major;
	struct strvec tried; /* real paths already looked at */
	struct strbuf found; /* "15.20 in /usr/lib/postgresql/15/bin": for the error */
	struct pg_tools best;
};

static void search_release(struct search *s)
{
	strvec_release(&s->tried);
	strbuf_release(&s->found);
	pg_tools_release(&s->best);
}

static bool is_done(const struct search *s)
{
	return s->best.bindir && s->best.major == s->min_major;
}

static bool is_better(const struct search *s, int major)
{
	if (major < s->min_major || (s->max_major && major > s->max_major))
		return false;
	return !s->best.bindir || major < s->best.major;
}

static void consider(struct search *s, const char *dir)
{
	char *real = is_done(s) ? NULL : realpath(dir, NULL);
	_cleanup_strbuf_ struct strbuf output = STRBUF_INIT;
	autofree char *version = NULL;
	int major;

	if (!real)
		return;
	if (strvec_contains(&s->tried, real)) {
		free(real);
		return;
	}
	strvec_push_take(&s->tried, real);
	if (!has_programs(dir, s->programs))
		return;

	autofree char *path = fs_join(dir, s->programs[0]);

	if (!ask(path, "--version", &output) ||
		!pg_tools_parse_version(output.buf, &version, &major))
		return;
	strbuf_addf(&s->found, "%s%s in %s", s->found.len ? ", " : "", version, dir);
	if (!is_better(s, major))
		return;
	pg_tools_release(&s->best);
	s->best = (struct pg_tools){ fs_absolute(dir), major, steal(version) };
}

/* The folders of PATH and, where the program there is a link, the folder it leads to. */
static void search_path(struct search *s)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : ""; *p; p += strcspn(p, ":"), p += *p == ':') {
		autofree char *dir = xstrndup(p, strcspn(p, ":"));
		autofree char *program = fs_join(dir, s->programs[0]);

		if (dir[0] != '/' || !fs_is_executable(program))
			continue;

		autofree char *real = realpath(program, NULL);

		/* where the link leads there is more than what somebody linked */
		if (real)
			consider(s, dirname(real));
		consider(s, dir);
	}
}

static void search_pg_config(struct search *s)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : ""; *p; p += strcspn(p, ":"), p += *p == ':') {
		autofree char *dir = xstrndup(p, strcspn(p, ":"));
		autofree char *program = fs_join(dir, "pg_config");
		_cleanup_strbuf_ struct strbuf output = STRBUF_INIT;

		if (dir[0] == '/' && !is_done(s) && fs_is_executable(program) && ask(program, "--bindir", &output))
			consider(s, output.buf);
	}
}

static void search_places(struct search *s)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		glob_t g;

		if (glob(places[i], 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			consider(s, g.gl_pathv[k]);
		globfree(&g);
	}
}

static bool needs_server(const char *const *programs)
{
	for (size_t i = 0; programs[i]; i++)
		if (strcmp(programs[i], "postgres") == 0 || strcmp(programs[i], "initdb") == 0)
			return true;
	return false;
}

static bool not_found(const struct search *s, const char *bindir, struct error *err)
{
	_cleanup_strbuf_ struct strbuf names = STRBUF_INIT;
	_cleanup_strbuf_ struct strbuf range = STRBUF_INIT;

	for (size_t i = 0; s->programs[i]; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "", s->programs[i]);
	if (s->max_major == s->min_major)
		strbuf_addf(&range, "of PostgreSQL %d", s->min_major);
	else if (s->max_major)
		strbuf_addf(&range, "of PostgreSQL %d to %d", s->min_major, s->max_major);
	else
		strbuf_addf(&range, "of PostgreSQL %d or newer", s->min_major);
	error_set(err, EXIT_UNAVAILABLE, "no %s %s%s%s%s found", names.buf, range.buf,
		bindir ? " in \"" : "", bindir ? bindir : "", bindir ? "\"" : "");
	if (s->found.len)
		error_detail(err, "Found: %s.", s->found.buf);
	if (bindir)
		return error_hint(err,
			"Give the folder that holds these programs, or leave the option away.");
	if (needs_server(s->programs))
		return error_hint(err,
			"Install postgresql-%d (Debian, Ubuntu), postgresql%d-server (RPM) or "
			"postgresql%d (Alpine), or name its folder with --pg-bindir.",
			s->min_major, s->min_major, s->min_major);
	return error_hint(err,
		"Install postgresql-client-%d (Debian, Ubuntu), postgresql%d (RPM) or "
		"postgresql%d-client (Alpine), or name its folder with --pg-bindir.",
		s->min_major, s->min_major, s->min_major);
}

bool pg_tools_find(const char *bindir, const char *const *programs, int min_major, int max_major,
	struct pg_tools *ret, struct error *err)
{
	_cleanup_(search_release) struct search s = {
		.programs = programs,
		.min_major = min_major,
		.max_major = max_major,
		.found = STRBUF_INIT,
	};

	if (bindir) {
		consider(&s, bindir);
	} else {
		search_path(&s);
		search_places(&s);
		search_pg_config(&s); /* last: Debian's is a shell script that takes its time */
	}
	if (!s.best.bindir)
		return not_found(&s, bindir, err);
	*ret = s.best;
	s.best = (struct pg_tools){ 0 };
	return true;
}
