/* SPDX-License-Identifier: PostgreSQL */
/* Recordings of locks: any line is read or refused; what was read makes a graph, and comes back the same when it is written. */
#include <stdint.h>
#include <string.h>
#include "lock_record.h"

static void look_at(const struct lock_facts *f)
{
	_cleanup_lock_graph_ struct lock_graph g = { 0 };

	lock_graph_build(&g, f, 0);
	lock_graph_simulate(&g);
	for (size_t i = 0; i < g.nodes.len; i++) {
		autofree char *sql = lock_node_sql(&g.nodes.items[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	_cleanup_lock_instant_ struct lock_instant i = { 0 }, again = { 0 };
	_cleanup_strbuf_ struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;

	if (!lock_instant_read((const char *)data, size, &i, &err)) {
		if (err.code != EXIT_DAMAGED)
			BUG("status %d", (int)err.code);
		return 0;
	}
	look_at(&i.facts);
	lock_instant_write(&i, &once);
	if (!lock_instant_read(once.buf, once.len - 1, &again, &err))
		BUG("%s", once.buf);
	lock_instant_write(&again, &twice);
	if (strcmp(once.buf, twice.buf) != 0)
		BUG("%s is not %s", once.buf, twice.buf);
	return 0;
}
