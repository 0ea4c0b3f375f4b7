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

static const struct command *const children[] = {
	&partitions_list_command,
	&partitions_check_command,
	&partitions_create_command,
	&partitions_archive_command,
	&partitions_restore_command,
	&partitions_purge_command,
	NULL,
};

const struct command partitions_command = {
	.name = "partitions",
	.summary = "show and change the partitions of tables",
	.detail = "Works from the catalog alone: no extension, no configuration table, no superuser. Ranges are half-open "
		  "(from <= key < to), as PostgreSQL's are.",
	.children = children,
};
