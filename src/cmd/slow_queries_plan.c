/* SPDX-License-Identifier: PostgreSQL */
/* dbops slow-queries --explain. */
#include "slow_queries.h"

bool slow_collect_plan(struct look *look, struct slow_rows *rows, struct error *err)
{
	(void)look;
	(void)rows;
	return error_set(err, EXIT_BUG, "not yet");
}
