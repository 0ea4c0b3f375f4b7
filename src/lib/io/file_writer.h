/* SPDX-License-Identifier: PostgreSQL
 *
 * file_writer.h - writes a new file from its beginning, by a thread of its own and, on ext4 and XFS, past the page cache.
 *
 * A backup is written once and not read soon. Its pages would push the database's out of the page cache of a server that
 * writes its own backup, and cost twice the processor time of a direct write (open(2), O_DIRECT). A direct write waits for
 * the disk; so that whoever makes the bytes need not, they go through FILE_WRITER_BYTES of buffers to the thread. A file that is
 * shorter than one buffer has no thread: it is written at the end.
 */
#ifndef DBOPS_FILE_WRITER_H
#define DBOPS_FILE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cleanup.h"
#include "error.h"

#define FILE_WRITER_BUFFER  (1u << 20)
#define FILE_WRITER_BUFFERS 4
#define FILE_WRITER_BYTES   (FILE_WRITER_BUFFERS * FILE_WRITER_BUFFER)

struct file_writer;

/* fd is open for writing, at offset 0, and stays the caller's, as path does: it is for messages. */
struct file_writer *file_writer_new(int fd, const char *path);
void file_writer_free(struct file_writer *w); /* what was not written yet is dropped; NULL is fine */
DEFINE_CLEANUP(struct file_writer, file_writer_free)

/* Copies data; blocks while all buffers wait for the disk. An error of an earlier write comes here or at the end, which
 * then never succeeds. */
bool file_writer_append(struct file_writer *w, const void *data, size_t len, struct error *err);
/* All bytes are written, though not durable: fsync(2) is the caller's. */
bool file_writer_finish(struct file_writer *w, struct error *err);

#endif
