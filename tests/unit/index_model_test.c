/* SPDX-License-Identifier: MIT */
/* The index against a list of everything that was put in: random files, rows dying, runs merged on another thread,
 * restarts with new ordinals and damaged files. INDEX_SEED in the environment repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "index/index.h"

enum { FILES = 400, ROWS = 300, KEYS = 3000, STEPS = 600, QUERIES = 9000, NOT_LIVE = UINT32_MAX };

typedef struct data_file {
    char     name[32];
    uint32_t ordinal; /* NOT_LIVE: gone from the table */
    uint32_t rows;
    uint64_t hashes[ROWS];
    bool     dead[ROWS];  /* deleted: the index may have forgotten it */
    bool     dead_before[ROWS]; /* at some time before */
    uint32_t seen[ROWS];  /* times found by the lookup under way */
} data_file;

typedef struct model {
    char        folder[64];
    tain_index *index;
    data_file   files[FILES];
    size_t      file_count;
    uint32_t    next_ordinal;
    uint32_t    by_ordinal[FILES * 40]; /* file number + 1 */
    /* a merge under way */
    tain_index_merge *merge;
    pthread_t         thread;
    uint8_t           live_then[FILES * 40][ROWS]; /* what run() is told; not touched meanwhile */
} model;

static uint64_t state, seed;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(next() >> 11) % n;
}

/* Few values for some, so that hashes repeat; not evenly spread for some. */
static uint64_t random_hash(void)
{
    uint64_t key = below(KEYS), h = (key + 1) * 0x9e3779b97f4a7c15u;
    if (key < 3) return key;
    if (key < 10) return UINT64_MAX - key;
    if (key < 100) return (uint64_t)1 << 63 | key;
    return h ^ h >> 29;
}

/* --- operations ---------------------------------------------------------------------------------------------------- */

static void feed(model *m, data_file *f)
{
    if (below(2)) {
        uint64_t hashes[ROWS];
        memcpy(hashes, f->hashes, sizeof hashes);
        assert_int_equal(tain_index_add_file(m->index, f->ordinal, hashes, f->rows, NULL), TAIN_OK);
        return;
    }
    for (uint32_t at = 0, n; at < f->rows; at += n) {
        n = 1 + below(f->rows - at);
        assert_int_equal(tain_index_add(m->index, f->ordinal, at, f->hashes + at, n, NULL), TAIN_OK);
    }
}

static uint32_t dead_rows(const data_file *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->rows; i++) n += f->dead[i];
    return n;
}

static void name(model *m, data_file *f)
{
    f->ordinal = m->next_ordinal;
    m->next_ordinal += 1 + below(3);
    m->by_ordinal[f->ordinal] = (uint32_t)(f - m->files) + 1;
    tain_index_check_file(m->index, f->name, dead_rows(f));
    if (!tain_index_name_file(m->index, f->name, f->ordinal)) feed(m, f);
}

static void add_file(model *m)
{
    if (m->file_count == FILES) return;
    data_file *f = &m->files[m->file_count];
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "part-%zu.parquet", m->file_count++);
    f->rows = 1 + below(ROWS);
    for (uint32_t i = 0; i < f->rows; i++) f->hashes[i] = random_hash();
    name(m, f);
    assert_true(tain_index_name_file(m->index, f->name, f->ordinal));
}

static void delete_rows(model *m)
{
    if (m->file_count == 0) return;
    data_file *f = &m->files[below((uint32_t)m->file_count)];
    bool whole = below(3) == 0;
    if (below(2)) memcpy(f->dead_before, f->dead, sizeof f->dead);
    for (uint32_t i = 0; i < f->rows; i++)
        if (whole || below(2)) f->dead[i] = true;
    if (whole) f->ordinal = NOT_LIVE;
}

/* The file is as it was once: another program put the table back. */
static void bring_back(model *m)
{
    if (m->file_count == 0) return;
    data_file *f = &m->files[below((uint32_t)m->file_count)];
    memcpy(f->dead, f->dead_before, sizeof f->dead);
    if (f->ordinal == NOT_LIVE) {
        name(m, f);
        return;
    }
    tain_index_check_file(m->index, f->name, dead_rows(f));
    if (!tain_index_name_file(m->index, f->name, f->ordinal)) feed(m, f);
}

static bool on_found(void *ctx, size_t k, tain_location at)
{
    model *m = ((void **)ctx)[0];
    const uint64_t *hashes = ((void **)ctx)[1];
    assert_true(at.file < m->next_ordinal && m->by_ordinal[at.file]);
    data_file *f = &m->files[m->by_ordinal[at.file] - 1];
    if (f->ordinal != at.file) return true; /* gone since */
    assert_true(at.row < f->rows);
    assert_int_equal(f->hashes[at.row], hashes[k]);
    f->seen[at.row]++;
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Distinct hashes, some of them there, in any order; returns how many. */
static size_t choose_queries(model *m, uint64_t *queries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const data_file *f = &m->files[below((uint32_t)m->file_count)];
        queries[i] = below(3) ? f->hashes[below(f->rows)] : next();
    }
    qsort(queries, n, sizeof *queries, by_value);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++)
        if (queries[i] != queries[kept - 1]) queries[kept++] = queries[i];
    return kept;
}

static void check_seen(const data_file *f, const uint64_t *sorted, size_t n)
{
    for (uint32_t r = 0; f->ordinal != NOT_LIVE && r < f->rows; r++) {
        bool asked = bsearch(&f->hashes[r], sorted, n, sizeof *sorted, by_value);
        if (asked && !f->dead[r]) assert_int_equal(f->seen[r], 1);
        else assert_true(f->seen[r] <= (asked ? 1u : 0u));
    }
}

static void look_up(model *m)
{
    static uint64_t sorted[QUERIES], queries[QUERIES];
    if (m->file_count == 0) return;
    size_t n = choose_queries(m, sorted, below(4) ? 1 + below(200) : QUERIES), turn = below((uint32_t)n);
    for (size_t i = 0; i < n; i++) queries[i] = sorted[(i + turn) % n];
    void *ctx[] = {m, queries};
    for (size_t i = 0; i < m->file_count; i++) memset(m->files[i].seen, 0, sizeof m->files[i].seen);
    tain_index_lookup(m->index, queries, n, on_found, ctx);
    for (size_t i = 0; i < m->file_count; i++) check_seen(&m->files[i], sorted, n);
}

/* --- merges -------------------------------------------------------------------------------------------------------- */

static bool was_live(void *ctx, tain_location at)
{
    return ((model *)ctx)->live_then[at.file][at.row];
}

static void *run_merge(void *ctx)
{
    model *m = ctx;
    tain_error err = {0};
    tain_status st = tain_index_merge_run(m->merge, was_live, m, &err);
    if (st != TAIN_OK) fprintf(stderr, "merge: %s\n", err.message);
    return (void *)(intptr_t)st;
}

static uint32_t told(void *ctx, uint32_t file)
{
    model *m = ctx;
    const data_file *f = m->by_ordinal[file] ? &m->files[m->by_ordinal[file] - 1] : NULL;
    return f && f->ordinal == file ? dead_rows(f) : UINT32_MAX;
}

static void start_merge(model *m)
{
    if (m->merge) return;
    m->merge = tain_index_merge_begin(m->index, below(4) == 0);
    if (!m->merge) return;
    assert_null(tain_index_merge_begin(m->index, true));
    memset(m->live_then, 0, sizeof m->live_then);
    for (size_t i = 0; i < m->file_count; i++) {
        data_file *f = &m->files[i];
        for (uint32_t r = 0; f->ordinal != NOT_LIVE && r < f->rows; r++) m->live_then[f->ordinal][r] = !f->dead[r];
    }
    tain_index_merge_tell(m->merge, told, m);
    assert_int_equal(pthread_create(&m->thread, NULL, run_merge, m), 0);
}

static void end_merge(model *m)
{
    if (!m->merge) return;
    void *status;
    assert_int_equal(pthread_join(m->thread, &status), 0);
    assert_int_equal((intptr_t)status, TAIN_OK);
    if (below(8)) assert_int_equal(tain_index_merge_finish(m->index, m->merge, NULL), TAIN_OK);
    else tain_index_merge_abort(m->index, m->merge);
    m->merge = NULL;
}

/* --- restarts ------------------------------------------------------------------------------------------------------ */

static void damage_file(const char *path)
{
    int fd = open(path, O_RDWR);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t byte = (uint8_t)next();
    switch (below(3)) {
    case 0: assert_int_equal(ftruncate(fd, below((uint32_t)st.st_size)), 0); break;
    case 1: assert_int_equal(pwrite(fd, &byte, 1, below(100)), 1); break;
    default: assert_int_equal(pwrite(fd, "torn", 4, st.st_size > 10 ? st.st_size - 10 : 0), 4);
    }
    close(fd);
}

static void damage_something(model *m)
{
    DIR *d = opendir(m->folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", m->folder, e->d_name);
        if (e->d_name[0] == '.' || below(6)) continue;
        if (below(2)) damage_file(path);
        else unlink(path);
    }
    closedir(d);
}

static void open_index(model *m)
{
    tain_index_options options = {.folder = m->folder, .memory_entries = 200};
    assert_int_equal(tain_index_open(&options, 42, &m->index, NULL), TAIN_OK);
}

static void restart(model *m)
{
    end_merge(m);
    if (below(2)) assert_int_equal(tain_index_flush(m->index, NULL), TAIN_OK);
    tain_index_close(m->index);
    if (below(3) == 0) damage_something(m);
    open_index(m);
    m->next_ordinal = below(5);
    memset(m->by_ordinal, 0, sizeof m->by_ordinal);
    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].ordinal == NOT_LIVE || below(20) == 0) m->files[i].ordinal = NOT_LIVE;
        else name(m, &m->files[i]);
    }
}

static void step(model *m)
{
    switch (below(18)) {
    case 16:
    case 17: bring_back(m); break;
    case 0: restart(m); break;
    case 1: assert_int_equal(tain_index_flush(m->index, NULL), TAIN_OK); break;
    case 2:
    case 3: delete_rows(m); break;
    case 4:
    case 5: start_merge(m); break;
    case 6:
    case 7: end_merge(m); break;
    case 8:
    case 9:
    case 10: look_up(m); break;
    default: add_file(m);
    }
}

static void test_model(void **test)
{
    model *m = tain_alloc(sizeof *m);
    snprintf(m->folder, sizeof m->folder, "/tmp/tain-index-XXXXXX");
    assert_non_null(mkdtemp(m->folder));
    open_index(m);
    for (int i = 0; i < STEPS; i++) step(m);
    end_merge(m);
    look_up(m);
    tain_index_close(m->index);
    TAIN_AUTO(tain_free) char *command = tain_format("rm -rf '%s'", m->folder);
    assert_int_equal(system(command), 0);
    tain_free(m);
}

int main(void)
{
    const char *given = getenv("INDEX_SEED");
    if (given) seed = strtoull(given, NULL, 10);
    else tain_random(&seed, sizeof seed);
    state = seed | 1;
    print_message("INDEX_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_model), cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
