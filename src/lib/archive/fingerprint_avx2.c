/* SPDX-License-Identifier: PostgreSQL */
/* The hash of fingerprint.c, compiled for AVX2: xxhash.h chooses its vector code when it is compiled, and the program must
 * start on any x86-64. Same results. */
#include "fingerprint_private.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct fingerprint fingerprint_hash_avx2(const char *line, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(line, len);

	return (struct fingerprint){ h.low64, h.high64 };
}
