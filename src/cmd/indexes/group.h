/* SPDX-License-Identifier: PostgreSQL
 *
 * group.h - the commands of the group "dbops indexes". A new one is a file in this folder, one line here, one in
 * group.c and one in src/cmd/meson.build.
 */
#ifndef DBOPS_CMD_INDEXES_H
#define DBOPS_CMD_INDEXES_H

#include "commands.h"

extern const struct command indexes_audit_command;

#endif
