/* SPDX-License-Identifier: MIT */
#include "cli/attach.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/map.h"
#include "base/text.h"
#include "lake/asof.h"

#define DATABASE_SUFFIX ".MirroredDatabase"

struct tain_attached {
    tain_scan   *scan;
    tain_lake  **lakes; /* open while their tables are read */
    size_t       lake_count;
    tain_store **stores;
    tain_delta **tables; /* hold the deletion bitmaps */
    size_t       count, capacity;
};

typedef struct attaching {
    tain_attached *attached;
    tain_lake     *lake;
    tain_asof     *asof; /* NULL: as of now */
    const char    *catalog;
    bool           has_public, has_dbo;
} attaching;

static void keep(tain_attached *a, tain_store *store, tain_delta *delta)
{
    if (a->count == a->capacity) {
        a->capacity = a->capacity ? a->capacity * 2 : 16;
        a->stores = tain_realloc(a->stores, a->capacity * sizeof(tain_store *));
        a->tables = tain_realloc(a->tables, a->capacity * sizeof(tain_delta *));
    }
    a->stores[a->count] = store;
    a->tables[a->count++] = delta;
}

/* Older versions may have lost files to vacuum. */
static tain_status check_there(const char *path, tain_error *err)
{
    if (access(path, F_OK) == 0 || errno != ENOENT) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_GONE, "its files of that time were removed: %s", path);
    tain_error_remedy(err, "name a later time; files that are no longer part of a table are kept for the retention only");
    return st;
}

/* Neither what is in folder names nor what is on other machines is read: it would be missing without a word. */
static tain_status find_file(tain_delta *delta, tain_delta_file *f, bool past, tain_scan_file *ret, tain_error *err)
{
    const roaring_bitmap_t *deleted;
    TAIN_TRY(tain_delta_deleted(delta, f, &deleted, err));
    *ret = (tain_scan_file){.path = tain_delta_file_local_path(delta, f), .deleted = deleted};
    if (!ret->path) return tain_fail(err, TAIN_E_UNSUPPORTED, "its data file %s is not on this machine", f->path);
    return past ? check_there(ret->path, err) : TAIN_OK;
}

tain_status tain_attach_delta(tain_scan *scan, const tain_attach_as *as, tain_delta *delta, tain_error *err)
{
    const tain_delta_metadata *meta = tain_delta_meta(delta);
    if (json_array_size(meta->partition_columns)) return tain_fail(err, TAIN_E_UNSUPPORTED, "it is partitioned, which tain does not read");
    size_t n = 0;
    tain_scan_file *files = tain_alloc((tain_delta_file_count(delta) + 1) * sizeof *files);
    tain_status st = TAIN_OK;
    tain_delta_file *f;
    for (size_t cursor = 0; st == TAIN_OK && tain_delta_next_file(delta, &cursor, &f); n++) st = find_file(delta, f, as->past, &files[n], err);
    if (st == TAIN_OK) st = tain_scan_add_table(scan, as->catalog, as->schema, as->name, as->columns ? as->columns : meta->schema, files, n, err);
    for (size_t i = 0; i < n; i++) free((char *)files[i].path);
    free(files);
    return st;
}

static void say_if_apart(const tain_asof *asof, const char *full)
{
    const json_t *why = asof ? json_object_get(tain_asof_apart(asof), full) : NULL;
    if (why)
        fprintf(stderr, "tain: %s was not followed at epoch %lld, and is older: %s\n", full, (long long)tain_asof_epoch(asof),
                tain_json_get_str(why, "reason", tain_json_get_str(why, "status", "")));
}

static tain_status open_then(const attaching *w, tain_store *store, const char *full, tain_delta **ret, tain_error *err)
{
    if (!w->asof) return tain_delta_open(store, ret, err);
    int64_t version = tain_asof_version(w->asof, full);
    if (version < 0) return TAIN_E_NOT_FOUND;
    return version == INT64_MAX ? tain_delta_open(store, ret, err) : tain_delta_open_at(store, version, ret, err);
}

static tain_status attach_table(void *ctx, const char *schema, const char *table, const char *folder, tain_error *err)
{
    attaching *w = ctx;
    tain_store *store = tain_store_sub(tain_lake_store(w->lake), folder);
    tain_delta *delta = NULL;
    TAIN_AUTO(tain_free) char *full = tain_source_full_name(schema, table);
    tain_status st = open_then(w, store, full, &delta, err);
    if (st == TAIN_E_NOT_FOUND) {
        tain_store_close(store);
        return TAIN_OK;
    }
    keep(w->attached, store, delta);
    w->has_public = w->has_public || strcmp(schema, "public") == 0;
    w->has_dbo = w->has_dbo || strcmp(schema, "dbo") == 0;
    const tain_attach_as as = {.catalog = w->catalog, .schema = schema, .name = table, .past = w->asof != NULL};
    if (st == TAIN_OK) st = tain_attach_delta(w->attached->scan, &as, delta, err);
    if (st != TAIN_OK) tain_error_context(err, "table %s", full);
    else say_if_apart(w->asof, full);
    return st;
}

/* Where sources look for a table whose schema is not named. */
static tain_status search(const attaching *w, tain_error *err)
{
    if (w->catalog) return TAIN_OK;
    TAIN_AUTO(tain_result_free) tain_result *none = NULL;
    TAIN_AUTO(tain_free) char *sql = tain_format("SET search_path = 'main%s%s'", w->has_public ? ",public" : "", w->has_dbo ? ",dbo" : "");
    return tain_scan_query(w->attached->scan, sql, &none, err);
}

static tain_status attach_tables(attaching *w, const char *as_of, tain_error *err)
{
    tain_epoch last;
    if (as_of) TAIN_TRY(tain_lake_last_epoch(w->lake, &last, err));
    if (as_of && !last.number) return TAIN_OK; /* nothing of it was ever complete, or it only holds other lakes */
    if (as_of) TAIN_TRY(tain_asof_find(w->lake, as_of, &w->asof, err));
    TAIN_TRY(tain_lake_each_table(w->lake, attach_table, w, err));
    return search(w, err);
}

static tain_status attach_database(tain_attached *a, const char *url, const char *as_of, const char *catalog, tain_error *err)
{
    tain_lake *lake;
    TAIN_TRY(tain_lake_open(url, false, &lake, err));
    a->lakes = tain_realloc(a->lakes, (a->lake_count + 1) * sizeof(tain_lake *));
    a->lakes[a->lake_count++] = lake;
    attaching w = {.attached = a, .lake = lake, .catalog = catalog};
    tain_status st = attach_tables(&w, as_of, err);
    tain_asof_free(w.asof);
    return st;
}

static tain_status attach_named(tain_attached *a, const char *url, const char *as_of, tain_error *err)
{
    DIR *dir = opendir(url);
    tain_status st = TAIN_OK;
    for (struct dirent *d; dir && st == TAIN_OK && (d = readdir(dir));) {
        char *suffix = strstr(d->d_name, DATABASE_SUFFIX);
        if (!suffix || suffix[strlen(DATABASE_SUFFIX)]) continue;
        char *database = tain_format("%s/%s", url, d->d_name), *name = tain_strndup(d->d_name, (size_t)(suffix - d->d_name));
        st = attach_database(a, database, as_of, name, err);
        free(database);
        free(name);
    }
    if (dir) closedir(dir);
    return st;
}

tain_status tain_attach_lake(const char *url, const char *as_of, tain_attached **ret, tain_error *err)
{
    TAIN_AUTO(tain_attached_free) tain_attached *a = tain_alloc(sizeof *a);
    const tain_scan_options options = {.temp_dir = tain_temp_folder()};
    TAIN_TRY(tain_scan_open(&options, &a->scan, err));
    TAIN_TRY(attach_database(a, url, as_of, NULL, err));
    TAIN_TRY(attach_named(a, url, as_of, err));
    if (a->count == 0) {
        tain_status st = tain_fail(err, TAIN_E_NOT_FOUND, "%s holds no mirrored tables", url);
        tain_error_remedy(err, "name the folder that tain mirror was given as LAKE");
        return st;
    }
    *ret = a;
    a = NULL;
    return TAIN_OK;
}

tain_scan *tain_attached_scan(tain_attached *a)
{
    return a->scan;
}

void tain_attached_free(tain_attached *a)
{
    if (!a) return;
    tain_scan_close(a->scan);
    for (size_t i = 0; i < a->count; i++) {
        tain_delta_close(a->tables[i]);
        tain_store_close(a->stores[i]);
    }
    for (size_t i = 0; i < a->lake_count; i++) tain_lake_close(a->lakes[i]);
    free(a->stores);
    free(a->tables);
    free(a->lakes);
    free(a);
}
