/* SPDX-License-Identifier: PostgreSQL */
#include "patience.h"

#include <string.h>
#include "clock.h"

#define PAUSE_MIN_MS INT64_C(100)
#define DOUBLINGS 5

struct patience patience_begin(int64_t max_ms)
{
	return (struct patience){ .deadline = clock_monotonic() + (double)max_ms / 1000 };
}

bool patience_over(const struct patience *p)
{
	return clock_monotonic() >= p->deadline;
}

bool patience_helps(const struct error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

bool patience_pause(struct patience *p, const struct cancel *cancel, struct error *err)
{
	int64_t base = PAUSE_MIN_MS << (p->pauses < DOUBLINGS ? p->pauses : DOUBLINGS);
	int64_t jitter = (int64_t)((uint64_t)clock_now_us() * 2654435761u % 1000003 * (uint64_t)base / 1000003);

	p->pauses++;
	return cancel_pause(cancel, base / 2 + jitter, err);
}
