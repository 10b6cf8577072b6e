/* SPDX-License-Identifier: MIT */
/* A whole data file as a run of its own: sorting and writing need nothing of the index but a path and its seed. */
#include <unistd.h>

#include "base/fault.h"
#include "base/text.h"
#include "index/internal.h"
#include "index/sort.h"

struct tain_index_part {
    char           *folder, *path;
    uint64_t        seed, feed;
    size_t          rows;
    tain_index_run *run; /* NULL: not made */
};

/* --- a run's file --------------------------------------------------------------------------------------------------- */

static tain_status write_entries(tain_run_writer *w, const tain_sorted *s, tain_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        uint64_t place = s->companions[i];
        if (s->memory) {
            const tain_memory_entry *e = &s->memory->entries[place];
            place = (uint64_t)e->file << 32 | e->row;
        }
        TAIN_TRY(tain_run_writer_add(w, s->hashes[i], place, err));
    }
    return TAIN_OK;
}

static tain_status write_file(const char *path, uint64_t seed, const tain_sorted *s, const tain_run_file *parts, size_t n, tain_error *err)
{
    tain_run_writer *w;
    TAIN_TRY(tain_run_writer_new(path, seed, s->n, &w, err));
    tain_status st = write_entries(w, s, err);
    if (st == TAIN_OK) return tain_run_writer_finish(w, parts, n, err);
    tain_run_writer_abort(w);
    return st;
}

tain_status tain_run_write(const char *path, uint64_t seed, const tain_sorted *s, const tain_run_file *parts, size_t n, tain_index_run **ret, tain_error *err)
{
    TAIN_TRY(write_file(path, seed, s, parts, n, err));
    tain_status st = TAIN_OK;
    if (tain_fault_fails(TAIN_FAULT_INDEX_RUN_WRITTEN)) st = tain_fail(err, TAIN_E_FULL, "index run %s: failed as asked", path);
    if (st == TAIN_OK) st = tain_run_open(path, seed, ret, err);
    if (st != TAIN_OK) (void)unlink(path);
    return st;
}

/* --- in three steps ------------------------------------------------------------------------------------------------- */

tain_index_part *tain_index_part_begin(tain_index *x)
{
    tain_index_part *p = tain_alloc(sizeof *p);
    p->folder = tain_strdup(x->folder);
    p->path = tain_index_new_run_path(x);
    p->seed = x->seed;
    tain_random(&p->feed, sizeof p->feed);
    return p;
}

static tain_status write_sorted(tain_index_part *p, const char *name, const tain_sorted *s, tain_error *err)
{
    tain_run_file part = {.name = name, .rows = s->n, .total = s->n, .feed = p->feed};
    TAIN_TRY(tain_index_make_folder(p->folder, err));
    TAIN_TRY(tain_run_write(p->path, p->seed, s, &part, 1, &p->run, err));
    p->rows = s->n;
    return TAIN_OK;
}

static tain_sorted sort(uint64_t *hashes, size_t n)
{
    tain_sorted s = {.hashes = hashes, .companions = tain_realloc(NULL, (n + 1) * sizeof *s.companions), .n = n};
    for (size_t i = 0; i < n; i++) s.companions[i] = (uint32_t)i;
    tain_index_sort(hashes, s.companions, n);
    return s;
}

/* By row again. */
static void unsort(const tain_sorted *s)
{
    uint64_t *rows = tain_realloc(NULL, (s->n + 1) * sizeof *rows);
    for (size_t i = 0; i < s->n; i++) rows[s->companions[i]] = s->hashes[i];
    memcpy(s->hashes, rows, s->n * sizeof *rows);
    tain_free(rows);
}

tain_status tain_index_part_run(tain_index_part *p, const char *name, uint64_t *hashes, size_t n, tain_error *err)
{
    tain_sorted s = sort(hashes, n);
    tain_status st = write_sorted(p, name, &s, err);
    if (st != TAIN_OK) unsort(&s);
    tain_free(s.companions);
    return st;
}

static void part_free(tain_index_part *p)
{
    tain_free(p->folder);
    tain_free(p->path);
    tain_free(p);
}

static void use(tain_index *x, tain_index_part *p, tain_index_file *f)
{
    f->rows = p->rows;
    f->feed = p->feed;
    tain_index_insert_run(x, 0, p->run);
    tain_files_link(&p->run->files[0], f);
}

tain_status tain_index_part_finish(tain_index *x, tain_index_part *p, uint32_t file, tain_error *err)
{
    x->feeding = TAIN_INDEX_DEAD;
    use(x, p, tain_files_of_ordinal(&x->files, file));
    part_free(p);
    return tain_manifest_write(x, err);
}

void tain_index_part_abort(tain_index_part *p)
{
    if (p->run) {
        tain_run_close(p->run);
        (void)unlink(p->path);
    }
    part_free(p);
}

/* --- at once -------------------------------------------------------------------------------------------------------- */

bool tain_index_is_part(const tain_index *x, size_t rows)
{
    return rows && rows >= x->limit / 2;
}

tain_status tain_index_add_file(tain_index *x, uint32_t file, uint64_t *hashes, size_t n, tain_error *err)
{
    if (!tain_index_is_part(x, n)) return tain_index_add(x, file, 0, hashes, n, err);
    tain_index_file *f = tain_files_of_ordinal(&x->files, file);
    tain_index_part *p = tain_index_part_begin(x);
    tain_sorted s = sort(hashes, n);
    tain_status st = write_sorted(p, f->name, &s, err);
    if (st == TAIN_OK) {
        st = tain_index_part_finish(x, p, file, err);
    } else {
        x->feeding = TAIN_INDEX_DEAD;
        tain_memory_add(&x->memory, f, 0, s.companions, s.hashes, s.n);
        x->patience = x->memory.count + x->limit;
        tain_index_part_abort(p);
    }
    tain_free(s.companions);
    return st;
}
