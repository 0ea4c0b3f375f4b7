/* SPDX-License-Identifier: PostgreSQL
 *
 * partitions.h - what the commands of the group "dbops partitions" share. A new one is a file in this folder, one line
 * here, one in partitions.c and one in src/cmd/meson.build.
 */
#ifndef DBOPS_CMD_PARTITIONS_H
#define DBOPS_CMD_PARTITIONS_H

#include "commands.h"
#include "model.h"

extern const struct command partitions_archive_command;
extern const struct command partitions_drop_command;
extern const struct command partitions_ledger_command;
extern const struct command partitions_maintain_command;
extern const struct command partitions_purge_command;
extern const struct command partitions_restore_command;
extern const struct command partitions_check_command;
extern const struct command partitions_attach_command;
extern const struct command partitions_convert_command;
extern const struct command partitions_create_command;
extern const struct command partitions_detach_command;
extern const struct command partitions_list_command;

/* Connects as -d and its kin say; name is "dbops partitions list". */
struct pg_conn *partitions_connect(struct app *app, const char *name, struct error *err);

/* The words of --epoch, and what they mean; NULL = EPOCH_NONE. */
extern const char *const partitions_epochs[];
enum epoch_unit partitions_unit(const char *word);

#endif
