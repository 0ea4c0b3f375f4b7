/* SPDX-License-Identifier: PostgreSQL
 *
 * codec.h - independent deflate blocks inside one gzip member.
 *
 * A data file of an archive is ONE gzip member (RFC 1952): header, blocks of raw deflate
 * (RFC 1951) that each end with a full flush and refer to nothing before them, a final block and
 * the trailer with the combined CRC. Stock tools read it as any .gz and notice damage; dbops can
 * inflate any block alone. ISA-L compresses where it was built in, zlib otherwise.
 */
#ifndef DBOPS_CODEC_H
#define DBOPS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cleanup.h"

#define CODEC_LEVEL_MIN 1
#define CODEC_LEVEL_MAX 9

/* Compressor of one thread, for blocks of one kind in a row: level 1 learns from them. Levels 1-3 are ISA-L's where built in; the
 * others zlib's. */
struct deflate;
struct deflate *deflate_new(int level);
void deflate_free(struct deflate *d);
DEFINE_CLEANUP(struct deflate, deflate_free)

/* Room that deflate_block needs for n bytes. */
size_t deflate_bound(size_t n);

/* Compresses n bytes into out, ended by a full flush; returns the length. cap must be at least
 * deflate_bound(n). */
size_t deflate_block(struct deflate *d, const void *data, size_t n, void *out, size_t cap);

/* Inflates one block; true only when it gives exactly raw_len bytes and nothing is left over. */
bool inflate_block(const void *stored, size_t n, void *raw, size_t raw_len);

/* CRC-32 as in gzip; start with 0. */
uint32_t codec_crc32(uint32_t crc, const void *data, size_t n);
/* CRC of A followed by B (len_b bytes). */
uint32_t codec_crc32_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

void codec_sha256(const void *data, size_t n, uint8_t ret[32]);

/* Frame of a data file. Two kinds differ in their last bytes: pg_dump ends a table's text with
 * "\.\n\n\n", a large object with nothing. */
#define GZIP_HEADER_LEN      10
#define GZIP_TRAILER_MAX     32
#define GZIP_TABLE_TEXT_TAIL "\\.\n\n\n"
void gzip_header(uint8_t out[GZIP_HEADER_LEN]);
/* crc and raw_len are those of all blocks' text; writes the final block and the trailer and
 * returns their length. */
size_t gzip_trailer(uint8_t out[GZIP_TRAILER_MAX], bool table, uint32_t crc, uint64_t raw_len);

#endif
