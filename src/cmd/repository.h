/* SPDX-License-Identifier: PostgreSQL
 *
 * repository.h - what the backup commands share: opening the storage that --dir, --from or --upload
 * name, and finding a backup.
 */
#ifndef DBOPS_CMD_REPOSITORY_H
#define DBOPS_CMD_REPOSITORY_H

#include "app.h"
#include "pg.h"
#include "repo.h"
#include "storage.h"

/* Opens a remote: a name from `remotes` of the configuration, "s3://bucket/prefix", or "s3" alone
 * with $AWS_S3_BACKUP_BUCKET as bucket. slots: at least so many upload slots; part_size 0 = the
 * remote's. */
struct storage *open_remote(struct app *app, const char *spec, int64_t slots, int64_t part_size,
	struct error *err);
/* What --from, else --dir, names. */
struct storage *open_repository(struct app *app, struct error *err);
/* The option that says which database "latest" means. */
#define OPT_OF_DATABASE(A, field)                                                            \
	OPT_STRING(A, field, .long_name = "database", .metavar = "NAME",                     \
		.help = "\"latest\" means this database's; needed when the repository has several")
/* Finds the backup of an operand: id, unique prefix, "latest" (of database, may be NULL), or path/URL
 * of an archive. */
bool find_backup(struct app *app, const char *operand, const char *database, struct storage **ret_storage, struct backup_entry *ret,
	struct error *err);
/* The connection options as given. */
struct pg_params server_params(const struct app *app, const char *application_name);
/* The JSON arrays "not_included" and "warnings" of a backup. */
void add_reservations(struct json *j, const struct manifest *m);
/* Ids for completion; silent when nothing can be read. */
bool complete_backups(struct app *app, struct strvec *out);

#endif
