/* SPDX-License-Identifier: PostgreSQL */
/*
 * commands.c - the root table and nothing else.
 */
#include "commands.h"

static const struct command *const commands[] = {
	&backup_command,
	&list_command,
	&show_command,
	&verify_command,
	&restore_command,
	&prune_command,
	&indexes_command,
	&connections_command,
	&slow_queries_command,
	&locks_command,
	&partitions_command,
	&config_command,
	&completion_command,
	&complete_command,
	&help_command,
	&version_command,
	NULL,
};

const struct command root_command = {
	.name = "dbops",
	.summary = "back up, verify, restore and inspect PostgreSQL databases",
	.detail = "dbops takes backups that stock pg_restore restores, proves them, keeps them on disk or "
		  "in S3, and shows what a database is doing.",
	.children = commands,
	.flags = COMMAND_ROOT | COMMAND_NO_CONFIG,
};
