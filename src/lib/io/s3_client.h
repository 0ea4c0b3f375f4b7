/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_client.h - sends S3 requests: one I/O thread with curl_multi, retries as timers.
 *
 * Callers of any thread submit requests and wait; a request and what it points to belong to the
 * client from submit to wait. Every request is signed anew at each try. At most `slots` run at
 * once, fewer after the store said "slow down". A stop request ends all requests at once,
 * except `last_rites`, which get 10 seconds in total.
 */
#ifndef DBOPS_S3_CLIENT_H
#define DBOPS_S3_CLIENT_H

#include "s3_endpoint.h"
#include "s3_sign.h"

enum { S3_MAX_PAIRS = 10 };

enum s3_state { S3_NEW, S3_QUEUED, S3_DONE };

/* What of an answer is kept beside its body. */
struct s3_reply {
	int status;             /* HTTP; 0 when there was no answer */
	int64_t content_length; /* -1 unknown */
	char *etag, *date, *last_modified, *region, *location, *upload_tag, *request_id;
	struct strbuf body;     /* error text, XML; not the bytes that went to the sink */
};

struct s3_request {
	/* set by the caller */
	const char *method;
	const char *key;                       /* whole key in the bucket; NULL: the bucket */
	struct s3_pair query[S3_MAX_PAIRS];
	size_t n_query;
	struct s3_pair headers[S3_MAX_PAIRS];  /* beside host, x-amz-date and the like; signed */
	size_t n_headers;
	const void *body;
	size_t body_len;
	char payload_sha256[SHA256_HEX_SIZE];  /* filled by s3_client_submit when empty */
	struct strbuf *sink;                   /* bytes of a 2xx answer are appended here */
	size_t sink_limit;                     /* at most so many */
	uint64_t range_first;
	size_t range_len;                      /* 0: no range, SIZE_MAX: to the end */
	bool slow_answer;                      /* the store may think for minutes */
	bool error_in_200;                     /* a 200 may carry an <Error> */
	bool only_once;                        /* libcurl must not repeat it by itself: new connection */
	bool last_rites;                       /* runs after a stop request, too */
	/* Called by the I/O thread with the client locked, before the waiter wakes. May be NULL. */
	void (*finished)(struct s3_request *r, void *data);
	void *finished_data;

	/* results */
	bool ok;
	struct s3_reply reply;
	char *code;             /* S3's error code, or NULL */
	struct error error;
	unsigned tries;
	bool aborted;           /* set by s3_client_abort(): stop this one */

	/* the client's own */
	enum s3_state state;
	struct s3_request *next;
	void *handle, *header_list;
	size_t sink_start;
	char *answer_etag;      /* of the try that delivered the first bytes */
	double not_before, first_failure, deadline;
	bool started_sink, sink_overflow, range_ignored;
	bool skew_fixed, region_fixed, refreshed;
	char *other_scheme, *other_host, *other_path; /* a 307 sent us there */
	char *signed_with;      /* access key id of the last try */
	char curl_text[256];    /* CURL_ERROR_SIZE: curl writes its words here */
};

struct s3_client_options {
	const char *bucket;
	struct s3_endpoint *endpoint;    /* copied */
	struct credentials *credentials; /* outlives the client */
	const char *ca_file;
	int64_t slots, max_rate;
	int64_t retry_base_ms, stall_seconds;
	const struct cancel *cancel;
};

struct s3_client;

/* Starts the thread. */
struct s3_client *s3_client_open(const struct s3_client_options *o, struct error *err);
/* Ends the thread; requests that still run are ended. NULL is fine. */
void s3_client_close(struct s3_client *c);

/* Queues a request. False when it could not even be signed; then it is not queued. */
bool s3_client_submit(struct s3_client *c, struct s3_request *r, struct error *err);
/* Waits for its end; true when it succeeded, else err is its error. */
bool s3_client_wait(struct s3_client *c, struct s3_request *r, struct error *err);
/* submit and wait. */
bool s3_client_run(struct s3_client *c, struct s3_request *r, struct error *err);
/* Ends a queued request early, with EXIT_INTERRUPTED; wait for it all the same. */
void s3_client_abort(struct s3_client *c, struct s3_request *r);

void s3_request_query(struct s3_request *r, const char *name, const char *value);
void s3_request_header(struct s3_request *r, const char *name, const char *value);
/* Frees the results; the caller's own parts are the caller's. */
void s3_request_release(struct s3_request *r);
#define _cleanup_s3_request_ _cleanup_(s3_request_release)
#define S3_REQUEST_INIT .reply = { .body = STRBUF_INIT }, .error = ERROR_INIT

/* The client's lock and its condition, which is broadcast when a request ended or a stop was
 * requested: s3_stream.c keeps its buffers under the same lock. */
void s3_client_lock(struct s3_client *c);
void s3_client_unlock(struct s3_client *c);
void s3_client_sleep(struct s3_client *c); /* waits on the condition; lock held */
/* False with EXIT_INTERRUPTED or EXIT_TERMINATED after a stop request. */
bool s3_client_alive(struct s3_client *c, struct error *err);
void s3_client_stats(struct s3_client *c, struct storage_stats *ret);

#endif
