/* SPDX-License-Identifier: PostgreSQL */
/* dbops.yaml: any bytes are read or refused with a place, and what was read can be checked and asked. */
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "redact.h"
#include "strbuf.h"

struct args {
	int64_t jobs;
	const char *dbname;
	struct strvec tables;
};

static const struct option options[] = {
	OPT_INT(struct args, jobs, .long_name = "jobs", .config_key = "backup.jobs", .max = 64),
	OPT_STRING(struct args, dbname, .long_name = "dbname", .config_key = "dbname"),
	OPT_LIST(struct args, tables, .long_name = "table", .config_key = "backup.table"),
	OPT_END,
};

static void look(const struct config *c)
{
	_cleanup_problems_ struct config_problems problems = { 0 };
	struct config_schema schema = { 0 };

	config_schema_add(&schema, options);
	config_check(c, &schema, &problems);
	config_has_password(c, &schema);
	vec_release(&schema);
	for (size_t i = 0; i < c->len; i++)
		for (size_t k = 0; k < c->items[i].values.len; k++) {
			_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

			conninfo_redact(c->items[i].values.items[k], &text);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_config_ struct config *c = config_new();
	_cleanup_error_ struct error err = ERROR_INIT;

	if (config_parse(c, "fuzz.yaml", (const char *)data, size, &err))
		look(c);
	else if (!error_is_set(&err))
		BUG("refused without an error");
	return 0;
}
