/* SPDX-License-Identifier: PostgreSQL */
#include "fingerprint_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

void fingerprint_add(struct fingerprint *f, const struct fingerprint *other)
{
	f->low += other->low;
	f->high += other->high + (f->low < other->low);
}

static struct fingerprint hash_line(const char *line, size_t len)
{
#ifdef __x86_64__
	if (len > XXH3_MIDSIZE_MAX && __builtin_cpu_supports("avx2")) /* up to there it has no vector code */
		return fingerprint_hash_avx2(line, len);
#endif
	XXH128_hash_t h = XXH3_128bits(line, len);

	return (struct fingerprint){ h.low64, h.high64 };
}

void fingerprint_add_line(struct fingerprint *f, const char *line, size_t len)
{
	struct fingerprint h = hash_line(line, len);

	fingerprint_add(f, &h);
}

uint64_t fingerprint_add_text(struct fingerprint *f, const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t lines = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		fingerprint_add_line(f, text, (size_t)(stop - text));
		lines++;
		text = stop + 1;
	}
	return lines;
}

void fingerprint_format(const struct fingerprint *f, char ret[FINGERPRINT_HEX_LEN + 1])
{
	snprintf(ret, FINGERPRINT_HEX_LEN + 1, "%016" PRIx64 "%016" PRIx64, f->high, f->low);
}

bool fingerprint_parse(const char *hex, struct fingerprint *ret)
{
	uint64_t parts[2] = { 0, 0 };

	if (strlen(hex) != FINGERPRINT_HEX_LEN || strspn(hex, "0123456789abcdef") != FINGERPRINT_HEX_LEN)
		return false;
	for (int i = 0; i < FINGERPRINT_HEX_LEN; i++) {
		unsigned digit = hex[i] <= '9' ? (unsigned)(hex[i] - '0') : (unsigned)(hex[i] - 'a' + 10);

		parts[i / 16] = parts[i / 16] << 4 | digit;
	}
	*ret = (struct fingerprint){ .high = parts[0], .low = parts[1] };
	return true;
}
