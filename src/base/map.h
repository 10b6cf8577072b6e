/* SPDX-License-Identifier: MIT */
/* map.h -- pointers by text key, in insertion order.
 *
 * A zeroed tain_map is empty and valid. Keys are copied; values are borrowed. Not thread-safe. */
#ifndef TAIN_BASE_MAP_H
#define TAIN_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tain_map_entry {
    char    *key; /* NULL: removed */
    void    *value;
    uint64_t hash;
} tain_map_entry;

typedef struct tain_map {
    tain_map_entry *entries; /* walk 0..used-1, skipping removed ones */
    size_t          used, capacity;
    size_t          count; /* live entries */
    uint32_t       *slots;
    size_t          slot_count;
} tain_map;

void *tain_map_get(const tain_map *m, const char *key);                /* NULL when absent */
void *tain_map_put(tain_map *m, const char *key, void *value);         /* returns the value replaced, or NULL */
void *tain_map_remove(tain_map *m, const char *key);                   /* returns the value removed, or NULL */
bool  tain_map_next(const tain_map *m, size_t *io_cursor, const char **ret_key, void **ret_value); /* cursor from 0 */
void  tain_map_done(tain_map *m);

#define TAIN_MAP_EACH(map, cursor, key, value) \
    for (size_t cursor = 0; tain_map_next((map), &cursor, &(key), (void **)&(value));)

#endif
