/* SPDX-License-Identifier: PostgreSQL */
/* dbops partitions - the group, and how its commands connect. */
#include "partitions.h"

struct pg_conn *partitions_connect(struct app *app, const char *name, struct error *err)
{
	const struct pg_params p = {
		.dbname = app->dbname,
		.host = app->host,
		.port = app->port,
		.user = app->user,
		.no_password = app->no_password,
		.application_name = name,
		.cancel = app->cancel,
	};

	return pg_connect(&p, &app->log, err);
}

const char *const partitions_epochs[] = { "none", "s", "ms", "us", "ns", NULL };

enum epoch_unit partitions_unit(const char *word)
{
	for (int i = 0; word && partitions_epochs[i]; i++)
		if (strcmp(word, partitions_epochs[i]) == 0)
			return (enum epoch_unit)i;
	return EPOCH_NONE;
}

static const struct command *const children[] = {
	&partitions_list_command,
	&partitions_convert_command,
	&partitions_check_command,
	&partitions_create_command,
	&partitions_attach_command,
	&partitions_detach_command,
	&partitions_archive_command,
	&partitions_restore_command,
	&partitions_drop_command,
	&partitions_purge_command,
	&partitions_maintain_command,
	&partitions_ledger_command,
	NULL,
};

const struct command partitions_command = {
	.name = "partitions",
	.summary = "show and change the partitions of tables",
	.detail = "Works from the catalog alone: no extension, no configuration table, no superuser. Ranges are half-open "
		  "(from <= key < to), as PostgreSQL's are.",
	.children = children,
};
