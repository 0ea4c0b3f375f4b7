/* SPDX-License-Identifier: PostgreSQL */
/* dbops.json: any bytes are read or refused; what was read has no name that leaves the folder, and is written the same
 * again. */
#include <stdint.h>
#include "manifest.h"

static void check_name(const char *name)
{
	if (!name[0] || name[0] == '.' || strchr(name, '/'))
		BUG("'%s' was accepted as a file name", name);
}

static void check(const struct manifest *m)
{
	_cleanup_strbuf_ struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_manifest_ struct manifest again;

	check_name(m->id);
	for (size_t i = 0; i < m->tables.len; i++)
		check_name(m->tables.items[i].file);
	for (size_t i = 0; i < m->large_objects.len; i++)
		check_name(m->large_objects.items[i].file);
	for (size_t i = 0; i < m->files.len; i++)
		check_name(m->files.items[i].name);
	manifest_write(m, &first);
	if (!manifest_parse(first.buf, first.len, &again, &err))
		BUG("what was written is refused: %s: %s", err.message, err.detail);
	manifest_write(&again, &second);
	if (strcmp(first.buf, second.buf) != 0)
		BUG("what was written reads as something else");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_manifest_ struct manifest m;
	struct verification v;

	if (manifest_parse((const char *)data, size, &m, &err))
		check(&m);
	else if (err.code != EXIT_DAMAGED && err.code != EXIT_REFUSED)
		BUG("refused with status %d", (int)err.code);
	verification_parse((const char *)data, size, &v);
	return 0;
}
