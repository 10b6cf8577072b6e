/* SPDX-License-Identifier: MIT */
/* index_bench -- how fast the key index takes in, finds, merges and is rebuilt: index_bench [entries, default 10000000] [folder]
 *
 * One line a measurement, "name value unit". Everything runs on one thread, with the files in page cache. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/time.h"
#include "index/index.h"
#include "index/sort.h"

enum { FILE_ROWS = 1000000, LOOKUPS = 1000000, SINGLE = 100000 };

static const char *folder = "/tmp/tain-index-bench";

static uint64_t hash_of(uint64_t key)
{
    key += 0x9e3779b97f4a7c15u;
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
    key = (key ^ key >> 27) * 0x94d049bb133111ebu;
    return key ^ key >> 31;
}

static void demand(tain_status st, const tain_error *err)
{
    if (st == TAIN_OK) return;
    fprintf(stderr, "index_bench: %s\n", err->message);
    exit(3);
}

static double seconds_since(tain_time start)
{
    return (double)(tain_monotonic() - start) / 1e6;
}

static void say(const char *what, double value, const char *unit)
{
    printf("%-34s %14.3f %s\n", what, value, unit);
}

static tain_index *open_index(void)
{
    tain_error err;
    tain_index *x = NULL;
    demand(tain_index_open(&(tain_index_options){.folder = folder}, 1, &x, &err), &err);
    return x;
}

static void clear_folder(void)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) exit(3);
}

static void hashes_of_file(uint64_t first, size_t n, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) out[i] = hash_of(first + i);
}

/* --- taking in ----------------------------------------------------------------------------------------------------- */

static void bench_sort(uint64_t *hashes)
{
    uint32_t *rows = malloc(FILE_ROWS * sizeof *rows);
    if (!rows) exit(3);
    hashes_of_file(0, FILE_ROWS, hashes);
    for (uint32_t i = 0; i < FILE_ROWS; i++) rows[i] = i;
    tain_time start = tain_monotonic();
    tain_index_sort(hashes, rows, FILE_ROWS);
    say("sort of 1 M hashes", seconds_since(start) * 1e3, "ms");
    free(rows);
}

static void rebuild(tain_index *x, uint64_t entries, uint64_t *hashes)
{
    tain_error err;
    tain_time  busy = 0;
    for (uint64_t first = 0; first < entries; first += FILE_ROWS) {
        uint32_t file = (uint32_t)(first / FILE_ROWS);
        size_t   n = entries - first < FILE_ROWS ? (size_t)(entries - first) : FILE_ROWS;
        char     name[32];
        snprintf(name, sizeof name, "part-%" PRIu32, file);
        hashes_of_file(first, n, hashes);
        tain_time start = tain_monotonic();
        (void)tain_index_name_file(x, name, file);
        demand(tain_index_add_file(x, file, hashes, n, &err), &err);
        busy += tain_monotonic() - start;
    }
    say("rebuild, files of 1 M rows", (double)entries / (double)busy, "M entries/s");
}

static void merge(tain_index *x, bool all)
{
    tain_error err;
    tain_time  start = tain_monotonic();
    uint64_t   before = tain_index_get_stats(x).entries;
    tain_index_merge *m = tain_index_merge_begin(x, all);
    if (!m) return;
    demand(tain_index_merge_run(m, NULL, NULL, &err), &err);
    demand(tain_index_merge_finish(x, m, &err), &err);
    if (all) say("merge of all runs", (double)before / seconds_since(start) / 1e6, "M entries/s");
}

/* As a mirror does: small files, memory written when full, merges in between. */
static void bench_add(uint64_t entries, uint64_t *hashes)
{
    enum { ROWS = 1000 };
    clear_folder();
    tain_index *x = open_index();
    tain_error  err;
    tain_time   start = tain_monotonic(), merging = 0;
    for (uint32_t file = 0; (uint64_t)file * ROWS < entries; file++) {
        char name[32];
        snprintf(name, sizeof name, "part-%" PRIu32, file);
        hashes_of_file((uint64_t)file * ROWS, ROWS, hashes);
        (void)tain_index_name_file(x, name, file);
        demand(tain_index_add(x, file, 0, hashes, ROWS, &err), &err);
        tain_time now = tain_monotonic();
        if (file % 64 == 0) merge(x, false);
        merging += tain_monotonic() - now;
    }
    double all = seconds_since(start), merged = (double)merging / 1e6;
    say("add, files of 1,000 rows", (double)entries / (all - merged) / 1e6, "M entries/s");
    say("  merges beside it", merged / all * 100, "% of the time");
    say("  runs at the end", (double)tain_index_get_stats(x).runs, "");
    tain_index_close(x);
}

/* --- finding ------------------------------------------------------------------------------------------------------- */

typedef struct seen { uint64_t count, sum; } seen;

static bool on_entry(void *ctx, size_t k, tain_location at)
{
    seen *s = ctx;
    s->count++;
    s->sum += at.row + k;
    return false;
}

static void bench_lookups(tain_index *x, uint64_t entries, const char *what, uint64_t *hashes)
{
    seen s = {0};
    char name[64];
    for (size_t i = 0; i < LOOKUPS; i++) hashes[i] = hash_of(hash_of(i) % entries);
    tain_index_lookup(x, hashes, LOOKUPS, on_entry, &s); /* maps the pages */
    tain_time start = tain_monotonic();
    tain_index_lookup(x, hashes, LOOKUPS, on_entry, &s);
    snprintf(name, sizeof name, "lookups in bulk, %s", what);
    say(name, LOOKUPS / seconds_since(start) / 1e6, "M/s");
    start = tain_monotonic();
    for (size_t i = 0; i < LOOKUPS; i += 1000) tain_index_lookup(x, hashes + i, 1000, on_entry, &s);
    snprintf(name, sizeof name, "lookups by 1,000, %s", what);
    say(name, LOOKUPS / seconds_since(start) / 1e6, "M/s");
    start = tain_monotonic();
    for (size_t i = 0; i < SINGLE; i++) tain_index_lookup(x, hashes + i, 1, on_entry, &s);
    snprintf(name, sizeof name, "single lookup, %s", what);
    say(name, seconds_since(start) / SINGLE * 1e9, "ns");
    if (s.count != 3 * LOOKUPS + SINGLE) {
        fprintf(stderr, "index_bench: %" PRIu64 " of %d found\n", s.count, 3 * LOOKUPS + SINGLE);
        exit(3);
    }
}

static void bench_misses(tain_index *x, uint64_t entries, uint64_t *hashes)
{
    seen s = {0};
    for (size_t i = 0; i < LOOKUPS; i++) hashes[i] = hash_of(entries + i);
    tain_time start = tain_monotonic();
    tain_index_lookup(x, hashes, LOOKUPS, on_entry, &s);
    say("lookups of what is not there", LOOKUPS / seconds_since(start) / 1e6, "M/s");
}

int main(int argc, char **argv)
{
    uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    if (argc > 2) folder = argv[2];
    uint64_t *hashes = malloc(FILE_ROWS * sizeof *hashes);
    if (!hashes || entries == 0) return 2;
    clear_folder();
    bench_sort(hashes);
    tain_index *x = open_index();
    rebuild(x, entries, hashes);
    char what[32];
    snprintf(what, sizeof what, "%" PRIu64 " runs", tain_index_get_stats(x).runs);
    bench_lookups(x, entries, what, hashes);
    merge(x, true);
    bench_lookups(x, entries, "one run", hashes);
    bench_misses(x, entries, hashes);
    tain_index_stats stats = tain_index_get_stats(x);
    say("on disk", (double)stats.disk_bytes / (double)stats.entries, "bytes/entry");
    tain_index_close(x);
    tain_time start = tain_monotonic();
    x = open_index();
    say("open", seconds_since(start) * 1e3, "ms");
    tain_index_close(x);
    bench_add(entries, hashes);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    say("largest resident set", (double)usage.ru_maxrss / 1024, "MiB, mapped pages and the bench's own 8 MiB included");
    clear_folder();
    free(hashes);
    return 0;
}
