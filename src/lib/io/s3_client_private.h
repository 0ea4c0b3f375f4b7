/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_client_private.h - the client's inside, for its three files: s3_client.c (callers' side),
 * s3_loop.c (the I/O thread), s3_retry.c (whether and when to try again).
 */
#ifndef DBOPS_S3_CLIENT_PRIVATE_H
#define DBOPS_S3_CLIENT_PRIVATE_H

#include <curl/curl.h>
#include <pthread.h>
#include "s3_client.h"
#include "s3_verdict.h"

struct s3_client {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	CURLM *multi;
	struct s3_client_options o;
	struct s3_endpoint endpoint;
	char *bucket, *ca_file;

	/* under the lock */
	struct s3_request *incoming;
	bool stop, cancelled;
	struct storage_stats stats;

	/* the I/O thread's */
	struct s3_request *active; /* all requests between submit and end, oldest first */
	int64_t running, limit, successes;
	int64_t clock_offset;      /* seconds the store's clock is ahead */
	bool answered;             /* the store has answered something */
	double rites_begin;        /* of the current 10 seconds for last rites */
};

/* The I/O thread; data is the client. */
void *s3_io_main(void *data);

/* After a try that failed with verdict v: true when r shall be tried again (r->not_before is set),
 * false when its error is final. Only for the I/O thread. */
bool s3_try_again(struct s3_client *c, struct s3_request *r, enum s3_verdict v, int curl_code);

/* The store took a request: after it had asked for less, the number in flight may grow again. */
void s3_count_success(struct s3_client *c);

#endif
