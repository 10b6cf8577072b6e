/* SPDX-License-Identifier: MIT */
/* sort.h -- sorting 64-bit hashes with a 32-bit companion, in linear time when they are spread evenly. Thread: any. */
#ifndef TAIN_INDEX_SORT_H
#define TAIN_INDEX_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts hashes[0..n-1] ascending and moves companions[] along; equal hashes keep their order. Takes 12 bytes an entry of
 * scratch memory while it works. */
void tain_index_sort(uint64_t *hashes, uint32_t *companions, size_t n);

#endif
