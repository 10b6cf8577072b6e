/* SPDX-License-Identifier: MIT */
/* mirror_run.h -- a mirror run from a scripted source into a lake of its own, two tables and changes to them. */
#ifndef TAIN_TESTS_MIRROR_RUN_H
#define TAIN_TESTS_MIRROR_RUN_H

#include <sys/stat.h>

#include "mirror_fake.h"

static char *lake;
static char  said[1 << 16];

static inline void note(const char *line)
{
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s\n", line);
}

static inline int begin(void **state)
{
    fake_reset();
    said[0] = 0;
    tain_source_register(&fake_ops);
    lake = lake_make();
    return 0;
}

static inline int end(void **state)
{
    lake_remove(lake);
    fake_reset();
    return 0;
}

/* --- running ------------------------------------------------------------------------------------------------------- */

typedef struct run {
    tain_time freshness;
    int64_t   memory;
    bool      follow, resync_all;
    tain_switch cdf;
    const char *resync[2], *exclude, *retained, *profile; /* profile NULL: the lake's */
} run;

/* Of a lake that has none yet. */
static inline json_t *policies_of_run(void)
{
    char *path = tain_format("%s/mirroring.json", lake);
    bool is_new = access(path, F_OK) != 0;
    free(path);
    return fake.keeps && is_new ? json_pack("{s:s}", "dropped_column", "keep") : NULL;
}

static inline tain_status run_mirror(run r, tain_error *err)
{
    char *excluded[] = {(char *)r.exclude, NULL};
    tain_definition d = {.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .freshness = r.freshness, .jobs = 2,
                         .memory = r.memory ? r.memory : 64 << 20, .exclude = r.exclude ? excluded : NULL, .retained_log = tain_strdup(r.retained), .policies = policies_of_run(),
                         .cdf = r.cdf,
                         .compat = {.on = r.profile && strcmp(r.profile, "compat") == 0, .given = r.profile != NULL}};
    tain_worker_options o = {.once = !r.follow, .resync_all = r.resync_all, .resync = r.resync[0] ? r.resync : NULL, .say = note};
    tain_status st = tain_worker_run(&d, &o, err);
    if (r.exclude) d.exclude = NULL;
    tain_definition_done(&d);
    return st;
}

static inline void once(void)
{
    assert_ok(run_mirror((run){0}, err));
}

static inline tain_store *open_lake(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    return s;
}

static inline void check_all(void)
{
    tain_store *s = open_lake();
    for (int t = 0; t < fake.table_count; t++)
        if (fake.now[t].there) fake_check(s, t);
    assert_int_equal(fake_last_position(s), fake.count);
    tain_store_close(s);
}

static inline size_t check_epochs(void)
{
    tain_store *s = open_lake();
    size_t n = fake_check_epochs(s);
    tain_store_close(s);
    return n;
}

/* The status of a table as the mirror last said it. Caller json_decref()s *root. */
static inline const json_t *status_of(const char *table, json_t **root)
{
    tain_store *s = open_lake();
    *root = fake_epoch(s, "_tain/status.json");
    tain_store_close(s);
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(*root, "tables"), i, o)
        if (strcmp(tain_json_get_str(o, "name", ""), table) == 0) return o;
    fail_msg("no status of %s", table);
    return NULL;
}

static inline void check_status(const char *table, const char *status, const char *reason)
{
    json_t *root;
    const json_t *o = status_of(table, &root);
    assert_string_equal(tain_json_get_str(o, "status", ""), status);
    if (reason && !strstr(tain_json_get_str(o, "reason", ""), reason)) fail_msg("reason is \"%s\"", tain_json_get_str(o, "reason", ""));
    json_decref(root);
}

/* --- scripts ------------------------------------------------------------------------------------------------------- */

static int a, b;
static int next_key;
static int rounds __attribute__((unused));

static inline void two_tables(int rows)
{
    a = fake_create("main", "a", true);
    b = fake_create("main", "b", false);
    for (next_key = 0; next_key < rows; next_key++) {
        fake_insert(a, next_key, next_key % 7, next_key);
        fake_insert(b, next_key % 10, next_key % 3, FAKE_NULL);
    }
    fake_commit();
}

static inline int64_t some_key(int divisor)
{
    return fake.now[a].rows[(size_t)(next_key / divisor) % fake.now[a].count].v[0];
}

/* One transaction that touches both tables. */
static inline void some_changes(void)
{
    fake_insert(a, next_key, 1, next_key);
    fake_insert(b, next_key % 10, 5, FAKE_NULL);
    next_key++;
    fake_update(a, some_key(2), next_key);
    fake_set(a, some_key(3), 1, next_key, 1u << 2);
    if (next_key % 3 == 0) fake_delete(b, fake.now[b].rows[0].v[0]);
    if (next_key % 5 == 0) fake_rekey(a, some_key(1), 100000 + next_key, 1u << 2);
    fake_commit();
}

#endif
