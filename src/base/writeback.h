/* SPDX-License-Identifier: MIT */
/* writeback.h -- large files reach the disk while they are written.
 *
 * What is left dirty until the end makes the next fsync of any file there wait for all of it: a commit of a few
 * kilobytes would take as long as the large file does. With a writeback at most two pieces of a file are on their way.
 * Thread: the one that writes the file. */
#ifndef TAIN_BASE_WRITEBACK_H
#define TAIN_BASE_WRITEBACK_H

#include <fcntl.h>
#include <stdint.h>

enum { TAIN_WRITEBACK_PIECE = 4 << 20 };

typedef struct tain_writeback { uint64_t awaited, begun; /* bytes from the start that are there, and on their way */ } tain_writeback;

/* Call it when the file has grown to size. Only speed depends on it: it never fails. */
static inline void tain_writeback_step(tain_writeback *w, int fd, uint64_t size)
{
    if (size < w->begun + TAIN_WRITEBACK_PIECE) return;
    (void)sync_file_range(fd, (off_t)w->begun, (off_t)(size - w->begun), SYNC_FILE_RANGE_WRITE);
    if (w->begun > w->awaited) (void)sync_file_range(fd, (off_t)w->awaited, (off_t)(w->begun - w->awaited), SYNC_FILE_RANGE_WAIT_BEFORE);
    w->awaited = w->begun;
    w->begun = size;
}

#endif
