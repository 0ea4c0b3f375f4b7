/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_xml.h - the XML that S3 and STS answer, read into one flat record.
 *
 * Element names are taken without their namespace, because servers disagree about it. The text
 * comes from the network: depth, text and item sizes are bounded and a DOCTYPE is refused.
 */
#ifndef DBOPS_S3_XML_H
#define DBOPS_S3_XML_H

#include <stdint.h>
#include "error.h"
#include "strbuf.h"
#include "vec.h"

enum s3_item_kind { S3_ITEM_OBJECT, S3_ITEM_FOLDER, S3_ITEM_UPLOAD, S3_ITEM_FAILURE };

struct s3_item {
	enum s3_item_kind kind;
	char *key, *size, *time, *upload_id; /* NULL when absent */
	char *code, *message;                /* of a failed deletion */
};

struct s3_xml {
	char *root;                    /* local name of the document's element */
	char *code, *message;          /* <Error> */
	char *region, *endpoint;       /* hints of an <Error> about where the bucket is */
	char *upload_id, *etag;        /* of Initiate and Complete */
	char *truncated;               /* "true" or "false" */
	char *next_token, *next_key, *next_upload;
	char *access_key_id, *secret_access_key, *session_token, *expiration; /* STS */
	struct {
		struct s3_item *items;
		size_t len, alloc;
	} items;
};

/* Reads a whole document; leading white space is skipped (S3 sends it while Complete works). Not
 * XML, or not well-formed: false with EXIT_DAMAGED, and ret is empty. */
bool s3_xml_parse(const char *text, size_t len, struct s3_xml *ret, struct error *err);

/* Frees and empties. */
void s3_xml_release(struct s3_xml *x);
#define _cleanup_s3_xml_ _cleanup_(s3_xml_release)

/* Adds text with the five XML characters escaped. */
void s3_xml_escape(const char *text, struct strbuf *out);

#endif
