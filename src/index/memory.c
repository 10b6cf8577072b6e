/* SPDX-License-Identifier: MIT */
/* Entries not yet in a run: an array in order of arrival, chained by hash. */
#include "index/internal.h"

enum { SMALLEST = 16 }; /* most tables of a mirror are small, and there may be thousands */

static void rebuild_buckets(tain_index_memory *m)
{
    tain_free(m->buckets);
    m->buckets = tain_alloc(m->capacity * 2 * sizeof *m->buckets);
    m->bucket_mask = m->capacity * 2 - 1;
    for (size_t i = 0; i < m->count; i++) {
        uint32_t *bucket = &m->buckets[m->entries[i].hash & m->bucket_mask];
        m->entries[i].next = *bucket;
        *bucket = (uint32_t)i + 1;
    }
}

static void reserve(tain_index_memory *m, size_t extra)
{
    if (m->capacity - m->count >= extra) return;
    size_t capacity = m->capacity ? m->capacity : SMALLEST;
    while (capacity - m->count < extra) capacity *= 2;
    m->entries = tain_realloc(m->entries, capacity * sizeof *m->entries);
    m->capacity = capacity;
    rebuild_buckets(m);
}

static uint32_t slot_of(tain_index_memory *m, tain_index_file *f)
{
    if (f->memory_slot) return f->memory_slot - 1;
    if (m->file_count == m->file_capacity) {
        m->file_capacity = m->file_capacity ? m->file_capacity * 2 : 16;
        m->files = tain_realloc(m->files, m->file_capacity * sizeof(*m->files));
        m->file_rows = tain_realloc(m->file_rows, m->file_capacity * sizeof *m->file_rows);
    }
    m->files[m->file_count] = f;
    m->file_rows[m->file_count] = 0;
    f->memory_slot = (uint32_t)++m->file_count;
    return f->memory_slot - 1;
}

void tain_memory_add(tain_index_memory *m, tain_index_file *f, uint32_t first, const uint32_t *rows, const uint64_t *hashes, size_t n)
{
    uint32_t slot = slot_of(m, f);
    reserve(m, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t *bucket = &m->buckets[hashes[i] & m->bucket_mask];
        m->entries[m->count++] = (tain_memory_entry){
            .hash = hashes[i], .file = slot, .row = rows ? rows[i] : first + (uint32_t)i, .next = *bucket};
        *bucket = (uint32_t)m->count;
    }
    m->file_rows[slot] += n;
    f->rows += n;
}

void tain_memory_clear(tain_index_memory *m)
{
    for (size_t i = 0; i < m->file_count; i++) m->files[i]->memory_slot = 0;
    if (m->count) memset(m->buckets, 0, (m->bucket_mask + 1) * sizeof *m->buckets);
    m->count = 0;
    m->file_count = 0;
}

size_t tain_memory_bytes(const tain_index_memory *m)
{
    size_t buckets = m->buckets ? m->bucket_mask + 1 : 0;
    return m->capacity * sizeof *m->entries + buckets * sizeof *m->buckets + m->file_capacity * (sizeof *m->files + sizeof *m->file_rows);
}

void tain_memory_done(tain_index_memory *m)
{
    tain_free(m->entries);
    tain_free(m->buckets);
    tain_free(m->files);
    tain_free(m->file_rows);
    *m = (tain_index_memory){0};
}
