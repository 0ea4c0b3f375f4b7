/* SPDX-License-Identifier: PostgreSQL
 *
 * aws_ini.h - the file format of ~/.aws/config and ~/.aws/credentials.
 *
 * "[section]", "name = value", lines beginning with '#' or ';' are comments. Indented lines below
 * "s3 =" are nested settings; they are found under "s3.name". Later values win.
 */
#ifndef DBOPS_AWS_INI_H
#define DBOPS_AWS_INI_H

#include "error.h"
#include "vec.h"

struct aws_ini_setting {
	char *section, *name, *value; /* names in lower case, sections as written, blanks squeezed */
};
struct aws_ini {
	struct aws_ini_setting *items;
	size_t len, alloc;
};

/* Reads text (len bytes, any content). A line that fits nothing is EXIT_CONFIG and named by its
 * number only: it might hold a secret. ret is empty on failure. */
bool aws_ini_parse(const char *text, size_t len, struct aws_ini *ret, struct error *err);

/* The value, borrowed; NULL when absent. */
const char *aws_ini_get(const struct aws_ini *ini, const char *section, const char *name);

/* True when the section appeared, even without settings. */
bool aws_ini_has(const struct aws_ini *ini, const char *section);

/* Overwrites the values (they may be secrets) and frees. */
void aws_ini_release(struct aws_ini *ini);
#define _cleanup_aws_ini_ _cleanup_(aws_ini_release)

#endif
