/* SPDX-License-Identifier: PostgreSQL */
#include "sql.h"

#include <stdlib.h>
#include <string.h>
#include "error.h"
#include "xalloc.h"

static bool is_for(const char *marker, int version)
{
	int major = version / 10000;
	bool from = marker[0] == '>';
	long limit = strtol(marker + (from ? 2 : 1), NULL, 10);

	if (limit < 13 || (marker[0] != '<' && strncmp(marker, ">=", 2) != 0))
		BUG("the SQL has a line marked @%s", marker);
	return from ? major >= limit : major < limit;
}

void sql_add(struct strbuf *out, const char *text, int version)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		autofree char *line = xstrndup(text, len);
		char *marker = strstr(line, "-- @");

		if (!marker || is_for(marker + 4, version)) {
			strbuf_add(out, line, marker ? (size_t)(marker - line) : len);
			strbuf_addch(out, '\n');
		}
		text += len + (text[len] == '\n');
	}
}
