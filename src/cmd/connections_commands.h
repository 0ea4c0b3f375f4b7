/* SPDX-License-Identifier: PostgreSQL
 *
 * connections_commands.h - the commands below `dbops connections`.
 */
#ifndef DBOPS_CONNECTIONS_COMMANDS_H
#define DBOPS_CONNECTIONS_COMMANDS_H

#include "app.h"

extern const struct command connections_cancel_command;
extern const struct command connections_plan_command;
extern const struct command connections_terminate_command;

#endif
