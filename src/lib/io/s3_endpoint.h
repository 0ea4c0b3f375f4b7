/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_endpoint.h - where a bucket is: region, host, path or virtual-hosted style.
 */
#ifndef DBOPS_S3_ENDPOINT_H
#define DBOPS_S3_ENDPOINT_H

#include "aws_config.h"
#include "storage.h"

struct s3_endpoint {
	char *scheme;    /* "https" or "http" */
	char *host;      /* with ":port" unless it is the scheme's own */
	char *base_path; /* "" or "/storage/v1/s3": part of every signed path */
	char *region;
	bool path_style;
	bool aws;        /* host follows from the region */
	bool local;      /* loopback: no proxy is ever meant */
};

/* Options win over AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL (unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), these over the profile, this over us-east-1 at AWS.
 * EXIT_CONFIG when the endpoint is not a URL or the bucket not a name. */
bool s3_endpoint_resolve(const struct s3_options *o, const struct aws_config *c,
	struct s3_endpoint *ret, struct error *err);
void s3_endpoint_copy(struct s3_endpoint *to, const struct s3_endpoint *from);
void s3_endpoint_release(struct s3_endpoint *e);

/* Takes the region a redirect named; at AWS the host changes with it. */
void s3_endpoint_set_region(struct s3_endpoint *e, const char *region);

/* The Host header and the encoded path for a key (NULL: the bucket itself). */
void s3_endpoint_locate(const struct s3_endpoint *e, const char *bucket, const char *key,
	struct strbuf *host, struct strbuf *path);

/* "scheme://host[:port]/path" taken apart; port dropped when it is the scheme's own; only http
 * and https. A text without scheme is https. Strings are the caller's. */
bool s3_url_split(const char *url, char **scheme, char **host, char **path, struct error *err);

#endif
