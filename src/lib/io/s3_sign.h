/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_sign.h - AWS Signature Version 4 as a pure function of its input.
 *
 * Source: the AWS General Reference, "Create a signed AWS API request", with the S3 rules: the
 * path is encoded once and never normalised. libcurl can sign too, but versions before
 * 8.9 sign some S3 queries and header sets wrongly.
 */
#ifndef DBOPS_S3_SIGN_H
#define DBOPS_S3_SIGN_H

#include <stdint.h>
#include "strbuf.h"

/* A query parameter or a header; both strings are borrowed and not encoded. */
struct s3_pair {
	const char *name, *value;
};

struct s3_sign_input {
	const char *method;
	const char *path;             /* as sent: encoded, begins with '/' */
	const struct s3_pair *query;  /* in any order */
	size_t n_query;
	const struct s3_pair *headers; /* all that shall be signed, "host" among them; any order */
	size_t n_headers;
	const char *payload_sha256;   /* lower-case hex */
	const char *access_key_id, *secret_access_key;
	const char *region, *service;
	int64_t time;                 /* seconds since 1970 UTC, the moment of x-amz-date */
};

enum { SHA256_HEX_SIZE = 65 };

/* Lower-case hex SHA-256 of data, with its NUL. */
void sha256_hex(const void *data, size_t len, char ret[SHA256_HEX_SIZE]);

/* The query string as it is signed and sent: strictly encoded, sorted, "name=" for an empty value. */
void s3_canonical_query(const struct s3_pair *query, size_t n, struct strbuf *out);

/* A key as it stands in the path: strictly encoded but for '/'. */
void s3_encode_path(const char *key, struct strbuf *out);

/* "20130524T000000Z" */
void s3_amz_date(int64_t time, struct strbuf *out);

/* Adds the value of the Authorization header to out. */
void s3_sign(const struct s3_sign_input *in, struct strbuf *out);

#endif
