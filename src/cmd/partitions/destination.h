/* SPDX-License-Identifier: PostgreSQL
 *
 * destination.h - what archive, restore, drop and maintain share: where archives are, and which table is meant.
 */
#ifndef DBOPS_CMD_PARTITIONS_DESTINATION_H
#define DBOPS_CMD_PARTITIONS_DESTINATION_H

#include "archive.h"
#include "repository.h"

/* Opens what --to or --from names: s3://BUCKET/PREFIX, a remote of the configuration, else a folder. spec NULL or empty:
 * EXIT_USAGE. */
struct storage *open_destination(struct app *app, const char *spec, bool create, int64_t slots, bool *ret_remote, struct error *err);
/* The table a user means, with all that archive.h wants to know of it. */
bool load_subject(struct pg_conn *c, const char *name, struct archive_subject *ret, struct error *err);
/* "s3://bucket/app/20261120…", for people. Caller frees. */
char *archive_url(const struct storage *storage, const struct archive_proof *proof);

#define OPT_LOCK_OPTIONS(A)                                                                                             \
	OPT_DURATION(A, lock_timeout, .long_name = "lock-timeout", .metavar = "TIME", .config_key = "partitions.lock_timeout", \
		.fallback = "1s", .min = 1, .help = "longest wait for a lock in one attempt; others queue behind it"),          \
	OPT_DURATION(A, max_wait, .long_name = "max-wait", .metavar = "TIME", .config_key = "partitions.max_wait",            \
		.fallback = "60s", .min = 0, .help = "give up (status 75) when a lock cannot be had in this time, with all attempts")

#endif
