/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <string.h>

#include "base/memory.h"

/* slots holds entry number + 1, 0 for empty. A removed entry keeps its slot as a tombstone until the next rebuild, so
 * that removing while walking is safe. */

static uint64_t hash_text(const char *key, size_t n)
{
    uint64_t h = 0x9E3779B97F4A7C15u ^ n;
    for (; n >= 8; n -= 8, key += 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        h = (h ^ word) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    for (; n > 0; n--, key++) h = (h ^ (uint8_t)*key) * 0x100000001B3u;
    h ^= h >> 29;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static tain_map_entry *find(const tain_map *m, const char *key, uint64_t hash)
{
    if (m->slot_count == 0) return NULL;
    size_t mask = m->slot_count - 1;
    for (size_t i = hash & mask; m->slots[i]; i = (i + 1) & mask) {
        tain_map_entry *e = &m->entries[m->slots[i] - 1];
        if (e->hash == hash && e->key && strcmp(e->key, key) == 0) return e;
    }
    return NULL;
}

static void slot_insert(tain_map *m, size_t entry)
{
    size_t mask = m->slot_count - 1;
    size_t i = m->entries[entry].hash & mask;
    while (m->slots[i]) i = (i + 1) & mask;
    m->slots[i] = (uint32_t)(entry + 1);
}

static void drop_removed(tain_map *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].key) m->entries[kept++] = m->entries[i];
    }
    m->used = kept;
}

static void make_room(tain_map *m)
{
    if (m->used < m->capacity) return;
    drop_removed(m);
    if (m->used >= m->capacity / 2) {
        m->capacity = m->capacity ? m->capacity * 2 : 8;
        m->entries = tain_realloc(m->entries, m->capacity * sizeof *m->entries);
    }
    m->slot_count = m->capacity * 2;
    tain_free(m->slots);
    m->slots = tain_alloc(m->slot_count * sizeof *m->slots);
    for (size_t i = 0; i < m->used; i++) slot_insert(m, i);
}

void *tain_map_get(const tain_map *m, const char *key)
{
    const tain_map_entry *e = find(m, key, hash_text(key, strlen(key)));
    return e ? e->value : NULL;
}

void *tain_map_put(tain_map *m, const char *key, void *value)
{
    size_t          n = strlen(key);
    uint64_t        hash = hash_text(key, n);
    tain_map_entry *e = find(m, key, hash);
    if (e) {
        void *replaced = e->value;
        e->value = value;
        return replaced;
    }
    make_room(m);
    m->entries[m->used] = (tain_map_entry){tain_strndup(key, n), value, hash};
    slot_insert(m, m->used++);
    m->count++;
    return NULL;
}

void *tain_map_remove(tain_map *m, const char *key)
{
    tain_map_entry *e = find(m, key, hash_text(key, strlen(key)));
    if (!e) return NULL;
    void *removed = e->value;
    tain_free(e->key);
    e->key = NULL;
    e->value = NULL;
    m->count--;
    return removed;
}

bool tain_map_next(const tain_map *m, size_t *io_cursor, const char **ret_key, void **ret_value)
{
    while (*io_cursor < m->used) {
        const tain_map_entry *e = &m->entries[(*io_cursor)++];
        if (!e->key) continue;
        *ret_key = e->key;
        *ret_value = e->value;
        return true;
    }
    return false;
}

void tain_map_done(tain_map *m)
{
    for (size_t i = 0; i < m->used; i++) tain_free(m->entries[i].key);
    tain_free(m->entries);
    tain_free(m->slots);
    *m = (tain_map){0};
}
