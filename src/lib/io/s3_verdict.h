/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_verdict.h - what the end of one try means: success, try again (how), or an error for people.
 */
#ifndef DBOPS_S3_VERDICT_H
#define DBOPS_S3_VERDICT_H

#include "s3_client.h"

enum s3_verdict {
	S3_SUCCESS,
	S3_FAILURE,       /* final */
	S3_RETRY,         /* later, with backoff */
	S3_RETRY_SLOWLY,  /* the store asks for less */
	S3_RETRY_SKEW,    /* once, with the store's clock */
	S3_RETRY_REGION,  /* once, elsewhere */
	S3_RETRY_REFRESH, /* once, with new credentials */
};

/* Judges a finished try from curl's result (a CURLcode and its text) and r->reply. Sets r->code, and
 * r->error unless it was a success. */
enum s3_verdict s3_judge(struct s3_request *r, int curl_code, const char *curl_text);

#endif
