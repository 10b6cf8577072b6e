/* SPDX-License-Identifier: MIT */
#include "lake/lake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/lockfile.h"
#include "base/json.h"
#include "base/map.h"
#include "base/text.h"

#define EPOCHS   "_tain/epochs/"
#define SEGMENTS "_tain/epochs/segments/"
enum { SEGMENT_RECORDS = 1000, LEAST_ROOM = 1 << 20 };

struct tain_lake {
    tain_store *store;
    char       *cache_dir;
    int         lock_fd;
    int64_t     oldest_single; /* lowest epoch that is a file of its own, as far as known; 0: not known */
    int64_t     newest;
};

/* Elsewhere than on a local disk the cache is in the user's cache folder, by the lake's URL. */
static char *remote_cache_path(const char *url)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *folder = tain_folder_from_name(url);
    char *path = base && *base ? tain_format("%s/tain/%s", base, folder)
                               : tain_format("%s/.cache/tain/%s", home && *home ? home : "/tmp", folder);
    free(folder);
    return path;
}

char *tain_lake_cache_path(const char *url)
{
    TAIN_AUTO(tain_free) char *folder = tain_store_path_of(url);
    return folder ? tain_format("%s/_tain/cache", folder) : remote_cache_path(url);
}

tain_status tain_lake_open(const char *url, bool create, tain_lake **ret, tain_error *err)
{
    tain_store *store;
    TAIN_TRY_IN(err, tain_store_open(url, create, &store, err), "lake %s", url);
    tain_lake *l = tain_alloc(sizeof *l);
    l->store = store;
    l->lock_fd = -1;
    l->cache_dir = tain_lake_cache_path(tain_store_path(store) ? tain_store_path(store) : url);
    *ret = l;
    return TAIN_OK;
}

void tain_lake_close(tain_lake *l)
{
    if (!l) return;
    if (l->lock_fd >= 0) close(l->lock_fd);
    tain_store_close(l->store);
    free(l->cache_dir);
    free(l);
}

tain_store *tain_lake_store(tain_lake *l)
{
    return l->store;
}

const char *tain_lake_cache_dir(const tain_lake *l)
{
    (void)tain_make_folder(l->cache_dir, false); /* its users say what is wrong with it */
    return l->cache_dir;
}

#define ASIDE "_tain_moving_"

char *tain_lake_aside_folder(const char *folder, const char *identity)
{
    TAIN_AUTO(tain_free) char *name = tain_format(ASIDE "%s", identity);
    TAIN_AUTO(tain_free) char *own = tain_folder_from_name(name);
    return tain_format("%.*s/%s", (int)(strrchr(folder, '/') - folder), folder, own);
}

bool tain_lake_is_aside(const char *folder)
{
    const char *name = strrchr(folder, '/');
    TAIN_AUTO(tain_free) char *begins = tain_folder_from_name(ASIDE);
    return name && strncmp(name + 1, begins, strlen(begins)) == 0;
}

char *tain_lake_table_folder(const char *schema, const char *table)
{
    char *s = tain_folder_from_name(schema), *t = tain_folder_from_name(table);
    char *folder = tain_format("Tables/%s/%s", s, t);
    free(s);
    free(t);
    return folder;
}

/* --- the one writer ----------------------------------------------------------------------------------------------- */

static char *lock_path(tain_lake *l)
{
    const char *root = tain_store_path(l->store);
    return root ? tain_format("%s/_tain/lock", root) : NULL;
}

tain_status tain_lake_lock(tain_lake *l, tain_error *err)
{
    char *path = lock_path(l);
    if (!path) return TAIN_OK;
    char holder[TAIN_LOCKFILE_HOLDER], *dir = tain_format("%s/_tain", tain_store_path(l->store));
    tain_status st = tain_make_folder(dir, true) ? TAIN_OK : tain_fail_errno(err, "cannot make folder %s", dir);
    free(dir);
    if (st == TAIN_OK) st = tain_lockfile_take(path, 0666, &l->lock_fd, holder, err);
    free(path);
    if (st != TAIN_E_BUSY) return st;
    st = tain_fail(err, TAIN_E_BUSY, "lake %s is being written by %s", l->store->url, holder);
    tain_error_remedy(err, "stop that process first; one lake has one writer");
    return st;
}

bool tain_lake_is_locked(tain_lake *l)
{
    TAIN_AUTO(tain_free) char *path = lock_path(l);
    return path && tain_lockfile_is_held(path);
}

const char *tain_lake_obstacle(tain_lake *l)
{
    struct statvfs fs;
    const char *root = tain_store_path(l->store);
    if (!root || statvfs(root, &fs) != 0) return NULL;
    if (fs.f_flag & ST_RDONLY) return "it is read-only";
    return (uint64_t)fs.f_bavail * fs.f_frsize < LEAST_ROOM ? "it is full" : NULL;
}

bool tain_lake_may_write(tain_lake *l)
{
    const char *root = tain_store_path(l->store);
    if (!root) return true;
    TAIN_AUTO(tain_free) char *own = tain_format("%s/_tain", root);
    return faccessat(AT_FDCWD, own, W_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

typedef struct table_list {
    tain_map folders; /* folder -> itself */
} table_list;

static bool note_table(void *ctx, const tain_object *o)
{
    table_list *list = ctx;
    const char *log = strstr(o->key, "/_delta_log/");
    if (!log) return true;
    char *folder = tain_strndup(o->key, (size_t)(log - o->key));
    if (!tain_map_get(&list->folders, folder)) tain_map_put(&list->folders, folder, list);
    free(folder);
    return true;
}

static tain_status visit_table(const char *folder,
                               tain_status (*each)(void *, const char *, const char *, const char *, tain_error *), void *ctx,
                               tain_error *err)
{
    const char *rest = folder + strlen("Tables/"), *slash = strchr(rest, '/');
    if (!slash || strchr(slash + 1, '/')) return TAIN_OK;
    char *s = tain_strndup(rest, (size_t)(slash - rest)), *schema = tain_name_from_folder(s);
    char *table = tain_name_from_folder(slash + 1);
    tain_status st = each(ctx, schema, table, folder, err);
    free(s);
    free(schema);
    free(table);
    return st;
}

tain_status tain_lake_each_table(tain_lake *l, tain_status (*each)(void *, const char *, const char *, const char *, tain_error *),
                                 void *ctx, tain_error *err)
{
    table_list list = {0};
    tain_status st = tain_store_list(l->store, "Tables/", NULL, note_table, &list, err);
    const char *folder;
    void *unused;
    for (size_t cursor = 0; st == TAIN_OK && tain_map_next(&list.folders, &cursor, &folder, &unused);)
        st = visit_table(folder, each, ctx, err);
    tain_map_done(&list.folders);
    return st;
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

static bool newest_single(void *ctx, const tain_object *o)
{
    int64_t *range = ctx; /* oldest, newest */
    const char *name = o->key + strlen(EPOCHS);
    char *end;
    long long n = strtoll(name, &end, 10);
    if (strlen(name) != 25 || strcmp(end, ".json") != 0) return true;
    if (!range[0]) range[0] = n;
    if (n > range[1]) range[1] = n;
    return true;
}

static char *epoch_key(int64_t n)
{
    return tain_format(EPOCHS "%020lld.json", (long long)n);
}

static tain_status parse_epoch(const tain_buffer *text, const char *key, tain_epoch *ret, tain_error *err)
{
    json_t *o;
    TAIN_TRY(tain_json_parse(text->data, text->size, key, &o, err));
    *ret = (tain_epoch){.number = tain_json_get_int(o, "epoch", 0)};
    snprintf(ret->position.text, sizeof ret->position.text, "%s", tain_json_get_str(o, "position", ""));
    ret->source_time = tain_time_from_iso(tain_json_get_str(o, "source_commit_time", ""));
    ret->committed_time = tain_time_from_iso(tain_json_get_str(o, "committed_at", ""));
    json_decref(o);
    return TAIN_OK;
}

tain_status tain_lake_last_epoch(tain_lake *l, tain_epoch *ret, tain_error *err)
{
    int64_t range[2] = {0, 0};
    TAIN_TRY(tain_store_list(l->store, EPOCHS "0", NULL, newest_single, range, err));
    l->oldest_single = range[0];
    l->newest = range[1];
    *ret = (tain_epoch){0};
    if (!range[1]) return TAIN_OK;
    char *key = epoch_key(range[1]);
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_status st = tain_store_get(l->store, key, 0, -1, &text, err);
    if (st == TAIN_OK) st = parse_epoch(&text, key, ret, err);
    free(key);
    return st;
}

tain_status tain_lake_apart(tain_lake *l, int64_t number, json_t **ret, tain_error *err)
{
    *ret = NULL;
    if (!number) return TAIN_OK;
    char *key = epoch_key(number);
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t *o = NULL;
    tain_status st = tain_store_get(l->store, key, 0, -1, &text, err);
    if (st == TAIN_OK) st = tain_json_parse(text.data, text.size, key, &o, err);
    if (st == TAIN_OK) *ret = json_incref(json_object_get(o, "apart"));
    json_decref(o);
    free(key);
    return st;
}

typedef struct key_list {
    char **keys;
    size_t count;
} key_list;

static bool note_key(void *ctx, const tain_object *o)
{
    key_list *list = ctx;
    list->keys = tain_realloc(list->keys, (list->count + 1) * sizeof *list->keys);
    list->keys[list->count++] = tain_strdup(o->key);
    return true;
}

/* A record a line. */
static tain_status visit_records(tain_lake *l, const char *key, tain_status (*each)(void *, const json_t *, tain_error *),
                                 void *ctx, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_status                             st = tain_store_get(l->store, key, 0, -1, &text, err);
    if (st == TAIN_E_NOT_FOUND) return TAIN_OK; /* folded since */
    char *rest = st == TAIN_OK ? tain_buffer_cstr(&text) : NULL;
    for (char *line; st == TAIN_OK && (line = strsep(&rest, "\n"));) {
        json_t *record = NULL;
        if (!*line) continue;
        st = tain_json_parse(line, strlen(line), key, &record, err);
        if (st == TAIN_OK) st = each(ctx, record, err);
        json_decref(record);
    }
    return st;
}

tain_status tain_lake_each_epoch(tain_lake *l, tain_status (*each)(void *, const json_t *, tain_error *), void *ctx,
                                 tain_error *err)
{
    key_list    list = {0};
    tain_status st = tain_store_list(l->store, SEGMENTS, NULL, note_key, &list, err);
    if (st == TAIN_OK) st = tain_store_list(l->store, EPOCHS "0", NULL, note_key, &list, err);
    for (size_t i = 0; i < list.count; i++) {
        if (st == TAIN_OK) st = visit_records(l, list.keys[i], each, ctx, err);
        tain_free(list.keys[i]);
    }
    tain_free(list.keys);
    return st;
}

static void write_apart(tain_json *j, const json_t *apart)
{
    char *text = json_dumps(apart, JSON_COMPACT);
    tain_json_key(j, "apart");
    tain_json_raw(j, text, strlen(text));
    free(text);
}

static void write_times(tain_json *j, const tain_epoch *e)
{
    char iso[40];
    tain_json_key(j, "source_commit_time");
    if (e->source_time) {
        tain_json_strn(j, iso, tain_time_iso(e->source_time, 6, iso));
    } else {
        tain_json_null(j);
    }
    tain_json_key(j, "committed_at");
    tain_json_strn(j, iso, tain_time_iso(e->committed_time, 6, iso));
}

static void epoch_to_json(const tain_epoch *e, tain_buffer *out)
{
    tain_json j = {.out = out};
    tain_json_object(&j);
    tain_json_kint(&j, "epoch", e->number);
    tain_json_kstr(&j, "position", e->position.text);
    write_times(&j, e);
    tain_json_key(&j, "tables");
    tain_json_object(&j);
    for (size_t i = 0; i < e->table_count; i++) {
        tain_json_key(&j, e->tables[i].name);
        tain_json_object(&j);
        tain_json_kint(&j, "version", e->tables[i].version);
        tain_json_kint(&j, "rows", e->tables[i].rows);
        tain_json_object_end(&j);
    }
    tain_json_object_end(&j);
    if (e->apart) write_apart(&j, e->apart);
    tain_json_object_end(&j);
    tain_buffer_append_u8(out, '\n');
}

tain_status tain_lake_write_epoch(tain_lake *l, tain_epoch *e, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    e->committed_time = tain_now();
    epoch_to_json(e, &text);
    char *key = epoch_key(e->number);
    tain_status st = tain_store_put(l->store, key, tain_buffer_slice(&text), TAIN_PUT_IF_ABSENT, err);
    if (st == TAIN_E_EXISTS || st == TAIN_E_UNKNOWN) { /* ours from a try whose answer was lost, or another writer's? */
        TAIN_AUTO(tain_buffer_done) tain_buffer there = {0};
        tain_epoch other = {0};
        st = tain_store_get(l->store, key, 0, -1, &there, err);
        if (st == TAIN_OK) st = parse_epoch(&there, key, &other, err);
        if (st == TAIN_OK && strcmp(other.position.text, e->position.text) != 0)
            st = tain_fail(err, TAIN_E_CONFLICT, "epoch %lld was written by another writer", (long long)e->number);
    }
    free(key);
    if (st != TAIN_OK) return st;
    if (!l->oldest_single) l->oldest_single = e->number;
    l->newest = e->number;
    return TAIN_OK;
}

/* One segment from the records first..last, whichever of them exist. */
static tain_status fold(tain_lake *l, int64_t first, int64_t last, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    for (int64_t n = first; n <= last; n++) {
        char *key = epoch_key(n);
        tain_status st = tain_store_get(l->store, key, 0, -1, &text, err);
        free(key);
        if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) return st;
    }
    char *segment = tain_format(SEGMENTS "%020lld.jsonl", (long long)first);
    tain_status st = tain_store_put(l->store, segment, tain_buffer_slice(&text), 0, err);
    free(segment);
    for (int64_t n = first; st == TAIN_OK && n <= last; n++) {
        char *key = epoch_key(n);
        st = tain_store_remove(l->store, key, err);
        free(key);
    }
    return st;
}

typedef struct old_segments {
    tain_map  keys;
    tain_time before;
} old_segments;

static bool note_old(void *ctx, const tain_object *o)
{
    old_segments *s = ctx;
    if (o->modified < s->before) tain_map_put(&s->keys, o->key, s);
    return true;
}

static tain_status remove_old_segments(tain_lake *l, tain_time retention, tain_error *err)
{
    old_segments old = {.before = tain_now() - retention};
    tain_status st = tain_store_list(l->store, SEGMENTS, NULL, note_old, &old, err);
    const char *key;
    void *unused;
    for (size_t cursor = 0; st == TAIN_OK && tain_map_next(&old.keys, &cursor, &key, &unused);)
        st = tain_store_remove(l->store, key, err);
    tain_map_done(&old.keys);
    return st;
}

tain_status tain_lake_fold_epochs(tain_lake *l, tain_time retention, tain_error *err)
{
    if (!l->oldest_single || l->newest - l->oldest_single < 2 * SEGMENT_RECORDS) return TAIN_OK;
    int64_t last = l->oldest_single / SEGMENT_RECORDS * SEGMENT_RECORDS + SEGMENT_RECORDS - 1;
    TAIN_TRY(fold(l, l->oldest_single, last, err));
    l->oldest_single = last + 1;
    return remove_old_segments(l, retention, err);
}
