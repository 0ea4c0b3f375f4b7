/* SPDX-License-Identifier: PostgreSQL */
/* COPY statements of a table of contents: what is cut out of one is what stands there, whatever stands there. */
#include <stdint.h>
#include "toc.h"

/* Both parts put together again are the statement. */
static void check_parts(const char *statement, const char *relation, const char *columns)
{
	const char *at = statement + strlen("COPY ");

	if (strncmp(at, relation, strlen(relation)) != 0)
		BUG("relation '%s' of '%s'", relation, statement);
	at += strlen(relation);
	at += strspn(at, " ");
	if (columns[0] && (columns[0] != '(' || columns[strlen(columns) - 1] != ')'))
		BUG("columns '%s' of '%s'", columns, statement);
	if (strncmp(at, columns, strlen(columns)) != 0)
		BUG("columns '%s' of '%s'", columns, statement);
	at += strlen(columns);
	if (strncmp(at + strspn(at, " "), "FROM stdin", 10) != 0)
		BUG("'%s' follows in '%s'", at, statement);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *statement = xstrndup((const char *)data, size);
	autofree char *relation = toc_copy_relation(statement), *columns = toc_copy_columns(statement);
	const struct toc_entry e = { .defn = statement };
	const char *root = toc_load_via_root(&e);

	if (columns && !relation)
		BUG("columns without a relation");
	if (columns)
		check_parts(statement, relation, columns);
	if (root && (root < statement || root > statement + strlen(statement)))
		BUG("the root is not in its definition");
	return 0;
}
