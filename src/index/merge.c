/* SPDX-License-Identifier: MIT */
/* begin() notes what the merge needs to know of the index, so that run() reads nothing but immutable runs and that note;
 * finish() drops the result if files were named in between that the note has as dead. */
#include <assert.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "index/internal.h"

enum { RATIO = 8, RUNS_OF_A_SIZE = 4, AHEAD = 1 << 20 };
#define NOWHERE UINT32_MAX

typedef struct input {
    tain_index_run *run;
    uint32_t       *to; /* local file number -> that of the result, or NOWHERE */
    uint64_t        at; /* entry */
    size_t          asked; /* bytes of the map asked to be read ahead */
    uint64_t        hash;  /* of the entry at */
    size_t          age;   /* 0: newest */
} input;

struct tain_index_merge {
    size_t            count; /* of the newest runs of the index, as it was */
    uint64_t          seed;
    char             *path;
    input            *inputs;
    input           **heap; /* smallest hash at the top; among equals the newest run */
    size_t            heap_count;
    tain_run_file    *files; /* of the result; names are ours */
    tain_index_file **records;
    uint32_t         *ordinals;
    uint64_t         *kept; /* entries */
    uint32_t         *deleted; /* rows, as of the inputs and as told */
    size_t            file_count;
    uint64_t          written;
    tain_index_run   *result; /* NULL: nothing is left */
    bool              ran;
    atomic_bool       halted;
};

/* --- begin --------------------------------------------------------------------------------------------------------- */

/* How many of the newest runs are due: those that together are not small against the next, once there are enough. */
static size_t due(const tain_index *x)
{
    if (x->run_count == 0) return 0;
    uint64_t sum = x->runs[0]->count;
    size_t n = 1;
    while (n < x->run_count && x->runs[n]->count <= RATIO * sum) sum += x->runs[n++]->count;
    return n >= RUNS_OF_A_SIZE ? n : 0;
}

static void drop_dead_runs(tain_index *x)
{
    bool any = false;
    for (size_t i = x->run_count; i-- > 0;) {
        if (!tain_run_all_dead(x->runs[i])) continue;
        tain_index_run *r = x->runs[i];
        memmove(x->runs + i, x->runs + i + 1, (--x->run_count - i) * sizeof *x->runs);
        tain_index_drop_run(x, r, true);
        any = true;
    }
    if (any) (void)!tain_manifest_write(x, NULL); /* a manifest that names runs that are gone does no harm */
}

/* The result's number of a file, given out on first sight. */
static uint32_t number_of(tain_index_merge *m, tain_index_file *f)
{
    if (f->mark) return f->mark - 1;
    uint32_t i = (uint32_t)m->file_count++;
    m->files[i] = (tain_run_file){.name = tain_strdup(f->name), .feed = f->feed};
    m->records[i] = f;
    m->ordinals[i] = f->ordinal;
    f->mark = i + 1;
    f->pins++;
    return i;
}

static void note_input(tain_index_merge *m, size_t age, tain_index_run *r)
{
    input *in = &m->inputs[age];
    *in = (input){.run = r, .age = age, .to = tain_alloc((r->file_count + 1) * sizeof *in->to)};
    for (size_t i = 0; i < r->file_count; i++) {
        in->to[i] = NOWHERE;
        if (r->ordinals[i] == TAIN_INDEX_DEAD) continue;
        in->to[i] = number_of(m, r->files[i].file);
        tain_run_file *to = &m->files[in->to[i]];
        to->rows += r->files[i].rows;
        if (r->files[i].total > to->total) to->total = r->files[i].total;
        if (r->files[i].deleted > m->deleted[in->to[i]]) m->deleted[in->to[i]] = r->files[i].deleted;
    }
}

static tain_index_merge *note(tain_index *x, size_t n)
{
    tain_index_merge *m = tain_alloc(sizeof *m);
    size_t files = 1;
    for (size_t i = 0; i < n; i++) files += x->runs[i]->file_count;
    m->count = n;
    m->seed = x->seed;
    m->path = tain_index_new_run_path(x);
    m->inputs = tain_alloc(n * sizeof *m->inputs);
    m->heap = tain_alloc(n * sizeof *m->heap);
    m->files = tain_alloc(files * sizeof *m->files);
    m->records = tain_alloc(files * sizeof *m->records);
    m->ordinals = tain_alloc(files * sizeof *m->ordinals);
    m->kept = tain_alloc(files * sizeof *m->kept);
    m->deleted = tain_alloc(files * sizeof *m->deleted);
    for (size_t i = 0; i < n; i++) note_input(m, i, x->runs[i]);
    for (size_t i = 0; i < m->file_count; i++) m->records[i]->mark = 0;
    return m;
}

tain_index_merge *tain_index_merge_begin(tain_index *x, bool all)
{
    if (x->merging) return NULL;
    drop_dead_runs(x);
    size_t n = all ? (x->run_count > 1 ? x->run_count : 0) : due(x);
    if (n == 0) return NULL;
    x->merging = true;
    return note(x, n);
}

void tain_index_merge_tell(tain_index_merge *m, uint32_t (*deleted)(void *ctx, uint32_t file), void *ctx)
{
    for (size_t i = 0; i < m->file_count; i++) {
        uint32_t n = deleted(ctx, m->ordinals[i]);
        if (n > m->deleted[i]) m->deleted[i] = n;
        if (n > m->records[i]->deleted) m->records[i]->deleted = n; /* from here on: they may come back before it ends */
    }
}

/* --- run ----------------------------------------------------------------------------------------------------------- */

static bool before(const input *a, const input *b)
{
    return a->hash != b->hash ? a->hash < b->hash : a->age < b->age;
}

static void sink(tain_index_merge *m, size_t i)
{
    for (input **heap = m->heap;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < m->heap_count && before(heap[left], heap[least])) least = left;
        if (right < m->heap_count && before(heap[right], heap[least])) least = right;
        if (least == i) return;
        input *swap = heap[i];
        heap[i] = heap[least];
        heap[least] = swap;
        i = least;
    }
}

/* Runs are mapped for random access; a merge reads on, so it says so a step ahead. */
static void read_ahead(input *in)
{
    const tain_index_run *r = in->run;
    size_t offset = (size_t)((const uint8_t *)&r->blocks[in->at / TAIN_BLOCK_ENTRIES] - r->map);
    if (offset + AHEAD <= in->asked || in->asked >= r->size) return;
    size_t from = (in->asked > offset ? in->asked : offset) / TAIN_BLOCK_BYTES * TAIN_BLOCK_BYTES;
    size_t n = r->size - from < 2 * AHEAD ? r->size - from : 2 * AHEAD;
    (void)madvise(r->map + from, n, MADV_WILLNEED);
    in->asked = from + n;
}

static bool load(input *in)
{
    if (in->at == in->run->count) return false;
    if (in->at % TAIN_BLOCK_ENTRIES == 0) read_ahead(in);
    in->hash = in->run->blocks[in->at / TAIN_BLOCK_ENTRIES].hashes[in->at % TAIN_BLOCK_ENTRIES];
    return true;
}

static void fill_heap(tain_index_merge *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (load(&m->inputs[i])) m->heap[m->heap_count++] = &m->inputs[i];
    for (size_t i = m->heap_count / 2; i-- > 0;) sink(m, i);
}

static void advance(tain_index_merge *m)
{
    input *in = m->heap[0];
    in->at++;
    if (!load(in)) m->heap[0] = m->heap[--m->heap_count];
    sink(m, 0);
}

static tain_status merge_entries(tain_index_merge *m, tain_run_writer *w, bool (*live)(void *, tain_location), void *ctx, tain_error *err)
{
    for (fill_heap(m); m->heap_count; advance(m)) {
        if (atomic_load_explicit(&m->halted, memory_order_relaxed)) return tain_fail(err, TAIN_E_CANCELLED, "halted");
        const input *in = m->heap[0];
        uint64_t place = in->run->blocks[in->at / TAIN_BLOCK_ENTRIES].places[in->at % TAIN_BLOCK_ENTRIES];
        uint32_t local = (uint32_t)(place >> 32), row = (uint32_t)place;
        uint32_t to = local < in->run->file_count ? in->to[local] : NOWHERE;
        if (to == NOWHERE || (live && !live(ctx, (tain_location){m->ordinals[to], row}))) continue;
        TAIN_TRY(tain_run_writer_add(w, in->hash, (uint64_t)to << 32 | row, err));
        m->kept[to]++;
        m->written++;
    }
    return TAIN_OK;
}

/* Of a file without entries nothing is said: fed again it costs little, and tables of files do not grow for ever. */
static void settle_files(tain_index_merge *m)
{
    for (size_t i = 0; i < m->file_count; i++) {
        m->files[i].deleted = m->deleted[i];
        if (m->kept[i]) continue;
        tain_free((char *)m->files[i].name);
        m->files[i] = (tain_run_file){0};
    }
}

static uint64_t entries_in(const tain_index_merge *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->count; i++) n += m->inputs[i].run->count;
    return n;
}

static tain_status write_result(tain_index_merge *m, bool (*live)(void *, tain_location), void *ctx, tain_error *err)
{
    tain_run_writer *w;
    TAIN_TRY(tain_run_writer_new(m->path, m->seed, entries_in(m), &w, err));
    tain_status st = merge_entries(m, w, live, ctx, err);
    if (st != TAIN_OK || m->written == 0) {
        tain_run_writer_abort(w);
        return st;
    }
    settle_files(m);
    TAIN_TRY(tain_run_writer_finish(w, m->files, m->file_count, err));
    st = tain_run_open(m->path, m->seed, &m->result, err);
    if (st != TAIN_OK) (void)unlink(m->path);
    return st;
}

void tain_index_merge_halt(tain_index_merge *m)
{
    atomic_store(&m->halted, true);
}

tain_status tain_index_merge_run(tain_index_merge *m, bool (*live)(void *ctx, tain_location at), void *ctx, tain_error *err)
{
    assert(!m->ran);
    TAIN_TRY(write_result(m, live, ctx, err));
    if (tain_fault_fails(TAIN_FAULT_INDEX_MERGED)) return tain_fail(err, TAIN_E_IO, "index run %s: a failure was asked for", m->path);
    m->ran = true;
    return TAIN_OK;
}

/* --- finish -------------------------------------------------------------------------------------------------------- */

static void free_merge(tain_index *x, tain_index_merge *m)
{
    x->merging = false;
    for (size_t i = 0; i < m->file_count; i++) {
        m->records[i]->pins--;
        tain_files_forget_if_unused(&x->files, m->records[i]);
        tain_free((char *)m->files[i].name);
    }
    for (size_t i = 0; i < m->count; i++) tain_free(m->inputs[i].to);
    tain_free(m->inputs);
    tain_free(m->heap);
    tain_free(m->files);
    tain_free(m->records);
    tain_free(m->ordinals);
    tain_free(m->kept);
    tain_free(m->deleted);
    tain_free(m->path);
    tain_free(m);
}

/* Runs written since begin() are newer, in front of the inputs. */
static size_t position(const tain_index *x, const tain_index_merge *m)
{
    size_t i = 0;
    while (x->runs[i] != m->inputs[0].run) i++;
    return i;
}

static bool named_since(const tain_index_merge *m)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t l = 0; l < m->inputs[i].run->file_count; l++)
            if (m->inputs[i].to[l] == NOWHERE && m->inputs[i].run->ordinals[l] != TAIN_INDEX_DEAD) return true;
    return false;
}

static void link_result(tain_index_merge *m)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (m->kept[i] && m->records[i]->ordinal != TAIN_INDEX_DEAD) tain_files_link(&m->result->files[i], m->records[i]);
}

/* The inputs' files go only once the manifest has them no more. */
static tain_status swap(tain_index *x, tain_index_merge *m, tain_error *err)
{
    size_t at = position(x, m);
    tain_index_run **inputs = tain_alloc(m->count * sizeof *inputs);
    for (size_t i = 0; i < m->count; i++) inputs[i] = x->runs[at + i];
    memmove(x->runs + at, x->runs + at + m->count, (x->run_count - at - m->count) * sizeof *x->runs);
    x->run_count -= m->count;
    if (m->result) {
        tain_index_insert_run(x, at, m->result);
        link_result(m);
    }
    tain_status st = tain_manifest_write(x, err);
    for (size_t i = 0; i < m->count; i++) tain_index_drop_run(x, inputs[i], st == TAIN_OK);
    tain_free(inputs);
    return st;
}

tain_status tain_index_merge_finish(tain_index *x, tain_index_merge *m, tain_error *err)
{
    if (!m->ran || named_since(m)) {
        tain_index_merge_abort(x, m);
        return TAIN_OK;
    }
    tain_status st = swap(x, m, err);
    free_merge(x, m);
    return st;
}

void tain_index_merge_abort(tain_index *x, tain_index_merge *m)
{
    if (m->result) tain_index_drop_run(x, m->result, true);
    free_merge(x, m);
}
