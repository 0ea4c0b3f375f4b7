/* SPDX-License-Identifier: PostgreSQL */
/* dbops indexes - the group. */
#include "group.h"

static const struct command *const children[] = { &indexes_audit_command, NULL };

const struct command indexes_command = {
	.name = "indexes",
	.summary = "judge the indexes of a database",
	.detail = "Works from the catalog and the cumulative statistics; nothing is changed.",
	.children = children,
};
