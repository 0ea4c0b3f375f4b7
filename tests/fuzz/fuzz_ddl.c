/* SPDX-License-Identifier: PostgreSQL */
/* Statements: any text is read or refused; a statement is understood with locks, or has a problem, and its text is part of the input. */
#include <stdint.h>
#include <string.h>
#include "ddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_ddl_script_ struct ddl_script script = { 0 };

	if (!ddl_parse(text, &script, &err)) {
		if (err.code != EXIT_USAGE)
			BUG("status %d", (int)err.code);
		return 0;
	}
	for (size_t i = 0; i < script.statements.len; i++) {
		const struct ddl_statement *s = &script.statements.items[i];

		if (!strstr(text, s->text) || !s->text[0])
			BUG("%s", s->text);
		for (size_t k = 0; k < s->locks.len; k++)
			if (!s->locks.items[k].name[0] || s->locks.items[k].mode == LOCK_NONE)
				BUG("a lock on nothing");
	}
	return 0;
}
