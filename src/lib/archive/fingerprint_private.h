/* SPDX-License-Identifier: PostgreSQL
 *
 * fingerprint_private.h - between fingerprint.c and fingerprint_avx2.c.
 */
#ifndef DBOPS_FINGERPRINT_PRIVATE_H
#define DBOPS_FINGERPRINT_PRIVATE_H

#include "fingerprint.h"

/* The hash of one line, for processors with AVX2. */
struct fingerprint fingerprint_hash_avx2(const char *line, size_t len);

#endif
