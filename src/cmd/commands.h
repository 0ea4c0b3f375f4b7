/* SPDX-License-Identifier: PostgreSQL
 *
 * commands.h - every command of the root table. A new command is one line here, one in commands.c
 * and one in meson.build.
 */
#ifndef DBOPS_COMMANDS_H
#define DBOPS_COMMANDS_H

#include "app.h"

extern const struct command backup_command;
extern const struct command complete_command;
extern const struct command completion_command;
extern const struct command config_command;
extern const struct command connections_command;
extern const struct command help_command;
extern const struct command indexes_command;
extern const struct command list_command;
extern const struct command locks_command;
extern const struct command partitions_command;
extern const struct command prune_command;
extern const struct command restore_command;
extern const struct command show_command;
extern const struct command slow_queries_command;
extern const struct command verify_command;
extern const struct command version_command;

#endif
