/* SPDX-License-Identifier: PostgreSQL */
/* connections plan: any bytes are read or refused with a place; what was read can be proved, and advice is possible or not. */
#include <stddef.h>
#include <stdint.h>
#include "pool_plan.h"

static void use(struct pool_plan *p)
{
	_cleanup_pool_proof_ struct pool_proof proof = { 0 };

	if (p->max_connections < 0)
		p->max_connections = 100;
	pool_plan_prove(p, &proof);
	for (int bouncer = 0; bouncer < 2; bouncer++) {
		_cleanup_pool_advice_ struct pool_advice a = { 0 };
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		pool_plan_advise(p, bouncer, &a);
		pool_advice_add_ini(&a, &text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_pool_plan_ struct pool_plan p = { 0 };
	_cleanup_error_ struct error err = ERROR_INIT;

	if (pool_plan_parse(&p, "fuzz.yaml", (const char *)data, size, &err))
		use(&p);
	else if (!error_is_set(&err))
		BUG("refused without an error");
	return 0;
}
