/* SPDX-License-Identifier: PostgreSQL
 *
 * scratch_settings.c - how initdb and the scratch server are started.
 *
 * Nothing is safe against a crash, because nothing needs to be, and nothing reaches out: no TCP,
 * no archiving, no replication, no event triggers, no logical replication workers.
 */
#include <inttypes.h>

#include "fs.h"
#include "scratch_internal.h"

/* The memory limit of our control group (cgroup v2); INT64_MAX when there is none. */
static int64_t memory_limit(void)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int64_t limit;

	if (!fs_read("/sys/fs/cgroup/memory.max", 64, &text, NULL))
		return INT64_MAX;
	limit = strtoll(text.buf, NULL, 10);
	return limit > 0 ? limit : INT64_MAX;
}

static int64_t memory_bytes(void)
{
	int64_t limit = memory_limit();
	int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	int64_t all = pages > 0 && size > 0 ? pages * size : (int64_t)1 << 30;

	return all < limit ? all : limit;
}

/* A share of the memory in MB, between 16 and 256. */
static int64_t share_mb(int64_t divisor)
{
	int64_t mb = memory_bytes() / divisor / (1 << 20);

	return mb < 16 ? 16 : mb > 256 ? 256 : mb;
}

static void set(struct scratch_plan *plan, const char *assignment)
{
	strvec_push(&plan->server, "-c");
	strvec_push(&plan->server, assignment);
}

static void set_fixed(struct scratch_plan *plan, int major)
{
	static const char *const settings[] = {
		"listen_addresses=",
		"port=5432",
		"fsync=off",
		"synchronous_commit=off",
		"full_page_writes=off",
		"wal_level=minimal",
		"max_wal_senders=0",
		"max_wal_size=1GB",
		"checkpoint_timeout=1h",
		"archive_mode=off",
		"autovacuum=off",
		"jit=off",
		"max_parallel_maintenance_workers=1",
		"max_locks_per_transaction=1024",
		"max_logical_replication_workers=0",
		"restart_after_crash=off",
		"shared_preload_libraries=",
		"logging_collector=off",
		"log_min_messages=warning",
		"log_line_prefix=",
		"log_statement=none",
		"lc_messages=C",
		"password_encryption=scram-sha-256",
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		set(plan, settings[i]);
	if (major >= 17)
		set(plan, "event_triggers=off");
}

/* A list, so a comma or a space in the path needs the quotes. */
static void set_socket(struct scratch_plan *plan)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "unix_socket_directories=");
	pg_add_ident(&sb, plan->socket_dir);
	set(plan, sb.buf);
}

static void set_sized(struct scratch_plan *plan, int64_t jobs)
{
	autofree char *buffers = xasprintf("shared_buffers=%" PRId64 "MB", share_mb(8));
	autofree char *work = xasprintf("maintenance_work_mem=%" PRId64 "MB", share_mb(16));
	autofree char *connections = xasprintf("max_connections=%" PRId64, jobs * 2 + 20);
	long long shm = fs_free_bytes("/dev/shm");

	set(plan, buffers);
	set(plan, work);
	set(plan, connections);
	/* containers have 64 MB there, which a parallel index build can exceed */
	if (shm < (256LL << 20))
		set(plan, "dynamic_shared_memory_type=mmap");
}

static void add_initdb(struct scratch_plan *plan, const struct pg_tools *tools)
{
	const char *const argv[] = { "-D", plan->data, "-N", "-A", "trust", "-U", "postgres", "-E",
		"UTF8", "--no-locale" };

	strvec_push_take(&plan->initdb, pg_tools_path(tools, "initdb"));
	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		strvec_push(&plan->initdb, argv[i]);
	if (tools->major >= 18)
		strvec_push(&plan->initdb, "--no-data-checksums");
}

/* Not ours: it may hold secrets, and the server's user can read what its processes got. */
static void add_environment(struct scratch_plan *plan)
{
	static const char *const kept[] = { "PATH", "LD_LIBRARY_PATH", "TZ", "TZDIR", "ICU_DATA" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (getenv(kept[i]))
			strvec_pushf(&plan->env, "%s=%s", kept[i], getenv(kept[i]));
	strvec_push(&plan->env, "LC_ALL=C");
}

void scratch_settings(struct scratch_plan *plan, const struct pg_tools *tools, int64_t jobs)
{
	add_environment(plan);
	add_initdb(plan, tools);
	strvec_push_take(&plan->server, pg_tools_path(tools, "postgres"));
	strvec_push(&plan->server, "-D");
	strvec_push(&plan->server, plan->data);
	set_fixed(plan, tools->major);
	set_socket(plan);
	set_sized(plan, jobs);
}
