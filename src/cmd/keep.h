/* SPDX-License-Identifier: PostgreSQL
 *
 * keep.h - the retention options, the same for prune and backup.
 */
#ifndef DBOPS_CMD_KEEP_H
#define DBOPS_CMD_KEEP_H

#include "app.h"
#include "prune.h"

struct keep_args {
	int64_t last, daily, weekly, monthly, yearly, days, within, lease;
};

#define KEEP_COUNT_(A, field, what) \
	OPT_INT(A, keep.field, .long_name = "keep-" #field, .metavar = "N", .config_key = "backup.keep." #field, .min = 0, .help = what)
#define KEEP_OPTIONS(A)                                                                                  \
	OPT_GROUP("What to keep (rules are OR-ed)"),                                                     \
		KEEP_COUNT_(A, last, "the newest N complete backups"),                                   \
		KEEP_COUNT_(A, daily, "the newest of each of the last N days (UTC) that have one"),      \
		KEEP_COUNT_(A, weekly, "the newest of each of the last N weeks (Monday to Sunday) that have one"), \
		KEEP_COUNT_(A, monthly, "the newest of each of the last N months that have one"),        \
		KEEP_COUNT_(A, yearly, "the newest of each of the last N years that have one"),          \
		KEEP_COUNT_(A, days, "all of the N days before the newest complete backup"),             \
		OPT_DURATION(A, keep.within, .long_name = "keep-within", .metavar = "TIME",              \
			.config_key = "backup.keep.within",                                              \
			.help = "all made within this time before the newest complete backup"),          \
		OPT_DURATION(A, keep.lease, .long_name = "lease", .metavar = "TIME",                     \
			.config_key = "backup.keep.lease", .fallback = "1d",                             \
			.help = "what an unfinished run left is removed when nothing in it is younger than this")

struct retention_policy keep_policy(const struct keep_args *k);

#endif
