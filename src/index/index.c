/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "index/internal.h"
#include "index/sort.h"

enum { MEMORY_ENTRIES = 65536 };

/* --- opening and closing ------------------------------------------------------------------------------------------- */

tain_status tain_index_open(const tain_index_options *options, uint64_t seed, tain_index **ret, tain_error *err)
{
    tain_index *x = tain_alloc(sizeof *x);
    x->folder = tain_strdup(options->folder);
    x->feeding = TAIN_INDEX_DEAD;
    x->limit = options->memory_entries ? options->memory_entries : MEMORY_ENTRIES;
    (void)!tain_index_make_folder(x->folder, NULL); /* writing says so, when there is something to write */
    tain_manifest_read(x, seed);
    *ret = x;
    return TAIN_OK;
}

static void clear_memory(tain_index *x)
{
    tain_index_memory *m = &x->memory;
    size_t n = m->file_count;
    tain_memory_clear(m);
    for (size_t i = 0; i < n; i++)
        tain_files_forget_if_unused(&x->files, m->files[i]);
}

void tain_index_close(tain_index *x)
{
    if (!x) return;
    clear_memory(x);
    for (size_t i = 0; i < x->run_count; i++) tain_index_drop_run(x, x->runs[i], false);
    tain_files_done(&x->files);
    tain_memory_done(&x->memory);
    tain_free(x->voids);
    tain_free(x->runs);
    tain_free(x->folder);
    tain_free(x);
}

uint64_t tain_index_seed(const tain_index *x)
{
    return x->seed;
}

void tain_index_rename_file(tain_index *x, uint32_t ordinal, const char *name)
{
    tain_files_rename(&x->files, ordinal, name);
}

bool tain_index_name_file(tain_index *x, const char *name, uint32_t ordinal)
{
    x->feeding = TAIN_INDEX_DEAD;
    return tain_files_name(&x->files, name, ordinal);
}

/* --- rows that come back ------------------------------------------------------------------------------------------- */

bool tain_index_is_void(const tain_index *x, uint64_t feed)
{
    for (size_t i = 0; i < x->void_count; i++)
        if (x->voids[i] == feed) return true;
    return false;
}

void tain_index_void(tain_index *x, uint64_t feed)
{
    if (tain_index_is_void(x, feed)) return;
    if (x->void_count == x->void_capacity) {
        x->void_capacity = x->void_capacity ? x->void_capacity * 2 : 16;
        x->voids = tain_realloc(x->voids, x->void_capacity * sizeof *x->voids);
    }
    x->voids[x->void_count++] = feed;
}

static void take_void(void *ctx, uint64_t feed)
{
    tain_index_void(ctx, feed);
}

/* Noted at once: a restart before the file is fed again must not take the old entries for complete. */
void tain_index_check_file(tain_index *x, const char *name, uint64_t deleted)
{
    if (tain_files_forget_returned(&x->files, name, deleted, take_void, x)) (void)!tain_manifest_write(x, NULL);
}

tain_index_stats tain_index_get_stats(const tain_index *x)
{
    tain_index_stats s = {.entries = x->memory.count, .memory_entries = x->memory.count, .runs = x->run_count};
    for (size_t i = 0; i < x->run_count; i++) {
        s.entries += x->runs[i]->count;
        s.disk_bytes += x->runs[i]->size;
    }
    return s;
}

/* --- runs ---------------------------------------------------------------------------------------------------------- */

void tain_index_insert_run(tain_index *x, size_t at, tain_index_run *r)
{
    if (x->run_count == x->run_capacity) {
        x->run_capacity = x->run_capacity ? x->run_capacity * 2 : 16;
        x->runs = tain_realloc(x->runs, x->run_capacity * sizeof(*x->runs));
    }
    memmove(x->runs + at + 1, x->runs + at, (x->run_count - at) * sizeof *x->runs);
    x->runs[at] = r;
    x->run_count++;
}

void tain_index_drop_run(tain_index *x, tain_index_run *r, bool and_file)
{
    tain_files_unlink(&x->files, r);
    if (and_file) (void)unlink(r->path);
    tain_run_close(r);
}

/* The run is in use even when only the manifest could not be written. */
static tain_status write_run(tain_index *x, const tain_sorted *s, const tain_run_file *parts, size_t n, tain_index_run **ret, tain_error *err)
{
    TAIN_TRY(tain_index_make_folder(x->folder, err));
    TAIN_AUTO(tain_free) char *path = tain_index_new_run_path(x);
    return tain_run_write(path, x->seed, s, parts, n, ret, err);
}

static void use_run(tain_index *x, tain_index_run *r, const tain_run_file *parts)
{
    tain_index_insert_run(x, 0, r);
    for (size_t i = 0; i < r->file_count; i++)
        if (parts[i].file) tain_files_link(&r->files[i], parts[i].file);
}

/* A file that may still get rows does not say its total, so that it cannot pass for covered. */
static tain_run_file part_of(const tain_index *x, tain_index_file *f, uint64_t rows)
{
    bool open = f->ordinal == x->feeding;
    return (tain_run_file){.name = f->name, .rows = rows, .total = open ? 0 : f->rows, .feed = f->feed, .file = f};
}

/* --- memory to run ------------------------------------------------------------------------------------------------- */

/* Newest first, which sorting keeps among equal hashes. */
static tain_sorted gather(const tain_index_memory *m)
{
    tain_sorted s = {.memory = m};
    s.hashes = tain_realloc(NULL, (m->count + 1) * sizeof *s.hashes);
    s.companions = tain_realloc(NULL, (m->count + 1) * sizeof *s.companions);
    for (size_t i = m->count; i-- > 0;) {
        if (m->files[m->entries[i].file]->ordinal == TAIN_INDEX_DEAD) continue;
        s.hashes[s.n] = m->entries[i].hash;
        s.companions[s.n++] = (uint32_t)i;
    }
    tain_index_sort(s.hashes, s.companions, s.n);
    return s;
}

static tain_status write_gathered(tain_index *x, const tain_sorted *s, tain_error *err)
{
    const tain_index_memory *m = s->memory;
    tain_run_file *parts = tain_alloc(m->file_count * sizeof *parts);
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i]->ordinal != TAIN_INDEX_DEAD) parts[i] = part_of(x, m->files[i], m->file_rows[i]);
    tain_index_run *r;
    tain_status st = write_run(x, s, parts, m->file_count, &r, err);
    if (st == TAIN_OK) use_run(x, r, parts);
    tain_free(parts);
    return st;
}

static tain_status write_memory(tain_index *x, tain_error *err)
{
    if (x->memory.count == 0) return TAIN_OK;
    tain_sorted s = gather(&x->memory);
    tain_status st = s.n ? write_gathered(x, &s, err) : TAIN_OK;
    tain_free(s.hashes);
    tain_free(s.companions);
    x->patience = st == TAIN_OK ? 0 : x->memory.count + x->limit;
    TAIN_TRY(st);
    clear_memory(x);
    return s.n ? tain_manifest_write(x, err) : TAIN_OK;
}

tain_status tain_index_flush(tain_index *x, tain_error *err)
{
    x->feeding = TAIN_INDEX_DEAD;
    return write_memory(x, err);
}

size_t tain_index_memory_bytes(const tain_index *x)
{
    return tain_memory_bytes(&x->memory);
}

tain_status tain_index_release(tain_index *x, tain_error *err)
{
    if (x->memory.count && x->memory.count < x->patience) return tain_fail(err, TAIN_E_FULL, "index folder %s could not be written to", x->folder);
    tain_status st = tain_index_flush(x, err);
    if (x->memory.count == 0) tain_memory_done(&x->memory);
    return st;
}

/* --- adding -------------------------------------------------------------------------------------------------------- */

static bool full(const tain_index *x, size_t limit)
{
    return x->memory.count >= limit && x->memory.count >= x->patience;
}

/* Between files memory may go to a run at its limit, inside a file at twice that: the less files in two runs the better. */
tain_status tain_index_add(tain_index *x, uint32_t file, uint32_t first_row, const uint64_t *hashes, size_t n, tain_error *err)
{
    tain_status st = TAIN_OK;
    if (x->feeding != file) {
        x->feeding = TAIN_INDEX_DEAD;
        if (full(x, x->limit)) st = write_memory(x, err);
        x->feeding = file;
    }
    for (size_t i = 0, part; i < n; i += part) {
        if (st == TAIN_OK && full(x, 2 * x->limit)) st = write_memory(x, err);
        size_t room = x->memory.count < 2 * x->limit ? 2 * x->limit - x->memory.count : x->limit;
        part = n - i < room ? n - i : room;
        tain_memory_add(&x->memory, tain_files_of_ordinal(&x->files, file), first_row + (uint32_t)i, NULL, hashes + i, part);
    }
    return st;
}
