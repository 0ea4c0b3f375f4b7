/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_try.h - one HTTP exchange of an S3 request: signs it and sets up curl for it.
 */
#ifndef DBOPS_S3_TRY_H
#define DBOPS_S3_TRY_H

#include <curl/curl.h>
#include "credentials.h"
#include "s3_client.h"

struct s3_try {
	const char *bucket, *ca_file;
	const struct s3_endpoint *endpoint;
	const struct aws_credentials *credentials;
	int64_t now;           /* seconds since 1970 by the store's clock */
	int64_t stall_seconds; /* give up when less than least_speed moves for so long */
	int64_t least_speed;   /* bytes/s of an upload */
};

/* Prepares handle for the next try of r: forgets the last reply, keeps the bytes that already
 * reached the sink and asks for the rest. The caller frees r->header_list after the transfer. */
void s3_try_prepare(const struct s3_try *t, struct s3_request *r, CURL *handle);

/* Forgets the reply of a try. */
void s3_reply_release(struct s3_reply *reply);

#endif
