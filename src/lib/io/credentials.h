/* SPDX-License-Identifier: PostgreSQL
 *
 * credentials.h - finds AWS credentials and keeps them fresh.
 *
 * Order, as the AWS tools have it: options; environment (unless a profile was chosen by option);
 * the profile (role, web identity, static keys, credential_process); container endpoint; EC2
 * instance metadata (IMDSv2). Temporary ones are renewed before they expire; ask before each request.
 */
#ifndef DBOPS_CREDENTIALS_H
#define DBOPS_CREDENTIALS_H

#include "aws_config.h"
#include "cancel.h"

struct aws_credentials {
	char *access_key_id, *secret_access_key, *session_token; /* session_token may be NULL */
	int64_t expires;    /* microseconds since 1970 UTC; 0 = never */
	const char *source; /* for messages: "environment", "instance metadata" … */
};
void aws_credentials_copy(struct aws_credentials *to, const struct aws_credentials *from);
/* Overwrites the secrets and frees. */
void aws_credentials_release(struct aws_credentials *c);
#define _cleanup_credentials_ _cleanup_(aws_credentials_release)

struct credentials_options {
	const char *access_key_id, *secret_access_key, *session_token; /* NULL unless given */
	const struct aws_config *config; /* outlives the chain */
	const char *region;              /* for STS */
	const char *ca_file;
	const struct cancel *cancel;
};

struct credentials;

/* Looks at nothing yet; strings are copied. */
struct credentials *credentials_open(const struct credentials_options *o);
void credentials_close(struct credentials *c); /* NULL is fine */

/* The credentials to sign with now, copied to ret. Renews when they are due: 15 minutes before the
 * end a failed renewal is tolerated, 10 minutes before it is an error. Safe from any thread; may
 * take as long as the source takes. EXIT_PERMISSION when no source has any. */
bool credentials_get(struct credentials *c, struct aws_credentials *ret, struct error *err);

/* The store called these expired: the next credentials_get() renews, if they are still the ones. */
void credentials_expired(struct credentials *c, const char *access_key_id);

#endif
