/* SPDX-License-Identifier: PostgreSQL */
#include "backup_run.h"

#include "clock.h"
#include "dump_toc.h"
#include "thread.h"

static void *globals_main(void *arg)
{
	struct globals *g = arg;
	double started = clock_monotonic();

	g->ok = dump_globals(&g->run->tools, g->run->leader.conn, g->run->cancel, &g->text, &g->no_passwords, &g->error);
	g->seconds = clock_monotonic() - started;
	return NULL;
}

void globals_start(struct globals *g, struct run *r)
{
	*g = (struct globals){ .run = r, .text = STRBUF_INIT };
	if (r->o->no_globals)
		return;
	g->started = thread_start(&g->thread, globals_main, g, NULL);
	if (!g->started)
		globals_main(g);
}

bool globals_finish(struct globals *g, struct error *err)
{
	struct run *r = g->run;

	if (g->started)
		pthread_join(g->thread, NULL);
	g->started = false;
	if (r->o->no_globals) {
		manifest_add_exclusion(r->m, "globals", NULL, "roles and tablespaces were left out by --no-globals");
		return true;
	}
	if (!g->ok) {
		/* perhaps the workers had taken the last connections: they are gone now */
		error_release(&g->error);
		globals_main(g);
	}
	r->m->seconds_globals = g->seconds;
	if (!g->ok) {
		error_move(err, &g->error);
		return error_hint(err, "Use --no-globals if roles are kept elsewhere.");
	}
	if (g->no_passwords) {
		manifest_add_exclusion(r->m, "role passwords", NULL, "this role may not read pg_authid");
		log_warning(r->log, "backup.globals", "role passwords are not in the backup: this role may not read them");
		strvec_push(&r->m->warnings, "role passwords are not in the backup");
	}
	if (!archive_put(&r->targets, "globals.sql", g->text.buf, g->text.len, err))
		return false;
	manifest_add_file(r->m, "globals.sql", g->text.buf, g->text.len);
	return true;
}

void globals_release(struct globals *g)
{
	if (g->started)
		pthread_join(g->thread, NULL);
	strbuf_release(&g->text);
	error_release(&g->error);
}
