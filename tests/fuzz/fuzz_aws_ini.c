/* SPDX-License-Identifier: PostgreSQL
 *
 * fuzz_aws_ini.c - any bytes as ~/.aws/config; what was read must be found again.
 */
#include <stdint.h>
#include "aws_ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct aws_ini ini = { 0 };

	if (aws_ini_parse((const char *)data, size, &ini, &err)) {
		for (size_t i = 0; i < ini.len; i++)
			if (!aws_ini_get(&ini, ini.items[i].section, ini.items[i].name))
				__builtin_trap();
	} else if (err.code != EXIT_CONFIG || ini.items) {
		__builtin_trap();
	}
	aws_ini_release(&ini);
	return 0;
}
